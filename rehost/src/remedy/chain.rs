//! Who called whom, from the words on a kernel's stack.
//!
//! Kernels are built with and without frame pointers and unwind tables. What
//! all have is the calls: a word on the stack is a return address when the
//! instruction before it is a call, and it belongs to the chain when the
//! function that calls there calls the function below it in the chain.

use emu::machine::{Machine, Registers};
use linker::code::Code;
use linker::kernel::Kernel;
use linker::symbols::SymbolTable;

/// Words of the stack that are looked at: all of it (THREAD_SIZE of
/// arch/arm/include/asm/thread_info.h).
const STACK: u32 = 8 << 10;
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
    /// Whether it ever comes back to who called it. Behind the call of one that does
    /// not (compilers set the part with a `BUG()` apart) is no code to go on with.
    pub returns: bool,
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

impl Place {
    /// Where the processor stood when it had these registers.
    pub fn of(machine: &Machine, registers: &Registers) -> Self {
        Self {
            pc: registers.r[15],
            lr: registers.r[14],
            stack: stack(machine, registers.r[13]),
        }
    }
}

/// The words from the stack pointer to the end of the stack.
pub(super) fn stack(machine: &Machine, sp: u32) -> Vec<u32> {
    let start = sp & !3;
    let end = (start & !(STACK - 1)).wrapping_add(STACK);
    (start..end)
        .step_by(4)
        .map_while(|va| machine.word(va))
        .collect()
}

/// What has to be known of a kernel's functions.
pub trait Functions {
    /// The function in which an address lies: something that stands for it, and its
    /// first instruction with bit 0 set for Thumb code.
    fn around(&self, va: u32) -> Option<(u32, u32)>;

    /// Those that call it directly, by what stands for them.
    fn callers(&self, function: u32) -> Vec<u32>;

    /// Whether it ever comes back.
    fn returns(&self, function: u32) -> bool;
}

/// The analysis of the code, with starts that names know better than it does.
pub struct Named<'a> {
    /// The analysis.
    pub code: &'a Code,
    /// The names.
    pub symbols: &'a SymbolTable,
}

impl Functions for Named<'_> {
    fn around(&self, va: u32) -> Option<(u32, u32)> {
        let function = self.code.function(self.code.containing(va)?);
        let start = match self.symbols.nearest(va) {
            Some((symbol, _)) => function.start.max(symbol.address & !1),
            None => function.start,
        };
        Some((function.start, start | u32::from(function.thumb)))
    }

    fn callers(&self, function: u32) -> Vec<u32> {
        let ids = self.code.at(function).map(|id| self.code.callers(id));
        let ids = ids.unwrap_or_default().iter();
        ids.map(|&id| self.code.function(id).start).collect()
    }

    fn returns(&self, function: u32) -> bool {
        let id = self.code.at(function);
        id.is_none_or(|id| !self.code.function(id).no_return)
    }
}

/// The chain, innermost function first.
pub fn chain(kernel: &Kernel, functions: &dyn Functions, place: &Place) -> Vec<Frame> {
    let words: Vec<u32> = std::iter::once(place.lr)
        .chain(place.stack.iter().copied())
        .collect();
    let calls = |index: usize| {
        let word = *words.get(index)?;
        let kind = call(kernel, word)?;
        Some((kind, functions.around(word.wrapping_sub(2))?))
    };
    let mut frames = Vec::new();
    // Behind a jump to nowhere the caller is the first that can be told.
    let (mut at, (mut current, mut start)) = match functions.around(place.pc) {
        Some(function) => (0, function),
        None => {
            let first = (0..words.len()).find_map(|index| Some((index, calls(index)?)));
            let Some((index, (_, function))) = first else {
                return frames;
            };
            (index + 1, function)
        }
    };
    while frames.len() < LONGEST {
        let callers = functions.callers(current);
        frames.push(Frame {
            start,
            callers: callers.len(),
            returns: functions.returns(current),
        });
        // A caller may also have been called by a function that ended in a jump.
        let leads_here = |caller: u32| {
            callers.contains(&caller)
                || callers
                    .iter()
                    .any(|&one| functions.callers(one).contains(&caller))
        };
        let near: Vec<_> = (at..words.len().min(at + FRAME))
            .filter_map(|index| Some((index, calls(index)?)))
            .collect();
        let found = near
            .iter()
            .find(|(_, (_, (caller, _)))| leads_here(*caller))
            .or_else(|| near.iter().find(|(_, (kind, _))| *kind == Call::Indirect));
        let Some(&(index, (_, caller))) = found else {
            break;
        };
        at = index + 1;
        (current, start) = caller;
    }
    frames
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remedy::tests::{BASE, kernel_of};

    /// Functions of 0x100 bytes each; the first calls the second, and so on.
    struct Row;

    impl Functions for Row {
        fn around(&self, va: u32) -> Option<(u32, u32)> {
            let start = va & !0xff;
            (BASE..BASE + 0x800).contains(&va).then_some((start, start))
        }

        fn callers(&self, function: u32) -> Vec<u32> {
            vec![function - 0x100]
        }

        fn returns(&self, function: u32) -> bool {
            function != BASE + 0x500
        }
    }

    /// At 0x10 of each function stands a call, at 0x20 one through r3.
    fn kernel() -> Kernel {
        let mut bytes = vec![0; 0x800];
        for start in (0..0x800).step_by(0x100) {
            bytes[start + 0x10..start + 0x14].copy_from_slice(&0xeb00_0000_u32.to_le_bytes());
            bytes[start + 0x20..start + 0x24].copy_from_slice(&0xe12f_ff33_u32.to_le_bytes());
        }
        kernel_of(bytes)
    }

    fn starts(place: &Place) -> Vec<u32> {
        let frames = chain(&kernel(), &Row, place);
        frames.iter().map(|frame| frame.start - BASE).collect()
    }

    #[test]
    fn direct_calls_are_followed_past_other_words() {
        let place = Place {
            pc: BASE + 0x340,
            // Not yet saved by the innermost function.
            lr: BASE + 0x214,
            stack: vec![
                1,
                BASE + 0x714,
                0xffff_ffff,
                BASE + 0x114,
                BASE + 0x18,
                BASE + 0x14,
            ],
        };
        assert_eq!(starts(&place), [0x300, 0x200, 0x100, 0]);
    }

    #[test]
    fn who_never_comes_back_is_told() {
        let place = Place {
            pc: BASE + 0x540,
            lr: BASE + 0x414,
            stack: Vec::new(),
        };
        let frames = chain(&kernel(), &Row, &place);
        let returns: Vec<bool> = frames.iter().map(|frame| frame.returns).collect();
        assert_eq!(returns, [false, true]);
    }

    #[test]
    fn a_call_through_a_pointer_is_taken_where_no_direct_one_fits() {
        let place = Place {
            pc: BASE + 0x640,
            lr: 0,
            stack: vec![BASE + 0x324, BASE + 0x214],
        };
        assert_eq!(starts(&place), [0x600, 0x300, 0x200]);
    }

    #[test]
    fn a_jump_to_nowhere_begins_with_its_caller() {
        let place = Place {
            pc: 0,
            lr: BASE + 0x124,
            stack: vec![BASE + 0x14],
        };
        assert_eq!(starts(&place), [0x100, 0]);
        let lost = Place {
            pc: 0,
            lr: 0,
            stack: vec![0; 4000],
        };
        assert!(starts(&lost).is_empty());
    }
}
