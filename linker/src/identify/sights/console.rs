//! `uart_console_device` of the serial core (2.6.12 to 7.2): the `device` of every
//! serial console.
//!
//! ```c
//! struct uart_driver *p = co->data;
//! *index = co->index;
//! return p->tty_driver;
//! ```
//!
//! It calls nobody, holds no constant, and nobody calls it: it stands in tables.
//! Other consoles return a driver of their own, which is a global.

use super::{small, trace};
use crate::{
    code::Code,
    kernel::Kernel,
    machine::flow::{Event, Value, Width},
};

/// Bytes of it, with its literal pool, at most.
const SIZE: u32 = 64;
/// Fields of `struct console` lie below this.
const CONSOLE: u32 = 0x60;

/// The function and what speaks for it, when there is one only.
pub(super) fn device(kernel: &Kernel, code: &Code) -> Option<(u32, String)> {
    let mut all: Vec<_> = small(code, SIZE)
        .filter(|it| it.blocks == 1)
        .filter_map(|it| Some((it.start, shape(&trace(kernel, code, it))?)))
        .collect();
    if all.len() > 1 {
        all.retain(|it| !code.pointers_to(it.0).is_empty());
    }
    match all[..] {
        [(start, (index, data))] => Some((
            start,
            format!(
                "the only one that stores [console + {index:#x}] at its second argument and returns a field behind [console + {data:#x}]"
            ),
        )),
        _ => None,
    }
}

/// Offsets of `index` and `data`, when these events and no others are seen.
fn shape(events: &[Event]) -> Option<(u32, u32)> {
    let mut index = None;
    let mut data = None;
    for event in events {
        match event {
            // `index` is a short, from 5.x on an int in some.
            Event::Store {
                base: Value::Argument(1),
                offset: 0,
                value,
                width: Width::Word,
                ..
            } => match value.part()? {
                (Value::Argument(0), offset, _) if index.is_none() => index = Some(offset),
                _ => return None,
            },
            // Saved registers.
            Event::Store {
                base: Value::Stack(_),
                ..
            } => {}
            Event::Load { base, .. } => match base.field() {
                Some((Value::Argument(0), offset)) if data.is_none() => data = Some(offset),
                Some(_) => return None,
                None if *base == Value::Argument(0) => {}
                None => return None,
            },
            // The return.
            Event::CallValue { target, .. } if !target.is_rooted() => {}
            _ => return None,
        }
    }
    let (index, data) = (index?, data?);
    (index != data && index < CONSOLE && data < CONSOLE).then_some((index, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, events},
    };

    fn seen(words: &[u32]) -> Option<(u32, u32)> {
        shape(&events(words, Version(4, 9, 0)))
    }

    #[test]
    fn the_console_s_index_and_its_driver_s_field() {
        // ldr r3, [r0, #48]; ldrsh r2, [r0, #42]; str r2, [r1]; ldr r0, [r3, #32]
        let words = [
            0xe590_3030,
            0xe1d0_22fa,
            0xe581_2000,
            0xe593_0020,
            0xe12f_ff1e,
        ];
        assert_eq!(seen(&words), Some((42, 48)));
        // Built with function tracing.
        let traced: Vec<u32> = [0xe52d_e004, 0xeb00_0100]
            .into_iter()
            .chain(words)
            .collect();
        assert_eq!(seen(&traced), Some((42, 48)));
    }

    #[test]
    fn a_driver_of_its_own_is_another_console() {
        // ldrsh r3, [r0, #42]; ldr r0, [pc]; str r3, [r1]; bx lr
        let words = [
            0xe1d0_32fa,
            0xe59f_0004,
            0xe581_3000,
            0xe12f_ff1e,
            BASE + 0x800,
        ];
        assert_eq!(seen(&words), None);
    }
}
