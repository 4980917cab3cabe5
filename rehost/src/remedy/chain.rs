//! Who called whom, from the words on a kernel's stack.
//!
//! Kernels are built with and without frame pointers and unwind tables. What
//! all have is the calls: a word on the stack is a return address when the
//! instruction before it is a call, and it belongs to the chain when the
//! function that calls there calls the function below it in the chain.

use linker::code::{Code, FunctionId};
use linker::kernel::Kernel;
use linker::symbols::SymbolTable;

/// Functions of a chain, at most.
const LONGEST: usize = 40;
/// Words in which the next return address is looked for.
const FRAME: usize = 160;

/// A function of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Its first instruction; bit 0 is set for Thumb code.
    pub start: u32,
    /// How many functions call it directly.
    pub callers: usize,
}

/// Where a processor stood.
#[derive(Debug, Clone)]
pub struct Place {
    /// The program counter.
    pub pc: u32,
    /// The link register.
    pub lr: u32,
    /// The words from the stack pointer on.
    pub stack: Vec<u32>,
}

/// The chain, innermost function first.
pub fn chain(kernel: &Kernel, code: &Code, symbols: &SymbolTable, place: &Place) -> Vec<Frame> {
    let words: Vec<u32> = std::iter::once(place.lr)
        .chain(place.stack.iter().copied())
        .collect();
    let calls = |index: usize| {
        let word = *words.get(index)?;
        let kind = call(kernel, word)?;
        Some((kind, code.containing(word.wrapping_sub(2))?, word))
    };
    let mut frames = Vec::new();
    // Behind a jump to nowhere the caller is the first that can be told.
    let (mut at, mut current, mut pc) = match code.containing(place.pc) {
        Some(id) => (0, id, place.pc),
        None => {
            let first = (0..words.len()).find_map(|index| Some((index, calls(index)?)));
            let Some((index, (_, id, word))) = first else {
                return frames;
            };
            (index + 1, id, word.wrapping_sub(2))
        }
    };
    while frames.len() < LONGEST {
        let function = code.function(current);
        let callers = code.callers(current);
        frames.push(Frame {
            start: named_start(symbols, pc, function.start) | u32::from(function.thumb),
            callers: callers.len(),
        });
        // A caller may also have been called by a function that ended in a jump.
        let leads_here = |caller: FunctionId| {
            callers.contains(&caller)
                || callers
                    .iter()
                    .any(|&one| code.callers(one).contains(&caller))
        };
        let near = || (at..words.len().min(at + FRAME)).map(|index| (index, calls(index)));
        let found = near()
            .find_map(|(index, call)| Some((index, call.filter(|call| leads_here(call.1))?)))
            .or_else(|| {
                near().find_map(|(index, call)| {
                    Some((index, call.filter(|call| call.0 == Call::Indirect)?))
                })
            });
        let Some((index, (_, caller, word))) = found else {
            break;
        };
        (at, current, pc) = (index + 1, caller, word.wrapping_sub(2));
    }
    frames
}

/// Where a function starts: names know it better than the analysis does.
fn named_start(symbols: &SymbolTable, pc: u32, start: u32) -> u32 {
    match symbols.nearest(pc) {
        Some((symbol, _)) if symbol.address & !1 > start => symbol.address & !1,
        _ => start,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Direct,
    Indirect,
}

/// Whether a word is the address behind a call.
fn call(kernel: &Kernel, word: u32) -> Option<Call> {
    let before = word.wrapping_sub(4);
    if word & 1 != 0 {
        let half = |va: u32| {
            let pair = kernel.word(va & !3)?;
            Some(if va & 2 == 0 {
                pair & 0xffff
            } else {
                pair >> 16
            })
        };
        let first = half((word & !1).wrapping_sub(4))?;
        let second = half((word & !1).wrapping_sub(2))?;
        return if first >> 11 == 0x1e && second & 0xc000 == 0xc000 {
            Some(Call::Direct)
        } else if second & 0xff87 == 0x4780 {
            Some(Call::Indirect)
        } else {
            None
        };
    }
    if word & 3 != 0 {
        return None;
    }
    let instruction = kernel.word(before)?;
    if instruction >> 28 == 15 {
        return (instruction >> 25 == 0x7d).then_some(Call::Direct);
    }
    if instruction & 0x0f00_0000 == 0x0b00_0000 {
        return Some(Call::Direct);
    }
    let after_link = kernel.word(before.wrapping_sub(4)) == Some(0xe1a0_e00f);
    (instruction & 0x0fff_fff0 == 0x012f_ff30 || after_link).then_some(Call::Indirect)
}
