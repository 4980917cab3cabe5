//! `uart_port` and `uart_ops`, from drivers/tty/serial (drivers/serial before
//! 2.6.39).

use super::{Code, Function, Reads, only, printed};
use crate::machine::flow::{Event, Value, Width};

const PORT: &str = "uart_port";

/// Functions that call one callback of the port, and which.
const ONE_CALLBACK: [(&str, &str); 13] = [
    ("uart_tiocmget", "get_mctrl"),
    ("uart_update_mctrl", "set_mctrl"),
    ("uart_break_ctl", "break_ctl"),
    ("uart_type", "type"),
    ("uart_report_port", "type"),
    ("uart_stop", "stop_tx"),
    ("uart_start", "start_tx"),
    ("__uart_start", "start_tx"),
    ("uart_change_pm", "pm"),
    ("uart_set_ldisc", "set_ldisc"),
    ("uart_port_shutdown", "shutdown"),
    ("uart_get_lsr_info", "tx_empty"),
    ("uart_flush_buffer", "flush_buffer"),
];

/// Functions that call one callback besides those that are known by then.
const AMONG_KNOWN: [(&[&str], &str); 2] = [
    (&["uart_port_startup", "uart_startup"], "startup"),
    (
        &["uart_change_speed", "uart_change_line_settings"],
        "set_termios",
    ),
];

/// `struct serial_struct` of include/uapi/linux/serial.h, which user space
/// knows and which therefore never changes: offset, field of the port that
/// goes there, bits by which it is shifted.
const INFO: [(u32, &str, u8); 11] = [
    (0, "type", 0),
    (4, "line", 0),
    (8, "iobase", 0),
    (12, "irq", 0),
    (16, "flags", 0),
    (20, "fifosize", 0),
    (28, "uartclk", 4),
    (34, "iotype", 0),
    (36, "hub6", 0),
    (44, "mapbase", 0),
    (48, "regshift", 0),
];
/// Its size in bytes.
const INFO_SIZE: u32 = 60;

/// `struct uart_icount` of include/linux/serial_core.h, the same in every
/// version: offsets of its counters.
const COUNTERS: [(&str, u32); 8] = [
    (" tx:", 20),
    (" rx:", 16),
    (" fe:", 24),
    (" oe:", 28),
    (" pe:", 32),
    (" brk:", 36),
    (" bo:", 40),
    (" overruns:", 40),
];

pub(super) fn read(code: &Code<'_>, reads: &mut Reads) {
    for (name, field) in ONE_CALLBACK {
        if let Some(function) = code.function(name) {
            one_callback(&function, field, reads);
        }
    }
    for function in code.functions(&["uart_line_info", "uart_proc_show"]) {
        type_of_line(&function, reads);
    }
    for function in code.functions(&[
        "uart_configure_port",
        "uart_add_one_port",
        "serial_core_add_one_port",
    ]) {
        configured(code, &function, reads);
        if function.name == "uart_add_one_port" {
            // Where it is a function of its own it need not have a name.
            let port = Value::Argument(1);
            let handed = function.calls().filter(|it| it.2[2] == port);
            for (_, target, _) in handed {
                let function = code.function_at("uart_configure_port", target);
                configured(code, &function, reads);
            }
        }
    }
    for (names, field) in AMONG_KNOWN {
        for function in code.functions(names) {
            among_known(&function, field, reads);
        }
    }
    if let Some(function) = code.function("uart_send_xchar") {
        xchar(&function, reads);
    }
    for function in code.functions(&["uart_get_info"]) {
        info(&function, reads);
    }
    for function in code.functions(&["mem_serial_in", "mem32_serial_in", "io_serial_in"]) {
        accessor(&function, reads);
    }
    if let Some(function) = code.function("uart_match_port") {
        matched(&function, reads);
    }
    for (name, counter) in [
        ("uart_handle_cts_change", 0),
        ("uart_handle_dcd_change", 12),
    ] {
        if let Some(function) = code.function(name) {
            counted(&function, counter, reads);
        }
    }
    if let Some(function) = code.function("uart_insert_char") {
        inserted(&function, reads);
    }
    for function in code.functions(&["uart_line_info", "uart_proc_show", "uart_report_port"]) {
        shown(code, &function, reads);
    }
}

