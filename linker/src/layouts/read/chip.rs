//! `irq_chip`, `irq_data` and `irq_desc`, from kernel/irq/chip.c, handle.c,
//! manage.c and irqdomain.c.
//!
//! `mask_ack_irq` (inlined into `handle_level_irq` by some compilers) calls
//! `mask_ack`, or `mask` and `ack`. Their order in the struct, ack, mask,
//! mask_ack, unmask, has never changed, so three words in a row that it calls
//! through are those. What the callbacks are handed tells the era: a number up
//! to 2.6.36, then the `irq_data` within the descriptor.

use super::{Callback, Code, Function, Reads, only};
use crate::{kernel::Version, machine::flow::Value};

/// Functions that call a callback which a chip may lack, and, in its place,
/// others of which the offset is known by then.
const OTHERS: [(&[&str], &str, &[&str]); 6] = [
    (&["irq_enable"], "enable", &["unmask", "mask"]),
    (&["__irq_disable", "irq_disable"], "disable", &["mask"]),
    (&["irq_shutdown"], "shutdown", &["disable", "mask"]),
    (
        &["__irq_startup", "irq_startup"],
        "startup",
        &["enable", "unmask"],
    ),
    (&["handle_percpu_irq"], "eoi", &["ack"]),
    (&["handle_fasteoi_irq"], "eoi", &["mask", "unmask", "ack"]),
];

pub(super) fn read(code: &Code<'_>, reads: &mut Reads) {
    let mut how = None;
    for function in code.functions(&["mask_ack_irq", "handle_level_irq"]) {
        if let Some(found) = masks(&function, reads) {
            how = Some(found);
        }
    }
    if let Some(how) = &how {
        for (names, field, known) in OTHERS {
            for function in code.functions(names) {
                other(&function, how, (field, known), reads);
            }
        }
        for function in code.functions(&["__irq_set_trigger"]) {
            set_type(&function, how, reads);
        }
        descriptor_setters(code, how, reads);
    }
    domains(code, reads);
    flow_handlers(code, reads);
}

/// How this kernel's callbacks are called.
struct How {
    /// The callbacks' names have `irq_` in front.
    prefix: &'static str,
    /// Offset of the `irq_data` within the descriptor, where there is one.
    data: Option<u32>,
}

impl How {
    fn name(&self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }
}

/// A call of a chip's callback.
struct ChipCall {
    at: u32,
    /// Offset of the callback in the chip, and of the chip in the descriptor.
    offset: u32,
    chip: u32,
    /// Offset of the argument within the descriptor; `None` for a number.
    data: Option<u32>,
}

fn chip_call(call: &Callback<'_>) -> Option<ChipCall> {
    let (descriptor, chip) = call.base.field()?;
    let data = match call.arguments[0].address() {
        (base, offset) if base == descriptor => Some(u32::try_from(offset).ok()?),
        (Value::Argument(_) | Value::Load(..), 0) => None,
        _ => return None,
    };
    Some(ChipCall {
        at: call.at,
        offset: call.offset,
        chip,
        data,
    })
}

/// ack, mask, mask_ack and unmask; `irq_data.chip` or `irq_desc.chip`.
fn masks(function: &Function, reads: &mut Reads) -> Option<How> {
    let calls: Vec<ChipCall> = function
        .callbacks()
        .filter_map(|call| chip_call(&call))
        .collect();
    let at = |offset| calls.iter().find(|call| call.offset == offset);
    let (ack, data, chip) = only(
        calls
            .iter()
            .filter(|call| at(call.offset + 4).is_some() && at(call.offset + 8).is_some())
            .filter(|call| {
                // With four in a row the first three are meant.
                call.offset < 4 || at(call.offset - 4).is_none()
            })
            .map(|call| (call.offset, call.data, call.chip)),
    )?;
    let how = How {
        prefix: if data.is_some() { "irq_" } else { "" },
        data,
    };
    for (distance, field) in [(0, "ack"), (4, "mask"), (8, "mask_ack"), (12, "unmask")] {
        let offset = ack + distance;
        if let Some(call) = at(offset) {
            let what = format!(
                "calls [chip + {offset:#x}], of three in a row, at {:#x}",
                call.at
            );
            reads.add(("irq_chip", &how.name(field)), offset, function, what);
        }
    }
    let call = at(ack)?;
    match data {
        Some(data) => {
            let what = format!(
                "calls through [descriptor + {chip:#x}] with descriptor + {data:#x} at {:#x}",
                call.at
            );
            reads.add(("irq_desc", "irq_data"), data, function, what.clone());
            reads.add(
                ("irq_data", "chip"),
                chip.checked_sub(data)?,
                function,
                what,
            );
        }
        None => {
            let what = format!("calls through [descriptor + {chip:#x}] at {:#x}", call.at);
            reads.add(("irq_desc", "chip"), chip, function, what);
        }
    }
    Some(how)
}

