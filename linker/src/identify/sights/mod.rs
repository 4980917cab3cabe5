//! What a function does with its arguments, followed through its code: rules
//! for names of which calls and constants alone say too little.
//!
//! Each file knows one family. [`console`] and [`entry`] look for functions that
//! do one thing and nothing else, once for the whole kernel; [`flow_handlers`]
//! tells siblings apart that are candidates already.

mod console;
mod entry;
mod flow_handlers;

use std::collections::HashMap;

use super::{
    Strategy::Arguments,
    graph::{Binary, Named, Node, Source},
    matcher::Matcher,
    tally::Tally,
    votes::Votes,
};
use crate::{
    code::{Code, Function},
    kernel::Kernel,
    machine::flow::{self, Event},
};

use flow_handlers::FlowHandlers;

/// Bits for the only function that does what the name says.
const DOES: f32 = 20.0;
/// Bits against every other.
const DOES_NOT: f32 = 10.0;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Sights {
    leads: HashMap<Named, Lead>,
    flow_handlers: FlowHandlers,
}

/// A place that does what the source of one name says, and no other does.
#[derive(Debug)]
struct Lead {
    node: Node,
    why: String,
}

impl Sights {
    pub(super) fn of(kernel: &Kernel, source: &Source, binary: &Binary) -> Self {
        let mut sights = Sights {
            flow_handlers: FlowHandlers::of(source),
            ..Sights::default()
        };
        let code = binary.code;
        if let Some((address, why)) = console::device(kernel, code) {
            sights.lead("uart_console_device", address, why, (source, binary));
        }
        if let Some(found) = entry::setter(kernel, code) {
            let why = format!(
                "the only one that stores its argument at {:#x}, through which interrupts are handled, and tests it before",
                found.variable
            );
            sights.lead("set_handle_irq", found.setter, why, (source, binary));
            let why = format!("{:#x} alone sets it, and it is called", found.setter);
            sights.lead("handle_arch_irq", found.variable, why, (source, binary));
        }
        sights
    }

    fn lead(&mut self, name: &str, address: u32, why: String, graphs: (&Source, &Binary)) {
        let (source, binary) = graphs;
        if let (Some(named), Some(node)) = (source.named(name), binary.at(address)) {
            self.leads.insert(named, Lead { node, why });
        }
    }
}

/// What the rules lead to.
pub(super) fn candidates(matcher: &Matcher, named: Named, votes: &mut Votes) {
    if let Some(lead) = matcher.sights.leads.get(&named) {
        votes.extend(&[lead.node], 1);
    }
}

/// Whether the rules agree.
pub(super) fn score(matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
    if let Some(lead) = matcher.sights.leads.get(&named) {
        match lead.node == node {
            true => tally.add(Arguments, DOES, || lead.why.clone()),
            false => tally.add(Arguments, -DOES_NOT, || {
                "another does what it must".to_owned()
            }),
        }
    }
    matcher
        .sights
        .flow_handlers
        .score(matcher, named, node, tally);
}

/// What a function does.
fn trace(kernel: &Kernel, function: &Function) -> Vec<Event> {
    flow::trace(kernel, function.start, function.thumb, Some(function.end))
}

/// Functions of at most so many bytes that call nobody, or once: function tracing
/// does, which a trace does not show.
fn small(code: &Code, size: u32) -> impl Iterator<Item = &Function> {
    let all = code.functions().iter();
    all.filter(move |it| it.calls.len() <= 1 && it.end.saturating_sub(it.start) <= size)
}
