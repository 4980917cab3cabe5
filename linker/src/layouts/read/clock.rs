//! `clock_event_device`, from kernel/time/clockevents.c, tick-common.c and
//! timer_list.c.

use super::{
    Code, Function, Reads, only,
    printed::{self, Printed},
};
use crate::machine::flow::{Value, Width};

const DEVICE: &str = "clock_event_device";

/// Labels of `print_tickdevice` and the fields that they stand before.
const LABELS: [(&str, &str); 14] = [
    ("max_delta_ns:", "max_delta_ns"),
    ("min_delta_ns:", "min_delta_ns"),
    ("mult:", "mult"),
    ("shift:", "shift"),
    ("mode:", "mode"),
    ("next_event:", "next_event"),
    ("set_next_event:", "set_next_event"),
    ("set_mode:", "set_mode"),
    ("shutdown:", "set_state_shutdown"),
    ("periodic:", "set_state_periodic"),
    ("oneshot:", "set_state_oneshot"),
    ("oneshot stopped:", "set_state_oneshot_stopped"),
    ("resume:", "tick_resume"),
    ("event_handler:", "event_handler"),
];

pub(super) fn read(code: &Code<'_>, reads: &mut Reads) {
    for function in code.functions(&["tick_set_periodic_handler", "tick_setup_periodic"]) {
        periodic_handler(code, &function, reads);
    }
    if let Some(function) = code.function("tick_setup_periodic") {
        tested(&function, 1, "CLOCK_EVT_FEAT_PERIODIC", reads);
    }
    for function in code.functions(&["clockevents_config", "clockevents_config_and_register"]) {
        config(code, &function, reads);
    }
    for function in code.functions(&["clockevents_program_event"]) {
        programmed(&function, reads);
    }
    for function in code.functions(&[
        "clockevents_set_mode",
        "__clockevents_set_mode",
        "clockevents_switch_state",
        "__clockevents_switch_state",
    ]) {
        switched(&function, reads);
    }
    if let Some(function) = code.function("clockevents_tick_resume") {
        let found = only(
            function
                .callbacks()
                .filter(|call| *call.base == Value::Argument(0))
                .filter(|call| call.arguments[0] == Value::Argument(0))
                .map(|call| (call.offset, call.at)),
        );
        if let Some((offset, at)) = found {
            let what = format!("calls [device + {offset:#x}] with the device at {at:#x}");
            reads.add((DEVICE, "tick_resume"), offset, &function, what);
        }
    }
    for function in code.functions(&[
        "tick_check_preferred",
        "tick_check_new_device",
        "tick_check_broadcast_device",
        "tick_install_broadcast_device",
        "tick_check_device",
        "tick_notify",
    ]) {
        rating(&function, reads);
    }
    for function in code.functions(&[
        "tick_setup_device",
        "tick_check_percpu",
        "tick_check_new_device",
        "tick_check_device",
        "tick_notify",
    ]) {
        affinity(code, &function, reads);
    }
    for function in code.functions(&[
        "print_tickdevice",
        "timer_list_show",
        "timer_list_show_tickdevices",
        "timer_list_show_tickdevices_header",
        "sysrq_timer_list_show",
    ]) {
        printed_device(code, &function, reads);
    }
}

/// `dev->event_handler = tick_handle_periodic`
fn periodic_handler(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    for store in function.stores() {
        if let Value::Const(constant) = store.value
            && *store.base == Value::Argument(0)
            && code.is(*constant, "tick_handle_periodic")
        {
            let (offset, at) = (store.offset, store.at);
            let what = format!("stores tick_handle_periodic at [device + {offset:#x}] at {at:#x}");
            reads.add((DEVICE, "event_handler"), offset, function, what);
        }
    }
}

/// A bit of the features is tested.
fn tested(function: &Function, bit: u32, name: &str, reads: &mut Reads) {
    let found = only(function.tests().filter_map(|(at, value, mask)| {
        let (base, offset) = value.field()?;
        (mask == bit && *base == Value::Argument(0)).then_some((offset, at))
    }));
    if let Some((offset, at)) = found {
        let what = format!("tests [device + {offset:#x}] for {name} at {at:#x}");
        reads.add((DEVICE, "features"), offset, function, what);
    }
}

