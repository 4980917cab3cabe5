//! The interrupt entry, from the vector page.
//!
//! Behind each stub of the vector page (`vector_stub` of
//! arch/arm/kernel/entry-armv.S) stands a table of sixteen handlers, one for
//! each mode that the processor may have come from: user mode has one, mode 3
//! (supervisor) another, and all the rest the same one that gives up. The
//! tables come in the order irq, dabt, pabt, und (, fiq) in every version.

use crate::{
    code::{Code, FunctionId, Target},
    kernel::Kernel,
};

/// Handlers in a table.
const MODES: u32 = 16;
/// Bytes from one table to the next.
const STUB: std::ops::RangeInclusive<u32> = 0x50..=0x100;

/// What the handlers of a table are called, for user and for supervisor mode.
pub(super) const HANDLERS: [&str; 2] = ["__irq_usr", "__irq_svc"];

/// What the interrupt vector leads to.
#[derive(Debug)]
pub(super) struct Entry {
    /// Address of the table.
    pub table: u32,
    /// Variables that both handlers refer to: with a multi-handler
    /// `handle_arch_irq` alone.
    pub variables: Vec<u32>,
    /// Functions that both handlers call: without one `asm_do_IRQ`.
    pub calls: Vec<FunctionId>,
    /// The handlers, as [`HANDLERS`] names them.
    pub handlers: [FunctionId; 2],
}

/// The entry of interrupts, when the image shows the tables.
pub(super) fn find(kernel: &Kernel, code: &Code) -> Option<Entry> {
    let tables: Vec<u32> = (0..kernel.bytes.len() / 4)
        .map(|index| kernel.va(4 * index))
        .filter(|&va| is_table(kernel, va))
        .collect();
    let first = tables.iter().copied().find(|&table| {
        let next = |of: u32| {
            tables
                .iter()
                .copied()
                .find(|it| STUB.contains(&it.wrapping_sub(of)))
        };
        next(table).and_then(next).is_some()
    })?;
    let user = code.at(kernel.word(first)?)?;
    let supervisor = code.at(kernel.word(first.wrapping_add(12))?)?;
    let variables = |id: FunctionId| {
        let function = code.function(id);
        let all = function.references.iter().map(|it| it.address);
        all.filter(|&address| code.containing(address).is_none())
            .collect::<Vec<u32>>()
    };
    let calls = |id: FunctionId| {
        let all = code.function(id).calls.iter();
        all.filter_map(|call| match call.target {
            Target::Function(target) => Some(target),
            _ => None,
        })
        .collect::<Vec<FunctionId>>()
    };
    Some(Entry {
        table: first,
        variables: both(variables(user), &variables(supervisor)),
        calls: both(calls(user), &calls(supervisor)),
        handlers: [user, supervisor],
    })
}

fn both<T: Ord>(mut one: Vec<T>, other: &[T]) -> Vec<T> {
    one.retain(|it| other.contains(it));
    one.sort_unstable();
    one.dedup();
    one
}

/// One handler for user mode, one for supervisor mode, one for all others.
fn is_table(kernel: &Kernel, va: u32) -> bool {
    let word = |index: u32| kernel.word(va.wrapping_add(4 * index));
    let Some(other) = word(1) else {
        return false;
    };
    if word(2) != Some(other) || word(MODES - 1) != Some(other) || kernel.offset(other).is_none() {
        return false;
    }
    let near = |address: u32| {
        kernel.offset(address).is_some() && address != other && address.abs_diff(other) < 0x1_0000
    };
    let rest = (4..MODES).all(|index| word(index) == Some(other));
    rest && word(0).is_some_and(near) && word(3).is_some_and(near)
}
