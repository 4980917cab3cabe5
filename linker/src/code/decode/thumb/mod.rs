//! T32, with the 16-bit instructions (ARM DDI 0406, chapter A6).

mod memory;
mod narrow;

use super::{ALWAYS, Insn, LR, Op, PC, SP, Use, bit, plain};
use memory::{dual, multiple, single};
use narrow::narrow;

/// A condition that is not one of the flags: `cbz`, `cbnz`.
const REGISTER: u8 = 15;

/// The instruction at `at` whose first halfword is `first` and whose second, if
/// it has one, is `second`. Conditions that an `it` gives are not known here.
pub(in crate::code) fn decode(at: u32, first: u16, second: u16) -> Insn {
    let (first, second) = (u32::from(first), u32::from(second));
    let mut insn = plain(2, ALWAYS, Op::Undefined);
    if first >> 11 < 0x1d {
        narrow(at, first, &mut insn);
        return insn;
    }
    insn.size = 4;
    match first >> 11 & 3 {
        1 => match first >> 9 & 3 {
            0 if first & 0x40 == 0 => multiple(first, second, &mut insn),
            0 => dual(at, first, second, &mut insn),
            1 => shifted(first, second, &mut insn),
            _ => coprocessor(first, second, &mut insn),
        },
        2 if second & 0x8000 != 0 => branch(at, first, second, &mut insn),
        2 if first & 0x200 == 0 => modified(first, second, &mut insn),
        2 => binary(at, first, second, &mut insn),
        _ => match first >> 8 & 7 {
            0 | 1 => single(at, first, second, &mut insn),
            2 | 3 => register(first, second, &mut insn),
            _ => coprocessor(first, second, &mut insn),
        },
    }
    insn
}

/// Instructions that an `it` with this low byte makes conditional.
pub(in crate::code) fn it_length(it: u8) -> u32 {
    4 - (it & 0xf).trailing_zeros().min(3)
}

fn low(word: u32, shift: u32) -> u8 {
    (word >> shift & 7) as u8
}

fn reg(word: u32, shift: u32) -> u8 {
    (word >> shift & 15) as u8
}

fn extend(value: u32, bits: u32) -> u32 {
    let shift = 32 - bits;
    ((value << shift) as i32 >> shift) as u32
}

fn shifted(first: u32, second: u32, insn: &mut Insn) {
    let (rn, rd, rm) = (reg(first, 0), reg(second, 8), reg(second, 0));
    let opcode = first >> 5 & 15;
    let flags = first & 0x10 != 0;
    let plain_operand = second & 0x70f0 == 0;
    insn.flags = flags;
    insn.reads = bit(rm);
    insn.op = Op::Other;
    if !(matches!(opcode, 2 | 3) && rn == PC) {
        insn.reads |= bit(rn);
    }
    let compares = rd == PC && flags && matches!(opcode, 0 | 4 | 8 | 13);
    if compares {
        return;
    }
    insn.writes = bit(rd);
    if rd == PC || matches!(opcode, 5 | 7 | 9 | 12 | 15) {
        insn.op = Op::Undefined;
        return;
    }
    insn.op = match opcode {
        2 if rn == PC && plain_operand && rd == SP => Op::Unframe,
        2 if rn == PC && plain_operand => Op::Copy(rd, rm),
        8 if plain_operand => Op::AddRegister(rd, rn, rm),
        _ => Op::Other,
    };
}

/// The constant that the twelve bits of a data instruction mean.
fn expand(first: u32, second: u32) -> u32 {
    let imm12 = first << 1 & 0x800 | second >> 4 & 0x700 | second & 0xff;
    let byte = imm12 & 0xff;
    match imm12 >> 8 {
        0 => byte,
        1 => byte | byte << 16,
        2 => byte << 8 | byte << 24,
        3 => byte * 0x0101_0101,
        _ => (0x80 | imm12 & 0x7f).rotate_right(imm12 >> 7),
    }
}

