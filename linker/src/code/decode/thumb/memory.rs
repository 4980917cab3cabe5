//! T32 loads and stores of 32 bits, and what the narrow ones share with them.

use super::reg;
use crate::code::decode::{Insn, Op, PC, SP, bit};

pub(super) fn access(is_load: bool, rt: u8, rn: u8, offset: i32, size: u8, insn: &mut Insn) {
    insn.reads = bit(rn);
    if is_load {
        insn.writes = bit(rt);
        insn.op = Op::Load {
            rt,
            rn,
            offset,
            size,
        };
    } else {
        insn.reads |= bit(rt);
        insn.op = Op::Store {
            rt,
            rn,
            offset,
            size,
        };
    }
}

pub(super) fn multiple(first: u32, second: u32, insn: &mut Insn) {
    let rn = reg(first, 0);
    let list = second as u16;
    let is_load = first & 0x10 != 0;
    let write_back = first & 0x20 != 0;
    let bytes = list.count_ones() as u16 * 4;
    insn.reads = bit(rn);
    if write_back {
        insn.writes = bit(rn);
    }
    let down = match first >> 7 & 3 {
        1 => false,
        2 => true,
        // SRS, RFE
        _ => {
            insn.op = if is_load { Op::Return } else { Op::Other };
            return;
        }
    };
    if rn == PC || list & bit(SP) != 0 {
        return;
    }
    if is_load {
        insn.writes |= list;
    } else {
        insn.reads |= list;
    }
    insn.op = if is_load && list & bit(PC) != 0 {
        Op::Return
    } else if rn == SP && write_back && is_load && !down {
        Op::Pop(list, bytes)
    } else if rn == SP && write_back && !is_load && down {
        Op::Push(list, bytes)
    } else if is_load {
        Op::Other
    } else {
        Op::StoreMany(rn)
    };
}

pub(super) fn dual(at: u32, first: u32, second: u32, insn: &mut Insn) {
    let (rn, rt, rt2) = (reg(first, 0), reg(second, 12), reg(second, 8));
    let is_load = first & 0x10 != 0;
    insn.reads = bit(rn);
    insn.op = Op::Other;
    if first & 0x120 == 0 {
        if first & 0x80 == 0 {
            // LDREX, STREX
            if is_load {
                insn.writes = bit(rt);
            } else {
                insn.reads |= bit(rt);
                insn.writes = bit(rt2);
            }
            return;
        }
        match (is_load, second >> 4 & 15) {
            (true, half @ (0 | 1)) => {
                insn.reads |= bit(reg(second, 0));
                insn.op = Op::TableBranch {
                    base: rn,
                    index: reg(second, 0),
                    half: half == 1,
                };
            }
            (true, 7) => insn.writes = bit(rt) | bit(rt2),
            (true, _) => insn.writes = bit(rt),
            (false, kind) => {
                insn.reads |= bit(rt);
                if kind == 7 {
                    insn.reads |= bit(rt2);
                }
                insn.writes = bit(reg(second, 0));
            }
        }
        return;
    }
    let list = bit(rt) | bit(rt2);
    let offset = (second & 0xff) as i32 * 4;
    let offset = if first & 0x80 != 0 { offset } else { -offset };
    let indexed = first & 0x100 != 0;
    let write_back = first & 0x20 != 0;
    if is_load {
        insn.writes = list;
    } else {
        insn.reads |= list;
    }
    if write_back {
        insn.writes |= bit(rn);
    }
    insn.op = match (write_back, is_load) {
        (true, _) if rn == SP => stack(is_load, indexed, list, offset),
        (false, true) if rn == PC => Op::LoadLiteral {
            rt,
            address: (at.wrapping_add(4) & !3).wrapping_add_signed(offset),
            size: 8,
        },
        (false, true) => Op::Load {
            rt,
            rn,
            offset,
            size: 8,
        },
        (false, false) => Op::Store {
            rt,
            rn,
            offset,
            size: 8,
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

pub(super) fn single(at: u32, first: u32, second: u32, insn: &mut Insn) {
    let (rn, rt, rm) = (reg(first, 0), reg(second, 12), reg(second, 0));
    let is_load = first & 0x10 != 0;
    let size = match first >> 5 & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => return,
    };
    let up = first & 0x80 != 0;
    insn.op = Op::Other;
    if !(rn == PC && is_load) {
        insn.reads = bit(rn);
    } else {
        let offset = (second & 0xfff) as i32;
        let offset = if up { offset } else { -offset };
        let address = (at.wrapping_add(4) & !3).wrapping_add_signed(offset);
        if rt == PC && size < 4 {
            // PLD, PLI
            return;
        }
        insn.writes = bit(rt);
        insn.op = match rt {
            PC => Op::JumpMemory(PC, address.wrapping_sub(at.wrapping_add(4)) as i32),
            _ => Op::LoadLiteral { rt, address, size },
        };
        return;
    }
    if rn == PC {
        insn.op = Op::Undefined;
        return;
    }
    let (offset, indexed, write_back) = if up {
        ((second & 0xfff) as i32, true, false)
    } else if second & 0x800 != 0 {
        let offset = (second & 0xff) as i32;
        let offset = if second & 0x200 != 0 { offset } else { -offset };
        (offset, second & 0x400 != 0, second & 0x100 != 0)
    } else if second & 0x7c0 == 0 {
        insn.reads |= bit(rm);
        if is_load && rt == PC && size == 4 {
            insn.op = match second >> 4 & 3 {
                2 => Op::JumpTable {
                    base: rn,
                    index: rm,
                },
                _ => Op::JumpOther,
            };
            return;
        }
        match (is_load, rt == PC) {
            (true, true) => {}
            (true, false) => {
                insn.writes = bit(rt);
                insn.op = Op::LoadSum {
                    rt,
                    rn,
                    rm,
                    shift: (second >> 4 & 3) as u8,
                    size,
                };
            }
            (false, _) => insn.reads |= bit(rt),
        }
        return;
    } else {
        insn.op = Op::Undefined;
        return;
    };
    if is_load && rt == PC {
        insn.op = match (size, write_back) {
            (4, true) if rn == SP => Op::Return,
            (4, false) => Op::JumpMemory(rn, offset),
            (4, true) => Op::JumpOther,
            _ => Op::Other,
        };
        return;
    }
    if !write_back {
        // The form with user rights (ldrt) counts as an ordinary one.
        access(is_load, rt, rn, offset, size, insn);
        return;
    }
    if is_load {
        insn.writes = bit(rt);
    } else {
        insn.reads |= bit(rt);
    }
    insn.writes |= bit(rn);
    if rn == SP {
        insn.op = stack(is_load, indexed, bit(rt), offset);
    }
}
