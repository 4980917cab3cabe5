//! Whether a function may start somewhere, by what its first instructions do.

use crate::code::{
    decode::{LR, Op, PC, SP},
    map::{LITERAL, Map},
    walk::ends,
};

/// Instructions that a start is judged by.
const ENTRY: usize = 12;

/// Whether a function may start here: it reads no register that a caller does not
/// hand over, unless to save it, and no flag.
pub(super) fn plausible(map: &Map, start: u32, limit: u32, thumb: bool) -> bool {
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

/// A jump to itself: what stands behind the trap of `BUG()`, never reached.
pub(super) fn stands_still(map: &Map, at: u32, thumb: bool) -> bool {
    map.insn(at, thumb)
        .is_some_and(|insn| insn.op == Op::Branch(at))
}
