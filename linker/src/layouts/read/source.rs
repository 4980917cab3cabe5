//! `clocksource`, from kernel/time/clocksource.c, timekeeping.c and
//! drivers/clocksource/mmio.c.

use super::{Code, Function, Reads, only, printed};
use crate::machine::flow::Value;

const SOURCE: &str = "clocksource";

pub(super) fn read(code: &Code<'_>, reads: &mut Reads) {
    for function in code.functions(&["__clocksource_change_rating", "clocksource_change_rating"]) {
        let found = only(
            function
                .stores()
                .filter(|store| *store.base == Value::Argument(0))
                .filter(|store| *store.value == Value::Argument(1))
                .map(|store| (store.offset, store.at)),
        );
        if let Some((offset, at)) = found {
            let what = format!("stores the new rating at [source + {offset:#x}] at {at:#x}");
            reads.add((SOURCE, "rating"), offset, &function, what);
        }
    }
    if let Some(function) = code.function("clocksource_mmio_init") {
        mmio(&function, reads);
    }
    for function in code.functions(&[
        "__clocksource_updatefreq_scale",
        "__clocksource_update_freq_scale",
        "__clocksource_register_scale",
    ]) {
        scaled(code, &function, reads);
    }
    for function in code.functions(&[
        "clocksource_max_deferment",
        "clocksource_update_max_deferment",
        "__clocksource_updatefreq_scale",
        "__clocksource_update_freq_scale",
        "__clocksource_register_scale",
    ]) {
        longest(code, &function, reads);
    }
    for function in code.functions(&["tk_setup_internals", "timekeeper_setup_internals"]) {
        let found = only(
            function
                .callbacks()
                .filter(|call| matches!(call.base, Value::Argument(_)))
                .filter(|call| call.arguments[0] == *call.base)
                .map(|call| (call.offset, call.at)),
        );
        if let Some((offset, at)) = found {
            let what = format!("reads the counter by [source + {offset:#x}] at {at:#x}");
            reads.add((SOURCE, "read"), offset, &function, what);
        }
    }
    if let Some(function) = code.function("timekeeping_valid_for_hres") {
        let found = only(function.tests().filter_map(|(at, value, mask)| {
            let (_, offset) = value.field()?;
            (mask == 0x20).then_some((offset, at))
        }));
        if let Some((offset, at)) = found {
            let what =
                format!("tests [source + {offset:#x}] for CLOCK_SOURCE_VALID_FOR_HRES at {at:#x}");
            reads.add((SOURCE, "flags"), offset, &function, what);
        }
    }
    for function in code.functions(&[
        "clocksource_select",
        "__clocksource_select",
        "clocksource_done_booting",
        "timekeeping_notify",
        "change_clocksource",
        "sysfs_show_current_clocksources",
        "current_clocksource_show",
    ]) {
        name(code, &function, reads);
    }
}

/// `clocksource_mmio_init(base, name, hz, rating, bits, read)`
fn mmio(function: &Function, reads: &mut Reads) {
    for (argument, field) in [(1, "name"), (3, "rating"), (5, "read")] {
        let found = only(
            function
                .stores()
                .filter(|store| store.offset > 0 || field == "read" || field == "name")
                .filter(|store| *store.value == Value::Argument(argument))
                .filter(|store| matches!(store.base, Value::Result(_)))
                .map(|store| (store.offset, store.at)),
        );
        // The registers' address stands before the source, if there is one.
        let before = only(
            function
                .stores()
                .filter(|store| *store.value == Value::Argument(0))
                .filter(|store| matches!(store.base, Value::Result(_)))
                .map(|store| (store.offset, store.at)),
        );
        let registered =
            only(
                function
                    .calls()
                    .filter_map(|(at, _, arguments)| match arguments[0].address() {
                        (Value::Result(_), offset) => Some((u32::try_from(offset).ok()?, at)),
                        _ => None,
                    }),
            );
        if let (Some((offset, at)), Some(_), Some((start, _))) = (found, before, registered)
            && let Some(value) = offset.checked_sub(start)
        {
            let what = format!(
                "stores its argument {} at [source + {value:#x}] at {at:#x}",
                argument + 1
            );
            reads.add((SOURCE, field), value, function, what);
        }
    }
}

/// `clocks_calc_mult_shift(&cs->mult, &cs->shift, ...)`
fn scaled(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    for (at, target, arguments) in function.calls() {
        let pointed = |index: usize| match arguments[index].address() {
            (Value::Argument(0), offset) => u32::try_from(offset).ok(),
            _ => None,
        };
        if code.is(target, "clocks_calc_mult_shift")
            && let (Some(mult), Some(shift)) = (pointed(0), pointed(1))
        {
            let what =
                |offset| format!("hands source + {offset:#x} to clocks_calc_mult_shift at {at:#x}");
            reads.add((SOURCE, "mult"), mult, function, what(mult));
            reads.add((SOURCE, "shift"), shift, function, what(shift));
        }
    }
}

/// `clocks_calc_max_nsecs(cs->mult, cs->shift, cs->maxadj, cs->mask, ...)`, since
/// 3.8; the mask is the first of its arguments on the stack.
fn longest(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    let fields = ["mult", "shift", "maxadj", "", "mask"];
    for (at, target, arguments) in function.calls() {
        if !code.is(target, "clocks_calc_max_nsecs") {
            continue;
        }
        for (field, value) in fields.iter().zip(arguments) {
            if let Some((Value::Argument(0), offset)) = value.field()
                && !field.is_empty()
            {
                let what =
                    format!("hands [source + {offset:#x}] to clocks_calc_max_nsecs at {at:#x}");
                reads.add((SOURCE, field), offset, function, what);
            }
        }
    }
}

/// The name of the source is printed.
fn name(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    let current = function.name.contains("show_current") || function.name.ends_with("_show");
    let found = only(
        printed::values(code, function)
            .iter()
            .filter(|it| it.label.contains("to clocksource ") || current && it.label.is_empty())
            .filter_map(|it| Some((it.value.field()?.1, it.at))),
    );
    if let Some((offset, at)) = found {
        let what = format!("prints [source + {offset:#x}] as the source's name at {at:#x}");
        reads.add((SOURCE, "name"), offset, function, what);
    }
}
