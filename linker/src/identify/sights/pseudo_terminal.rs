//! `tty_insert_flip_string_fixed_flag` and `tty_flip_buffer_push`, as the write
//! function of a pseudo-terminal calls them (drivers/tty/pty.c, 2.6.34 to 5.18),
//! which no kernel with a shell lacks:
//!
//! ```c
//! c = tty_insert_flip_string(to, buf, c);
//! if (c)
//!         tty_flip_buffer_push(to);
//! ```
//!
//! `to` is a field behind the first argument, and the first call is one of
//! `tty_insert_flip_string_fixed_flag(to, buf, TTY_NORMAL, c)`. The twin of the
//! second function, `tty_schedule_flip`, may be the very same code.
//!
//! From 2.6.31 on up to there, the first is a function of three arguments of its own,
//! `tty_insert_flip_string(to, buf, c)`, and `tty_wakeup(tty)` follows the two.

use super::trace;
use crate::{
    code::{CallKind, Code, Function},
    kernel::Kernel,
    machine::flow::{Event, Value},
};

/// Bytes and blocks of the function at most.
const SIZE: u32 = 0x180;
const BLOCKS: u32 = 16;
/// Its calls: the two, locks, and function tracing.
const CALLS: std::ops::RangeInclusive<usize> = 2..=8;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Receiver {
    /// `tty_insert_flip_string_fixed_flag`, or `tty_insert_flip_string`.
    pub insert: u32,
    /// `tty_flip_buffer_push`
    pub push: u32,
    /// `tty_wakeup`, where `insert` has no flag.
    pub wakeup: Option<u32>,
}

impl Receiver {
    /// The name of `insert`.
    pub(super) fn insert_name(&self) -> &'static str {
        match self.wakeup {
            None => "tty_insert_flip_string_fixed_flag",
            Some(_) => "tty_insert_flip_string",
        }
    }
}

