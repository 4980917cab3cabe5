//! Tables in the kernel's data that tell of control flow which code does not show:
//! exception tables and jump labels.
//!
//! * `__ex_table` (`arch/arm/include/asm/extable.h`, earlier `asm/uaccess.h`): pairs
//!   of an instruction that may fault and the code that goes on then.
//! * `__jump_table` (`include/linux/jump_label.h`, 2.6.37 and later): an instruction
//!   that does nothing, the code that it is made to jump to, and a key.
//!
//! What they point to is part of the function that holds the instruction, not the
//! start of another.

use std::ops::Range;

use super::{
    decode::Op,
    map::{EDGE, FIXUP, LITERAL, Map},
};
use crate::kernel::Kernel;

/// Pairs of instructions and fixups in a row that make an exception table.
const PAIRS: usize = 8;
/// Jump labels in a row that are believed in.
const LABELS: usize = 2;
/// How far a jump label jumps.
const REACH: u32 = 1 << 20;

/// Where tables are, and from where to where they lead.
type Found = (Vec<Range<u32>>, Vec<(u32, u32)>);

/// Marks instructions, gives the map what they may jump to, and takes the words of
/// the tables from the pointers to code; `data` is the words of the image.
pub(super) fn find(kernel: &Kernel, data: &[u32], map: &mut Map, pointers: &mut Vec<(u32, u32)>) {
    let ((mut tables, mut edges), (further, jumps)) = rayon::join(
        || exceptions(kernel, map, data),
        || labels(kernel, map, data),
    );
    for &(_, to) in &edges {
        map.set(to, FIXUP);
    }
    tables.extend(further);
    edges.extend(jumps);
    tables.sort_unstable_by_key(|table| table.start);
    edges.sort_unstable();
    edges.dedup();
    for &(from, _) in &edges {
        map.set(from, EDGE);
    }
    map.edges = edges;
    pointers.retain(|&(_, at)| {
        let after = tables.partition_point(|table| table.start <= at);
        let table = after.checked_sub(1).and_then(|index| tables.get(index));
        table.is_none_or(|table| at >= table.end)
    });
}

/// Runs of pairs, each of a load or store and of code.
fn exceptions(kernel: &Kernel, map: &Map, data: &[u32]) -> Found {
    let code = |va: u32| map.in_code(va) && va & 1 == 0 && !map.has(va, LITERAL);
    let accesses = |va: u32| {
        let thumb = map.region(va).is_some_and(|region| region.thumb);
        map.insn(va, thumb).is_some_and(|insn| {
            matches!(
                insn.op,
                Op::Load { .. }
                    | Op::Store { .. }
                    | Op::StoreMany(_)
                    | Op::Other
                    | Op::LoadSum { .. }
            )
        })
    };
    let pair = |index: usize| {
        let (from, to) = (*data.get(index)?, *data.get(index + 1)?);
        (code(from) && code(to) && accesses(from)).then_some((from, to))
    };
    let (mut tables, mut edges) = (Vec::new(), Vec::new());
    let mut index = 0;
    while index < data.len() {
        let mut run = Vec::new();
        let mut next = index;
        while !map.in_code(kernel.va(4 * next))
            && let Some((from, to)) = pair(next)
            && run.last().is_none_or(|&(before, _)| from > before)
        {
            run.push((from, to));
            next += 2;
        }
        if run.len() >= PAIRS {
            edges.append(&mut run);
            tables.push(kernel.va(4 * index)..kernel.va(4 * next));
            index = next;
        } else {
            index += 1;
        }
    }
    (tables, edges)
}

/// Runs of triples of an instruction without effect (or the jump itself), a target
/// near it, and a key that is no code.
fn labels(kernel: &Kernel, map: &Map, data: &[u32]) -> Found {
    let (mut tables, mut edges) = (Vec::new(), Vec::new());
    let label = |index: usize| {
        let (from, to) = (*data.get(index)?, *data.get(index + 1)?);
        let key = *data.get(index + 2)?;
        let region = map.region(from)?;
        map.region(to)?;
        let near = from.abs_diff(to) < REACH && from & 1 == 0 && to & 1 == 0;
        // The lowest bits of a key are flags.
        let keyed = map.in_code(key & !3) || key < kernel.base;
        let insn = map.insn(from, region.thumb)?;
        let idle = insn.op == Op::Nop || insn.op == Op::Branch(to);
        (near && !keyed && idle && !map.has(from, LITERAL)).then_some((from, to))
    };
    let mut index = 0;
    while index < data.len() {
        let mut run = Vec::new();
        let mut next = index;
        while let Some(edge) = label(next) {
            run.push(edge);
            next += 3;
        }
        if run.len() >= LABELS {
            edges.append(&mut run);
            tables.push(kernel.va(4 * index)..kernel.va(4 * next));
            index = next;
        } else {
            index += 1;
        }
    }
    (tables, edges)
}
