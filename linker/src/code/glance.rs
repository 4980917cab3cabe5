//! Single instructions, for those who judge the analysis and must not use it.

use std::{collections::BTreeSet, ops::Range};

use super::{
    decode::{self, Insn, Op},
    walk,
};
use crate::kernel::Kernel;

/// Instructions of one function that are looked at.
const MAX_INSNS: usize = 4096;

/// Where control goes behind an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// To the next instruction.
    On,
    /// Elsewhere, or to nobody knows where: also calls, which may not come back.
    Ends,
    /// It does nothing.
    Nop,
}

fn insn(kernel: &Kernel, at: u32, thumb: bool) -> Option<Insn> {
    let offset = kernel.offset(at)?;
    let half = |index: usize| {
        let bytes = kernel
            .bytes
            .get(offset + 2 * index..offset + 2 * index + 2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    match thumb {
        true => Some(decode::thumb(at, half(0)?, half(1).unwrap_or(0))),
        false => Some(decode::arm(at, kernel.word(at)?)),
    }
}

/// Size of the instruction there, and where control goes.
pub(crate) fn runs(kernel: &Kernel, at: u32, thumb: bool) -> (u32, Runs) {
    let Some(insn) = insn(kernel, at, thumb) else {
        return (4, Runs::Ends);
    };
    let zero = kernel.word(at) == Some(0);
    // What is not "always" in A32 is a word of data more often than not.
    let data = !thumb && insn.cond != decode::ALWAYS;
    let runs = match insn.op {
        Op::Nop => Runs::Nop,
        _ if zero => Runs::Nop,
        Op::Undefined | Op::Call { .. } | Op::CallRegister(_) => Runs::Ends,
        _ if walk::ends(&insn) || data => Runs::Ends,
        _ => Runs::On,
    };
    (u32::from(insn.size), runs)
}

/// Whether a function may begin with the A32 word there: an instruction that is
/// always carried out.
pub(crate) fn may_begin(kernel: &Kernel, at: u32) -> bool {
    insn(kernel, at, false).is_some_and(|insn| !insn.conditional() && insn.op != Op::Undefined)
}

/// The word that the instruction there loads from a pool.
pub(crate) fn literal(kernel: &Kernel, at: u32, thumb: bool) -> Option<u32> {
    match insn(kernel, at, thumb)?.op {
        Op::LoadLiteral { address, .. } => Some(address & !3),
        _ => None,
    }
}

/// What the instruction there calls, if it is a call of a fixed address.
pub(crate) fn call(kernel: &Kernel, at: u32, thumb: bool) -> Option<u32> {
    match insn(kernel, at, thumb)?.op {
        Op::Call { target, .. } => Some(target),
        _ => None,
    }
}

/// Whether control may come from behind the call at `call` to it again, without
/// leaving the function in this range.
pub(crate) fn comes_back(kernel: &Kernel, range: Range<u32>, call: u32, thumb: bool) -> bool {
    let size = |at: u32| insn(kernel, at, thumb).map_or(4, |it| u32::from(it.size));
    let mut waiting = vec![call.wrapping_add(size(call))];
    let mut seen = BTreeSet::new();
    while let Some(at) = waiting.pop() {
        if at == call {
            return true;
        }
        if !range.contains(&at) || seen.len() > MAX_INSNS || !seen.insert(at) {
            continue;
        }
        let Some(insn) = insn(kernel, at, thumb) else {
            continue;
        };
        if let Op::Branch(target) = insn.op {
            waiting.push(target);
        }
        // A call comes back here, whatever else it may do, and so does a jump
        // behind `mov lr, pc`.
        let before = at.checked_sub(4).filter(|_| !thumb);
        let linked = before
            .and_then(|it| self::insn(kernel, it, false))
            .is_some_and(|it| it.op == Op::Copy(decode::LR, decode::PC));
        if insn.op.calls() || linked || !walk::ends(&insn) {
            waiting.push(at.wrapping_add(u32::from(insn.size)));
        }
    }
    false
}

/// Instructions in a row before a loop of one.
const BEFORE_LOOP: usize = 24;

/// Whether a function runs, without a branch, into an instruction that jumps to
/// itself: whoever calls it gets nothing back.
pub(crate) fn stays(kernel: &Kernel, start: u32, thumb: bool) -> bool {
    let mut at = start;
    for _ in 0..BEFORE_LOOP {
        let Some(insn) = insn(kernel, at, thumb) else {
            return false;
        };
        match insn.op {
            Op::Branch(target) => return target == at && !insn.conditional(),
            Op::Undefined => return false,
            _ if walk::ends(&insn) => return false,
            _ => at = at.wrapping_add(u32::from(insn.size)),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, Image},
    };

    fn comes_back_to_second(words: &[u32]) -> bool {
        let mut image = Image::new(0x1000, Version(4, 9, 0));
        image.words(BASE, words);
        let end = BASE + 4 * words.len() as u32;
        comes_back(&image.kernel(), BASE..end, BASE + 4, false)
    }

    #[test]
    fn a_call_in_a_loop() {
        // push; bl; cmp r0, #0; bne to the call; pop
        let repeated = [
            0xe92d_4010,
            0xeb00_0100,
            0xe350_0000,
            0x1aff_fffc,
            0xe8bd_8010,
        ];
        assert!(comes_back_to_second(&repeated));
        let once = [
            0xe92d_4010,
            0xeb00_0100,
            0xe350_0000,
            0x1aff_ffff,
            0xe8bd_8010,
        ];
        assert!(!comes_back_to_second(&once));
        // mov lr, pc; ldr pc, [r3]: comes back too.
        let through_memory = [
            0xe92d_4010,
            0xeb00_0100,
            0xe1a0_e00f,
            0xe593_f000,
            0xeaff_fffb,
        ];
        assert!(comes_back_to_second(&through_memory));
        // push; bl; pop {r4, lr}; b elsewhere; b to the call: not behind the jump.
        let tail = [
            0xe92d_4010,
            0xeb00_0100,
            0xe8bd_4010,
            0xea00_0100,
            0xeaff_fffb,
        ];
        assert!(!comes_back_to_second(&tail));
    }

    #[test]
    fn a_function_that_stays_where_it_is() {
        let stays = |words: &[u32]| {
            let mut image = Image::new(0x1000, Version(2, 6, 35));
            image.words(BASE, words);
            super::stays(&image.kernel(), BASE, false)
        };
        // push {r3, lr}; bl; mov r3, #0; str r3, [r3]; b to itself
        let bug = [
            0xe92d_4008,
            0xeb00_0100,
            0xe3a0_3000,
            0xe583_3000,
            0xeaff_fffe,
        ];
        assert!(stays(&bug));
        // A branch before it, and a return.
        assert!(!stays(&[0x0a00_0000, 0xeaff_fffe]));
        assert!(!stays(&[0xe12f_ff1e, 0xeaff_fffe]));
    }
}