/// Offsets of fields with the addresses of instructions that use them.
type Places = Vec<(u32, u32)>;

/// A callback `port->ops->f(port, ...)`: where `ops` lies, and the callback.
struct PortCall<'a> {
    at: u32,
    ops: u32,
    offset: u32,
    arguments: &'a [Value],
}

fn port_calls(function: &Function) -> impl Iterator<Item = PortCall<'_>> {
    function.callbacks().filter_map(|call| {
        let (port, ops) = call.base.field()?;
        (call.arguments[0] == *port).then_some(PortCall {
            at: call.at,
            ops,
            offset: call.offset,
            arguments: call.arguments,
        })
    })
}

fn add_call(call: &PortCall<'_>, field: &str, function: &Function, reads: &mut Reads) {
    let what = format!(
        "calls [[port + {:#x}] + {:#x}] with the port at {:#x}",
        call.ops, call.offset, call.at
    );
    reads.add(("uart_ops", field), call.offset, function, what.clone());
    reads.add((PORT, "ops"), call.ops, function, what);
}

fn one_callback(function: &Function, field: &str, reads: &mut Reads) {
    let found = only(port_calls(function).map(|call| ((call.ops, call.offset), call.at)));
    if let (Some(_), Some(call)) = (found, port_calls(function).next()) {
        add_call(&call, field, function, reads);
    }
}

/// A line of `/proc/tty/driver/...` has the port's type and its control lines.
fn type_of_line(function: &Function, reads: &mut Reads) {
    if reads.agreed("uart_ops", "get_mctrl").is_some() {
        among_known(function, "type", reads);
    }
}

fn among_known(function: &Function, field: &str, reads: &mut Reads) {
    let known: Vec<u32> = ["set_mctrl", "get_mctrl", "start_tx", "stop_tx", "pm"]
        .iter()
        .filter_map(|name| reads.agreed("uart_ops", name))
        .collect();
    // All that lie in front of what is looked for have to be known.
    if known.len() < 3 && field != "type" {
        return;
    }
    let calls = || port_calls(function).filter(|call| !known.contains(&call.offset));
    let found = only(calls().map(|call| ((call.ops, call.offset), call.at)));
    if let (Some(_), Some(call)) = (found, calls().next()) {
        add_call(&call, field, function, reads);
    }
}

/// A port is configured and reported: `config_port` is called, and `type`, three
/// words before it in every version, there or in `uart_type(port)`.
fn configured(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    let own: Vec<PortCall<'_>> = port_calls(function).collect();
    let is_port = |value: &Value| own.iter().any(|call| call.arguments[0] == *value);
    let handed_on: Vec<Function> = function
        .calls()
        .filter(|(_, _, arguments)| is_port(&arguments[0]))
        .map(|(_, target, _)| code.function_at("uart_type", target))
        .collect();
    let of_port = |call: &PortCall<'_>| call.arguments[0] == Value::Argument(0);
    let beyond = handed_on
        .iter()
        .flat_map(|function| port_calls(function).filter(of_port));
    let calls: Vec<PortCall<'_>> = port_calls(function).chain(beyond).collect();
    let pairs = calls.iter().flat_map(|first| {
        let behind =
            move |last: &&PortCall<'_>| last.ops == first.ops && last.offset == first.offset + 12;
        calls.iter().filter(behind).map(move |last| (first, last))
    });
    let known = ["set_mctrl", "pm", "get_mctrl"].map(|name| reads.agreed("uart_ops", name));
    let pairs: Vec<_> = pairs
        .filter(|(first, last)| {
            !known.contains(&Some(first.offset)) && !known.contains(&Some(last.offset))
        })
        .collect();
    let Some((kind, config)) = pairs.iter().max_by_key(|(first, _)| first.offset) else {
        return;
    };
    // `pm` is called too, and lies three words before `type` where Qualcomm's
    // `wake_peer` is between them.
    let same =
        |first: &PortCall<'_>| first.offset == kind.offset || first.offset + 12 == kind.offset;
    if pairs.iter().all(|(first, _)| same(first)) {
        add_call(kind, "type", function, reads);
        add_call(config, "config_port", function, reads);
    }
}

