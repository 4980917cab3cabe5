//! What another version of the source may have made of a place.
//!
//! The source that a kernel is compared with is mostly not its own. A version more or
//! less, and a function has become the static part of a new one of its old name, or its
//! successor has taken an argument more; the code is still like the old one.

use super::{
    graph::{Named, Node, Place, linked},
    matcher::Matcher,
    tally::Tally,
};

/// Functions between a part of another and what it was taken from, at most, and callers
/// that such a part has at most.
const BESIDE: u32 = 8;
const CALLERS_OF_PART: usize = 2;
/// Share of an answer's bits that another name must have to be as likely a reason.
const AS_LIKELY: f32 = 0.5;

impl Matcher<'_> {
    /// Whether a static function may stand there itself, of which another version of the
    /// source makes a part of this one: nobody calls the place but what lies beside it
    /// and is no caller that the source knows.
    pub(super) fn may_be_part(&self, named: Named, node: Node, tally: &Tally) -> bool {
        let source = self.source.node(named);
        let callers = &self.binary.node(node).callers;
        let is_caller = |it: Node| {
            let name = self.name_of(it);
            name.is_some_and(|name| linked(&source.callers, name).is_some())
        };
        let beside = |&it: &Node| {
            let near = self.binary.is_function(it) && it.0.abs_diff(node.0) <= BESIDE;
            near && !is_caller(it)
        };
        let apart = (1..=CALLERS_OF_PART).contains(&callers.len()) && callers.iter().all(beside);
        let is_likely = |part: Named| {
            self.node_of(part).is_none()
                && self.may_contain(named, part)
                && self.source.node(part).known
                && self.score(part, node, Tally::default()).total() > AS_LIKELY * tally.total()
        };
        source.known && source.global && apart && source.calls.iter().any(|it| is_likely(it.to))
    }

    /// Whether the place may be that of a function by which another version of the source
    /// replaces this one: both are in one version only, and it takes the arguments of the
    /// other.
    pub(super) fn may_be_successor(&self, named: Named, node: Node, tally: &Tally) -> bool {
        let source = self.source.node(named);
        let Place::Function(id) = self.binary.node(node).place else {
            return false;
        };
        let takes = self.binary.code.function(id).arguments;
        if !(source.known && source.conditional) || takes <= source.parameters {
            return false;
        }
        self.source.in_file(source.file).any(|other| {
            let rival = self.source.node(other);
            rival.known
                && rival.conditional
                && rival.parameters == takes
                && self.node_of(other).is_none()
                && self.score(other, node, Tally::default()).total() > AS_LIKELY * tally.total()
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        identify::{
            tally::Tally,
            testing::{self, named, place},
        },
        kernel::Version,
        machine::testing::{BASE, Image},
    };

    /// `whole` may contain `part`; `old` has become `new`.
    const SOURCE: &str = r#"signatures 1
version 4.4.0
file kernel/some.c
fn part s-?- 1 10 1 0 0
t? "only the part says this"
fn whole --x- 1 20 1 0 0
t? "only the part says this"
c? part~ p0
fn user --x- 1 30 1 0 0
k &3400
c whole p0
fn old --x?- 1 40 1 0 0
k &5600 &780
fn new --x?- 2 50 1 0 0
k &5600 &780
"#;
    const TEXT: u32 = BASE + 0x3_0000;

    /// Does something with a matcher over a kernel in which `part` stands alone, its
    /// caller behind it and `new` behind that.
    fn with_matcher(test: impl FnOnce(&mut super::Matcher, [u32; 3])) {
        let mut image = Image::new(0x4_0000, Version(4, 4, 0));
        let mut at = BASE;
        for _ in 0..120 {
            image.words(at, &[0xe92d_4010, 0xe1a0_4000, 0xe080_0004, 0xe8bd_8010]);
            at += 16;
        }
        // push {r4, lr}; mov r4, r0; ldr r0, [pc, #0]; pop {r4, pc}; the text's address
        let part = at;
        image.words(
            part,
            &[0xe92d_4010, 0xe1a0_4000, 0xe59f_0000, 0xe8bd_8010, TEXT],
        );
        // push {r4, lr}; and r0, r0, #0x3400; bl part; pop {r4, pc}
        let caller = part + 20;
        let back = 0xeb00_0000 | (part.wrapping_sub(caller + 8 + 8) >> 2 & 0xff_ffff);
        image.words(caller, &[0xe92d_4010, 0xe200_0b0d, back, 0xe8bd_8010]);
        // and r0, r0, r1; and r0, r0, #0x5600; and r0, r0, #0x780; bx lr
        let new = caller + 16;
        image.words(new, &[0xe000_0001, 0xe200_0c56, 0xe200_0d1e, 0xe12f_ff1e]);
        image.text(TEXT, "only the part says this");
        testing::with_matcher(&image.kernel(), SOURCE, |matcher| {
            test(matcher, [part, caller, new]);
        });
    }

    #[test]
    fn a_part_that_its_neighbour_calls_may_stand_there_itself() {
        with_matcher(|matcher, [part, caller, _]| {
            let (whole, node) = (named(matcher, "whole"), place(matcher, part));
            let tally = matcher.score(whole, node, Tally::default());
            assert!(matcher.may_be_part(whole, node, &tally));
            // Unless that is one that calls the whole in the source.
            matcher.fix(named(matcher, "user"), place(matcher, caller));
            let tally = matcher.score(whole, node, Tally::default());
            assert!(!matcher.may_be_part(whole, node, &tally));
        });
    }

    #[test]
    fn an_argument_more_may_make_it_the_successor() {
        with_matcher(|matcher, [_, _, place_of_new]| {
            let node = place(matcher, place_of_new);
            let may_be = |name| {
                let named = named(matcher, name);
                let tally = matcher.score(named, node, Tally::default());
                matcher.may_be_successor(named, node, &tally)
            };
            assert!(may_be("old"));
            assert!(!may_be("new"));
        });
    }
}
