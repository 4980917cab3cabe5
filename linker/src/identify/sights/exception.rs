//! `.exception.text` and `.irqentry.text`: functions that the vectors call
//! directly stand before all others.
//!
//! From 3.2 on `asm_do_IRQ`, which is one of them, does nothing but call `handle_IRQ`
//! with what it is handed; the handlers of chips, which stand there as well, call it with
//! a number that they have asked their chip for. From 3.18 up to 5.10 it may have in
//! itself all of `handle_IRQ`: then the two are equal but for where they stand. Of two
//! that lie apart the first is the one that the vectors call, for the linker script puts
//! its section in front of all others; a small kernel has few functions between them.

use super::{Arguments, trace};
use crate::{
    identify::{
        graph::{Named, Node, Place, Source, linked},
        matcher::Matcher,
        seen::Seen,
        tally::Tally,
    },
    machine::flow::{Event, Value},
};

/// Functions at the start of an image that may be in these sections, behind those
/// of head.S.
const FIRST: u32 = 96;
/// Functions between two of one source file are less than this.
const APART: u32 = 4;
/// Bits against the wrong side of the border, and for the right one.
const SIDE: f32 = 8.0;
/// Bits against what does not hand on what it is handed.
const OTHER: f32 = 10.0;

/// The names, and what was seen of functions so far.
#[derive(Debug, Default)]
pub(super) struct Exception {
    inside: Option<Named>,
    outside: Option<Named>,
    both_call: Option<Named>,
    seen: Seen<Node, bool>,
}

impl Exception {
    pub(super) fn of(source: &Source) -> Self {
        Self {
            inside: source.named("asm_do_IRQ"),
            outside: source.named("handle_IRQ"),
            both_call: source.named("__handle_domain_irq"),
            seen: Seen::default(),
        }
    }

    /// Only where the source has both, and one calls no other function.
    pub(super) fn score(&self, matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
        let (Some(inside), Some(outside)) = (self.inside, self.outside) else {
            return;
        };
        if named != inside && named != outside {
            return;
        }
        let called = &matcher.source.node(outside).calls;
        let both_call = self.both_call.filter(|it| linked(called, *it).is_some());
        let entry = matcher.source.node(inside);
        let only_calls = matches!(entry.order_of_calls[..], [(called, _)] if called == outside);
        let calls = |called: Named| {
            let place = matcher.node_of(called);
            place.is_some_and(|it| matcher.binary.node(node).calls.binary_search(&it).is_ok())
        };
        let applies = both_call.is_some() || named == inside && only_calls && calls(outside);
        if !applies {
            return;
        }
        let Some(hands_on) = self.hands_on(matcher, node) else {
            return;
        };
        if !hands_on {
            tally.add(Arguments, -OTHER, || {
                "does not hand on its two arguments".to_owned()
            });
        }
        let Some(both_call) = both_call else {
            return;
        };
        let early = match self.first_of_many(matcher, both_call) {
            Some(first) if hands_on => node == first,
            _ => node.0 < FIRST,
        };
        // A chip's handler has no number to hand on, so this is the one that does.
        if named == inside && early && hands_on {
            tally.add(Arguments, SIDE, || {
                "hands on a number and registers, among what the vectors call".to_owned()
            });
        }
        let wrong = match early {
            true => named == outside,
            false => named == inside && self.has_entry(matcher, both_call),
        };
        if wrong {
            tally.add(Arguments, -SIDE, || match named == outside {
                true => "stands with what the vectors call, before all others".to_owned(),
                false => "another stands with what the vectors call".to_owned(),
            });
        }
    }

    /// The first of those that hand on what they are handed, when it stands with what
    /// the vectors call and the next lies apart from it.
    fn first_of_many(&self, matcher: &Matcher, both_call: Named) -> Option<Node> {
        let called = matcher.node_of(both_call)?;
        let hand_on = |to: Node| {
            let callers = matcher.binary.node(to).callers.iter().copied();
            callers.filter(|it| self.hands_on(matcher, *it) == Some(true))
        };
        let direct: Vec<Node> = hand_on(called).collect();
        let mut all: Vec<Node> = direct.iter().copied().flat_map(hand_on).collect();
        all.extend(direct);
        all.sort_unstable();
        all.dedup();
        match all[..] {
            [first, next, ..] => (first.0 < FIRST && next.0 - first.0 >= APART).then_some(first),
            _ => None,
        }
    }

