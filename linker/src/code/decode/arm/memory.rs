//! A32 loads and stores.

use super::reg;
use crate::code::decode::{Insn, Op, PC, SP, bit};

pub(super) fn extra_load_store(at: u32, word: u32, insn: &mut Insn) {
    let (rn, rt, rm) = (reg(word, 16), reg(word, 12), reg(word, 0));
    let immediate = word & 0x0040_0000 != 0;
    let up = word & 0x0080_0000 != 0;
    let indexed = word & 0x0100_0000 != 0;
    let write_back = !indexed || word & 0x0020_0000 != 0;
    let is_load = word & 0x0010_0000 != 0 || word >> 5 & 3 == 2;
    let double = word & 0x0010_0000 == 0 && word >> 5 & 3 >= 2;
    if !immediate && word & 0xf00 != 0 || double && rt & 1 == 1 {
        return;
    }
    let size = match (double, word >> 5 & 3) {
        (true, _) => 8,
        (false, 2) => 1,
        (false, _) => 2,
    };
    let offset = (word >> 4 & 0xf0 | word & 0xf) as i32;
    let offset = if up { offset } else { -offset };
    let list = if double {
        bit(rt) | bit(rt + 1)
    } else {
        bit(rt)
    };
    insn.reads = bit(rn);
    if !immediate {
        insn.reads |= bit(rm);
    }
    if is_load {
        insn.writes = list;
    } else {
        insn.reads |= list;
    }
    if write_back {
        insn.writes |= bit(rn);
    }
    insn.op = match (write_back, immediate) {
        (true, true) if rn == SP => stack(is_load, indexed, list, offset),
        (false, true) if is_load && rn == PC => Op::LoadLiteral {
            rt,
            address: at.wrapping_add(8).wrapping_add_signed(offset),
            size,
        },
        (false, true) if is_load => Op::Load {
            rt,
            rn,
            offset,
            size,
        },
        (false, true) => Op::Store {
            rt,
            rn,
            offset,
            size,
        },
        (false, false) if is_load && up && !double => Op::LoadSum {
            rt,
            rn,
            rm,
            shift: 0,
            size,
        },
        _ => Op::Other,
    };
}

/// A load or store that moves the stack pointer.
fn stack(is_load: bool, indexed: bool, list: u16, offset: i32) -> Op {
    let bytes = offset.unsigned_abs() as u16;
    match (is_load, indexed, offset < 0) {
        (false, true, true) => Op::Push(list, bytes),
        (true, false, false) => Op::Pop(list, bytes),
        _ => Op::Stack(-offset),
    }
}

pub(super) fn load_store(at: u32, word: u32, insn: &mut Insn) {
    let (rn, rt, rm) = (reg(word, 16), reg(word, 12), reg(word, 0));
    let by_register = word & 0x0200_0000 != 0;
    let indexed = word & 0x0100_0000 != 0;
    let write_back = !indexed || word & 0x0020_0000 != 0;
    let is_load = word & 0x0010_0000 != 0;
    let size = if word & 0x0040_0000 != 0 { 1 } else { 4 };
    let up = word & 0x0080_0000 != 0;
    let offset = (word & 0xfff) as i32;
    let offset = if up { offset } else { -offset };
    insn.reads = bit(rn);
    if by_register {
        insn.reads |= bit(rm);
    }
    if is_load {
        insn.writes = bit(rt);
    } else {
        insn.reads |= bit(rt);
    }
    if write_back {
        insn.writes |= bit(rn);
        if rn == PC {
            insn.op = Op::Undefined;
            return;
        }
    }
    if is_load && rt == PC {
        insn.op = match (size, by_register, write_back) {
            (1, ..) => Op::Undefined,
            (_, false, true) if rn == SP => Op::Return,
            (_, false, false) => Op::JumpMemory(rn, offset),
            (_, true, false) if word & 0xfe0 == 0x100 && up => Op::JumpTable {
                base: rn,
                index: rm,
            },
            _ => Op::JumpOther,
        };
        return;
    }
    insn.op = match (write_back, by_register) {
        (true, false) if rn == SP => stack(is_load, indexed, bit(rt), offset),
        (false, false) if is_load && rn == PC => Op::LoadLiteral {
            rt,
            address: at.wrapping_add(8).wrapping_add_signed(offset),
            size,
        },
        (false, false) if is_load => Op::Load {
            rt,
            rn,
            offset,
            size,
        },
        (false, false) => Op::Store {
            rt,
            rn,
            offset,
            size,
        },
        (false, true) if is_load && up && word & 0x60 == 0 => Op::LoadSum {
            rt,
            rn,
            rm,
            shift: (word >> 7 & 0x1f) as u8,
            size,
        },
        _ => Op::Other,
    };
}

pub(super) fn multiple(word: u32, insn: &mut Insn) {
    let rn = reg(word, 16);
    let list = word as u16;
    let is_load = word & 0x0010_0000 != 0;
    let write_back = word & 0x0020_0000 != 0;
    let user = word & 0x0040_0000 != 0;
    if list == 0 || rn == PC {
        return;
    }
    insn.reads = bit(rn);
    let bytes = (list.count_ones() * 4) as u16;
    if is_load {
        insn.writes = list;
    } else {
        insn.reads |= list;
    }
    if write_back {
        insn.writes |= bit(rn);
    }
    let down = word & 0x0180_0000 == 0x0100_0000;
    let up = word & 0x0180_0000 == 0x0080_0000;
    insn.op = if is_load && list & bit(PC) != 0 {
        Op::Return
    } else if user {
        // Registers of user mode: not ours.
        insn.writes &= bit(rn);
        insn.reads &= bit(rn);
        Op::Other
    } else if is_load && list & bit(SP) != 0 {
        Op::Unframe
    } else if rn == SP && write_back && is_load && up {
        Op::Pop(list, bytes)
    } else if rn == SP && write_back && !is_load && down {
        Op::Push(list, bytes)
    } else if is_load {
        Op::Other
    } else {
        Op::StoreMany(rn)
    };
}
