//! `uart_state`, `uart_driver` and `tty_port`, from
//! drivers/tty/serial/serial_core.c and drivers/tty/tty_port.c.

use super::{Code, Function, Reads, only};
use crate::kernel::Version;
use crate::machine::flow::{Event, Value, Width};

/// Where `info` lies in a `uart_state` that has one in it: behind four words, as
/// the table of `uart_state` says.
const INFO_IN_STATE: u32 = 16;

pub(super) fn read(code: &Code<'_>, reads: &mut Reads) {
    for function in code.functions(&["uart_stop", "uart_break_ctl", "uart_start"]) {
        state_of_terminal(&function, reads);
    }
    for function in code.functions(&["uart_chars_in_buffer", "uart_write_room"]) {
        buffer(code, &function, reads);
    }
    if let Some(function) = code.function("uart_register_driver") {
        driver(code, &function, reads);
        tasklet(code, &function, reads);
    }
    if let Some(function) = code.function("uart_add_one_port") {
        line(&function, reads);
    }
    if let Some(function) = code.function("uart_write_wakeup") {
        woken(code, &function, reads);
    }
    if let Some(function) = code.function("tty_port_tty_get") {
        terminal(&function, reads);
    }
    if let Some(function) = code.function("tty_port_alloc_xmit_buf") {
        let found = only(
            function
                .stores()
                .filter(|store| *store.base == Value::Argument(0))
                .filter(|store| matches!(store.value, Value::Result(_)))
                .map(|store| (store.offset, store.at)),
        );
        if let Some((offset, at)) = found {
            let what = format!("stores a new page at [port + {offset:#x}] at {at:#x}");
            reads.add(("tty_port", "xmit_buf"), offset, &function, what);
        }
    }
    for function in code.functions(&[
        "tty_port_carrier_raised",
        "tty_port_raise_dtr_rts",
        "tty_port_lower_dtr_rts",
    ]) {
        let found = only(function.callbacks().filter_map(|call| {
            let (port, ops) = call.base.field()?;
            let own = *port == Value::Argument(0) && call.arguments[0] == *port;
            own.then_some((ops, call.at))
        }));
        if let Some((offset, at)) = found {
            let what = format!("calls through [port + {offset:#x}] at {at:#x}");
            reads.add(("tty_port", "ops"), offset, &function, what);
        }
    }
}

/// `tty->driver_data->uart_port->ops->f(port)`
fn state_of_terminal(function: &Function, reads: &mut Reads) {
    let found = only(function.callbacks().filter_map(|call| {
        let (port, _) = call.base.field()?;
        let (state, in_state) = port.field()?;
        let (terminal, in_terminal) = state.field()?;
        let own = *terminal == Value::Argument(0) && call.arguments[0] == *port;
        own.then_some(((in_state, in_terminal), call.at))
    }));
    if let Some(((in_state, in_terminal), at)) = found {
        let what =
            format!("calls a callback of [[tty + {in_terminal:#x}] + {in_state:#x}] at {at:#x}");
        reads.add(
            ("uart_state", "uart_port"),
            in_state,
            function,
            what.clone(),
        );
        reads.add(("tty_struct", "driver_data"), in_terminal, function, what);
    }
}

/// `uart_chars_in_buffer(tty)`: the head and the tail of the buffer lie side by
/// side; the port, which may lie behind them, is a pointer that is used.
fn buffer(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    let Some(port) = reads.agreed("uart_state", "uart_port") else {
        return;
    };
    let Some(data) = reads.agreed("tty_struct", "driver_data") else {
        return;
    };
    // To 2.6.31 the buffer is in the uart_info that the state points to.
    let is_state = |value: &Value| matches!(value.field(), Some((Value::Argument(0), offset)) if offset == data);
    let is_info = |value: &Value| value.field().is_some_and(|(state, _)| is_state(state));
    let in_info = function.events.iter().any(|event| {
        matches!(event, Event::Load { base, .. } if is_info(base) && base.field().map(|it| it.1) != Some(port))
    });
    let is_state = |value: &Value| match in_info {
        true => is_info(value) && value.field().map(|it| it.1) != Some(port),
        false => is_state(value),
    };
    let stored = |offset: u32| {
        function
            .stores()
            .any(|store| is_state(store.base) && store.offset == offset)
    };
    let mut loads: Vec<(u32, u32)> = function
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Load {
                at,
                base,
                offset,
                width: Width::Word | Width::Double,
                ..
            } if is_state(base) => Some((*offset as u32, *at)),
            _ => None,
        })
        // The port, and a count of its users.
        .filter(|(offset, _)| *offset != port && !stored(*offset))
        .collect();
    loads.sort_unstable();
    loads.dedup_by_key(|(offset, _)| *offset);
    if let [(head, at), (tail, _)] = loads[..]
        && head + 4 == tail
    {
        let what = format!(
            "takes [state + {head:#x}] and [state + {tail:#x}] from one another at {at:#x}"
        );
        // A kfifo has its ends in front, a circ_buf behind the bytes.
        if code.version() >= Version(6, 10, 0) {
            reads.add(("tty_port", "xmit_fifo"), head, function, what);
            return;
        }
        // From 2.6.29 to 2.6.31 the uart_info is a part of the state.
        let (owner, start) = match in_info {
            true => ("uart_info", 0),
            false if code.version() < Version(2, 6, 32) => ("uart_info", INFO_IN_STATE),
            false => ("uart_state", 0),
        };
        let Some(buf) = head.checked_sub(4 + start) else {
            return;
        };
        for (field, place) in [("xmit.buf", 0), ("xmit.head", 4), ("xmit.tail", 8)] {
            reads.add((owner, field), buf + place, function, what.clone());
        }
    }
}