/// The one callback of a function that is none of those that are known.
fn other(function: &Function, how: &How, (field, known): (&str, &[&str]), reads: &mut Reads) {
    let known: Option<Vec<u32>> = known
        .iter()
        .filter(|name| function.name != "handle_fasteoi_irq" || **name != "ack")
        .map(|name| reads.agreed("irq_chip", &how.name(name)))
        .collect();
    let Some(known) = known else { return };
    let found = only(
        function
            .callbacks()
            .filter_map(|call| chip_call(&call))
            .filter(|call| call.data == how.data && !known.contains(&call.offset))
            .map(|call| (call.offset, call.at)),
    );
    if let Some((offset, at)) = found {
        let what = format!("calls [chip + {offset:#x}], or one that is known, at {at:#x}");
        reads.add(("irq_chip", &how.name(field)), offset, function, what);
    }
}

/// `__irq_set_trigger(desc, irq, flags)`, without `irq` from 4.1 on: the
/// callback that is handed the flags.
fn set_type(function: &Function, how: &How, reads: &mut Reads) {
    let known: Vec<u32> = ["ack", "mask", "mask_ack", "unmask"]
        .iter()
        .filter_map(|name| reads.agreed("irq_chip", &how.name(name)))
        .collect();
    let handed = |value: &Value| match value {
        Value::Argument(number) => *number > 0,
        Value::Masked(value, _) => matches!(**value, Value::Argument(1..)),
        _ => false,
    };
    let found = only(
        function
            .callbacks()
            .filter(|call| handed(&call.arguments[1]))
            .filter_map(|call| chip_call(&call))
            .filter(|call| call.data == how.data && !known.contains(&call.offset))
            .map(|call| (call.offset, call.at)),
    );
    if let Some((offset, at)) = found {
        let what = format!("calls [chip + {offset:#x}] with the trigger's flags at {at:#x}");
        reads.add(("irq_chip", &how.name("set_type")), offset, function, what);
    }
}

/// `irq_set_chip` and its like look the descriptor up and store an argument.
fn descriptor_setters(code: &Code<'_>, how: &How, reads: &mut Reads) {
    let Some(data) = how.data else { return };
    // From 4.2 on the handler's data is in irq_common_data.
    let own_handler_data = code.kernel.facts.version < Version(4, 2, 0);
    for function in code.functions(&["irq_set_chip", "irq_set_chip_data", "irq_set_handler_data"]) {
        let field = match function.name {
            "irq_set_chip" => "chip",
            "irq_set_chip_data" => "chip_data",
            _ if own_handler_data => "handler_data",
            _ => continue,
        };
        let found = only(
            function
                .stores()
                .filter(|store| matches!(store.base, Value::Result(_)))
                .filter(|store| *store.value == Value::Argument(1))
                .map(|store| (store.offset, store.at)),
        );
        if let Some((offset, at)) = found
            && let Some(value) = offset.checked_sub(data)
        {
            let what = format!("stores its second argument at descriptor + {offset:#x} at {at:#x}");
            reads.add(("irq_data", field), value, &function, what);
        }
    }
}

/// The interrupt domains set fields of an `irq_data` that they are handed.
fn domains(code: &Code<'_>, reads: &mut Reads) {
    let fields: [(&'static str, &[(u8, &str)]); 3] = [
        (
            "irq_domain_set_hwirq_and_chip",
            &[(2, "hwirq"), (4, "chip_data")],
        ),
        ("irq_domain_associate", &[(2, "hwirq"), (0, "domain")]),
        (
            "irq_domain_associate_locked",
            &[(2, "hwirq"), (0, "domain")],
        ),
    ];
    for (name, fields) in fields {
        let Some(function) = code.function(name) else {
            continue;
        };
        for (argument, field) in fields {
            let found = only(
                function
                    .stores()
                    .filter(|store| matches!(store.base, Value::Result(_)))
                    .filter(|store| *store.value == Value::Argument(*argument))
                    .map(|store| (store.offset, store.at)),
            );
            if let Some((offset, at)) = found {
                let what = format!(
                    "stores its argument {} at [irq_data + {offset:#x}] at {at:#x}",
                    argument + 1
                );
                reads.add(("irq_data", field), offset, &function, what);
            }
        }
    }
}

/// `desc->handle_irq`, which is handed the descriptor.
fn flow_handlers(code: &Code<'_>, reads: &mut Reads) {
    for function in code.functions(&["generic_handle_irq", "handle_irq_desc"]) {
        let found = only(
            function
                .callbacks()
                .filter(|call| call.arguments[..2].contains(call.base))
                .map(|call| (call.offset, call.at)),
        );
        if let Some((offset, at)) = found {
            let what = format!("calls [descriptor + {offset:#x}] with the descriptor at {at:#x}");
            reads.add(("irq_desc", "handle_irq"), offset, &function, what);
        }
    }
}
