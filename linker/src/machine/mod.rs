//! The boards and processors that a kernel was built for, found in the binary
//! by shape, and the fields of `struct machine_desc`, read from the code that
//! uses them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    kernel::Kernel,
    layouts::{Known, Lookup},
    symbols::SymbolTable,
};

mod descriptors;
mod fields;
pub(crate) mod flow;
mod irq_loop;
pub(crate) mod isa;
mod processors;
mod system_calls;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

/// One `struct machine_desc` (arch/arm/include/asm/mach/arch.h).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Descriptor {
    /// Virtual address.
    pub va: u32,
    /// Machine number, `0xffff_ffff` for one that is chosen by the tree alone.
    pub nr: u32,
    /// Name as printed in the boot log.
    pub name: String,
    /// Root `compatible` strings that choose it; empty without a device tree.
    pub compatible: Vec<String>,
}

/// One `struct proc_info_list` (arch/arm/include/asm/procinfo.h).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Processor {
    /// Virtual address.
    pub va: u32,
    /// What the main identification register must read ...
    pub value: u32,
    /// ... in these bits.
    pub mask: u32,
    /// `armv7`: the machine name that `uname` starts with.
    pub arch_name: String,
    /// `v7`: the platform name in the auxiliary vector.
    pub elf_name: String,
}

pub use irq_loop::IrqLoop;
pub(crate) use irq_loop::find as irq_loops;
pub use system_calls::SystemCalls;

/// What a kernel was built for.
#[derive(Debug, Clone, Default)]
pub struct Machines {
    /// The machine descriptors, in their order.
    pub descriptors: Vec<Descriptor>,
    /// Bytes a descriptor, when more than one or the end of the array shows it.
    pub size: Option<u32>,
    /// Offsets of fields within a descriptor by their name in C, as far as the
    /// binary itself shows them.
    pub fields: BTreeMap<String, Known>,
    /// Other things that the same code shows: `sys_timer.init` and
    /// `sys_timer.offset` (offsets), and addresses of variables such as
    /// `machine_desc` and `handle_arch_irq`.
    pub variables: BTreeMap<String, Known>,
    /// Words that hold what time_init calls, in kernels whose descriptors point
    /// to a `struct sys_timer` (arch/arm/include/asm/mach/time.h, to 3.8).
    pub timer_calls: Vec<u32>,
    /// Words that hold what such a kernel asks for the time since the last tick,
    /// where it does.
    pub timer_offsets: Vec<u32>,
    /// The processor table, in its order.
    pub processors: Vec<Processor>,
    /// Where the interrupt vectors ask the chip which interrupt it is, in
    /// kernels without `handle_arch_irq`.
    pub irq_loops: Vec<IrqLoop>,
    /// How system calls are taken.
    pub system_calls: Option<SystemCalls>,
}

/// Finds descriptors, their fields and the processor table.
///
/// Whatever the bytes, the result is only smaller: nothing found is no error.
pub fn find(kernel: &Kernel, symbols: &SymbolTable) -> Machines {
    let lookup = Lookup {
        address: &|name| symbols.address(name),
        end: &|start| symbols.next_address(start),
    };
    find_by(kernel, symbols, &lookup)
}

/// The same, with the addresses of functions from `lookup`; the symbol table
/// still tells where the array of descriptors is, if it does.
pub fn find_by(kernel: &Kernel, symbols: &SymbolTable, lookup: &Lookup<'_>) -> Machines {
    // Each looks through the whole image.
    let ((array, processors), (irq_loops, system_calls)) = rayon::join(
        || {
            let processors = processors::find(kernel);
            let array = descriptors::find(kernel, symbols, &processors);
            (array, processors)
        },
        || (irq_loop::find(kernel), system_calls::find(kernel)),
    );
    let mut machines = Machines {
        processors,
        irq_loops,
        system_calls,
        ..Machines::default()
    };
    if let Some(array) = array {
        machines.size = array.size;
        machines.fields.extend(array.fields(kernel));
        machines.descriptors = array.descriptors(kernel);
    }
    fields::read(kernel, lookup, &mut machines);
    machines
}