    /// Whether one of the first functions does what `asm_do_IRQ` does. Some kernels
    /// have it among all others.
    fn has_entry(&self, matcher: &Matcher, both_call: Named) -> bool {
        let Some(called) = matcher.node_of(both_call) else {
            return false;
        };
        let callers = matcher.binary.node(called).callers.iter();
        let direct = callers
            .take_while(|it| it.0 < FIRST)
            .any(|it| self.hands_on(matcher, *it) == Some(true));
        direct || self.first_of_many(matcher, both_call).is_some()
    }

    /// Whether a function hands its two arguments on; `None` for a variable.
    fn hands_on(&self, matcher: &Matcher, node: Node) -> Option<bool> {
        let Place::Function(id) = matcher.binary.node(node).place else {
            return None;
        };
        let look = || {
            hands_on(&trace(
                matcher.kernel,
                matcher.binary.code,
                matcher.binary.code.function(id),
            ))
        };
        Some(self.seen.get_or(node, look))
    }
}

/// `handle_IRQ(irq, regs)` or `__handle_domain_irq(NULL, irq, false, regs)`.
fn hands_on(events: &[Event]) -> bool {
    let (irq, regs) = (Value::Argument(0), Value::Argument(1));
    events.iter().any(|event| match event {
        Event::Call { arguments, .. } => {
            let plain = arguments.get(..2) == Some(&[irq.clone(), regs.clone()]);
            let domain = arguments.get(1) == Some(&irq) && arguments.get(3) == Some(&regs);
            plain || domain
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identify::testing::{named, place, with_matcher},
        kernel::{Kernel, Version},
        machine::testing::{BASE, Image, events},
    };

    /// Up to 3.17: one calls the other.
    const CALLS: &str = "signatures 1
version 3.14.0
file arch/arm/kernel/irq.c
fn handle_IRQ ---- 2 64 3 0 0
c generic_handle_irq p0
fn asm_do_IRQ ---- 2 86 1 0 0
c handle_IRQ~ p0 p1
";
    /// From 3.18 on what both do is in `__handle_domain_irq`.
    const DOMAIN: &str = "signatures 1
version 4.4.0
file arch/arm/kernel/irq.c
fn handle_IRQ ---- 2 64 1 0 0
c __handle_domain_irq 0 p0 0 p1
fn asm_do_IRQ ---- 2 73 1 0 0
c handle_IRQ~ p0 p1
";
    /// push {r4, lr}; mov r4, r0; add r0, r4, r0; pop {r4, pc}
    const FILLER: [u32; 4] = [0xe92d_4010, 0xe1a0_4000, 0xe084_0000, 0xe8bd_8010];

    fn branch(from: u32, to: u32) -> u32 {
        0xea00_0000 | (to.wrapping_sub(from + 8) >> 2 & 0xff_ffff)
    }

    /// Bits by this rule, for each of these functions, that it is of this name. The
    /// functions stand first in the image or behind many others, and each ends with a
    /// jump to a function that has the name `called`.
    fn bits(source: &str, called: &str, name: &str, functions: &[(bool, &[u32])]) -> Vec<f32> {
        let behind = vec![0; functions.len()];
        bits_behind(source, called, name, functions, &behind)
    }

    /// The same, where in front of each function stand others: so many bytes of its words.
    fn bits_behind(
        source: &str,
        called: &str,
        name: &str,
        functions: &[(bool, &[u32])],
        behind: &[u32],
    ) -> Vec<f32> {
        let mut image = Image::new(0x1_0000, Version(4, 4, 0));
        let words = functions.iter().map(|it| it.1.len() as u32 + 1);
        let target = BASE + 16 * 2 * (FIRST / 2 + 2) + 4 * words.sum::<u32>();
        let mut starts = vec![0; functions.len()];
        let mut at = BASE;
        for early in [true, false] {
            for _ in 0..FIRST / 2 + 2 {
                image.words(at, &FILLER);
                at += 16;
            }
            for ((first, words), start) in functions.iter().zip(&mut starts) {
                if *first != early {
                    continue;
                }
                *start = at;
                image.words(at, words);
                at += 4 * words.len() as u32;
                image.words(at, &[branch(at, target)]);
                at += 4;
            }
        }
        assert_eq!(at, target);
        image.words(target, &FILLER);
        for (start, behind) in starts.iter_mut().zip(behind) {
            *start += behind;
        }
        // Words that hold their addresses.
        image.words(BASE + 0x8000, &starts);
        image.words(BASE + 0x8100, &[target]);
        bits_in(&image.kernel(), source, (called, target), name, &starts)
    }

    fn bits_in(
        kernel: &Kernel,
        source: &str,
        called: (&str, u32),
        name: &str,
        starts: &[u32],
    ) -> Vec<f32> {
        let mut all = Vec::new();
        with_matcher(kernel, source, |matcher| {
            let target = place(matcher, called.1);
            matcher.fix(named(matcher, called.0), target);
            let rule = Exception::of(matcher.source);
            for &start in starts {
                let mut tally = Tally::default();
                let node = place(matcher, start);
                rule.score(matcher, named(matcher, name), node, &mut tally);
                all.push(tally.total());
            }
        });
        all
    }

    /// It jumps with what it was handed.
    const HANDS_ON: &[u32] = &[0xe1a0_0000];
    /// mov r3, r1; mov r1, r0; mov r2, #0; mov r0, r2
    const HANDS_ON_TO_DOMAIN: &[u32] = &[0xe1a0_3001, 0xe1a0_1000, 0xe3a0_2000, 0xe1a0_0002];
    /// A chip's handler: it has asked for the number. mov r3, r0; mov r1, #5; mov r2, #1
    const HANDLER: &[u32] = &[0xe1a0_3000, 0xe3a0_1005, 0xe3a0_2001];

    #[test]
    fn what_does_not_hand_on_its_number_is_not_asm_do_irq() {
        let functions = [(true, HANDS_ON), (true, HANDLER), (false, HANDS_ON)];
        let rule = |name| bits(CALLS, "handle_IRQ", name, &functions);
        assert_eq!(rule("asm_do_IRQ"), [0.0, -OTHER, 0.0]);
        // Of the one that is called it says nothing.
        assert_eq!(rule("handle_IRQ"), [0.0; 3]);
    }

    #[test]
    fn of_two_equal_functions_asm_do_irq_stands_first() {
        let functions = [(true, HANDS_ON_TO_DOMAIN), (false, HANDS_ON_TO_DOMAIN)];
        let rule = |name| bits(DOMAIN, "__handle_domain_irq", name, &functions);
        assert_eq!(rule("asm_do_IRQ"), [SIDE, -SIDE]);
        assert_eq!(rule("handle_IRQ"), [-SIDE, 0.0]);
    }

    #[test]
    fn of_two_among_the_first_that_lie_apart_the_first_is_asm_do_irq() {
        // Each FILLER is a function.
        let apart: Vec<u32> = FILLER.repeat(APART as usize);
        let mut second = apart.clone();
        second.extend(HANDS_ON_TO_DOMAIN);
        let early = |second: &[u32]| {
            let functions = [(true, HANDS_ON_TO_DOMAIN), (true, second)];
            let at = 4 * (second.len() - HANDS_ON_TO_DOMAIN.len()) as u32;
            ["asm_do_IRQ", "handle_IRQ"]
                .map(|name| bits_behind(DOMAIN, "__handle_domain_irq", name, &functions, &[0, at]))
        };
        let [inside, outside] = early(&second);
        assert_eq!(inside, [SIDE, -SIDE]);
        assert_eq!(outside, [-SIDE, 0.0]);
        // Beside each other they are of one file, and nothing is known of either.
        let [inside, outside] = early(HANDS_ON_TO_DOMAIN);
        assert_eq!(inside, [SIDE, SIDE]);
        assert_eq!(outside, [-SIDE, -SIDE]);
    }

    #[test]
    fn a_chip_s_handler_that_stands_first_is_neither() {
        let functions = [(true, HANDLER), (false, HANDS_ON_TO_DOMAIN)];
        let rule = |name| bits(DOMAIN, "__handle_domain_irq", name, &functions);
        // Where nothing that stands first does what it does, it is among all others.
        assert_eq!(rule("asm_do_IRQ"), [-OTHER, 0.0]);
        assert_eq!(rule("handle_IRQ"), [-OTHER - SIDE, 0.0]);
    }

    #[test]
    fn other_names_are_no_matter_of_this_rule() {
        let functions = [(true, HANDLER)];
        let rule = |name| bits(DOMAIN, "__handle_domain_irq", name, &functions);
        assert_eq!(rule("__handle_domain_irq"), [0.0]);
    }

    #[test]
    fn number_and_registers_are_handed_on() {
        let seen = |words: &[u32]| hands_on(&events(words, Version(4, 4, 0)));
        assert!(seen(&[0xea00_0100]));
        // mov r3, r1; mov r1, r0; mov r2, #0; mov r0, r2; b
        let domain = [
            0xe1a0_3001,
            0xe1a0_1000,
            0xe3a0_2000,
            0xe1a0_0002,
            0xea00_0100,
        ];
        assert!(seen(&domain));
        // A chip's own handler: mov r1, r0; mov r0, #5; bl
        assert!(!seen(&[0xe1a0_1000, 0xe3a0_0005, 0xeb00_0100]));
    }
}
