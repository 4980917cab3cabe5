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
        self.stands_alone_by(&self.score(named, node, Tally::default()), named, node)
    }

    /// The same with what speaks for it.
    pub(super) fn stands_alone_by(&self, tally: &Tally, named: Named, node: Node) -> bool {
        let source = self.source.node(named);
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
            && !self.binary.pointers_to(node).is_empty();
        called || referred || pointed || callers.count() >= 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identify::testing::{self, named, place},
        kernel::{Kernel, Version},
        machine::testing::{BASE, Image},
    };

    /// `entry` calls `helper`, and nobody else does; `twice` has two callers.
    const SOURCE: &str = r#"signatures 1
version 4.4.0
file kernel/some.c
fn helper s--- 1 10 1 0 0
k &1200
fn twice s--- 1 15 1 0 0
k &3400
fn entry --x- 1 20 1 0 0
t "only the entry says this"
c helper~ p0
c twice~ p0
fn another --x- 1 30 1 0 0
c twice~ p0
fn called_back s--- 1 40 1 0 0
k &5600
file kernel/other.c
fn stranger --x- 1 10 1 0 0
"#;
    const TEXT: u32 = BASE + 0x3_0000;
    /// Words that hold addresses of functions.
    const TABLE: u32 = BASE + 0x3_1000;

    /// Where the functions of [`kernel`] begin.
    struct Places {
        filler: u32,
        helper: u32,
        twice: u32,
        called_back: u32,
        entry: u32,
    }

    /// A kernel with the functions of the source, behind many others.
    fn kernel() -> (Kernel, Places) {
        const FILLER: [u32; 4] = [0xe92d_4010, 0xe1a0_4000, 0xe080_0004, 0xe8bd_8010];
        let mut image = Image::new(0x4_0000, Version(4, 4, 0));
        let mut at = BASE;
        let mut write = |image: &mut Image, words: &[u32]| {
            let start = at;
            image.words(start, words);
            at += 4 * words.len() as u32;
            start
        };
        for _ in 0..120 {
            write(&mut image, &FILLER);
        }
        // and r0, r0, #...; bx lr
        let helper = write(&mut image, &[0xe200_0c12, 0xe12f_ff1e]);
        let twice = write(&mut image, &[0xe200_0c34, 0xe12f_ff1e]);
        let called_back = write(&mut image, &[0xe200_0c56, 0xe12f_ff1e]);
        // push {r4, lr}; mov r4, r0; bl helper; mov r0, r4; bl twice; ldr r0, [pc, #0];
        // pop {r4, pc}; the text's address
        let start = twice + 16;
        let call = |from: u32, to: u32| 0xeb00_0000 | (to.wrapping_sub(from + 8) >> 2 & 0xff_ffff);
        let entry = write(
            &mut image,
            &[
                0xe92d_4010,
                0xe1a0_4000,
                call(start + 8, helper),
                0xe1a0_0004,
                call(start + 16, twice),
                0xe59f_0000,
                0xe8bd_8010,
                TEXT,
            ],
        );
        assert_eq!(start, entry);
        image.text(TEXT, "only the entry says this");
        image.words(TABLE, &[called_back]);
        let places = Places {
            filler: BASE + 0x40,
            helper,
            twice,
            called_back,
            entry,
        };
        (image.kernel(), places)
    }

    /// Does something with a matcher that knows nothing yet.
    fn with_matcher(test: impl FnOnce(&mut Matcher, Places)) {
        let (kernel, places) = kernel();
        testing::with_matcher(&kernel, SOURCE, |matcher| test(matcher, places));
    }

    fn stands(matcher: &Matcher, name: &str, address: u32) -> bool {
        matcher.stands_alone(named(matcher, name), place(matcher, address))
    }

    #[test]
    fn a_function_may_contain_the_static_ones_of_its_file_that_it_calls() {
        with_matcher(|matcher, _| {
            let contains =
                |outer, inner| matcher.may_contain(named(matcher, outer), named(matcher, inner));
            assert!(contains("entry", "helper"));
            assert!(!contains("helper", "entry"));
            // Neither what it does not call, nor what is global.
            assert!(!contains("another", "helper"));
            assert!(!contains("stranger", "helper"));
            assert!(!contains("another", "entry"));
        });
    }

    #[test]
    fn a_place_needs_facts_of_the_function_itself() {
        with_matcher(|matcher, places| {
            assert!(stands(matcher, "entry", places.entry));
            // It calls nothing and says nothing.
            assert!(!stands(matcher, "entry", places.filler));
        });
    }

    #[test]
    fn a_static_function_is_one_of_its_own_when_a_known_one_calls_it() {
        with_matcher(|matcher, places| {
            // The caller could as well have it within itself.
            assert!(!stands(matcher, "helper", places.helper));
            let entry = named(matcher, "entry");
            matcher.fix(entry, place(matcher, places.entry));
            assert!(stands(matcher, "helper", places.helper));
        });
    }

    #[test]
    fn what_was_refused_is_asked_again_when_its_caller_is_known() {
        with_matcher(|matcher, places| {
            let (entry, helper) = (named(matcher, "entry"), named(matcher, "helper"));
            assert!(matcher.round((4.0, 2.0)));
            assert!(matcher.node_of(entry).is_some() && matcher.node_of(helper).is_none());
            while matcher.round((4.0, 2.0)) {}
            assert_eq!(matcher.node_of(helper), Some(place(matcher, places.helper)));
        });
    }

    #[test]
    fn what_has_two_callers_would_show_in_both() {
        with_matcher(|matcher, places| assert!(stands(matcher, "twice", places.twice)));
    }

    #[test]
    fn what_nothing_calls_is_pointed_to() {
        with_matcher(|matcher, places| {
            assert!(stands(matcher, "called_back", places.called_back));
            // This one is called.
            assert!(!stands(matcher, "called_back", places.helper));
        });
    }
}
