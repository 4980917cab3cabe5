//! Calls, references, constants and returns of each function.
//!
//! * [`flow`]: the jumps within a function, and where paths meet
//! * [`reader`]: one look over its instructions with what is known of each register
//! * [`returns`]: what it may return, searched backwards from each return

mod flow;
mod reader;
mod returns;

use rayon::prelude::*;

use super::{
    Code, Function, FunctionId, Lists, Origin, Section, Target,
    decode::Op,
    map::{CODE, Map},
    sweep::{Found, Swept},
};
use crate::kernel::Kernel;

use reader::Handed;

/// What is the same for all functions.
struct Context<'a> {
    map: &'a Map<'a>,
    /// First address that is an address in the kernel, and the one behind the last.
    addresses: std::ops::Range<u32>,
    /// Starts of all functions.
    starts: &'a [u32],
    /// The function that every function calls first when the kernel was built to
    /// trace functions (`mcount`). It leaves all registers alone.
    tracer: Option<u32>,
}

/// How far behind the image its own variables may lie (`.bss`).
const BSS: u32 = 16 << 20;

/// The kernel with everything that is known of each function.
pub(super) fn complete(kernel: &Kernel, map: &Map, swept: Swept) -> Code {
    let starts: Vec<u32> = swept.functions.iter().map(|f| f.start).collect();
    let context = Context {
        map,
        addresses: kernel.base..kernel.end().saturating_add(BSS),
        starts: &starts,
        tracer: tracer(map, &swept.functions),
    };
    let mut users = Vec::new();
    let mut callers = Vec::new();
    let mut handed = Vec::new();
    let mut functions = Vec::with_capacity(starts.len());
    let read: Vec<_> = swept
        .functions
        .par_iter()
        .map(|found| reader::read(&context, found))
        .collect();
    for ((found, index), (mut function, handed_on)) in swept.functions.iter().zip(0..).zip(read) {
        let id = FunctionId(index);
        handed.extend(handed_on.into_iter().map(|handed| (id, handed)));
        function.no_return = swept.no_return.binary_search(&found.start).is_ok();
        for call in &function.calls {
            if let Target::Function(callee) = call.target {
                callers.push((callee, id));
            }
        }
        users.extend(function.references.iter().map(|r| (r.address, id)));
        functions.push(function);
    }
    enter(&swept.functions, &starts, &mut functions);
    sections(map, &mut functions);
    hand_on(&handed, &mut functions);
    users.par_sort_unstable();
    users.dedup();
    let pointers = swept
        .pointers
        .iter()
        .filter(|(_, at)| !map.in_code(*at))
        .filter_map(|&(target, at)| Some((find(&starts, target & !1)?, at)))
        .collect();
    Code {
        bytes: kernel.bytes.clone(),
        base: kernel.base,
        callers: Lists::new(functions.len(), callers),
        pointers: Lists::new(functions.len(), pointers),
        user_ids: users.iter().map(|user| user.1).collect(),
        users,
        functions,
    }
}

fn find(starts: &[u32], address: u32) -> Option<FunctionId> {
    let index = starts.binary_search(&address).ok()?;
    Some(FunctionId(index as u32))
}

/// Marks functions that may be parts of the one before them.
fn enter(found: &[Found], starts: &[u32], functions: &mut [Function]) {
    /// Functions between two that may be parts of one.
    const NEAR: usize = 2;
    for (index, one) in found.iter().enumerate() {
        let mut mark = |index: usize| {
            if let Some(function) = functions.get_mut(index) {
                function.entered = true;
            }
        };
        if one.falls_out {
            mark(index + 1);
        }
        for &target in &one.framed {
            let after = starts.partition_point(|&start| start <= target);
            let Some(other) = after.checked_sub(1).filter(|&it| it != index) else {
                continue;
            };
            let near = match found.get(other) {
                // With a frame nobody jumps to the start of a function either; but where
                // the frame was missed, that start is seldom just behind.
                Some(it) if it.start == target => other == index + 1,
                Some(it) => target < it.end && other.abs_diff(index) <= NEAR,
                None => false,
            };
            if near {
                mark(other.max(index));
            }
        }
    }
    // A function ends behind the call of one that never returns; but when that may be a
    // part of another, so may what stands behind the call be.
    let ends_in_a_part = |function: &Function| {
        let mut calls = function.calls.iter();
        calls.any(|call| match call.target {
            Target::Function(callee) => functions
                .get(callee.index())
                .is_some_and(|it| it.no_return && it.entered),
            _ => false,
        })
    };
    let behind: Vec<usize> = (1..functions.len())
        .filter(|&index| {
            functions[index].found_by == Origin::AfterEnd && ends_in_a_part(&functions[index - 1])
        })
        .collect();
    for index in behind {
        functions[index].entered = true;
    }
}

