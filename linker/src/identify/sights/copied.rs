//! `init_IRQ`, `time_init` and `customize_machine` to 2.6.38, which have no more in
//! them than a call through what `setup_arch` has copied for them
//! (arch/arm/kernel/setup.c, irq.c and time.c):
//!
//! ```c
//! init_arch_irq = mdesc->init_irq;
//! system_timer = mdesc->timer;
//! init_machine = mdesc->init_machine;
//! ```
//!
//! The three fields lie side by side in every version, in this order.

use super::trace;
use crate::{
    code::{CallKind, Code, Function, Section},
    kernel::{Kernel, Version},
    machine::flow::{Event, Value},
};

/// The release in which `machine_desc` became a variable, and the copies went.
const LATER: Version = Version(2, 6, 39);
/// Bytes of a function that calls, with its literal pool, at most.
const SIZE: u32 = 0x80;
/// Bytes of the one that copies, at least.
const LEAST: u32 = 0x100;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// `setup_arch`
    pub setup_arch: u32,
    /// `init_IRQ`
    pub init_irq: u32,
    /// `time_init`
    pub time_init: u32,
    /// `customize_machine`
    pub customize_machine: u32,
}

/// The functions, when there is one of each.
pub(super) fn find(kernel: &Kernel, code: &Code) -> Option<Found> {
    if kernel.facts.version >= LATER {
        return None;
    }
    let init = || {
        let all = code.functions().iter();
        all.filter(|it| it.section == Section::Init)
    };
    let bytes = |function: &Function| function.end.saturating_sub(function.start);
    let calls: Vec<(Through, u32)> = init()
        .filter(|it| bytes(it) <= SIZE && it.calls.iter().any(|it| it.kind == CallKind::Indirect))
        .filter_map(|it| Some((called(&trace(kernel, code, it))?, it.start)))
        .collect();
    let of = |through: Through| {
        let mut all = calls.iter().filter(|it| it.0 == through);
        match (all.next(), all.next()) {
            (Some(only), None) => Some(only.1),
            _ => None,
        }
    };
    let mut found = init()
        .filter(|it| bytes(it) >= LEAST)
        .flat_map(|it| {
            let events = trace(kernel, code, it);
            let copies = copies(&events).into_iter();
            copies.map(|copies| (it.start, copies)).collect::<Vec<_>>()
        })
        .filter_map(|(setup_arch, [init_irq, timer, init_machine])| {
            Some(Found {
                setup_arch,
                init_irq: of(Through::Variable(init_irq))?,
                time_init: of(Through::Struct(timer))?,
                customize_machine: of(Through::Variable(init_machine))?,
            })
        });
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// What a function calls through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Through {
    /// A variable that holds the callback.
    Variable(u32),
    /// A variable that points to a struct with the callback in it.
    Struct(u32),
}

/// Through what the first call by a pointer goes.
fn called(events: &[Event]) -> Option<Through> {
    let target = events.iter().find_map(|event| match event {
        Event::CallValue { target, .. } => Some(target),
        _ => None,
    })?;
    if let Some(variable) = target.global() {
        return Some(Through::Variable(variable));
    }
    let (of, _) = target.field()?;
    of.global().map(Through::Struct)
}

/// Variables to which three fields side by side of one struct are copied.
fn copies(events: &[Event]) -> Vec<[u32; 3]> {
    let all: Vec<(&Value, u32, u32)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Store {
                base: Value::Const(base),
                offset,
                value,
                ..
            } => {
                let (of, field) = value.field()?;
                Some((of, field, base.wrapping_add_signed(*offset)))
            }
            _ => None,
        })
        .collect();
    let next = |of: &Value, field: u32| {
        let mut all = all.iter();
        let found = all.find(|it| it.0 == of && it.1 == field);
        found.map(|it| it.2)
    };
    let three = |&(of, field, first): &(&Value, u32, u32)| {
        let second = next(of, field.wrapping_add(4))?;
        Some([first, second, next(of, field.wrapping_add(8))?])
    };
    all.iter().filter_map(three).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::{BASE, events};

    const VARIABLES: u32 = BASE + 0x800;

    #[test]
    fn three_fields_side_by_side_are_copied() {
        // ldr r3, [pc, #24]; ldr r2, [r0, #40]; str r2, [r3]; ldr r2, [r0, #44];
        // str r2, [r3, #8]; ldr r2, [r0, #48]; str r2, [r3, #4]; bx lr
        let mut words = [
            0xe59f_3018,
            0xe590_2028,
            0xe583_2000,
            0xe590_202c,
            0xe583_2008,
            0xe590_2030,
            0xe583_2004,
            0xe12f_ff1e,
            VARIABLES,
        ];
        let version = Version(2, 6, 37);
        let found = copies(&events(&words, version));
        assert_eq!(found, [[VARIABLES, VARIABLES + 8, VARIABLES + 4]]);
        // The last is of another struct.
        words[5] = 0xe591_2030;
        assert!(copies(&events(&words, version)).is_empty());
    }

    #[test]
    fn a_call_goes_through_a_variable_or_a_struct_behind_it() {
        // ldr r3, [pc, #8]; ldr r3, [r3]; mov lr, pc; bx r3
        let words = [
            0xe59f_3008,
            0xe593_3000,
            0xe1a0_e00f,
            0xe12f_ff13,
            VARIABLES,
        ];
        let version = Version(2, 6, 37);
        let direct = called(&events(&words, version));
        assert_eq!(direct, Some(Through::Variable(VARIABLES)));
        // ldr r3, [pc, #12]; ldr r3, [r3]; ldr r3, [r3, #44]; mov lr, pc; bx r3
        let words = [
            0xe59f_300c,
            0xe593_3000,
            0xe593_302c,
            0xe1a0_e00f,
            0xe12f_ff13,
            VARIABLES,
        ];
        let behind = called(&events(&words, version));
        assert_eq!(behind, Some(Through::Struct(VARIABLES)));
        assert_eq!(called(&[]), None);
    }
}
