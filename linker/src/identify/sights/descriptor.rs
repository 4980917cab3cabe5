//! The variable `machine_desc` (arch/arm/kernel/setup.c, 3.0 and later): small
//! functions of the init section (`init_IRQ`, `time_init`, `customize_machine`,
//! `init_machine_late`) load it and call one of its fields each.

use std::collections::{BTreeMap, BTreeSet};

use super::trace;
use crate::{
    code::{Call, CallKind, Code, Section},
    kernel::Kernel,
    machine::flow::Event,
};

/// Bytes of such a function, with its literal pool, at most.
const SIZE: u32 = 0x80;
/// Functions, and fields that they call.
const LEAST: usize = 2;
/// The callbacks of `struct machine_desc` lie there.
const FIELDS: std::ops::Range<u32> = 0x1c..0x80;

/// The variable and how many functions call a field behind it, when it is the
/// only one.
pub(super) fn variable(kernel: &Kernel, code: &Code) -> Option<(u32, usize)> {
    let mut fields: BTreeMap<u32, (usize, BTreeSet<u32>)> = BTreeMap::new();
    let init = code.functions().iter();
    let init = init.filter(|it| it.section == Section::Init && it.end - it.start <= SIZE);
    let calling = init.filter(|it| {
        let through = |call: &Call| call.kind == CallKind::Indirect;
        it.calls.iter().any(through)
    });
    for function in calling {
        let mut called: Vec<(u32, u32)> = trace(kernel, code, function)
            .iter()
            .filter_map(called_field)
            .filter(|it| FIELDS.contains(&it.1))
            .collect();
        called.dedup();
        for (variable, field) in called {
            let (functions, all) = fields.entry(variable).or_default();
            *functions += 1;
            all.insert(field);
        }
    }
    let mut known = fields.into_iter();
    let enough = |it: &(u32, (usize, BTreeSet<u32>))| it.1.0 >= LEAST && it.1.1.len() >= LEAST;
    match (known.find(enough), known.find(enough)) {
        (Some((variable, (functions, _))), None) => Some((variable, functions)),
        _ => None,
    }
}

/// The variable and the field of what it points to that is called.
fn called_field(event: &Event) -> Option<(u32, u32)> {
    let Event::CallValue { target, .. } = event else {
        return None;
    };
    let (descriptor, field) = target.field()?;
    Some((descriptor.global()?, field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, events},
    };

    #[test]
    fn a_field_of_what_a_variable_points_to_is_called() {
        // ldr r3, [pc, #8]; ldr r3, [r3]; ldr r3, [r3, #80]; bx r3
        let words = [
            0xe59f_3008,
            0xe593_3000,
            0xe593_3050,
            0xe12f_ff13,
            BASE + 0x800,
        ];
        let events = events(&words, Version(4, 4, 0));
        let called: Vec<_> = events.iter().filter_map(called_field).collect();
        assert_eq!(called, [(BASE + 0x800, 0x50)]);
    }
}