/// `clockevents_config_and_register(dev, freq, min_delta, max_delta)` and
/// `clockevents_config(dev, freq)`, which is inlined into it by some compilers.
fn config(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    tested(function, 2, "CLOCK_EVT_FEAT_ONESHOT", reads);
    if function.name == "clockevents_config_and_register" {
        for (argument, field) in [(2, "min_delta_ticks"), (3, "max_delta_ticks")] {
            let found = only(
                function
                    .stores()
                    .filter(|store| *store.base == Value::Argument(0))
                    .filter(|store| *store.value == Value::Argument(argument))
                    .map(|store| (store.offset, store.at)),
            );
            if let Some((offset, at)) = found {
                let what = format!(
                    "stores its argument {} at [device + {offset:#x}] at {at:#x}",
                    argument + 1
                );
                reads.add((DEVICE, field), offset, function, what);
            }
        }
    }
    for (at, target, arguments) in function.calls() {
        let pointed = |index: usize| match arguments[index].address() {
            (Value::Argument(0), offset) => u32::try_from(offset).ok(),
            _ => None,
        };
        if code.is(target, "clocks_calc_mult_shift")
            && let (Some(mult), Some(shift)) = (pointed(0), pointed(1))
        {
            let what =
                |offset| format!("hands device + {offset:#x} to clocks_calc_mult_shift at {at:#x}");
            reads.add((DEVICE, "mult"), mult, function, what(mult));
            reads.add((DEVICE, "shift"), shift, function, what(shift));
        }
    }
    // dev->min_delta_ns = cev_delta2ns(dev->min_delta_ticks, dev, ...)
    for (ticks, field) in [
        ("min_delta_ticks", "min_delta_ns"),
        ("max_delta_ticks", "max_delta_ns"),
    ] {
        let Some(known) = reads.agreed(DEVICE, ticks) else {
            continue;
        };
        let result = only(function.calls().filter_map(|(at, _, arguments)| {
            let (base, offset) = arguments[0].field()?;
            (*base == Value::Argument(0) && offset == known).then_some((at, at))
        }));
        let Some((result, _)) = result else { continue };
        let found = function
            .stores()
            .find(|store| {
                *store.base == Value::Argument(0) && *store.value == Value::Result(result)
            })
            .map(|store| (store.offset, store.at));
        if let Some((offset, at)) = found {
            let what = format!("converts {ticks} to [device + {offset:#x}] at {at:#x}");
            reads.add((DEVICE, field), offset, function, what);
        }
    }
}

/// `clockevents_program_event(dev, expires, ...)`: `set_next_event(ticks, dev)`,
/// `set_next_ktime(expires, dev)`, `dev->next_event = expires`.
fn programmed(function: &Function, reads: &mut Reads) {
    for (index, field) in [(1, "set_next_event"), (2, "set_next_ktime")] {
        let found = only(
            function
                .callbacks()
                .filter(|call| *call.base == Value::Argument(0))
                .filter(|call| {
                    let place = call.arguments.iter().position(|it| it == call.base);
                    place == Some(index)
                })
                .map(|call| (call.offset, call.at)),
        );
        if let Some((offset, at)) = found {
            let what = format!(
                "calls [device + {offset:#x}] with the device as argument {} at {at:#x}",
                index + 1
            );
            reads.add((DEVICE, field), offset, function, what);
        }
    }
    let found = function
        .stores()
        .find(|store| {
            *store.base == Value::Argument(0)
                && (*store.value == Value::Argument(2)
                    || *store.value == Value::Argument(1) && store.width == Width::Double)
        })
        .map(|store| (store.offset, store.at));
    if let Some((offset, at)) = found {
        let what = format!("stores the time at [device + {offset:#x}] at {at:#x}");
        reads.add((DEVICE, "next_event"), offset, function, what);
    }
}

/// `clockevents_set_mode(dev, mode)` up to 4.2, `clockevents_switch_state(dev,
/// state)` since.
fn switched(function: &Function, reads: &mut Reads) {
    let device = Value::Argument(0);
    let set_mode = only(
        function
            .callbacks()
            .filter(|call| *call.base == device)
            .filter(|call| call.arguments[..2] == [Value::Argument(1), device.clone()])
            .map(|call| (call.offset, call.at)),
    );
    if let Some((offset, at)) = set_mode {
        let what = format!("calls [device + {offset:#x}] with mode and device at {at:#x}");
        reads.add((DEVICE, "set_mode"), offset, function, what);
    }
    let of_state = function.name.ends_with("state");
    let stored = |value: &Value| {
        only(
            function
                .stores()
                .filter(|store| *store.base == device && store.value == value)
                .map(|store| (store.offset, store.at)),
        )
    };
    if let Some((offset, at)) = stored(&Value::Argument(1)) {
        let field = if of_state {
            "state_use_accessors"
        } else {
            "mode"
        };
        let what = format!("stores its second argument at [device + {offset:#x}] at {at:#x}");
        reads.add((DEVICE, field), offset, function, what);
    }
    // "A nsec2cyc multiplicator of 0 is invalid and we'd crash on it".
    if let Some((offset, at)) = stored(&Value::Const(1)) {
        let what = format!("replaces a multiplier of 0 at [device + {offset:#x}] at {at:#x}");
        reads.add((DEVICE, "mult"), offset, function, what);
    }
    // periodic, oneshot, oneshot_stopped, shutdown lie in a row.
    let mut states: Vec<(u32, u32)> = function
        .callbacks()
        .filter(|call| *call.base == device && call.arguments[0] == device)
        .map(|call| (call.offset, call.at))
        .collect();
    states.sort_unstable();
    states.dedup_by_key(|(offset, _)| *offset);
    let in_a_row = states.windows(2).all(|pair| pair[0].0 + 4 == pair[1].0);
    if of_state && states.len() == 4 && in_a_row {
        let fields = ["periodic", "oneshot", "oneshot_stopped", "shutdown"];
        for (field, (offset, at)) in fields.iter().zip(states) {
            let what = format!("calls [device + {offset:#x}], of four in a row, at {at:#x}");
            reads.add(
                (DEVICE, &format!("set_state_{field}")),
                offset,
                function,
                what,
            );
        }
    }
}

