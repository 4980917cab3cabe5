//! `irq_chip`, `irq_data` and `irq_desc`, from kernel/irq/chip.c, handle.c,
//! manage.c and irqdomain.c.
//!
//! `mask_ack_irq`, `mask_irq`, `unmask_irq` and `handle_level_irq`, which are
//! inlined into one another in various ways, call `ack`, `mask`, `mask_ack` and
//! `unmask`. The order of these in the struct has never changed, so four words in
//! a row that these functions take from the chip are those. What the callbacks
//! are handed tells the era: a number up to 2.6.36, then the `irq_data` within
//! the descriptor.

use super::{Callback, Code, Function, Reads, only};
use crate::{
    kernel::Version,
    machine::{
        flow::{Event, Value, Width},
        isa,
    },
};

/// Functions that mask, acknowledge and unmask, and nothing else. Some compilers
/// inline the others into the last.
const MASKS: [&str; 4] = ["mask_ack_irq", "mask_irq", "unmask_irq", "handle_level_irq"];
/// The callbacks that all of them together take from the chip.
const ROW: [&str; 4] = ["ack", "mask", "mask_ack", "unmask"];

/// Functions that call a callback which a chip may lack, and, in its place,
/// others of which the offset is known by then.
const OTHERS: [(&[&str], &str, &[&str]); 5] = [
    (&["irq_enable"], "enable", &["unmask", "mask"]),
    (&["__irq_disable", "irq_disable"], "disable", &["mask"]),
    (&["irq_shutdown"], "shutdown", &["disable", "mask"]),
    (
        &["__irq_startup", "irq_startup"],
        "startup",
        &["enable", "unmask"],
    ),
    (&["handle_percpu_irq"], "eoi", &["ack"]),
];

pub(super) fn read(code: &Code<'_>, reads: &mut Reads) {
    let functions: Vec<Function> = code.functions(&MASKS).collect();
    let how = masks(&functions, reads);
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
    dummy(code, how.as_ref(), reads);
}

/// `dummy_irq_chip` of kernel/irq/dummychip.c (handle.c before 2.6.38): its name,
/// a function that returns 0, and the same empty function for everything that
/// is called without asking first.
fn dummy(code: &Code<'_>, how: Option<&How>, reads: &mut Reads) {
    let (Some(how), Some(chip)) = (how, code.object("dummy_irq_chip")) else {
        return;
    };
    const FIELDS: [&str; 9] = [
        "name", "startup", "shutdown", "enable", "disable", "ack", "mask", "mask_ack", "unmask",
    ];
    let word = |offset: u32| code.kernel.word(chip.wrapping_add(offset));
    let named = (0..8u32).map(|index| 4 * index).find(|offset| {
        let text = word(*offset).and_then(|va| code.text(&Value::Const(va)).map(str::to_owned));
        text.as_deref() == Some("dummy")
    });
    let Some(name) = named else { return };
    // Between the name and these lie, in 2.6.37, the deprecated callbacks.
    let starts = (0..20u32).map(|index| name + 4 + 4 * index);
    let start = starts.into_iter().find(|start| {
        let at = |index: u32| word(start + 4 * index);
        let empty = at(1);
        let is_function = |word: Option<u32>| {
            word.is_some_and(|word| isa::may_be_function(code.kernel, word) && word != 0)
        };
        is_function(empty)
            && is_function(at(0))
            && at(0) != empty
            && [2, 3, 4, 5, 7].iter().all(|&index| at(index) == empty)
            && at(6) == Some(0)
    });
    let Some(start) = start else { return };
    let function = Function {
        name: "dummy_irq_chip",
        events: [].into(),
    };
    for (field, offset) in FIELDS[1..].iter().zip((start..).step_by(4)) {
        if *field != "mask_ack" {
            let what = format!("has its function at {offset:#x}, of a row at {chip:#x}");
            reads.add(("irq_chip", &how.name(field)), offset, &function, what);
        }
    }
    let what = format!("points to its name at {name:#x}, at {chip:#x}");
    reads.add(("irq_chip", FIELDS[0]), name, &function, what);
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

/// Callbacks that are loaded from the chip whose place in the descriptor is
/// given: offset and address, by offset. More than are called, since compilers
/// let two of them share a call.
fn loaded(function: &Function, chip: u32) -> Vec<(u32, u32)> {
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
            } => {
                let (_, place) = base.field()?;
                Some((u32::try_from(*offset).ok()?, *at)).filter(|_| place == chip)
            }
            _ => None,
        })
        .collect();
    loads.sort_unstable();
    loads.dedup_by_key(|(offset, _)| *offset);
    loads
}

