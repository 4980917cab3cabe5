//! `clockevents_register_device` (kernel/time/clockevents.c, 2.6.21 to 4.1): what
//! gets one device, looks that two of its fields are set or not, and puts it at the
//! head of a list.
//!
//! ```c
//! BUG_ON(dev->mode != CLOCK_EVT_MODE_UNUSED);
//! BUG_ON(!dev->cpumask);
//! list_add(&dev->list, &clockevent_devices);
//! ```
//!
//! All that it calls may be put into it, and its texts are gone without
//! CONFIG_BUG.

use std::collections::BTreeSet;

use super::trace;
use crate::{
    code::Code,
    kernel::{Kernel, Version},
    machine::flow::{Event, Value},
};

/// Bytes of it.
const SIZES: std::ops::Range<u32> = 0x40..0x180;
/// Other things are registered in such a way too; more than so many tell nothing.
const FEW: usize = 4;
/// Two fields of the device are looked at.
const LOOKED_AT: usize = 2;
/// From here on `mode` is looked at elsewhere.
const LAST: Version = Version(4, 2, 0);

/// A function that may be it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it starts.
    pub function: u32,
    /// The list.
    pub list: u32,
}

/// The functions that do it, when they are few.
pub(super) fn register_device(kernel: &Kernel, code: &Code) -> Vec<Found> {
    if kernel.facts.version >= LAST {
        return Vec::new();
    }
    let all = code.functions().iter();
    let of_size = all.filter(|it| SIZES.contains(&it.end.saturating_sub(it.start)));
    let found: Vec<Found> = of_size
        .filter(|it| it.arguments == 1)
        .filter_map(|it| {
            Some(Found {
                function: it.start,
                list: listed(&trace(kernel, code, it))?,
            })
        })
        .take(FEW + 1)
        .collect();
    match found.len() > FEW {
        true => Vec::new(),
        false => found,
    }
}

/// The list at whose head the argument is put, if two of its other fields are
/// compared with 0.
fn listed(events: &[Event]) -> Option<u32> {
    let (head, place) = events.iter().find_map(|event| match event {
        Event::Store {
            base: Value::Argument(0),
            offset,
            value: Value::Const(head),
            ..
        } => Some((*head, offset.checked_sub(4)?)),
        _ => None,
    })?;
    let is_first = events.iter().any(|event| match event {
        Event::Store {
            base,
            offset,
            value,
            ..
        } => {
            *base == Value::Const(head)
                && *offset == 0
                && value.address() == (&Value::Argument(0), place)
        }
        _ => false,
    });
    let looked_at: BTreeSet<u32> = events
        .iter()
        .filter_map(|event| match event {
            Event::Compare {
                left,
                right: Value::Const(0),
                ..
            } => match left.field() {
                Some((Value::Argument(0), field)) => Some(field),
                _ => None,
            },
            _ => None,
        })
        .collect();
    (is_first && looked_at.len() == LOOKED_AT).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::events;

    #[test]
    fn the_head_of_a_list_and_two_fields() {
        let mut words = [
            0xe590_103c, // ldr r1, [r0, #60]
            0xe351_0000, // cmp r1, #0
            0x1a00_0009, // bne the end
            0xe590_3020, // ldr r3, [r0, #32]
            0xe353_0000, // cmp r3, #0
            0x0a00_0006, // beq the end
            0xe305_8c08, // movw r8, #0x5c08
            0xe34c_8025, // movt r8, #0xc025
            0xe598_3000, // ldr r3, [r8]
            0xe280_c034, // add ip, r0, #52
            0xe580_3034, // str r3, [r0, #52]
            0xe588_c000, // str ip, [r8]
            0xe580_8038, // str r8, [r0, #56]
            0xe12f_ff1e, // bx lr
        ];
        let list = |words: &[u32]| listed(&events(words, Version(2, 6, 32)));
        assert_eq!(list(&words), Some(0xc025_5c08));
        // At the tail of the list.
        words[11] = 0xe588_c004;
        assert_eq!(list(&words), None);
        words[11] = 0xe588_c000;
        // One field twice.
        words[3] = 0xe590_303c;
        assert_eq!(list(&words), None);
    }
}
