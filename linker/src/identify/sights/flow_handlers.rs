//! `handle_level_irq` and its siblings in kernel/irq/chip.c: they look alike, but
//! each calls other callbacks of its chip.
//!
//! In `struct irq_chip` stand, in every version since 2.6.17, one behind the other:
//! ack, mask, mask_ack, unmask, eoi.
//!
//! | handler | callbacks | runs the actions |
//! |---|---|---|
//! | level | ack, mask, mask_ack, unmask | once |
//! | edge | ack, mask, mask_ack, unmask | again while more is pending |
//! | fasteoi | mask, unmask (from 3.x on), eoi | once |
//! | percpu | ack, eoi | once |
//! | simple | none | once |
//!
//! Some of it stands in helpers (`mask_ack_irq`, `cond_unmask_irq`), which the
//! compiler may have put into the handler or not; so the helpers are followed.

use std::collections::BTreeSet;

use super::{Arguments, trace};
use crate::{
    code::{FunctionId, glance},
    identify::{
        by_name::ByName,
        graph::{Named, Node, Place, Source},
        matcher::Matcher,
        seen::Seen,
        tally::Tally,
    },
    machine::flow::{Event, Value, Width},
};

/// Bits for the right callbacks, and against the wrong ones.
const RIGHT: f32 = 6.0;
const WRONG: f32 = 9.0;
/// Helpers within helpers.
const DEPTH: usize = 3;
/// Bytes of a helper, and of a handler, at most.
const HELPER: u32 = 0x140;
const HANDLER: u32 = 0x500;
/// Helpers of one handler.
const MAX_HELPERS: usize = 24;

/// What a handler does with its chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Level,
    Edge,
    Eoi,
    PerCpu,
    Simple,
    Other,
}

/// The handlers' names.
const HANDLERS: [(&str, Flow); 5] = [
    ("handle_level_irq", Flow::Level),
    ("handle_edge_irq", Flow::Edge),
    ("handle_fasteoi_irq", Flow::Eoi),
    ("handle_percpu_irq", Flow::PerCpu),
    ("handle_simple_irq", Flow::Simple),
];
/// What runs the actions: up to 2.6.38, and since.
const RUN: [&str; 2] = ["handle_IRQ_event", "handle_irq_event"];

/// Which names are handlers, and what was seen of functions so far.
#[derive(Debug, Default)]
pub(super) struct FlowHandlers {
    expected: ByName<Flow>,
    run: Vec<Named>,
    seen: Seen<(Node, Node), Flow>,
}

impl FlowHandlers {
    pub(super) fn of(source: &Source) -> Self {
        let named = |(name, flow): &(&str, Flow)| Some((source.named(name)?, *flow));
        Self {
            expected: HANDLERS.iter().filter_map(named).collect(),
            run: RUN.iter().filter_map(|name| source.named(name)).collect(),
            seen: Seen::default(),
        }
    }

    /// Nothing is said before the function that runs the actions has its name.
    pub(super) fn score(&self, matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
        let Some(&expected) = self.expected.get(&named) else {
            return;
        };
        let Some(run) = self.run.iter().find_map(|it| matcher.node_of(*it)) else {
            return;
        };
        let Place::Function(id) = matcher.binary.node(node).place else {
            return;
        };
        let look = || Looking { matcher, run }.at(id);
        let flow = self.seen.get_or((node, run), look);
        // None of them has an argument of 64 bits, which would take two registers.
        let takes = matcher.binary.code.function(id).arguments;
        if takes > matcher.source.node(named).parameters {
            tally.add(Arguments, -WRONG, || {
                format!("takes {takes} arguments, as no handler does")
            });
            return;
        }
        match flow == expected {
            true => tally.add(Arguments, RIGHT, || {
                format!("calls its chip as a handler of kind {flow:?} does")
            }),
            false => tally.add(Arguments, -WRONG, || {
                format!("calls its chip as one of kind {flow:?} does")
            }),
        }
    }
}

struct Looking<'a> {
    matcher: &'a Matcher<'a>,
    /// The function that runs the actions.
    run: Node,
}