/// `uart_send_xchar(tty, ch)`: `send_xchar(port, ch)`, or `x_char` and
/// `start_tx(port)`.
fn xchar(function: &Function, reads: &mut Reads) {
    let is_char = |value: &Value| match value {
        Value::Argument(1) => true,
        Value::Masked(value, _) => **value == Value::Argument(1),
        _ => false,
    };
    let sent = port_calls(function).find(|call| is_char(&call.arguments[1]));
    if let Some(call) = &sent {
        add_call(call, "send_xchar", function, reads);
    }
    let stored = only(
        function
            .stores()
            .filter(|store| store.width == Width::Byte && is_char(store.value))
            .filter(|store| !matches!(store.base, Value::Stack(_)))
            .map(|store| (store.offset, store.at)),
    );
    if let Some((offset, at)) = stored {
        let what = format!("stores the character at [port + {offset:#x}] at {at:#x}");
        reads.add((PORT, "x_char"), offset, function, what);
    }
}

/// `uart_get_info` fills a `serial_struct`.
fn info(function: &Function, reads: &mut Reads) {
    // On the stack, and cleared first, before it was handed in.
    let cleared = function.calls().find_map(|(_, _, arguments)| {
        match (&arguments[0], &arguments[1], &arguments[2]) {
            (Value::Stack(place), Value::Const(0), Value::Const(INFO_SIZE)) => Some(*place),
            (Value::Stack(place), Value::Const(INFO_SIZE), _) => Some(*place),
            _ => None,
        }
    });
    let mut port: Option<Value> = None;
    for event in function.events.iter() {
        let Event::Store {
            at,
            base,
            offset,
            value,
            ..
        } = event
        else {
            continue;
        };
        let place = match (base, cleared) {
            (Value::Argument(1), None) => u32::try_from(*offset).ok(),
            (Value::Stack(top), Some(start)) => {
                u32::try_from(top.wrapping_add(*offset).wrapping_sub(start)).ok()
            }
            _ => None,
        };
        let Some((_, field, shift)) =
            place.and_then(|place| INFO.iter().find(|(to, ..)| *to == place))
        else {
            continue;
        };
        let value = match value {
            Value::Shifted(value, by) if by == shift => value,
            Value::Masked(value, _) if *shift == 0 => value,
            value if *shift == 0 => value,
            _ => continue,
        };
        let Some((from, source, _)) = value.part() else {
            continue;
        };
        if *port.get_or_insert_with(|| from.clone()) != *from {
            continue;
        }
        let what = format!(
            "copies [port + {source:#x}] to offset {} of a serial_struct at {at:#x}",
            place.unwrap_or_default()
        );
        reads.add((PORT, field), source, function, what);
    }
}

/// `mem_serial_in(port, offset)`: `membase` is a word, `regshift` a byte;
/// `io_serial_in` has `iobase` in place of `membase`.
fn accessor(function: &Function, reads: &mut Reads) {
    let loads = |wanted: Width| {
        only(function.events.iter().filter_map(|event| match event {
            Event::Load {
                at,
                base: Value::Argument(0),
                offset,
                width,
                ..
            } if *width == wanted => Some((*offset as u32, *at)),
            _ => None,
        }))
    };
    let word = match function.name {
        "io_serial_in" => "iobase",
        _ => "membase",
    };
    // Some architectures' ports add nothing else; a word that is no pointer
    // does not occur.
    let (Some(base), Some(shift)) = (loads(Width::Word), loads(Width::Byte)) else {
        return;
    };
    for (field, (offset, at)) in [(word, base), ("regshift", shift)] {
        let what = format!("forms the register's address with [port + {offset:#x}] at {at:#x}");
        reads.add((PORT, field), offset, function, what);
    }
}

