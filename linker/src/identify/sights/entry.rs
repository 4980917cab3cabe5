//! `set_handle_irq` and the variable that it sets (arch/arm/kernel/irq.c from
//! 3.10 on, kernel/irq/handle.c from 4.18 on).
//!
//! ```c
//! if (handle_arch_irq)
//!         return;             /* or return -EBUSY */
//! handle_arch_irq = handle_irq;
//! ```
//!
//! Many a function sets a variable once; this variable is called through as well.

use super::{small, trace};
use crate::{
    code::{Code, Section},
    kernel::Kernel,
    machine::flow::{Event, Value, Width},
};

/// Bytes of it, with its literal pool, at most.
const SIZE: u32 = 80;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setter {
    /// `set_handle_irq`
    pub setter: u32,
    /// `handle_arch_irq`
    pub variable: u32,
}

/// The function and its variable, when there is one only.
pub(super) fn setter(kernel: &Kernel, code: &Code) -> Option<Setter> {
    let mut all = small(code, SIZE)
        .filter(|it| it.section == Section::Init)
        .filter_map(|it| {
            Some(Setter {
                setter: it.start,
                variable: set_once(&trace(kernel, it))?,
            })
        })
        .filter(|it| is_called(kernel, code, it.variable));
    match (all.next(), all.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// The variable that is compared with 0, and then set to the first argument.
/// `register_persistent_clock` compares its own with a function.
fn set_once(events: &[Event]) -> Option<u32> {
    let mut variable = None;
    let mut compared = Vec::new();
    for event in events {
        match event {
            Event::Store {
                base: Value::Const(address),
                offset,
                value: Value::Argument(0),
                width: Width::Word,
                ..
            } if variable.is_none() => variable = Some(address.wrapping_add_signed(*offset)),
            Event::Store {
                base: Value::Stack(_),
                ..
            } => {}
            Event::Store { .. } | Event::Call { .. } => return None,
            Event::Compare {
                left,
                right: Value::Const(0),
                ..
            } => compared.extend(left.global()),
            Event::Test { value, .. } => compared.extend(value.global()),
            _ => {}
        }
    }
    variable.filter(|it| compared.contains(it))
}

/// Whether a function calls what the variable holds.
fn is_called(kernel: &Kernel, code: &Code, variable: u32) -> bool {
    code.users_of(variable).iter().any(|&user| {
        trace(kernel, code.function(user)).iter().any(|event| {
            matches!(event, Event::CallValue { target, .. } if target.global() == Some(variable))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::{
            flow,
            testing::{BASE, Image},
        },
    };

    const VARIABLE: u32 = BASE + 0x800;

    fn seen(words: &[u32]) -> Option<u32> {
        let mut image = Image::new(0x1000, Version(6, 1, 0));
        image.words(BASE, words);
        let end = BASE + 4 * words.len() as u32;
        set_once(&flow::trace(&image.kernel(), BASE, false, Some(end)))
    }

    #[test]
    fn a_variable_is_set_unless_it_is_already() {
        // ldr r2, [pc, #16]; ldr r3, [r2]; cmp r3, #0; streq r0, [r2]; bx lr
        let words = [
            0xe59f_200c,
            0xe592_3000,
            0xe353_0000,
            0x0582_0000,
            0xe12f_ff1e,
            VARIABLE,
        ];
        assert_eq!(seen(&words), Some(VARIABLE));
        // Set whatever it holds.
        let words = [0xe59f_2000, 0xe582_0000, 0xe12f_ff1e, VARIABLE];
        assert_eq!(seen(&words), None);
    }

    #[test]
    fn a_comparison_with_a_function_is_another_setter() {
        // cmp r3, r1, with r1 from the pool.
        let words = [
            0xe59f_2010,
            0xe59f_1010,
            0xe592_3000,
            0xe153_0001,
            0x0582_0000,
            0xe12f_ff1e,
            VARIABLE,
            BASE + 0x100,
        ];
        assert_eq!(seen(&words), None);
    }
}
