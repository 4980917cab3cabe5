//! `.exception.text` and `.irqentry.text`: functions that the vectors call
//! directly stand before all others.
//!
//! From 3.2 on `asm_do_IRQ`, which is one of them, does nothing but call `handle_IRQ`
//! with what it is handed; the handlers of chips, which stand there as well, call it with
//! a number that they have asked their chip for. From 3.18 up to 5.10 it may have in
//! itself all of `handle_IRQ`: then the two are equal but for where they stand.

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
        // A chip's handler has no number to hand on, so this is the one that does.
        if named == inside && node.0 < FIRST && hands_on && calls(both_call) {
            tally.add(Arguments, SIDE, || {
                "hands on a number and registers, among what the vectors call".to_owned()
            });
        }
        let wrong = match node.0 < FIRST {
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

    /// Whether one of the first functions does what `asm_do_IRQ` does. Some kernels
    /// have it among all others.
    fn has_entry(&self, matcher: &Matcher, both_call: Named) -> bool {
        let Some(called) = matcher.node_of(both_call) else {
            return false;
        };
        let callers = matcher.binary.node(called).callers.iter();
        callers
            .take_while(|it| it.0 < FIRST)
            .any(|it| self.hands_on(matcher, *it) == Some(true))
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
    use crate::{kernel::Version, machine::testing::events};

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
