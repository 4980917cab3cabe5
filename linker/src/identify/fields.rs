//! The callbacks of the machine descriptors as pointers.

use super::{Candidate, Kind, Pointer, Status, names};
use crate::{
    kernel::Kernel,
    layouts::{Known, Layouts},
    machine::Machines,
};

/// Adds to the fields that the binary shows those that a table knows, and what
/// follows from them.
pub(super) fn complete(kernel: &Kernel, machines: &mut Machines, layouts: &Layouts) {
    for (name, known) in layouts.iter() {
        if let Some(field) = name.strip_prefix("machine_desc.") {
            let fields = &mut machines.fields;
            fields
                .entry(field.to_owned())
                .or_insert_with(|| known.clone());
        }
    }
    if machines.size.is_none() {
        machines.size = layouts.get("machine_desc").map(|known| known.value);
    }
    machines.timer_calls = in_timers(kernel, machines, layouts.get("sys_timer.init"));
    machines.timer_offsets =
        in_timers(kernel, machines, machines.variables.get("sys_timer.offset"));
}

/// The words at an offset in kernels with a `struct sys_timer`: a struct for each
/// descriptor, or one for several.
fn in_timers(kernel: &Kernel, machines: &Machines, offset: Option<&Known>) -> Vec<u32> {
    let (Some(timer), Some(offset)) = (machines.fields.get("timer"), offset) else {
        return Vec::new();
    };
    let structs = machines
        .descriptors
        .iter()
        .filter_map(|descriptor| kernel.word(descriptor.va.wrapping_add(timer.value)));
    let mut words: Vec<u32> = structs
        .map(|address| address.wrapping_add(offset.value))
        .filter(|&word| kernel.word(word).is_some())
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// One pointer for every field, also for those that this kernel lacks.
///
/// The address is that of the word in the first descriptor; a kernel with
/// several descriptors has it in each, at the same distance.
pub(super) fn pointers(machines: &Machines) -> impl Iterator<Item = Pointer> + '_ {
    names::MACHINE_FIELDS.iter().map(|field| {
        let candidate = machines.fields.get(*field).and_then(|known| {
            let first = machines.descriptors.first()?;
            let count = machines.descriptors.len();
            Some(Candidate {
                address: first.va.wrapping_add(known.value),
                score: 1.0,
                evidence: vec![
                    format!("offset {:#x}: {}", known.value, known.evidence),
                    match count {
                        1 => format!("the only descriptor: {:?} at {:#x}", first.name, first.va),
                        _ => format!(
                            "the first of {count} descriptors: {:?} at {:#x}",
                            first.name, first.va
                        ),
                    },
                ],
            })
        });
        Pointer {
            name: format!("machine_desc.{field}"),
            kind: Kind::Field,
            status: match candidate {
                Some(_) => Status::Found,
                None => Status::Missing,
            },
            strategy: candidate.as_ref().map(|_| "machine_desc".to_owned()),
            candidates: candidate.into_iter().collect(),
        }
    })
}
