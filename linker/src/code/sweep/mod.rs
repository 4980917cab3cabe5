//! All functions of a region, one behind the other.
//!
//! The starts that are known beforehand are borders; what lies between the end of
//! one function and the next border is the next function, when it looks like the
//! start of one. Every pass tells more starts (targets of tail calls, pointers to
//! what nothing has reached) and more functions that never return, and with them
//! the next pass tells more ends. It settles after a few. What takes long in a pass is
//! done in parts of a fixed size, on all processors.

mod changes;
mod entry;
mod pass;

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Origin,
    map::{CALLED, CODE, FALLEN, FIXUP, JUMPED, LITERAL, Map, START},
    regions::Region,
    seeds::Seeds,
    walk::Walker,
};
use crate::kernel::Kernel;

use changes::Changes;
use pass::Pass;

/// Passes at most.
const PASSES: usize = 6;
/// Passes over everything; later ones look only at what has changed. The first takes
/// every call for one, the second only those that the first has reached.
const FULL: usize = 2;

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
    /// Jumps out of it that are made with its frame in place, on paths from its start:
    /// what nothing is seen to reach may not be meant to run where it stands, as the
    /// vector page.
    pub framed: Vec<u32>,
    /// It runs into what is behind it, on such a path.
    pub falls_out: bool,
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
        starts.push((kernel.base, Origin::Entry));
    }
    tidy(&mut starts);
    let mut swept = Swept {
        pointers: seeds.pointers.clone(),
        ..Swept::default()
    };
    // Starts that turned out to be none.
    let mut banned = Vec::new();
    let mut changes = Changes::default();
    for round in 0..PASSES {
        let before = std::mem::take(&mut swept.functions);
        let never_before = std::mem::take(&mut swept.no_return);
        let marks = map.copy();
        changes.all = round < FULL;
        let parts = match changes.all {
            true => {
                for region in &regions {
                    map.clear(&region.range, CODE | FALLEN | JUMPED | START | CALLED);
                }
                parts(&regions, &starts)
            }
            false => regions.clone(),
        };
        let stretches: Vec<Range<u32>> = parts.iter().map(|it| it.range.clone()).collect();
        let told: Vec<_> = map
            .split(&stretches, &marks)
            .into_par_iter()
            .zip(&parts)
            .map(|(mut map, region)| {
                let (mut functions, mut banned) = (Vec::new(), Vec::new());
                let mut pass = Pass {
                    walker: &mut Walker::new(&mut map, &never_before),
                    region,
                    starts: &starts,
                    before: &before,
                    changes: &changes,
                    functions: &mut functions,
                    banned: &mut banned,
                };
                pass.run();
                (functions, banned, map.outside())
            })
            .collect();
        for (functions, refused, outside) in told {
            swept.functions.extend(functions);
            banned.extend(refused);
            for (at, marks) in outside {
                map.set(at, marks);
            }
        }
        swept.no_return = no_return(&swept.functions);
        banned.sort_unstable();
        banned.dedup();
        let starts_before = starts.clone();
        // What was only seen in what turned out to be data, or part of another
        // function, counts no more.
        starts.retain(|start| matches!(start.1, Origin::Entry | Origin::UnwindIndex));
        starts.extend(called(map, &regions));
        starts.extend(shown(map, &swept));
        starts.retain(|start| start.1 <= Origin::Entry || banned.binary_search(&start.0).is_err());
        tidy(&mut starts);
        changes = Changes::between(
            map,
            &starts_before,
            &starts,
            &never_before,
            &swept.no_return,
        );
        if changes.places.is_empty() {
            break;
        }
    }
    swept
}

/// Code that is swept by one thread at a time, in bytes.
const PART: u32 = 128 << 10;

/// The regions in parts for several threads. A part begins with a function that is
/// called, which no function before it can run into, so a sweep of the parts finds what
/// a sweep of the whole would.
fn parts(regions: &[Region], starts: &[(u32, Origin)]) -> Vec<Region> {
    let mut parts = Vec::new();
    for region in regions {
        let mut rest = region.clone();
        let first = starts.partition_point(|start| start.0 < region.range.start);
        for &(at, origin) in &starts[first..] {
            let far = at.saturating_sub(rest.range.start) >= PART;
            if origin == Origin::Call && far && rest.range.end.saturating_sub(at) >= PART {
                parts.push(Region {
                    range: rest.range.start..at,
                    ..rest
                });
                rest.range.start = at;
            }
        }
        parts.push(rest);
    }
    parts
}

/// Sorted, and each address once, for its best reason.
fn tidy(starts: &mut Vec<(u32, Origin)>) {
    starts.sort_unstable();
    starts.dedup_by_key(|start| start.0);
}

fn called(map: &Map, regions: &[Region]) -> Vec<(u32, Origin)> {
    let all = regions
        .iter()
        .flat_map(|region| map.marked(&region.range, region.step(), CALLED));
    all.map(|at| (at, Origin::Call)).collect()
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
    let index = |start: &u32| functions.binary_search_by_key(start, |f| f.start).ok();
    let mut returns: Vec<bool> = Vec::with_capacity(functions.len());
    // Who jumps to whom: the target first.
    let mut jumps = Vec::new();
    for (from, function) in functions.iter().enumerate() {
        let mut comes_back = function.returns;
        for target in &function.tails {
            match index(target) {
                Some(to) => jumps.push((to, from)),
                // Nobody knows what it does.
                None => comes_back = true,
            }
        }
        returns.push(comes_back);
    }
    jumps.sort_unstable();
    let mut waiting: Vec<usize> = (0..functions.len()).filter(|&i| returns[i]).collect();
    while let Some(to) = waiting.pop() {
        let first = jumps.partition_point(|jump| jump.0 < to);
        for &(_, from) in jumps[first..].iter().take_while(|jump| jump.0 == to) {
            if !std::mem::replace(&mut returns[from], true) {
                waiting.push(from);
            }
        }
    }
    let never = functions.iter().zip(returns).filter(|pair| !pair.1);
    never.map(|(function, _)| function.start).collect()
}

/// Starts for which this pass has shown a reason: targets of tail calls and pointers,
/// where nothing runs into them and the code looks like the start of a function.
fn shown(map: &Map, swept: &Swept) -> Vec<(u32, Origin)> {
    let fits = |at: u32, reached: u8, thumb: bool| {
        let Some(region) = map.region(at) else {
            return false;
        };
        let free = map.has(at, START) || !map.has(at, reached) && !within_instruction(map, at);
        free && !map.has(at, LITERAL | FIXUP) && entry::plausible(map, at, region.range.end, thumb)
    };
    // A jump with the frame in place leads to a part of the same function, wherever
    // its borders were seen.
    let jumps = swept.functions.par_iter().flat_map_iter(|function| {
        let targets = function.tail_calls.iter();
        targets.filter(|&&target| target != function.start && fits(target, FALLEN, function.thumb))
    });
    let mut starts: Vec<_> = jumps.map(|&target| (target, Origin::TailCall)).collect();
    let pointers = swept.pointers.par_iter().map(|pointer| pointer.0);
    starts.par_extend(
        pointers
            .filter(|target| fits(target & !1, FALLEN | JUMPED, target & 1 == 1))
            .map(|target| (target & !1, Origin::Pointer)),
    );
    tidy(&mut starts);
    starts
}