fn modified(first: u32, second: u32, insn: &mut Insn) {
    let (rn, rd) = (reg(first, 0), reg(second, 8));
    let opcode = first >> 5 & 15;
    let flags = first & 0x10 != 0;
    let value = expand(first, second);
    insn.flags = flags;
    let moves = matches!(opcode, 2 | 3) && rn == PC;
    if !moves {
        insn.reads = bit(rn);
    }
    if rd == PC && flags {
        insn.op = match opcode {
            0 => Op::Compare(Use::Tst, rn, value),
            4 => Op::Compare(Use::Teq, rn, value),
            8 => Op::Compare(Use::Cmn, rn, value.wrapping_neg()),
            13 => Op::Compare(Use::Cmp, rn, value),
            _ => Op::Undefined,
        };
        return;
    }
    insn.writes = bit(rd);
    insn.op = match opcode {
        0 => Op::Arith(Use::And, rd, rn, value),
        1 => Op::Arith(Use::Bic, rd, rn, value),
        2 if moves => Op::Mov(rd, value),
        3 if moves => Op::Mov(rd, !value),
        2 => Op::Arith(Use::Orr, rd, rn, value),
        4 => Op::Arith(Use::Eor, rd, rn, value),
        8 => add(rd, rn, value),
        13 => add(rd, rn, value.wrapping_neg()),
        3 | 10 | 11 | 14 => Op::Other,
        _ => Op::Undefined,
    };
    if opcode == 13 && !matches!(insn.op, Op::Stack(_)) {
        insn.op = Op::Arith(Use::Sub, rd, rn, value);
    }
}

/// An addition, which may be one to the stack pointer.
fn add(rd: u8, rn: u8, value: u32) -> Op {
    match (rd, rn) {
        (SP, SP) => Op::Stack((value as i32).wrapping_neg()),
        _ => Op::Arith(Use::Add, rd, rn, value),
    }
}

fn binary(at: u32, first: u32, second: u32, insn: &mut Insn) {
    let (rn, rd) = (reg(first, 0), reg(second, 8));
    let imm12 = first << 1 & 0x800 | second >> 4 & 0x700 | second & 0xff;
    let half = first << 12 & 0xf000 | imm12;
    let pc = at.wrapping_add(4) & !3;
    insn.writes = bit(rd);
    insn.reads = bit(rn);
    insn.op = match first >> 4 & 31 {
        0 if rn == PC => Op::Adr(rd, pc.wrapping_add(imm12)),
        10 if rn == PC => Op::Adr(rd, pc.wrapping_sub(imm12)),
        0 => add(rd, rn, imm12),
        10 if rd == SP && rn == SP => Op::Stack(imm12 as i32),
        10 => Op::Arith(Use::Sub, rd, rn, imm12),
        4 => {
            insn.reads = 0;
            Op::Mov(rd, half)
        }
        12 => {
            insn.reads = bit(rd);
            Op::Movt(rd, half)
        }
        // SSAT, SBFX, BFI, USAT, UBFX
        16 | 18 | 20 | 24 | 26 | 28 => Op::Other,
        22 => {
            insn.reads |= bit(rd);
            if rn == PC {
                insn.reads = bit(rd);
            }
            Op::Other
        }
        _ => Op::Undefined,
    };
    if rn == PC {
        insn.reads &= !bit(PC);
    }
}

fn branch(at: u32, first: u32, second: u32, insn: &mut Insn) {
    let pc = at.wrapping_add(4);
    let sign = first >> 10 & 1;
    let (j1, j2) = (second >> 13 & 1, second >> 11 & 1);
    let far = || {
        let (i1, i2) = (1 ^ j1 ^ sign, 1 ^ j2 ^ sign);
        let imm = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1;
        extend(imm, 25)
    };
    match second >> 12 & 7 {
        kind @ (0 | 2) => {
            let cond = first >> 6 & 15;
            if cond < 14 {
                let imm =
                    sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3f) << 12 | (second & 0x7ff) << 1;
                insn.cond = cond as u8;
                insn.op = Op::Branch(pc.wrapping_add(extend(imm, 21)));
                return;
            }
            control(first, second, kind, insn);
        }
        1 | 3 => insn.op = Op::Branch(pc.wrapping_add(far())),
        4 | 6 if second & 1 == 0 => {
            insn.writes = bit(LR);
            insn.op = Op::Call {
                target: (pc & !3).wrapping_add(far()) & !3,
                exchange: true,
            };
        }
        5 | 7 => {
            insn.writes = bit(LR);
            insn.op = Op::Call {
                target: pc.wrapping_add(far()),
                exchange: false,
            };
        }
        _ => {}
    }
}

