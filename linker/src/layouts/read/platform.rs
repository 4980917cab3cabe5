//! `plat_serial8250_port`, from drivers/tty/serial/8250 (drivers/serial/8250.c
//! before 2.6.39): `serial8250_probe` copies the fields of the platform's
//! description to a port on the stack, so that the offsets of `uart_port` tell
//! them.

use super::{Code, Reads, only};
use crate::machine::flow::{Event, Value};

const DESCRIPTION: &str = "plat_serial8250_port";

/// Fields that are copied under the same name.
const FIELDS: [&str; 11] = [
    "iobase",
    "membase",
    "mapbase",
    "irq",
    "irqflags",
    "uartclk",
    "regshift",
    "iotype",
    "flags",
    "hub6",
    "private_data",
];

/// `port` gives the offset of a field of `uart_port`.
pub(super) fn read(code: &Code<'_>, port: &dyn Fn(&str) -> Option<u32>, reads: &mut Reads) {
    for function in code.functions(&["serial8250_probe", "serial8250_probe_platform"]) {
        // The port is cleared, then registered.
        let place = only(
            function
                .calls()
                .filter_map(|(at, _, arguments)| match &arguments[0] {
                    Value::Stack(place) => Some((*place, at)),
                    _ => None,
                }),
        );
        let Some((place, _)) = place else { continue };
        // The description hangs on the device, the first argument.
        let is_description = |value: &Value| matches!(value.field(), Some((Value::Argument(0), _)));
        for event in function.events.iter() {
            match event {
                Event::Store {
                    at,
                    base: Value::Stack(top),
                    offset,
                    value,
                    ..
                } => {
                    let to = u32::try_from(top.wrapping_add(*offset).wrapping_sub(place));
                    let (Ok(to), Some((from, source, _))) = (to, value.part()) else {
                        continue;
                    };
                    let field = FIELDS.iter().find(|field| port(field) == Some(to));
                    if let Some(field) = field
                        && is_description(from)
                    {
                        let what = format!(
                            "copies [description + {source:#x}] to [port + {to:#x}] at {at:#x}"
                        );
                        reads.add((DESCRIPTION, field), source, &function, what);
                    }
                }
                Event::Advance { at, base, distance } if is_description(base) => {
                    let what = format!("goes on by {distance} bytes at {at:#x}");
                    reads.add((DESCRIPTION, ""), *distance, &function, what);
                }
                _ => {}
            }
        }
    }
}
