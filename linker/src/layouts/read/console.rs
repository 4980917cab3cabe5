//! `console`, from kernel/printk (kernel/printk.c before 3.11) and the serial
//! core.

use super::{Code, Function, Reads, only, printed};
use crate::machine::flow::{Event, Value, Width};

pub(super) fn read(code: &Code<'_>, reads: &mut Reads) {
    if let Some(function) = code.function("uart_console_device") {
        device(&function, reads);
    }
    if let Some(function) = code.function("register_console") {
        registered(code, &function, reads);
    }
    for function in code.functions(&[
        "__call_console_drivers",
        "call_console_drivers",
        "console_unlock",
        "console_emit_next_record",
    ]) {
        // con->write(con, text, length)
        let found = only(
            function
                .callbacks()
                .filter(|call| call.arguments[0] == *call.base)
                .map(|call| (call.offset, call.at)),
        );
        if let Some((offset, at)) = found {
            let what = format!("calls [console + {offset:#x}] with the console at {at:#x}");
            reads.add(("console", "write"), offset, &function, what);
        }
    }
}

/// `uart_console_device(co, index)`: `*index = co->index; return
/// ((struct uart_driver *)co->data)->tty_driver;`
fn device(function: &Function, reads: &mut Reads) {
    let found = only(function.events.iter().filter_map(|event| match event {
        Event::Load {
            at, base, offset, ..
        } => match base.field() {
            Some((Value::Argument(0), data)) => Some(((data, *offset as u32), *at)),
            _ => None,
        },
        _ => None,
    }));
    if let Some(((data, driver), at)) = found {
        let what = format!("returns [[console + {data:#x}] + {driver:#x}], loaded at {at:#x}");
        reads.add(("console", "data"), data, function, what.clone());
        reads.add(("uart_driver", "tty_driver"), driver, function, what);
    }
    let index = only(
        function
            .stores()
            .filter(|store| *store.base == Value::Argument(1) && store.offset == 0)
            .filter_map(|store| match store.value.part() {
                Some((Value::Argument(0), offset, _)) => Some((offset, store.at)),
                _ => None,
            }),
    );
    if let Some((offset, at)) = index {
        let what = format!("stores [console + {offset:#x}] in *index at {at:#x}");
        reads.add(("console", "index"), offset, function, what);
    }
}

/// `register_console(newcon)`: the line about it, and tests of its flags.
fn registered(code: &Code<'_>, function: &Function, reads: &mut Reads) {
    let mut after_name = false;
    for printed in printed::values(code, function) {
        let at = printed.at;
        let (base, offset) = printed.value.address();
        if after_name && let Some((Value::Argument(0), offset, _)) = printed.value.part() {
            let what = format!("prints [console + {offset:#x}] behind the name at {at:#x}");
            reads.add(("console", "index"), offset, function, what);
        }
        after_name = printed.label.ends_with("console [") && *base == Value::Argument(0);
        if after_name && let Ok(offset) = u32::try_from(offset) {
            let what = format!("prints console + {offset:#x} as its name at {at:#x}");
            reads.add(("console", "name"), offset, function, what);
        }
    }
    let flags = only(
        function
            .tests()
            .filter_map(|(at, value, _)| match value.part() {
                Some((Value::Argument(0), offset, Width::Half)) => Some((offset, at)),
                _ => None,
            }),
    );
    if let Some((offset, at)) = flags {
        let what = format!("tests bits of the halfword [console + {offset:#x}] at {at:#x}");
        reads.add(("console", "flags"), offset, function, what);
    }
}
