//! All functions of a region, one behind the other.
//!
//! The starts that are known beforehand are borders; what lies between the end of
//! one function and the next border is the next function, when it looks like the
//! start of one. Every pass tells more starts (targets of tail calls, pointers to
//! what nothing has reached) and more functions that never return, and with them
//! the next pass tells more ends. It settles after a few.

use std::ops::Range;

use super::{
    Origin,
    decode::{LR, Op, PC, SP},
    map::{CALLED, CODE, FALLEN, FIXUP, JUMPED, LITERAL, Map, START},
    regions::Region,
    seeds::Seeds,
    walk::{Walk, Walker, ends},
};
use crate::kernel::Kernel;

/// Passes at most.
const PASSES: usize = 6;
/// Instructions that a start is judged by.
const ENTRY: usize = 12;

/// A function as the sweep knows it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub start: u32,
    pub end: u32,
    pub thumb: bool,
    pub origin: Origin,
    /// Jumps out of it.
    pub tails: Vec<u32>,
    /// Those of them that are made when its frame is gone.
    pub tail_calls: Vec<u32>,
    pub returns: bool,
}

/// Everything that is settled in the end.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// By start.
    pub functions: Vec<Found>,
    /// Starts of functions that never return, sorted.
    pub no_return: Vec<u32>,
    /// Words that hold the address of code: the address, and where. Sorted.
    pub pointers: Vec<(u32, u32)>,
}

/// Finds all functions.
pub(super) fn sweep(kernel: &Kernel, map: &mut Map, seeds: &Seeds) -> Swept {
    let regions = map.regions.clone();
    let mut starts = called(map, &regions);
    starts.extend(seeds.unwind.iter().map(|&at| (at, Origin::UnwindIndex)));
    if map.in_code(kernel.base) {
        starts.push((kernel.base, Origin::UnwindIndex));
    }
    tidy(&mut starts);
    let mut swept = Swept {
        pointers: seeds.pointers.clone(),
        ..Swept::default()
    };
    // Starts that turned out to be none.
    let mut banned = Vec::new();
    for _ in 0..PASSES {
        for region in &regions {
            map.clear(&region.range, CODE | FALLEN | JUMPED | START | CALLED);
        }
        let mut walker = Walker::new(map);
        walker.no_return = std::mem::take(&mut swept.no_return);
        swept.functions.clear();
        for region in &regions {
            pass(
                &mut walker,
                region,
                &starts,
                &mut swept.functions,
                &mut banned,
            );
        }
        let before = std::mem::take(&mut walker.no_return);
        swept.no_return = no_return(&swept.functions);
        let more = more_starts(map, &swept);
        banned.sort_unstable();
        let settled = more.is_empty() && before == swept.no_return;
        // Calls that were only seen in what turned out to be data count no more.
        starts.retain(|start| start.1 != Origin::Call);
        starts.extend(called(map, &regions));
        starts.extend(more);
        starts.retain(|start| {
            start.1 <= Origin::UnwindIndex || banned.binary_search(&start.0).is_err()
        });
        tidy(&mut starts);
        if settled {
            break;
        }
    }
    swept
}

/// Sorted, and each address once, for its best reason.
fn tidy(starts: &mut Vec<(u32, Origin)>) {
    starts.sort_unstable();
    starts.dedup_by_key(|start| start.0);
}

fn called(map: &Map, regions: &[Region]) -> Vec<(u32, Origin)> {
    let mut starts = Vec::new();
    for region in regions {
        let step = if region.thumb { 2 } else { 4 };
        let mut at = region.range.start;
        while at < region.range.end {
            if map.has(at, CALLED) {
                starts.push((at, Origin::Call));
            }
            at += step;
        }
    }
    starts
}

/// One pass over a region.
fn pass(
    walker: &mut Walker,
    region: &Region,
    starts: &[(u32, Origin)],
    functions: &mut Vec<Found>,
    banned: &mut Vec<u32>,
) {
    let step = if region.thumb { 2 } else { 4 };
    let mut next = starts.partition_point(|start| start.0 < region.range.start);
    let mut at = region.range.start;
    let first = functions.len();
    while at < region.range.end {
        while starts.get(next).is_some_and(|start| start.0 < at) {
            next += 1;
        }
        let known = starts.get(next).copied().filter(|start| start.0 == at);
        if known.is_none() && is_gap(walker.map, at, region.thumb) {
            at += step;
            continue;
        }
        let after = next + usize::from(known.is_some());
        let limit = starts
            .get(after)
            .map_or(region.range.end, |start| start.0.min(region.range.end));
        let entry = known.is_some()
            || plausible_entry(walker.map, at, limit, region.thumb)
                && !stands_still(walker.map, at, region.thumb);
        let own = functions.get(first..).and_then(|own| own.last());
        let own = own.map(|last| last.start..last.end);
        let start = own.clone().filter(|_| !entry).map_or(at, |last| last.start);
        let mut walk = walker.walk(start, at, limit, region.thumb);
        let strong = known.is_some_and(|start| start.1 <= Origin::UnwindIndex);
        let mut entry = entry;
        if entry
            && !strong
            && let Some(last) = own
            && goes_into(&walk, &last)
        {
            // No function jumps into the middle of the one before it: this is a part
            // of that.
            if known.is_some() {
                banned.push(at);
            }
            entry = false;
            let range = at..walk.end;
            walker.map.clear(&range, CODE | FALLEN | JUMPED);
            walk = walker.walk(last.start, at, limit, region.thumb);
        }
        let end = walk.end.max(at + step);
        let fixup = known.is_none() && (walker.map.has(at, FIXUP) || goes_back(walker.map, &walk));
        if fixup {
            at = end;
            continue;
        }
        if walk.falls_out {
            // The function runs into the next one: no start, unless a call says so.
            banned.push(limit);
        }
        let origin = known.map_or(Origin::AfterEnd, |start| start.1);
        match functions.get_mut(first..).and_then(|own| own.last_mut()) {
            Some(last) if !entry => {
                // A piece of the function before it that nothing was seen to reach.
                last.end = end;
                last.tails.extend(walk.tails);
                last.tail_calls.extend(walk.tail_calls);
                last.returns |= walk.returns;
            }
            _ if entry && walk.end > at => {
                walker.map.set(at, START);
                functions.push(Found {
                    start: at,
                    end,
                    thumb: region.thumb,
                    origin,
                    tails: walk.tails,
                    tail_calls: walk.tail_calls,
                    returns: walk.returns,
                });
            }
            _ => {}
        }
        at = end;
        while at < limit && walker.map.has(at, LITERAL) {
            at += step;
        }
        if let Some(last) = functions.last_mut() {
            last.end = at;
        }
    }
}

