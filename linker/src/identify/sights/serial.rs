//! Functions of the serial core that hardly call anybody, by what serial drivers
//! and they themselves do in every version since 2.6.17.
//!
//! * `uart_console_write(port, text, count, putchar)` calls nothing but its
//!   fourth argument, with the port and with a carriage return.
//! * `uart_update_timeout(port, cflag, baud)` is what a driver calls with what
//!   `uart_get_baud_rate` gave it.

use super::{Arguments, trace};
use crate::{
    code::Code,
    identify::{
        graph::{Named, Node, Place, Source},
        matcher::Matcher,
        seen::Seen,
        tally::Tally,
        votes::Votes,
    },
    kernel::Kernel,
    machine::flow::{Event, Value},
};

/// Bytes of `uart_console_write` at most.
const SIZE: u32 = 0xc0;
/// `'\r'`
const RETURN: Value = Value::Const(13);
/// Bits for what is handed the rate, and against what is not.
const HANDED: f32 = 12.0;
const NOT_HANDED: f32 = 8.0;
/// Drivers that are looked at, and bytes of a function of theirs.
const DRIVERS: usize = 12;
const DRIVER: u32 = 0x800;

/// `uart_console_write`, when there is one function that does this.
pub(super) fn console_write(kernel: &Kernel, code: &Code) -> Option<u32> {
    let through_pointers = code.functions().iter().filter(|it| {
        it.arguments == 4 && it.end - it.start <= SIZE && (2..=4).contains(&it.calls.len())
    });
    let mut all = through_pointers.filter(|it| writes(&trace(kernel, code, it)));
    match (all.next(), all.next()) {
        (Some(only), None) => Some(only.start),
        _ => None,
    }
}

/// Whether all that is called is the fourth argument, with the first.
fn writes(events: &[Event]) -> bool {
    let mut calls = events.iter().filter_map(|event| match event {
        Event::CallValue {
            target, arguments, ..
        } if target.is_rooted() => Some((target == &Value::Argument(3), &arguments[..2])),
        Event::Call { arguments, .. } => Some((false, &arguments[..2])),
        _ => None,
    });
    let mut returns = false;
    let rightly = calls.all(|(putchar, arguments)| {
        returns |= arguments[1] == RETURN;
        putchar && arguments[0] == Value::Argument(0)
    });
    rightly && returns
}

/// The two names, and what was seen of them.
#[derive(Debug, Default)]
pub(super) struct Rates {
    rate: Option<Named>,
    timeout: Option<Named>,
    seen: Seen<Node, Vec<Node>>,
}

impl Rates {
    pub(super) fn of(source: &Source) -> Self {
        Self {
            rate: source.named("uart_get_baud_rate"),
            timeout: source.named("uart_update_timeout"),
            seen: Seen::default(),
        }
    }

    pub(super) fn candidates(&self, matcher: &Matcher, named: Named, votes: &mut Votes) {
        votes.extend(&self.handed(matcher, named), 1);
    }

    pub(super) fn score(&self, matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
        let handed = self.handed(matcher, named);
        if handed.contains(&node) {
            tally.add(Arguments, HANDED, || {
                "drivers call it with what uart_get_baud_rate gives".to_owned()
            });
        } else if !handed.is_empty() {
            tally.add(Arguments, -NOT_HANDED, || {
                "drivers call another with what uart_get_baud_rate gives".to_owned()
            });
        }
    }

    /// What drivers hand a rate to as the third argument, with the port as the first.
    fn handed(&self, matcher: &Matcher, named: Named) -> Vec<Node> {
        let rate = self.rate.and_then(|it| matcher.node_of(it));
        match rate.filter(|_| self.timeout == Some(named)) {
            Some(rate) => self.seen.get_or(rate, || handed_rate(matcher, rate)),
            None => Vec::new(),
        }
    }
}

fn handed_rate(matcher: &Matcher, rate: Node) -> Vec<Node> {
    let address = matcher.binary.node(rate).address;
    let code = matcher.binary.code;
    let callers = matcher.binary.node(rate).callers.iter();
    let mut all = Vec::new();
    for &caller in callers.take(DRIVERS) {
        let Place::Function(id) = matcher.binary.node(caller).place else {
            continue;
        };
        let function = code.function(id);
        if function.end - function.start <= DRIVER {
            let events = trace(matcher.kernel, code, function);
            all.extend(takes_rate(&events, address).and_then(|it| matcher.binary.at(it)));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// What is called with the port and the rate.
fn takes_rate(events: &[Event], rate: u32) -> Option<u32> {
    let mut calls = events.iter().filter_map(|event| match event {
        Event::Call {
            at,
            target,
            arguments,
        } => Some((*at, *target, arguments)),
        _ => None,
    });
    let (got, _, handed) = calls.find(|it| it.1 == rate)?;
    let port = handed.first().filter(|it| it.is_rooted())?;
    let taking =
        calls.find(|it| it.2.first() == Some(port) && it.2.get(2) == Some(&Value::Result(got)));
    taking.map(|it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, events},
    };

    fn seen(words: &[u32]) -> Vec<Event> {
        events(words, Version(4, 9, 0))
    }

    #[test]
    fn a_console_s_text_goes_through_its_fourth_argument() {
        // push {r4-r6, lr}; mov r4, r0; mov r6, r3; mov r1, #13; mov r0, r4; blx r6;
        // ldrb r1, [r5]; mov r0, r4; blx r6; pop {r4-r6, pc}
        let mut words = [
            0xe92d_4070,
            0xe1a0_4000,
            0xe1a0_6003,
            0xe3a0_100d,
            0xe1a0_0004,
            0xe12f_ff36,
            0xe5d5_1000,
            0xe1a0_0004,
            0xe12f_ff36,
            0xe8bd_8070,
        ];
        assert!(writes(&seen(&words)));
        // mov r1, #10 instead
        words[3] = 0xe3a0_100a;
        assert!(!writes(&seen(&words)));
    }

    #[test]
    fn a_rate_is_handed_on_with_the_port() {
        // push {r4, r5, r6, lr}; mov r4, r0; mov r5, r1; bl; mov r2, r0;
        // ldr r1, [r5, #8]; mov r0, r4; bl; pop
        let mut words = [
            0xe92d_4070,
            0xe1a0_4000,
            0xe1a0_5001,
            0xeb00_0100,
            0xe1a0_2000,
            0xe595_1008,
            0xe1a0_0004,
            0xeb00_0200,
            0xe8bd_8070,
        ];
        let rate = BASE + 12 + 8 + 0x400;
        let timeout = BASE + 28 + 8 + 0x800;
        assert_eq!(takes_rate(&seen(&words), rate), Some(timeout));
        // mov r2, #0
        words[4] = 0xe3a0_2000;
        assert_eq!(takes_rate(&seen(&words), rate), None);
    }
}
