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

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// `machine_desc`
    pub variable: u32,
    /// Functions that call a field behind it.
    pub functions: usize,
    /// Those that nobody calls, when there are two: `customize_machine` with the
    /// callback that comes first in every version, and `init_machine_late`.
    pub initcalls: Option<[u32; 2]>,
    /// `init_IRQ`: in every version its callback stands two words before that of
    /// `customize_machine`.
    pub init_irq: Option<u32>,
    /// `time_init`, in versions where its callback stands between these two; before
    /// 3.9 a pointer to the timer does.
    pub time_init: Option<u32>,
}

/// The variable, when it is the only one.
pub(super) fn find(kernel: &Kernel, code: &Code) -> Option<Found> {
    // By variable: field and function.
    let mut calls: BTreeMap<u32, BTreeSet<(u32, u32)>> = BTreeMap::new();
    let init = code.ids().map(|id| (id, code.function(id)));
    let init = init.filter(|(_, it)| it.section == Section::Init && it.end - it.start <= SIZE);
    let mut uncalled = BTreeSet::new();
    for (id, function) in init {
        let through = |call: &Call| call.kind == CallKind::Indirect;
        if !function.calls.iter().any(through) {
            continue;
        }
        if code.callers(id).is_empty() {
            uncalled.insert(function.start);
        }
        let events = trace(kernel, code, function);
        let called = events.iter().filter_map(called_field);
        for (variable, field) in called.filter(|it| FIELDS.contains(&it.1)) {
            let of_variable = calls.entry(variable).or_default();
            of_variable.insert((field, function.start));
        }
    }
    let count = |all: &BTreeSet<(u32, u32)>, of: fn(&(u32, u32)) -> u32| {
        all.iter().map(of).collect::<BTreeSet<u32>>().len()
    };
    let mut known = calls.into_iter();
    let enough = |it: &(u32, BTreeSet<(u32, u32)>)| {
        count(&it.1, |it| it.0) >= LEAST && count(&it.1, |it| it.1) >= LEAST
    };
    let (variable, all) = match (known.find(enough), known.find(enough)) {
        (Some(only), None) => only,
        _ => return None,
    };
    let functions = count(&all, |it| it.1);
    Some(named(variable, functions, &all, &uncalled))
}

/// Which function is which, of those that call a field each, in the order of fields.
fn named(
    variable: u32,
    functions: usize,
    all: &BTreeSet<(u32, u32)>,
    uncalled: &BTreeSet<u32>,
) -> Found {
    let initcalls: Vec<(u32, u32)> = all
        .iter()
        .copied()
        .filter(|it| uncalled.contains(&it.1))
        .collect();
    let (machine, initcalls) = match initcalls[..] {
        [(field, first), (_, last)] if first != last => (Some(field), Some([first, last])),
        [(field, _)] => (Some(field), None),
        _ => (None, None),
    };
    // The only function that calls the field so many words before the machine's.
    let before = |words: u32| {
        let field = machine?.checked_sub(4 * words)?;
        let mut calling = all
            .range((field, 0)..=(field, u32::MAX))
            .map(|it| it.1)
            .filter(|it| !uncalled.contains(it));
        match (calling.next(), calling.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    };
    Found {
        variable,
        functions,
        initcalls,
        init_irq: before(2),
        time_init: before(1),
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

    #[test]
    fn functions_by_the_order_of_their_fields() {
        let calls = [(0x34, 0x100), (0x38, 0x200), (0x3c, 0x300), (0x40, 0x400)];
        let found = |calls: &[(u32, u32)], uncalled: &[u32]| {
            let all = calls.iter().copied().collect();
            named(0, 4, &all, &uncalled.iter().copied().collect())
        };
        let all = found(&calls, &[0x300, 0x400]);
        assert_eq!(all.initcalls, Some([0x300, 0x400]));
        assert_eq!((all.init_irq, all.time_init), (Some(0x100), Some(0x200)));
        // No init_machine_late, and a timer whose callback is no field.
        let few = found(&[calls[0], calls[2]], &[0x300]);
        assert_eq!(few.initcalls, None);
        assert_eq!((few.init_irq, few.time_init), (Some(0x100), None));
        // Two that call one field, and nobody that is an initial call.
        let two = found(&[(0x34, 0x100), (0x34, 0x200), (0x3c, 0x300)], &[0x300]);
        assert_eq!(two.init_irq, None);
        assert_eq!(found(&calls, &[]).init_irq, None);
    }
}
