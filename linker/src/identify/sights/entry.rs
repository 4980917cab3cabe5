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
    machine::{
        self,
        flow::{Event, Value, Width},
    },
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

/// The function and its variable, when there is one only; none where the vectors ask
/// the chip themselves.
pub(super) fn setter(kernel: &Kernel, code: &Code) -> Option<Setter> {
    if !machine::irq_loops(kernel).is_empty() {
        return None;
    }
    let mut all = small(code, SIZE)
        .filter(|it| it.section == Section::Init)
        .filter_map(|it| {
            Some(Setter {
                setter: it.start,
                variable: set_once(&trace(kernel, code, it))?,
            })
        })
        .filter(|it| is_called(kernel, code, it.variable));
    match (all.next(), all.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// `ldr pc, [r1]`, A32 and T32.
const JUMP: (u32, [u8; 4]) = (0xe591_f000, [0xd1, 0xf8, 0x00, 0xf0]);
/// `mov r0, sp`
const MOV_R0_SP: (u32, [u8; 2]) = (0xe1a0_000d, [0x68, 0x46]);
/// Bytes before the jump in which the two registers are filled.
const BEFORE: usize = 16;
/// Handlers of one kernel: from kernel and user mode, each in a variant or two.
const SITES: std::ops::RangeInclusive<usize> = 2..=8;

/// The variable through which the handlers of vectors jump, and how many do; the
/// macro `irq_handler` of arch/arm/kernel/entry-armv.S (3.0 to 5.17):
///
/// ```text
/// ldr     r1, =handle_arch_irq
/// mov     r0, sp
/// adr     lr, ...
/// ldr     pc, [r1]
/// ```
pub(super) fn called_with_stack(kernel: &Kernel) -> Option<(u32, usize)> {
    let thumb = kernel.facts.thumb2;
    let jump = if thumb { JUMP.1 } else { JUMP.0.to_le_bytes() };
    let mut sites: Vec<(usize, u32)> = Vec::new();
    for at in memchr::memmem::find_iter(&kernel.bytes, &jump) {
        if let Some(variable) = jumps_through(kernel, at, thumb) {
            sites.push((at, variable));
        }
    }
    let variable = sites.first()?.1;
    let agree = sites.iter().all(|it| it.1 == variable);
    (agree && SITES.contains(&sites.len())).then_some((variable, sites.len()))
}

/// The variable whose address is loaded shortly before the jump at this offset.
fn jumps_through(kernel: &Kernel, at: usize, thumb: bool) -> Option<u32> {
    let step = if thumb { 2 } else { 4 };
    let from = at.checked_sub(BEFORE)?;
    let mut variable = None;
    let mut stack = false;
    for offset in (from..at).step_by(step) {
        let bytes = kernel.bytes.get(offset..offset + step)?;
        stack |= match thumb {
            true => bytes == MOV_R0_SP.1,
            false => bytes == MOV_R0_SP.0.to_le_bytes(),
        };
        let place = kernel.va(offset);
        // ldr r1, [pc, #...]
        let pool = match (thumb, bytes) {
            (true, [distance, 0x49]) => {
                Some((place.wrapping_add(4) & !3).wrapping_add(4 * u32::from(*distance)))
            }
            (false, [low, high, 0x9f, 0xe5]) if high >> 4 == 1 => {
                let distance = u32::from(*high & 0xf) << 8 | u32::from(*low);
                Some(place.wrapping_add(8).wrapping_add(distance))
            }
            _ => None,
        };
        if let Some(word) = pool.and_then(|pool| kernel.word(pool)) {
            variable = Some(word);
        }
    }
    variable.filter(|it| stack && it % 4 == 0)
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
        trace(kernel, code, code.function(user)).iter().any(|event| {
            matches!(event, Event::CallValue { target, .. } if target.global() == Some(variable))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, Image, events},
    };

    const VARIABLE: u32 = BASE + 0x800;

    fn seen(words: &[u32]) -> Option<u32> {
        set_once(&events(words, Version(6, 1, 0)))
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
    fn handlers_jump_through_a_variable_with_the_stack() {
        // ldr r1, [pc, #8]; mov r0, sp; add lr, pc, #0; ldr pc, [r1]
        let handler = [0xe59f_1008, 0xe1a0_000d, 0xe28f_e000, 0xe591_f000, VARIABLE];
        let mut image = Image::new(0x1000, Version(3, 8, 0));
        image.words(BASE + 0x100, &handler);
        assert_eq!(called_with_stack(&image.kernel()), None);
        image.words(BASE + 0x200, &handler);
        assert_eq!(called_with_stack(&image.kernel()), Some((VARIABLE, 2)));
        // A third that jumps through another.
        let mut other = handler;
        other[4] += 4;
        image.words(BASE + 0x300, &other);
        assert_eq!(called_with_stack(&image.kernel()), None);
    }

    #[test]
    fn handlers_in_thumb() {
        let mut image = Image::new(0x1000, Version(3, 8, 0)).thumb2();
        for at in [0x100, 0x200] {
            // ldr r1, [pc, #8]; mov r0, sp; addw lr, pc, #7; ldr.w pc, [r1]
            let halves = [0x4902, 0x4668, 0xf20f, 0x0e07, 0xf8d1, 0xf000];
            image
                .halves(BASE + at, &halves)
                .words(BASE + at + 12, &[VARIABLE]);
        }
        assert_eq!(called_with_stack(&image.kernel()), Some((VARIABLE, 2)));
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