/// ack, mask, mask_ack and unmask; `irq_data.chip` or `irq_desc.chip`.
fn masks(functions: &[Function], reads: &mut Reads) -> Option<How> {
    let calls = || {
        functions.iter().flat_map(|function| {
            let calls = function.callbacks().filter_map(|call| chip_call(&call));
            calls.map(move |call| (call, function))
        })
    };
    let ((chip, data), at) = only(calls().map(|(call, _)| ((call.chip, call.data), call.at)))?;
    let (_, caller) = calls().next()?;
    let mut loads: Vec<(u32, u32, &Function)> = functions
        .iter()
        .flat_map(|function| {
            let loads = loaded(function, chip).into_iter();
            loads.map(move |(offset, at)| (offset, at, function))
        })
        .collect();
    loads.sort_by_key(|(offset, ..)| *offset);
    let mut offsets: Vec<u32> = loads.iter().map(|(offset, ..)| *offset).collect();
    offsets.dedup();
    let in_a_row = |row: &[u32]| row.windows(2).all(|pair| pair[0] + 4 == pair[1]);
    let mut rows = offsets.windows(ROW.len()).filter(|row| in_a_row(row));
    let (row, None) = (rows.next()?, rows.next()) else {
        return None;
    };
    let how = How {
        prefix: if data.is_some() { "irq_" } else { "" },
        data,
    };
    for (field, offset) in ROW.iter().zip(row) {
        for (_, at, function) in loads.iter().filter(|(other, ..)| other == offset) {
            let what = format!("takes [chip + {offset:#x}], of four in a row, at {at:#x}");
            reads.add(("irq_chip", &how.name(field)), *offset, function, what);
        }
    }
    match data {
        Some(data) => {
            let what = format!(
                "calls through [descriptor + {chip:#x}] with descriptor + {data:#x} at {at:#x}"
            );
            reads.add(("irq_desc", "irq_data"), data, caller, what.clone());
            reads.add(("irq_data", "chip"), chip.checked_sub(data)?, caller, what);
        }
        None => {
            let what = format!("calls through [descriptor + {chip:#x}] at {at:#x}");
            reads.add(("irq_desc", "chip"), chip, caller, what);
        }
    }
    Some(how)
}

/// The one callback that a function takes from the chip and that is none of
/// those that are known.
fn other(function: &Function, how: &How, (field, known): (&str, &[&str]), reads: &mut Reads) {
    let offset_of = |name: &&str| reads.agreed("irq_chip", &how.name(name));
    let known: Option<Vec<u32>> = known.iter().map(offset_of).collect();
    let (Some(known), Some(last)) = (known, offset_of(&"mask_ack")) else {
        return;
    };
    let chip = only(
        function
            .callbacks()
            .filter_map(|call| chip_call(&call))
            .filter(|call| call.data == how.data)
            .map(|call| (call.chip, call.at)),
    );
    let Some((chip, _)) = chip else { return };
    let loads = loaded(function, chip);
    // The flags lie far behind, and eoi two words behind mask_ack.
    let mut others = loads
        .iter()
        .filter(|(offset, _)| !known.contains(offset) && *offset <= last + 8);
    if let (Some((offset, at)), None) = (others.next(), others.next()) {
        let what = format!("takes [chip + {offset:#x}], or one that is known, at {at:#x}");
        reads.add(("irq_chip", &how.name(field)), *offset, function, what);
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