impl Looking<'_> {
    fn at(&self, id: FunctionId) -> Flow {
        let code = self.matcher.binary.code;
        let function = code.function(id);
        if function.end - function.start > HANDLER {
            return Flow::Other;
        }
        let mut calls = Callbacks::default();
        let mut done = vec![id];
        self.follow(id, DEPTH, &mut done, &mut calls);
        let runs = |call: &&crate::code::Call| matches!(call.target, crate::code::Target::Function(it) if Node::of(it) == self.run);
        let Some(run) = function.calls.iter().find(runs) else {
            return Flow::Other;
        };
        let again = glance::comes_back(
            self.matcher.kernel,
            function.start..function.end,
            run.at,
            function.thumb,
        );
        kind(&calls.offsets(), again)
    }

    /// Collects what the function and its helpers call through their chip.
    fn follow(
        &self,
        id: FunctionId,
        depth: usize,
        done: &mut Vec<FunctionId>,
        all: &mut Callbacks,
    ) {
        let code = self.matcher.binary.code;
        let events = trace(self.matcher.kernel, code, code.function(id));
        all.add(&events);
        if depth == 0 {
            return;
        }
        for event in &events {
            let Event::Call {
                at,
                target,
                arguments,
            } = event
            else {
                continue;
            };
            // What answers a question (`irq_may_run`) may turn the line off for
            // reasons of its own.
            let handed = arguments.iter().take(2).any(is_descriptor) && !is_tested(&events, *at);
            let Some(helper) = code.at(*target).filter(|_| handed) else {
                continue;
            };
            let function = code.function(helper);
            if done.contains(&helper)
                || done.len() > MAX_HELPERS
                || Node::of(helper) == self.run
                || function.end - function.start > HELPER
            {
                continue;
            }
            done.push(helper);
            self.follow(helper, depth - 1, done, all);
        }
    }
}

/// Whether the result of the call at this address is looked at.
fn is_tested(events: &[Event], call: u32) -> bool {
    let result = Value::Result(call);
    events.iter().any(|event| match event {
        Event::Compare { left, right, .. } => *left == result || *right == result,
        Event::Test { value, .. } => *value == result,
        _ => false,
    })
}

/// An argument, or the `irq_data` within it.
fn is_descriptor(value: &Value) -> bool {
    matches!(value.address().0, Value::Argument(_))
}

/// Words loaded through a field of a descriptor, by that field, and whether the
/// field is a chip's: a word behind it is called with the descriptor or a number.
#[derive(Debug, Default)]
struct Callbacks {
    loads: BTreeSet<(u32, u32)>,
    chips: BTreeSet<u32>,
}

impl Callbacks {
    fn add(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Load {
                    base,
                    offset,
                    width: Width::Word,
                    ..
                } => {
                    if let Some((of, field)) = base.field()
                        && is_descriptor(of)
                        && let Ok(offset) = u32::try_from(*offset)
                    {
                        self.loads.insert((field, offset));
                    }
                }
                Event::CallValue {
                    target, arguments, ..
                } => {
                    // The chip of a descriptor: [[descriptor + chip] + callback].
                    if let Some((chip, _)) = target.field()
                        && let Some((of, field)) = chip.field()
                        && is_descriptor(of)
                        && arguments.first().is_some_and(Value::is_rooted)
                    {
                        self.chips.insert(field);
                    }
                }
                _ => {}
            }
        }
    }

    /// Offsets in the chip; the first field that is one counts.
    fn offsets(&self) -> Vec<u32> {
        let Some(chip) = self.chips.first() else {
            return Vec::new();
        };
        let of_chip = self.loads.iter().filter(|it| it.0 == *chip);
        of_chip.map(|it| it.1).collect()
    }
}

/// What these callbacks, by offset, belong to.
fn kind(offsets: &[u32], again: bool) -> Flow {
    // The chip's flags lie far behind its callbacks.
    let Some(&first) = offsets.first() else {
        return Flow::Simple;
    };
    let steps: Vec<u32> = offsets
        .iter()
        .map(|it| it - first)
        .filter(|it| *it <= 16)
        .collect();
    match (steps.as_slice(), again) {
        ([0, 4, 8, 12], false) => Flow::Level,
        ([0, 4, 8, 12], true) => Flow::Edge,
        ([0, 12] | [0, 8, 12] | [0], false) => Flow::Eoi,
        ([0, 16], false) => Flow::PerCpu,
        _ => Flow::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_what_they_call() {
        assert_eq!(kind(&[20, 24, 28, 32], false), Flow::Level);
        assert_eq!(kind(&[24, 28, 32, 36, 116], true), Flow::Edge);
        assert_eq!(kind(&[24, 32, 36, 116], false), Flow::Eoi);
        assert_eq!(kind(&[20, 36], false), Flow::PerCpu);
        assert_eq!(kind(&[], false), Flow::Simple);
        assert_eq!(kind(&[20, 24, 28, 32, 36], false), Flow::Other);
    }
}