/// Moves to and from status registers, hints, barriers.
fn control(first: u32, second: u32, kind: u32, insn: &mut Insn) {
    insn.op = match first >> 4 & 0x7f {
        0x38 | 0x39 => {
            insn.reads = bit(reg(first, 0));
            insn.flags = true;
            Op::Other
        }
        0x3a if second & 0x7ff == 0 => Op::Nop,
        0x3a | 0x3b => Op::Other,
        0x3c => {
            insn.reads = bit(reg(first, 0));
            Op::JumpOther
        }
        // subs pc, lr, #n
        0x3d => Op::Return,
        0x3e | 0x3f => {
            insn.writes = bit(reg(second, 8));
            Op::Other
        }
        // HVC, SMC
        0x7e | 0x7f if kind == 0 => Op::Other,
        0x7f => Op::Trap,
        _ => Op::Undefined,
    };
}

/// Shifts, extensions, multiplications by registers.
fn register(first: u32, second: u32, insn: &mut Insn) {
    let (rn, ra, rd, rm) = (
        reg(first, 0),
        reg(second, 12),
        reg(second, 8),
        reg(second, 0),
    );
    insn.op = Op::Other;
    insn.reads = bit(rn) | bit(rm);
    insn.writes = bit(rd);
    if first & 0x100 == 0 {
        // Without a second operand rn is 15.
        insn.flags = first & 0x90 == 0x10;
        insn.reads &= !bit(PC);
        if ra != PC {
            insn.op = Op::Undefined;
        }
        return;
    }
    if first & 0x80 == 0 {
        if ra != PC {
            insn.reads |= bit(ra);
        }
        return;
    }
    // Long multiplications write two registers, divisions one.
    if ra != PC {
        insn.writes |= bit(ra);
    }
    if matches!(first >> 4 & 7, 4 | 6) {
        insn.reads |= bit(rd) | bit(ra);
    }
}

fn coprocessor(first: u32, second: u32, insn: &mut Insn) {
    let (rn, rt) = (reg(first, 0), reg(second, 12));
    insn.op = Op::Other;
    let kind = first >> 8 & 15;
    if kind == 15 {
        return;
    }
    if kind == 14 {
        if second & 0x10 == 0 {
            return;
        }
        if first & 0x10 == 0 {
            insn.reads = bit(rt);
        } else if rt == PC {
            insn.flags = true;
        } else {
            insn.writes = bit(rt);
        }
        return;
    }
    if first >> 9 & 7 == 6 && first & 0x1a0 == 0 {
        match first & 0x50 {
            0x40 => insn.reads = bit(rt) | bit(rn),
            0x50 => insn.writes = bit(rt) | bit(rn),
            _ => insn.op = Op::Undefined,
        }
        return;
    }
    if first >> 8 == 0xf9 {
        // NEON loads and stores
        insn.reads = bit(rn);
        return;
    }
    insn.reads = bit(rn);
    if first & 0x20 != 0 {
        insn.writes = bit(rn);
        if rn == SP && matches!(second >> 8 & 15, 10 | 11) {
            let bytes = (second & 0xff) as i32 * 4;
            insn.op = match first & 0x180 {
                0x100 => Op::Stack(bytes),
                0x080 => Op::Stack(-bytes),
                _ => Op::Other,
            };
        }
    }
}