/// The two functions, when all that looks like such a function calls the same two.
pub(super) fn receiver(kernel: &Kernel, code: &Code) -> Option<Receiver> {
    let takes = |address: u32, count: u8| {
        let function = code.at(address).map(|it| code.function(it));
        function.is_some_and(|it| it.arguments == count)
    };
    let mut all: Vec<Receiver> = code
        .functions()
        .iter()
        .filter(|it| may_be(it))
        .filter_map(|it| writes(&trace(kernel, code, it)))
        .filter(|it| match it.wakeup {
            None => takes(it.insert, 4) && takes(it.push, 1),
            Some(wakeup) => takes(it.insert, 3) && takes(it.push, 1) && takes(wakeup, 1),
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    match all[..] {
        [only] => Some(only),
        _ => None,
    }
}

fn may_be(function: &Function) -> bool {
    let calls = function.calls.iter();
    function.arguments == 3
        && function.blocks <= BLOCKS
        && function.end - function.start <= SIZE
        && CALLS.contains(&calls.filter(|it| it.kind != CallKind::Indirect).count())
}

/// The calls, when these events have them.
fn writes(events: &[Event]) -> Option<Receiver> {
    with_flag(events).or_else(|| with_wakeup(events))
}

/// What is called, and with what.
fn calls(events: &[Event]) -> impl Iterator<Item = (u32, &[Value])> {
    events.iter().filter_map(|event| match event {
        Event::Call {
            target, arguments, ..
        } => Some((*target, &arguments[..])),
        _ => None,
    })
}

/// The three calls of a function that inserts without a flag.
fn with_wakeup(events: &[Event]) -> Option<Receiver> {
    let calls: Vec<_> = calls(events).collect();
    calls.windows(3).find_map(|calls| {
        let [
            (insert, [to, Value::Argument(1), ..]),
            (push, [pushed, ..]),
            (wakeup, [Value::Argument(0), ..]),
        ] = calls[..]
        else {
            return None;
        };
        let distinct = insert != push && push != wakeup && insert != wakeup;
        (distinct && is_behind(to) && pushed == to).then_some(Receiver {
            insert,
            push,
            wakeup: Some(wakeup),
        })
    })
}

/// The two calls of a function that inserts with a flag.
fn with_flag(events: &[Event]) -> Option<Receiver> {
    let mut calls = calls(events);
    let (insert, to) = calls.find_map(|(target, arguments)| match arguments {
        [to, Value::Argument(1), normal, Value::Argument(2), ..]
            if is_behind(to) && is_zero(normal) =>
        {
            Some((target, to))
        }
        _ => None,
    })?;
    let (push, _) = calls.find(|(target, arguments)| {
        *target != insert
            && arguments.first() == Some(to)
            && arguments.get(1) != Some(&Value::Argument(1))
    })?;
    Some(Receiver {
        insert,
        push,
        wakeup: None,
    })
}

/// `TTY_NORMAL`, or the flag of the terminal that is stopped, which has just been
/// found to be 0.
fn is_zero(value: &Value) -> bool {
    let flag = match value {
        Value::Masked(flag, _) => flag,
        flag => flag,
    };
    let of_terminal = |it: &Value| matches!(it.part(), Some((Value::Argument(0), ..)));
    *value == Value::Const(0) || of_terminal(flag)
}

/// A field of the first argument, or one behind it.
fn is_behind(value: &Value) -> bool {
    match value.field() {
        Some((Value::Argument(0), _)) => true,
        Some((of, _)) => matches!(of.field(), Some((Value::Argument(0), _))),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, events},
    };

    fn seen(words: &[u32]) -> Option<Receiver> {
        writes(&events(words, Version(4, 9, 0)))
    }

    #[test]
    fn what_is_inserted_is_pushed() {
        // push {r4, lr}; ldr r4, [r0, #0x1a0]; mov r3, r2; mov r2, #0;
        // ldr r0, [r4, #0x200]; bl; cmp r0, #0; ldrne r0, [r4, #0x200]; blne; pop
        let mut words = [
            0xe92d_4010,
            0xe590_41a0,
            0xe1a0_3002,
            0xe3a0_2000,
            0xe594_0200,
            0xeb00_0100,
            0xe350_0000,
            0x0a00_0001,
            0xe594_0200,
            0xeb00_0200,
            0xe8bd_8010,
        ];
        let found = Receiver {
            insert: BASE + 0x14 + 8 + 0x400,
            push: BASE + 0x24 + 8 + 0x800,
            wakeup: None,
        };
        assert_eq!(seen(&words), Some(found));
        // mov r2, ip, which is the bit of the terminal that was tested: ldrb ip,
        // [r0, #0x124]; and ip, ip, #1
        let flagged: Vec<u32> = [0xe5d0_c124, 0xe20c_c001]
            .into_iter()
            .chain(words)
            .map(|word| {
                if word == 0xe3a0_2000 {
                    0xe1a0_200c
                } else {
                    word
                }
            })
            .collect();
        assert!(seen(&flagged).is_some());
        // Another port.
        words[8] = 0xe594_0204;
        assert_eq!(seen(&words), None);
    }

    #[test]
    fn what_is_inserted_without_a_flag_wakes_the_writer() {
        // push {r4, r5, r6, lr}; mov r5, r0; ldr r6, [r0, #0x9c]; mov r0, r6; bl;
        // subs r4, r0, #0; beq; mov r0, r6; bl; mov r0, r5; bl; mov r0, r4; pop
        let mut words = [
            0xe92d_4070,
            0xe1a0_5000,
            0xe590_609c,
            0xe1a0_0006,
            0xeb00_0100,
            0xe250_4000,
            0x0a00_0003,
            0xe1a0_0006,
            0xeb00_0200,
            0xe1a0_0005,
            0xeb00_0300,
            0xe1a0_0004,
            0xe8bd_8070,
        ];
        let found = Receiver {
            insert: BASE + 0x10 + 8 + 0x400,
            push: BASE + 0x20 + 8 + 0x800,
            wakeup: Some(BASE + 0x28 + 8 + 0xc00),
        };
        assert_eq!(seen(&words), Some(found));
        // It wakes the other end.
        words[9] = 0xe1a0_0006;
        assert_eq!(seen(&words), None);
    }
}
