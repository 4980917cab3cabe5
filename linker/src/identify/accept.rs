//! Whether a place can be the function of that name at all, however many bits
//! speak for it.
//!
//! A compiler puts functions into others, splits them and leaves out what it
//! need not have; then a place may look like a function that the kernel has
//! only within others, or has not.

use super::{
    graph::{Fact, Named, Node, linked},
    matcher::Matcher,
    tally::Tally,
};

/// Bits that must come from the function's own facts.
const SOLID: f32 = 6.0;
/// The same where the place is known to the file.
const SOLID_IN_FILE: f32 = 3.5;

impl Matcher<'_> {
    /// Whether the compiler may have put `inner` into `outer` and left nothing
    /// of it.
    pub(super) fn may_contain(&self, outer: Named, inner: Named) -> bool {
        let within = self.source.node(inner);
        let same_file = within.file == self.source.node(outer).file;
        !within.global && same_file && linked(&self.source.node(outer).calls, inner).is_some()
    }

    /// Whether the function is one of its own in the binary: a static function
    /// may have been put into its callers, whose facts then look like its own.
    pub(super) fn stands_alone(&self, named: Named, node: Node) -> bool {
        let source = self.source.node(named);
        let tally = self.score(named, node, Tally::default());
        let place = self.place(named, node);
        let in_file = place.is_some_and(|it| it.distance == 0 || it.beside);
        if tally.own() < if in_file { SOLID_IN_FILE } else { SOLID } {
            return false;
        }
        if source.global || !source.known {
            return true;
        }
        let by_name = |it: &Node| self.name_of(*it);
        let binary = self.binary.node(node);
        let called = binary
            .callers
            .iter()
            .filter_map(by_name)
            .any(|by| linked(&source.callers, by).is_some());
        let referred = binary
            .referrers
            .iter()
            .filter_map(by_name)
            .any(|by| linked(&source.referrers, by).is_some());
        // What was put into several functions would show in all of them, and
        // there is one only.
        let callers = source
            .callers
            .iter()
            .filter(|it| it.fact != Fact::Inherited && !self.source.node(it.to).conditional);
        let nothing_calls_it = source.callers.is_empty() && source.referrers.is_empty();
        let pointed = nothing_calls_it
            && binary.callers.is_empty()
            && !self.binary.code.pointers_to(binary.address).is_empty();
        called || referred || pointed || callers.count() >= 2
    }
}
