//! What a function does with its arguments, followed through its code: rules
//! for names of which calls and constants alone say too little.
//!
//! Each file knows one family. [`console`], [`copied`], [`descriptor`], [`entry`], [`mmio`],
//! [`pseudo_terminal`] and [`warnings`] look at the whole kernel once, for what does
//! one thing and nothing else; the others tell siblings apart that are candidates
//! already: [`flow_handlers`], [`habits`], [`exception`], [`descriptor_data`].
//! [`serial`] does both.

mod clock_events;
mod console;
mod copied;
mod descriptor;
mod descriptor_data;
mod entry;
mod exception;
mod flow_handlers;
mod habits;
mod mmio;
mod pseudo_terminal;
mod serial;
mod warnings;

use super::{
    Strategy::Arguments,
    by_name::ByName,
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

use descriptor_data::DescriptorData;
use exception::Exception;
use flow_handlers::FlowHandlers;
use habits::Habits;
use serial::Rates;

/// Bits for the only function that does what the name says.
const DOES: f32 = 20.0;
/// The same for one of a few.
const ONE_OF_FEW: f32 = 10.0;
/// Bits against every other.
const DOES_NOT: f32 = 10.0;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Sights {
    leads: ByName<Lead>,
    /// What only macros call.
    of_macros: Vec<Node>,
    flow_handlers: FlowHandlers,
    habits: Habits,
    exception: Exception,
    descriptor_data: DescriptorData,
    rates: Rates,
}

/// Places that do what the source of one name says, mostly only one.
#[derive(Debug)]
struct Lead {
    nodes: Vec<Node>,
    why: String,
}

/// What the rules see that look at the whole kernel.
struct AtOnce {
    console: Option<(u32, String)>,
    clock_events: Vec<clock_events::Found>,
    descriptor: Option<descriptor::Found>,
    copied: Option<copied::Found>,
    console_write: Option<u32>,
    called_with_stack: Option<(u32, usize)>,
    setter: Option<entry::Setter>,
    warnings: warnings::Warnings,
    receiver: Option<pseudo_terminal::Receiver>,
    readers: Option<[u32; 4]>,
}

impl AtOnce {
    fn of(kernel: &Kernel, code: &Code) -> Self {
        let ((receiver, console), (rest, (called_with_stack, setter, readers, copied))) =
            rayon::join(
                || {
                    rayon::join(
                        || pseudo_terminal::receiver(kernel, code),
                        || console::device(kernel, code),
                    )
                },
                || {
                    rayon::join(
                        || {
                            (
                                clock_events::register_device(kernel, code),
                                descriptor::find(kernel, code),
                                serial::console_write(kernel, code),
                                warnings::find(kernel, code),
                            )
                        },
                        || {
                            (
                                entry::called_with_stack(kernel),
                                entry::setter(kernel, code),
                                mmio::readers(kernel, code),
                                copied::find(kernel, code),
                            )
                        },
                    )
                },
            );
        let (clock_events, descriptor, console_write, warnings) = rest;
        Self {
            console,
            clock_events,
            descriptor,
            copied,
            console_write,
            called_with_stack,
            setter,
            warnings,
            receiver,
            readers,
        }
    }
}

impl Sights {
    pub(super) fn of(kernel: &Kernel, source: &Source, binary: &Binary) -> Self {
        let mut sights = Sights {
            flow_handlers: FlowHandlers::of(source),
            habits: Habits::of(source),
            exception: Exception::of(source),
            descriptor_data: DescriptorData::of(source),
            rates: Rates::of(source),
            ..Sights::default()
        };
        let seen = AtOnce::of(kernel, binary.code);
        if let Some((address, why)) = seen.console {
            sights.lead("uart_console_device", address, why, (source, binary));
        }
        if let [first, others @ ..] = &seen.clock_events[..] {
            let mut why = "looks at two fields of its argument and puts it at the head of the list"
                .to_owned();
            match others.len() {
                0 => why = format!("the only one that {why} {:#x}", first.list),
                others => why = format!("one of {} that {why}", others + 1),
            }
            let places = seen.clock_events.iter().map(|it| it.function);
            sights.leads("clockevents_register_device", places, why, (source, binary));
        }
        if let Some(found) = seen.descriptor {
            let functions = found.functions;
            let why = format!("{functions} init functions call a field of what it points to");
            sights.lead("machine_desc", found.variable, why, (source, binary));
            if let Some([first, last]) = found.initcalls {
                let why = "of two that are initial calls it calls the first field".to_owned();
                sights.lead("customize_machine", first, why, (source, binary));
                let why = "of two that are initial calls it calls the last field".to_owned();
                sights.lead("init_machine_late", last, why, (source, binary));
            }
            for (name, address) in [("init_IRQ", found.init_irq), ("time_init", found.time_init)] {
                if let Some(address) = address {
                    let why = "calls the field in its place before the machine's".to_owned();
                    sights.lead(name, address, why, (source, binary));
                }
            }
        }
        if let Some(found) = seen.copied {
            let why = "copies three fields of the machine descriptor".to_owned();
            sights.lead("setup_arch", found.setup_arch, why, (source, binary));
            for (name, address) in [
                ("init_IRQ", found.init_irq),
                ("time_init", found.time_init),
                ("customize_machine", found.customize_machine),
            ] {
                let why = format!("calls through what {:#x} has copied", found.setup_arch);
                sights.lead(name, address, why, (source, binary));
            }
        }
        if let Some(address) = seen.console_write {
            let why = "the only one that hands texts to its fourth argument".to_owned();
            sights.lead("uart_console_write", address, why, (source, binary));
        }
        if let Some((variable, sites)) = seen.called_with_stack {
            let why = format!("{sites} handlers of vectors call it with the registers they saved");
            sights.lead("handle_arch_irq", variable, why, (source, binary));
        }
        if let Some(found) = seen.setter {
            let why = format!(
                "the only one that stores its argument at {:#x}, through which interrupts are handled, and tests it before",
                found.variable
            );
            sights.lead("set_handle_irq", found.setter, why, (source, binary));
            let why = format!("{:#x} alone sets it, and it is called", found.setter);
            sights.lead("handle_arch_irq", found.variable, why, (source, binary));
        }
        for (address, names) in [
            (
                seen.warnings.null,
                ["warn_slowpath_null", "warn_on_slowpath"],
            ),
            (seen.warnings.format, ["warn_slowpath_fmt", "warn_slowpath"]),
        ] {
            let why = "warnings all over the kernel call it with their file and line";
            if let (Some(address), Some(name)) =
                (address, names.iter().find(|it| source.named(it).is_some()))
            {
                sights.lead(name, address, why.to_owned(), (source, binary));
                sights.of_macros.extend(binary.at(address));
            }
        }
        for (name, address) in mmio::NAMES
            .into_iter()
            .zip(seen.readers.into_iter().flatten())
        {
            let why = format!(
                "at {address:#010x} in the only row of four that read a word or halfword by one field of their argument"
            );
            sights.lead(name, address, why, (source, binary));
        }
        if let Some(found) = seen.receiver {
            let why = "what writes to a pseudo-terminal calls it".to_owned();
            let graphs = (source, binary);
            sights.lead(found.insert_name(), found.insert, why.clone(), graphs);
            sights.lead("tty_flip_buffer_push", found.push, why.clone(), graphs);
            if let Some(wakeup) = found.wakeup {
                sights.lead("tty_wakeup", wakeup, why, graphs);
            }
        }
        sights
    }

    fn lead(&mut self, name: &str, address: u32, why: String, graphs: (&Source, &Binary)) {
        self.leads(name, std::iter::once(address), why, graphs);
    }

    fn leads(
        &mut self,
        name: &str,
        places: impl Iterator<Item = u32>,
        why: String,
        graphs: (&Source, &Binary),
    ) {
        let (source, binary) = graphs;
        let nodes: Vec<Node> = places.filter_map(|it| binary.at(it)).collect();
        if let (Some(named), false) = (source.named(name), nodes.is_empty()) {
            self.leads.insert(named, Lead { nodes, why });
        }
    }
}

impl Sights {
    /// Whether calls of it stand in macros, so that the source shows none.
    pub(super) fn is_of_macro(&self, node: Node) -> bool {
        self.of_macros.contains(&node)
    }

    /// Whether a rule leads to this place for the name.
    pub(super) fn leads_to(&self, named: Named, node: Node) -> bool {
        self.leads.get(&named).is_some_and(|it| it.nodes == [node])
    }
}

/// What the rules lead to.
pub(super) fn candidates(matcher: &Matcher, named: Named, votes: &mut Votes) {
    if let Some(lead) = matcher.sights.leads.get(&named) {
        votes.extend(&lead.nodes, lead.nodes.len());
    }
    matcher.sights.rates.candidates(matcher, named, votes);
}

/// Whether the rules agree.
pub(super) fn score(matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
    if let Some(lead) = matcher.sights.leads.get(&named) {
        let bits = match lead.nodes.len() {
            1 => DOES,
            _ => ONE_OF_FEW,
        };
        match lead.nodes.contains(&node) {
            true => tally.add(Arguments, bits, || lead.why.clone()),
            false => tally.add(Arguments, -DOES_NOT, || {
                "another does what it must".to_owned()
            }),
        }
    } else if matcher.sights.leads.iter().any(|it| it.1.nodes == [node]) {
        tally.add(Arguments, -DOES_NOT, || "does what another must".to_owned());
    }
    let sights = &matcher.sights;
    sights.flow_handlers.score(matcher, named, node, tally);
    sights.habits.score(matcher, named, node, tally);
    sights.exception.score(matcher, named, node, tally);
    sights.descriptor_data.score(matcher, named, node, tally);
    sights.rates.score(matcher, named, node, tally);
}

/// What a function does.
fn trace(kernel: &Kernel, code: &Code, function: &Function) -> Vec<Event> {
    let never_returns = |target: u32| {
        let callee = code.at(target);
        callee.is_some_and(|it| code.function(it).no_return)
    };
    let end = Some(function.end);
    flow::trace_until(kernel, function.start, function.thumb, end, &never_returns)
}

/// Functions of at most so many bytes that call nobody, or once: function tracing
/// does, which a trace does not show.
fn small(code: &Code, size: u32) -> impl Iterator<Item = &Function> {
    let all = code.functions().iter();
    all.filter(move |it| it.calls.len() <= 1 && it.end.saturating_sub(it.start) <= size)
}
