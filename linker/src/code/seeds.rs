//! What can be seen without following anything: literal pools, targets of calls,
//! and words that hold the address of code.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    decode::Op,
    map::{CALLED, LITERAL, Map},
    regions::Region,
};
use crate::kernel::Kernel;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// Words in data and in literal pools that hold the address of code: the
    /// address (bit 0 set for Thumb) and where the word is. Sorted.
    pub pointers: Vec<(u32, u32)>,
    /// Addresses that the unwind index names, sorted.
    pub unwind: Vec<u32>,
}

/// Looks at the whole image once; `data` is its words.
pub(super) fn find(kernel: &Kernel, data: &[u32], map: &mut Map) -> Seeds {
    let regions = map.regions.clone();
    for region in &regions {
        literals(map, region);
    }
    for region in &regions {
        calls(map, region);
    }
    Seeds {
        pointers: pointers(kernel, data, map),
        unwind: Vec::new(),
    }
}

/// Marks what loads with a distance from the program counter read. Pools lie
/// behind the code that reads them, so a scan forward knows a pool when it comes
/// to it and never takes it for code.
fn literals(map: &mut Map, region: &Region) {
    let mut at = region.range.start;
    while at < region.range.end {
        let step = if region.thumb { 2 } else { 4 };
        if map.has(at, LITERAL) {
            at += step;
            continue;
        }
        let quick = match region.thumb {
            false => map
                .word(at)
                .is_some_and(|word| word & 0x0f3f_0000 == 0x051f_0000 || is_extra(word)),
            true => map
                .half(at)
                .is_some_and(|half| half >> 11 == 9 || half >> 11 >= 0x1d),
        };
        if quick
            && let Some(insn) = map.insn(at, region.thumb)
            && let Op::LoadLiteral { address, size, .. } = insn.op
            && insn.cond != 15
            && region.range.contains(&address)
            && address & 1 == 0
        {
            map.set_all(address, u32::from(size).max(4), LITERAL);
        }
        at += map.size(at, region.thumb);
    }
}

/// A load of two words, or one into the floating-point unit, from near the
/// program counter.
fn is_extra(word: u32) -> bool {
    word & 0x0f7f_00f0 == 0x014f_00d0
}

/// Marks the targets of calls.
fn calls(map: &mut Map, region: &Region) {
    // Where Thumb instructions are shows only one behind the other.
    let pieces: Vec<Range<u32>> = match region.thumb {
        true => vec![region.range.clone()],
        false => region.pieces().collect(),
    };
    let whole = &*map;
    let called: Vec<u32> = pieces
        .into_par_iter()
        .flat_map_iter(|piece| calls_in(whole, piece, region.thumb))
        .collect();
    for target in called {
        map.set(target, CALLED);
    }
}

/// The targets of the calls in a piece of code.
fn calls_in(map: &Map, piece: Range<u32>, thumb: bool) -> Vec<u32> {
    let step = if thumb { 2 } else { 4 };
    let mut called = Vec::new();
    let mut at = piece.start;
    while at < piece.end {
        if map.has(at, LITERAL) {
            at += step;
            continue;
        }
        if map.may_call(at, thumb)
            && let Some(insn) = map.insn(at, thumb)
            && let Op::Call { target, .. } = insn.op
            && map.in_code(target)
            && !map.has(target, LITERAL)
        {
            called.push(target);
        }
        at += map.size(at, thumb);
    }
    called
}

/// Words with the address of code, outside of code, in its literal pools, or in a table
/// between functions.
fn pointers(kernel: &Kernel, data: &[u32], map: &mut Map) -> Vec<(u32, u32)> {
    let points: Vec<bool> = data.par_iter().map(|&word| points(map, word)).collect();
    let mut found = Vec::new();
    for (index, &word) in data.iter().enumerate() {
        if points[index] {
            let at = kernel.va(4 * index);
            let row = row(&points, index);
            let in_code = map.region(at).map(|region| region.thumb);
            let in_table = match in_code {
                None => true,
                Some(thumb) => row >= if thumb { THUMB_ROW } else { ROW },
            };
            if in_table && in_code.is_some() {
                map.set_all(at, 4, LITERAL);
            }
            if in_table || map.has(at, LITERAL) {
                found.push((word, at));
            }
        }
    }
    // What was taken for the address of code may lie in such a table itself.
    found.retain(|&(word, _)| !map.has(word & !1, LITERAL));
    found.sort_unstable();
    found
}

/// Pointers in a row that are a table in the middle of code (`sys_call_table`), and
/// how many it takes in Thumb code, where a word may have any value.
const ROW: usize = 2;
const THUMB_ROW: usize = 4;

/// How many pointers stand side by side there, as far as it matters.
fn row(points: &[bool], index: usize) -> usize {
    let behind = points.iter().skip(index).take(THUMB_ROW);
    let before = points.iter().take(index).rev().take(THUMB_ROW);
    behind.take_while(|point| **point).count() + before.take_while(|point| **point).count()
}

/// Whether a word may be the address of code, and is not itself an instruction that
/// is always carried out.
fn points(map: &Map, word: u32) -> bool {
    let Some(region) = map.region(word) else {
        return false;
    };
    let aligned = match word & 1 {
        1 => region.thumb,
        _ => word & 3 == 0 && !region.thumb,
    };
    aligned
        && word >> 28 < 0xe
        && map
            .insn(word & !1, word & 1 == 1)
            .is_some_and(|insn| insn.op != Op::Undefined)
}
