//! What `WARN_ON` and `WARN` call (kernel/panic.c, 2.6.26 to 5.2): no function of
//! the source does, for the calls are in macros, but hundreds of the kernel do,
//! with the name of a source file and a line:
//!
//! ```c
//! warn_slowpath_null(__FILE__, __LINE__);
//! warn_slowpath_fmt(__FILE__, __LINE__, "%s is too old\n", name);
//! ```

use std::collections::BTreeMap;

use super::trace;
use crate::{
    code::{Code, Function},
    kernel::Kernel,
    machine::flow::{Event, Value},
};

/// Bytes of a function that is looked at, and functions.
const SIZE: u32 = 0x300;
const MAX_FUNCTIONS: usize = 256;
/// Lines of a source file.
const LINES: std::ops::Range<u32> = 1..0x4000;
/// Calls that make a rule.
const LEAST: u32 = 8;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Warnings {
    /// `warn_slowpath_null`, `warn_on_slowpath` up to 2.6.28.
    pub null: Option<u32>,
    /// `warn_slowpath_fmt`, `warn_slowpath` up to 2.6.28.
    pub format: Option<u32>,
}

/// How often a function is called with a file and a line, and how often with this
/// as third argument.
#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    all: u32,
    text: u32,
    number: u32,
}

/// The two functions; what several functions could be is none.
pub(super) fn find(kernel: &Kernel, code: &Code) -> Warnings {
    let mut calls: BTreeMap<u32, Calls> = BTreeMap::new();
    let all = code.functions().iter().filter(|it| may_warn(code, it));
    for function in all.take(MAX_FUNCTIONS) {
        for event in trace(kernel, code, function) {
            let Event::Call {
                target, arguments, ..
            } = event
            else {
                continue;
            };
            let [Value::Const(file), Value::Const(line), ref third, ..] = arguments[..] else {
                continue;
            };
            if !(LINES.contains(&line) && code.text_at(file).is_some_and(is_file)) {
                continue;
            }
            let calls = calls.entry(target).or_default();
            calls.all += 1;
            if let &Value::Const(value) = third {
                match code.text_at(value) {
                    Some(text) if !text.is_empty() && !is_file(text) => calls.text += 1,
                    _ => calls.number += 1,
                }
            }
        }
    }
    let only = |is: fn(&Calls) -> bool| {
        let mut all = calls.iter().filter(|it| it.1.all >= LEAST && is(it.1));
        let first = *all.next()?.0;
        all.next().is_none().then_some(first)
    };
    Warnings {
        null: only(|it| it.text * 4 < it.all && it.number * 2 < it.all),
        format: only(|it| it.text * 2 > it.all),
    }
}

fn may_warn(code: &Code, function: &Function) -> bool {
    let mut references = function.references.iter();
    function.end - function.start <= SIZE
        && references.any(|it| code.text_at(it.address).is_some_and(is_file))
}

fn is_file(text: &str) -> bool {
    text.ends_with(".c") || text.ends_with(".h")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        code::Options,
        kernel::Version,
        machine::testing::{BASE, Image},
    };

    const FILE: u32 = BASE + 0x2_0000;
    const FORMAT: u32 = BASE + 0x2_0100;
    /// Functions that make the code worth looking at.
    const FILLERS: u32 = 120;
    const NULL: u32 = BASE + 0x10 * FILLERS;
    const WITH_FORMAT: u32 = NULL + 0x10;

    /// A kernel of functions that warn, all but one of them with a format as well.
    fn kernel(functions: u32) -> Kernel {
        let mut image = Image::new(0x3_0000, Version(3, 18, 0));
        image.text(FILE, "kernel/irq/chip.c");
        image.text(FORMAT, "this is %s\n");
        for at in (BASE..=WITH_FORMAT).step_by(0x10) {
            // push {r4, lr}; mov r4, r0; add r0, r0, r4; pop {r4, pc}
            image.words(at, &[0xe92d_4010, 0xe1a0_4000, 0xe080_0004, 0xe8bd_8010]);
        }
        for index in 0..functions {
            let at = WITH_FORMAT + 0x10 + 0x2c * index;
            let call =
                |from: u32, to: u32| 0xeb00_0000 | (to.wrapping_sub(from + 8) >> 2 & 0xff_ffff);
            // push {r4, lr}; ldr r0, file; mov r1, #line; bl; ldr r0, file; mov r1, #line;
            // ldr r2, format; bl; pop {r4, pc}
            let words = [
                0xe92d_4010,
                0xe59f_0018,
                0xe3a0_1040 + index,
                call(at + 12, NULL),
                0xe59f_000c,
                0xe3a0_1041 + index,
                0xe59f_2008,
                call(at + 28, WITH_FORMAT),
                0xe8bd_8010,
                FILE,
                FORMAT,
            ];
            image.words(at, &words);
        }
        image.kernel()
    }

    fn found(functions: u32) -> Warnings {
        let kernel = kernel(functions);
        find(&kernel, &Code::analyse(&kernel, &Options::default()))
    }

    #[test]
    fn what_is_called_with_file_and_line() {
        let expected = Warnings {
            null: Some(NULL),
            format: Some(WITH_FORMAT),
        };
        assert_eq!(found(LEAST), expected);
    }

    #[test]
    fn few_calls_make_no_rule() {
        assert_eq!(found(LEAST - 1), Warnings::default());
    }
}