/// The same field of two devices is compared: the rating.
fn rating(function: &Function, reads: &mut Reads) {
    let found = only(function.compares().filter_map(|(at, left, right)| {
        let ((one, offset), (other, same)) = (left.field()?, right.field()?);
        let rooted = one.is_rooted() && other.is_rooted();
        (offset == same && one != other && rooted).then_some((offset, at))
    }));
    if let Some((offset, at)) = found {
        let what = format!("compares [device + {offset:#x}] of two devices at {at:#x}");
        reads.add((DEVICE, "rating"), offset, function, what);
    }
}

/// The interrupt is handed to the functions for affinity.
fn affinity(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    let found = only(function.calls().filter_map(|(at, target, arguments)| {
        let (base, offset) = arguments[0].field()?;
        let named = [
            "irq_can_set_affinity",
            "irq_set_affinity",
            "__irq_set_affinity",
        ]
        .iter()
        .find(|name| code.is(target, name))?;
        (*base != Value::Unknown).then_some(((offset, *named), at))
    }));
    if let Some(((offset, named), at)) = found {
        let what = format!("hands [device + {offset:#x}] to {named} at {at:#x}");
        reads.add((DEVICE, "irq"), offset, function, what);
    }
}

/// `/proc/timer_list` prints nearly everything by its name.
fn printed_device(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    let values = printed::values(code, function);
    let field = |printed: &Printed<'_>| {
        let label = printed.label.trim();
        let (_, field) = LABELS.iter().find(|(text, _)| *text == label)?;
        Some((*field, label.to_owned()))
    };
    // The device is that of which max_delta_ns is printed.
    let device = values
        .iter()
        .filter(|it| field(it).is_some_and(|(field, _)| field == "max_delta_ns"))
        .find_map(|it| it.value.field());
    let Some((device, _)) = device else { return };
    for printed in &values {
        if let Some((field, label)) = field(printed)
            && let Some((base, offset)) = printed.value.field()
            && base == device
        {
            let at = printed.at;
            let what = format!("prints [device + {offset:#x}] as {label:?} at {at:#x}");
            reads.add((DEVICE, field), offset, function, what);
        }
    }
    named_pointers(code, function, device, reads);
    // The name stands before everything else.
    let name = values
        .iter()
        .take_while(|it| field(it).is_none())
        .filter_map(|it| Some((it.at, it.value.field()?)))
        .filter(|(_, (base, _))| *base == device)
        .last();
    if let Some((at, (_, offset))) = name {
        let what = format!("prints [device + {offset:#x}] as the device's name at {at:#x}");
        reads.add((DEVICE, "name"), offset, function, what);
    }
}

/// Before 5.x a label is printed alone, and then the name of the function that
/// the field points to, by another function.
fn named_pointers(code: &Code<'_>, function: &Function, device: &Value, reads: &mut Reads) {
    let mut label = None;
    for (at, _, arguments) in function.calls() {
        let text = arguments[..2].iter().find_map(|value| code.text(value));
        let pointer = arguments[..2].iter().find_map(|value| {
            let (base, offset) = value.field()?;
            (base == device).then_some(offset)
        });
        if let (Some((field, label)), Some(offset)) = (label, pointer) {
            let what = format!("prints [device + {offset:#x}] as {label:?} at {at:#x}");
            reads.add((DEVICE, field), offset, function, what);
        }
        label = text.and_then(|text| {
            let label = text.trim();
            let (_, field) = LABELS.iter().find(|(text, _)| *text == label)?;
            Some((*field, label))
        });
    }
}
