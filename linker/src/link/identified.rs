//! What identification knows, as answers to the linker's questions.

use super::{Place, Provide, Resolved, Spot};
use crate::identify::{Identification, Kind, Pointer, Status};
use crate::layouts::Known;
use crate::machine::{IrqLoop, Machines};

/// Forwards into a field of the machine descriptor start with this.
const MACHINE_DESC: &str = "machine_desc.";
/// The field that holds no function but a `struct sys_timer` with one.
const TIMER: &str = "timer";
/// What such a timer says of the time since the last tick.
const TIMER_OFFSET: &str = "sys_timer.offset";
/// Whether a kernel's system calls are those of the old ABI alone: 0 or 1.
const OLD_ABI_ALONE: &str = "OLD_ABI_ALONE";
/// What refuses system calls that the kernel does not know.
const UNKNOWN: &str = "unknown";
/// The functions of a kernel's system calls.
const SYSTEM_CALL: &str = "system_call.";
/// What the interrupt vector's code does in kernels without `handle_arch_irq`.
const IRQ_ENTRY: &str = "irq_entry";

impl Provide for Identification {
    fn function(&self, name: &str) -> Result<Resolved, String> {
        let pointer = self.resolve(name);
        if pointer.kind == Kind::Data {
            return Err("a variable, not a function".to_owned());
        }
        let calls = self.machines.system_calls.as_ref();
        match calls.and_then(|calls| calls.function(name)) {
            Some(value) if pointer.status == Status::Missing => Ok(Resolved {
                value,
                evidence: "its place in the table of system calls".to_owned(),
            }),
            _ => resolved(&pointer),
        }
    }

    fn data(&self, name: &str) -> Result<Resolved, String> {
        let pointer = self.resolve(name);
        if pointer.kind == Kind::Function && pointer.status != Status::Missing {
            return Err("a function, not a variable".to_owned());
        }
        resolved(&pointer)
    }

    fn layout(&self, name: &str) -> Result<Resolved, String> {
        let known = self.layouts.get(name);
        known
            .map(value)
            .ok_or_else(|| "not known for this kernel".to_owned())
    }

    fn constant(&self, name: &str) -> Result<Resolved, String> {
        if name == OLD_ABI_ALONE {
            let calls = self.machines.system_calls.as_ref().ok_or("not found")?;
            return Ok(Resolved {
                value: calls.old_abi_alone().into(),
                evidence: "the code that takes a system call's number".to_owned(),
            });
        }
        self.layout(name)
    }

    fn place(&self, name: &str) -> Result<Place, String> {
        if name == IRQ_ENTRY {
            return irq_entry(&self.machines.irq_loops);
        }
        if name == TIMER_OFFSET {
            return Ok(timer_offset(&self.machines));
        }
        if let Some(call) = name.strip_prefix(SYSTEM_CALL) {
            return Ok(system_call(&self.machines, call));
        }
        let field = name
            .strip_prefix(MACHINE_DESC)
            .ok_or("no place that is known")?;
        let machines = &self.machines;
        let known = machines
            .fields
            .get(field)
            .ok_or("no such field in this kernel's machine_desc")?;
        if machines.descriptors.is_empty() {
            return Err("no machine descriptor was found".to_owned());
        }
        if field == TIMER {
            return Ok(Place::words(
                machines.timer_calls.iter().copied(),
                format!(
                    "sys_timer.init behind offset {:#x}: {}",
                    known.value, known.evidence
                ),
            ));
        }
        let words = machines.descriptors.iter();
        Ok(Place::words(
            words.map(|descriptor| descriptor.va.wrapping_add(known.value)),
            format!("offset {:#x}: {}", known.value, known.evidence),
        ))
    }
}

/// The word in every timer that the kernel asks for the time since the last tick;
/// none where it does not ask.
fn timer_offset(machines: &Machines) -> Place {
    let known = machines.variables.get(TIMER_OFFSET);
    let how = known.map(|known| format!("offset {:#x}: {}", known.value, known.evidence));
    let words = machines.timer_offsets.iter().copied();
    Place::words(words, how.unwrap_or_default())
}

/// A system call that new programs make in another way than the kernel expects;
/// none where the kernel knows them.
fn system_call(machines: &Machines, name: &str) -> Place {
    if name == UNKNOWN {
        return refusal(machines);
    }
    let entry = machines
        .system_calls
        .as_ref()
        .and_then(|calls| calls.entry(name));
    Place::words(
        entry,
        "the table that the code of system calls adds to the program counter".to_owned(),
    )
}

/// The function that refuses what the kernel does not know; none where it knows
/// what all programs use.
fn refusal(machines: &Machines) -> Place {
    /// `ldr pc, [pc, #-4]`: goes to the address in the next word.
    const JUMP: u32 = 0xe51f_f004;
    let calls = machines.system_calls.as_ref();
    let spots = calls.and_then(|calls| calls.refusal).map(|start| Spot {
        va: start.wrapping_add(4),
        code: vec![JUMP],
    });
    Place {
        spots: spots.into_iter().collect(),
        evidence: "the jump behind the one by the table of system calls".to_owned(),
    }
}

/// The loops over a chip's interrupts become a call of the driver each.
fn irq_entry(loops: &[IrqLoop]) -> Result<Place, String> {
    if loops.is_empty() {
        return Err("the interrupt vector asks no chip in a loop that is known".to_owned());
    }
    let places: Vec<String> = loops
        .iter()
        .map(|found| format!("{:#x}", found.start))
        .collect();
    Ok(Place {
        spots: loops
            .iter()
            .map(|found| Spot {
                va: found.start.wrapping_add(16),
                code: found.call().to_vec(),
            })
            .collect(),
        evidence: format!(
            "loops over the chip's interrupts at {}",
            places.join(" and ")
        ),
    })
}

fn value(known: &Known) -> Resolved {
    Resolved {
        value: known.value,
        evidence: known.evidence.clone(),
    }
}

fn resolved(pointer: &Pointer) -> Result<Resolved, String> {
    match (pointer.status, pointer.candidates.as_slice()) {
        (Status::Found, [only]) => Ok(Resolved {
            value: only.address,
            evidence: only.evidence.join(", "),
        }),
        (Status::Missing, _) => Err("not found in this kernel".to_owned()),
        (_, candidates) => {
            let addresses = candidates
                .iter()
                .map(|found| format!("{:#010x}", found.address));
            let addresses: Vec<_> = addresses.collect();
            Err(format!(
                "{} candidates: {}",
                addresses.len(),
                addresses.join(", ")
            ))
        }
    }
}