/// Whether a piece jumps behind the start of the function before it.
fn goes_into(walk: &Walk, last: &Range<u32>) -> bool {
    let mut tails = walk.tails.iter();
    tails.any(|&target| target > last.start && target < last.end)
}

/// A jump to itself: what stands behind the trap of `BUG()`, never reached.
fn stands_still(map: &Map, at: u32, thumb: bool) -> bool {
    map.insn(at, thumb)
        .is_some_and(|insn| insn.op == Op::Branch(at))
}

/// Whether all that a piece does is to jump into the middle of functions before it:
/// what the compiler or an `asm` put out of their way.
fn goes_back(map: &Map, walk: &Walk) -> bool {
    let middle = |&target: &u32| map.has(target, FALLEN);
    !walk.returns && !walk.tails.is_empty() && walk.tails.iter().all(middle)
}

/// Padding, data and fixups between functions.
fn is_gap(map: &Map, at: u32, thumb: bool) -> bool {
    if map.has(at, LITERAL) {
        return true;
    }
    match map.insn(at, thumb) {
        None => true,
        Some(insn) => {
            matches!(insn.op, Op::Undefined | Op::Nop | Op::Trap)
                || map.word(at) == Some(0)
                || thumb && map.half(at) == Some(0)
        }
    }
}

/// Whether a function may start here: it reads no register that a caller does not
/// hand over, unless to save it, and no flag.
fn plausible_entry(map: &Map, start: u32, limit: u32, thumb: bool) -> bool {
    const GIVEN: u16 = 0xf | 1 << SP | 1 << LR | 1 << PC;
    let mut written = GIVEN;
    let mut flags = false;
    let mut at = start;
    for _ in 0..ENTRY {
        if at >= limit {
            return true;
        }
        let Some(insn) = map.insn(at, thumb) else {
            return false;
        };
        if map.has(at, LITERAL) || insn.op == Op::Undefined {
            return false;
        }
        if insn.conditional() && insn.cond != 15 && !flags {
            return false;
        }
        let saves = match insn.op {
            Op::Push(..) => true,
            Op::Store { rn, .. } | Op::StoreMany(rn) => rn == SP,
            _ => false,
        };
        if !saves && insn.reads & !written != 0 {
            return false;
        }
        if ends(&insn) || matches!(insn.op, Op::Call { .. } | Op::CallRegister(_)) {
            return true;
        }
        written |= insn.writes;
        flags |= insn.flags || matches!(insn.op, Op::IfThen(_));
        at += u32::from(insn.size);
    }
    true
}

/// Whether an address is that of the second half of a Thumb instruction.
fn within_instruction(map: &Map, at: u32) -> bool {
    let before = at.wrapping_sub(2);
    map.region(at).is_some_and(|region| region.thumb)
        && map.has(before, CODE)
        && map.insn(before, true).is_some_and(|insn| insn.size == 4)
}

/// Functions none of whose paths comes back, sorted.
fn no_return(functions: &[Found]) -> Vec<u32> {
    let mut never: Vec<u32> = functions
        .iter()
        .filter(|function| !function.returns)
        .map(|function| function.start)
        .collect();
    loop {
        let returns = |function: &Found| {
            let mut tails = function.tails.iter();
            tails.any(|target| never.binary_search(target).is_err())
        };
        let fewer: Vec<u32> = functions
            .iter()
            .filter(|function| never.binary_search(&function.start).is_ok())
            .filter(|function| !returns(function))
            .map(|function| function.start)
            .collect();
        if fewer.len() == never.len() {
            return never;
        }
        never = fewer;
    }
}

/// Starts that this pass has shown.
fn more_starts(map: &Map, swept: &Swept) -> Vec<(u32, Origin)> {
    let mut more = Vec::new();
    let fresh = |at: u32| {
        map.in_code(at) && !map.has(at, START | LITERAL | FIXUP) && !within_instruction(map, at)
    };
    // A jump with the frame in place leads to a part of the same function, wherever
    // its borders were seen.
    let functions = swept.functions.iter();
    let tails = functions.flat_map(|function| &function.tail_calls);
    for &target in tails {
        if fresh(target) && !map.has(target, FALLEN) {
            more.push((target, Origin::TailCall));
        }
    }
    for &(target, _) in &swept.pointers {
        let thumb = target & 1 == 1;
        let target = target & !1;
        let end = map.region(target).map_or(target, |region| region.range.end);
        if fresh(target)
            && !map.has(target, FALLEN | JUMPED)
            && plausible_entry(map, target, end, thumb)
        {
            more.push((target, Origin::Pointer));
        }
    }
    tidy(&mut more);
    more
}
