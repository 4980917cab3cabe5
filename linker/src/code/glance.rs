//! Single instructions, for those who judge the analysis and must not use it.

use super::{
    decode::{self, Insn, Op},
    walk,
};
use crate::kernel::Kernel;

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