/// What a function hands on without a look at it is its argument if it is one of the
/// function called.
fn hand_on(handed: &[(FunctionId, Handed)], functions: &mut [Function]) {
    /// Calls through which an argument is followed.
    const DEPTH: usize = 4;
    for _ in 0..DEPTH {
        for &(caller, (callee, untouched)) in handed {
            let taken = functions[callee.index()].arguments.min(4);
            let read = untouched & ((1u8 << taken) - 1);
            let count = (8 - read.leading_zeros()) as u8;
            let arguments = &mut functions[caller.index()].arguments;
            *arguments = count.max(*arguments);
        }
    }
}

/// Tells the sections apart: code that stays may not call what is freed after boot
/// (`modpost` warns of it), so that a region with many functions into which the
/// largest region calls hardly ever is an init section.
fn sections(map: &Map, functions: &mut [Function]) {
    /// Fewer functions than this say nothing.
    const FEW: usize = 16;
    /// One call from the text for so many functions is an exception
    /// (`rest_init`, `kernel_init`).
    const SHARE: usize = 8;
    let region = |address: u32| {
        let after = map.regions.partition_point(|r| r.range.start <= address);
        after.saturating_sub(1)
    };
    let mut sizes = vec![0; map.regions.len() + 1];
    for function in functions.iter() {
        sizes[region(function.start)] += 1;
    }
    let text = (0..sizes.len()).max_by_key(|&region| sizes[region]);
    let mut called = vec![0; sizes.len()];
    for function in functions.iter() {
        if Some(region(function.start)) == text {
            for call in &function.calls {
                if let Target::Function(callee) = call.target {
                    called[region(functions[callee.index()].start)] += 1;
                }
            }
        }
    }
    for function in functions {
        let region = region(function.start);
        let apart = Some(region) != text && sizes[region] >= FEW;
        if apart && called[region] * SHARE < sizes[region] {
            function.section = Section::Init;
        }
    }
}

/// An empty function.
fn blank(found: &Found) -> Function {
    Function {
        start: found.start,
        end: found.end,
        thumb: found.thumb,
        section: Section::Text,
        blocks: 0,
        calls: Vec::new(),
        references: Vec::new(),
        constants: Vec::new(),
        returns: Vec::new(),
        arguments: 0,
        no_return: false,
        entered: false,
        found_by: found.origin,
    }
}

/// The function that a third of all functions call within their first instructions.
fn tracer(map: &Map, functions: &[Found]) -> Option<u32> {
    /// Instructions of an entry.
    const ENTRY: usize = 6;
    let mut first: Vec<u32> = functions
        .iter()
        .filter_map(|function| {
            let mut at = function.start;
            for _ in 0..ENTRY {
                let insn = map.insn(at, function.thumb)?;
                if !map.has(at, CODE) {
                    return None;
                }
                if let Op::Call { target, .. } = insn.op {
                    return Some(target);
                }
                at = at.wrapping_add(u32::from(insn.size));
            }
            None
        })
        .collect();
    first.sort_unstable();
    let most = first
        .chunk_by(|a, b| a == b)
        .max_by_key(|same| same.len())?;
    (most.len() * 3 > functions.len()).then(|| most[0])
}