/// `uart_register_driver(drv)` allocates the states and a `tty_driver`.
fn driver(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    let own = Value::Argument(0);
    let allocated = function.calls().find_map(|(at, target, arguments)| {
        let named = [
            "alloc_tty_driver",
            "__alloc_tty_driver",
            "__tty_alloc_driver",
        ]
        .iter()
        .find(|name| code.is(target, name))?;
        let (base, nr) = arguments[0].field()?;
        (*base == own).then_some((at, nr, *named))
    });
    let Some((call, nr, named)) = allocated else {
        return;
    };
    let what = format!("hands [driver + {nr:#x}] to {named} at {call:#x}");
    reads.add(("uart_driver", "nr"), nr, function, what);
    for store in function.stores().filter(|store| *store.base == own) {
        let (offset, at) = (store.offset, store.at);
        match store.value {
            Value::Result(from) if *from == call => {
                let what = format!("stores what {named} gave at [driver + {offset:#x}] at {at:#x}");
                reads.add(("uart_driver", "tty_driver"), offset, function, what);
            }
            Value::Result(from) if *from < call => {
                let what = format!("stores the new states at [driver + {offset:#x}] at {at:#x}");
                reads.add(("uart_driver", "state"), offset, function, what);
            }
            _ => {}
        }
    }
}

/// To 3.8, `uart_register_driver(drv)` gives every state a tasklet that wakes its
/// terminal, `tty_wakeup(state->port.tty)`: it is handed the state, in which the
/// port is the first member since 2.6.32.
fn tasklet(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    if code.version() < Version(2, 6, 32) {
        return;
    }
    let actions = function.calls().filter_map(|(at, _, arguments)| {
        let Value::Const(action) = arguments[1] else {
            return None;
        };
        // Of the states, which lie in an array, often nothing is known.
        let (tasklet, _) = arguments[0].address();
        let of_state = !arguments[2].is_rooted() || *tasklet == arguments[2];
        (of_state && code.kernel.offset(action & !1).is_some()).then_some((action & !1, at))
    });
    if let Some((action, _)) = only(actions) {
        terminal(&code.function_at("uart_tasklet_action", action), reads);
    }
}

/// From 3.3 on, `uart_write_wakeup(port)` wakes the terminal itself:
/// `tty_wakeup(port->state->port.tty)`.
fn woken(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    if code.version() < Version(2, 6, 32) {
        return;
    }
    let found = only(function.calls().filter_map(|(at, _, arguments)| {
        let (state, offset) = arguments[0].field()?;
        let (port, _) = state.field()?;
        (*port == Value::Argument(0)).then_some((offset, at))
    }));
    if let Some((offset, at)) = found {
        let what = format!("hands over [[port's state] + {offset:#x}] at {at:#x}");
        reads.add(("tty_port", "tty"), offset, function, what);
    }
}

/// `uart_add_one_port(drv, port)`: the port's line is less than the driver's
/// number of ports, and it gets the driver's console.
fn line(function: &Function, reads: &mut Reads) {
    let Some(nr) = reads.agreed("uart_driver", "nr") else {
        return;
    };
    let is_nr =
        |value: &Value| matches!(value.field(), Some((Value::Argument(0), offset)) if offset == nr);
    let of_port = |value: &Value| match value.field() {
        Some((Value::Argument(1), offset)) => Some(offset),
        _ => None,
    };
    let found =
        function
            .compares()
            .find_map(|(at, left, right)| match (of_port(left), of_port(right)) {
                (Some(offset), None) if is_nr(right) => Some((offset, at)),
                (None, Some(offset)) if is_nr(left) => Some((offset, at)),
                _ => None,
            });
    if let Some((offset, at)) = found {
        let what = format!("compares [port + {offset:#x}] with the driver's number at {at:#x}");
        reads.add(("uart_port", "line"), offset, function, what);
    }
    // uport->cons = drv->cons; cons stands behind nr in every version.
    let cons = function
        .stores()
        .filter(|store| *store.base == Value::Argument(1))
        .find(|store| {
            matches!(store.value.field(), Some((Value::Argument(0), from)) if from == nr + 4)
        });
    if let Some(store) = cons {
        let (offset, at) = (store.offset, store.at);
        let what = format!(
            "copies [driver + {:#x}] to [port + {offset:#x}] at {at:#x}",
            nr + 4
        );
        reads.add(("uart_port", "cons"), offset, function, what.clone());
        reads.add(("uart_driver", "cons"), nr + 4, function, what);
    }
}

/// The terminal is all that is loaded from the port.
fn terminal(function: &Function, reads: &mut Reads) {
    let found = only(function.events.iter().filter_map(|event| match event {
        Event::Load {
            at,
            base: Value::Argument(0),
            offset,
            width: Width::Word,
            ..
        } => Some((*offset as u32, *at)),
        _ => None,
    }));
    if let Some((offset, at)) = found {
        let what = format!("loads nothing from the port but [port + {offset:#x}], at {at:#x}");
        reads.add(("tty_port", "tty"), offset, function, what);
    }
}