/// `uart_match_port(port1, port2)` compares `iotype` first of all.
fn matched(function: &Function, reads: &mut Reads) {
    let found = function.events.iter().find_map(|event| match event {
        Event::Compare { at, left, right } => match (left.part()?, right.part()?) {
            ((one, offset, Width::Byte), (other, same, Width::Byte))
                if offset == same && one != other =>
            {
                Some((offset, *at))
            }
            _ => None,
        },
        _ => None,
    });
    if let Some((offset, at)) = found {
        let what = format!("compares the byte [port + {offset:#x}] of two ports at {at:#x}");
        reads.add((PORT, "iotype"), offset, function, what);
    }
}

/// Fields that are counted up by one.
fn increments(function: &Function) -> impl Iterator<Item = (u32, u32)> + '_ {
    function.stores().filter_map(|store| match store.value {
        Value::Offset(value, 1) => {
            let (base, offset) = value.field()?;
            let same = base == store.base && offset == store.offset;
            (same && *base == Value::Argument(0)).then_some((offset, store.at))
        }
        _ => None,
    })
}

fn counted(function: &Function, counter: u32, reads: &mut Reads) {
    if let Some((offset, at)) = only(increments(function))
        && let Some(value) = offset.checked_sub(counter)
    {
        let what = format!("counts [port + {offset:#x}] up at {at:#x}");
        reads.add((PORT, "icount"), value, function, what);
    }
}

/// `uart_insert_char(port, status, ...)`: `ignore_status_mask`, `state` and the
/// counter of overruns of the buffer are all that it uses.
fn inserted(function: &Function, reads: &mut Reads) {
    let port = Value::Argument(0);
    let mut loads: Vec<(u32, u32)> = function
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Load {
                at,
                base,
                offset,
                width: Width::Word,
                ..
            } if *base == port => Some((*offset as u32, *at)),
            _ => None,
        })
        .collect();
    loads.sort_unstable();
    loads.dedup_by_key(|(offset, _)| *offset);
    let overrun = only(increments(function));
    if let Some((offset, at)) = overrun
        && let Some(value) = offset.checked_sub(40)
    {
        let what = format!("counts [port + {offset:#x}], buf_overrun, up at {at:#x}");
        reads.add((PORT, "icount"), value, function, what);
    }
    let is_state = |offset: u32| {
        let points = |value: &Value| {
            let (base, _) = value.address();
            matches!(base.field(), Some((base, at)) if *base == port && at == offset)
        };
        function.events.iter().any(|event| match event {
            Event::Load { base, .. } => points(base),
            Event::Call { arguments, .. } => points(&arguments[0]),
            _ => false,
        })
    };
    let (states, masks): (Places, Places) = loads
        .into_iter()
        .filter(|(offset, _)| overrun.map(|(at, _)| at) != Some(*offset))
        .partition(|(offset, _)| is_state(*offset));
    if let [(offset, at)] = states[..] {
        let what = format!("uses what [port + {offset:#x}] points to at {at:#x}");
        reads.add((PORT, "state"), offset, function, what);
        if let [(offset, at)] = masks[..] {
            let what = format!("masks the status with [port + {offset:#x}] at {at:#x}");
            reads.add((PORT, "ignore_status_mask"), offset, function, what);
        }
    }
}

/// `/proc/tty/driver/...` prints the counters by their names.
fn shown(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    for printed in printed::values(code, function) {
        let Some((_, offset)) = printed.value.field() else {
            continue;
        };
        let at = printed.at;
        let (field, value) = match printed.label.as_str() {
            " irq:" | " (irq = " => ("irq", Some(offset)),
            label => {
                let Some((_, counter)) = COUNTERS.iter().find(|(text, _)| *text == label) else {
                    continue;
                };
                ("icount", offset.checked_sub(*counter))
            }
        };
        if let Some(value) = value {
            let label = printed.label.trim();
            let what = format!("prints [port + {offset:#x}] as {label:?} at {at:#x}");
            reads.add((PORT, field), value, function, what);
        }
    }
}
