//! What can be seen without following anything: literal pools, targets of calls,
//! and words that hold the address of code.

use super::{
    Options,
    decode::{self, Op},
    map::{CALLED, LITERAL, Map},
    regions::Region,
};
use crate::{bytes::words, kernel::Kernel};

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// Words in data and in literal pools that hold the address of code: the
    /// address (bit 0 set for Thumb) and where the word is. Sorted.
    pub pointers: Vec<(u32, u32)>,
    /// Addresses that the unwind index names, sorted.
    pub unwind: Vec<u32>,
}

/// Looks at the whole image once.
pub(super) fn find(kernel: &Kernel, map: &mut Map, _options: &Options) -> Seeds {
    let regions = map.regions.clone();
    for region in &regions {
        literals(map, region);
    }
    for region in &regions {
        calls(map, region);
    }
    Seeds {
        pointers: pointers(kernel, map),
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
            true => true,
        };
        if !quick {
            at += step;
            continue;
        }
        let Some(insn) = map.insn(at, region.thumb) else {
            break;
        };
        if let Op::LoadLiteral { address, size, .. } = insn.op
            && insn.cond != 15
            && region.range.contains(&address)
            && address & 1 == 0
        {
            map.set_all(address, u32::from(size).max(4), LITERAL);
        }
        at += u32::from(insn.size);
    }
}

/// A load of two words, or one into the floating-point unit, from near the
/// program counter.
fn is_extra(word: u32) -> bool {
    word & 0x0f7f_00f0 == 0x014f_00d0
}

/// Marks the targets of calls.
fn calls(map: &mut Map, region: &Region) {
    let mut at = region.range.start;
    while at < region.range.end {
        let step = if region.thumb { 2 } else { 4 };
        if map.has(at, LITERAL) {
            at += step;
            continue;
        }
        let Some(insn) = map.insn(at, region.thumb) else {
            break;
        };
        if let Op::Call { target, .. } = insn.op
            && map.in_code(target)
            && !map.has(target, LITERAL)
        {
            map.set(target, CALLED);
        }
        at += u32::from(insn.size);
    }
}

/// Words with the address of code, outside of code or in its literal pools.
fn pointers(kernel: &Kernel, map: &Map) -> Vec<(u32, u32)> {
    let (Some(first), Some(last)) = (map.regions.first(), map.regions.last()) else {
        return Vec::new();
    };
    let span = first.range.start..last.range.end;
    let mut found = Vec::new();
    for (word, at) in words(&kernel.bytes).zip((kernel.base..).step_by(4)) {
        if !span.contains(&word) {
            continue;
        }
        let Some(region) = map.region(word) else {
            continue;
        };
        let aligned = match word & 1 {
            1 => region.thumb,
            _ => word & 3 == 0 && !region.thumb,
        };
        if !aligned || map.in_code(at) && !map.has(at, LITERAL) {
            continue;
        }
        let defined = map
            .insn(word & !1, word & 1 == 1)
            .is_some_and(|insn| insn.op != decode::Op::Undefined);
        if defined && !map.has(word & !1, LITERAL) {
            found.push((word, at));
        }
    }
    found.sort_unstable();
    found
}
