//! A32 (ARM DDI 0406, chapter A5).

mod memory;

use super::{ALWAYS, Insn, LR, Op, PC, SP, Use, bit, plain};
use memory::{extra_load_store, load_store, multiple};

/// The instruction `word` at `at`.
pub(in crate::code) fn decode(at: u32, word: u32) -> Insn {
    let cond = (word >> 28) as u8;
    if cond == 15 {
        return unconditional(at, word);
    }
    let mut insn = plain(4, cond, Op::Undefined);
    match word >> 25 & 7 {
        0 => data_or_extra(at, word, &mut insn),
        1 => immediate(at, word, &mut insn),
        2 => load_store(at, word, &mut insn),
        3 if word & 0x10 == 0 => load_store(at, word, &mut insn),
        3 => media(word, &mut insn),
        4 => multiple(word, &mut insn),
        5 => branch(at, word, &mut insn),
        _ => coprocessor(word, &mut insn),
    }
    insn
}

/// The space of the condition 0b1111.
fn unconditional(at: u32, word: u32) -> Insn {
    let op = match word >> 24 & 0xf {
        0xa | 0xb => Op::Call {
            target: at
                .wrapping_add(8)
                .wrapping_add(distance(word))
                .wrapping_add(word >> 23 & 2),
            exchange: true,
        },
        // CPS, SETEND
        0x1 if word & 0x00f1_0020 == 0 || word & 0x00ff_00f0 == 0x0001_0000 => Op::Other,
        // NEON data, then its loads and stores and PLI, PLD, barriers, CLREX.
        0x2 | 0x3 | 0xc..=0xe => Op::Other,
        0x4 | 0x5 if word & 0x0010_0000 == 0 || word >> 12 & 0xf == 0xf => Op::Other,
        0x4 if word & 0x0070_0000 == 0x0020_0000 => Op::Other,
        // PLD and PLI with a register
        0x6 | 0x7 if word & 0x0030_f010 == 0x0010_f000 => Op::Other,
        // RFE, SRS
        0x8 | 0x9 if word & 0x0050_ffff == 0x0010_0a00 => Op::Return,
        0x8 | 0x9 if word & 0x005f_ffe0 == 0x004d_0500 => Op::Other,
        _ => Op::Undefined,
    };
    plain(4, ALWAYS, op)
}

fn reg(word: u32, shift: u32) -> u8 {
    (word >> shift & 0xf) as u8
}

/// The distance of a branch in bytes.
fn distance(word: u32) -> u32 {
    ((word << 8) as i32 >> 6) as u32
}

fn rotated(word: u32) -> u32 {
    (word & 0xff).rotate_right(word >> 7 & 0x1e)
}

fn branch(at: u32, word: u32, insn: &mut Insn) {
    let target = at.wrapping_add(8).wrapping_add(distance(word));
    if word & 0x0100_0000 == 0 {
        insn.op = Op::Branch(target);
    } else {
        insn.op = Op::Call {
            target,
            exchange: false,
        };
        insn.writes = bit(LR);
    }
}

fn data_or_extra(at: u32, word: u32, insn: &mut Insn) {
    if word & 0x90 == 0x90 {
        return match word >> 5 & 3 {
            0 => multiply_or_sync(word, insn),
            _ => extra_load_store(at, word, insn),
        };
    }
    if word & 0x0190_0000 == 0x0100_0000 {
        return miscellaneous(word, insn);
    }
    let (rn, rd, rm) = (reg(word, 16), reg(word, 12), reg(word, 0));
    let opcode = word >> 21 & 0xf;
    let by_register = word & 0x10 != 0;
    let shift = word >> 7 & 0x1f;
    let plain_operand = word & 0xff0 == 0;
    insn.flags = word & 0x0010_0000 != 0;
    insn.reads = bit(rm);
    if by_register {
        insn.reads |= bit(reg(word, 8));
    }
    let unary = matches!(opcode, 13 | 15);
    if !unary {
        insn.reads |= bit(rn);
    }
    let compares = (8..=11).contains(&opcode);
    if compares {
        // The destination must be zero (or the program counter, in code for 26 bits).
        insn.op = match rd {
            0 => Op::Other,
            _ => Op::Undefined,
        };
        return;
    }
    if unary && rn != 0 {
        return;
    }
    insn.writes = bit(rd);
    // eor rd, rn, rn and sub rd, rn, rn read nothing that matters.
    if plain_operand && rn == rm && matches!(opcode, 1 | 2) {
        insn.reads = 0;
    }
    if rd == PC {
        insn.op = match opcode {
            13 if plain_operand && insn.flags => Op::Return,
            13 if plain_operand => Op::JumpRegister(rm),
            // subs pc, lr, ...
            _ if insn.flags => Op::Return,
            4 if !by_register => Op::JumpSum {
                base: rn,
                index: rm,
                shift: if word >> 5 & 3 == 0 { shift as u8 } else { 0 },
            },
            _ => Op::JumpOther,
        };
        return;
    }
    insn.op = match opcode {
        13 if plain_operand && rd == rm && !insn.flags => Op::Nop,
        13 if plain_operand && rd == SP => Op::Unframe,
        13 if plain_operand => Op::Copy(rd, rm),
        4 if plain_operand => Op::AddRegister(rd, rn, rm),
        _ => Op::Other,
    };
    if insn.op == Op::Nop {
        (insn.reads, insn.writes) = (0, 0);
    }
}

fn multiply_or_sync(word: u32, insn: &mut Insn) {
    let (high, low, rs, rm) = (reg(word, 16), reg(word, 12), reg(word, 8), reg(word, 0));
    insn.op = Op::Other;
    match word >> 20 & 0x1f {
        // MUL, MLA, UMAAL, MLS
        0 | 1 => {
            insn.reads = bit(rm) | bit(rs);
            insn.writes = bit(high);
            if low != 0 {
                insn.op = Op::Undefined;
            }
        }
        2 | 3 | 6 => {
            insn.reads = bit(rm) | bit(rs) | bit(low);
            insn.writes = bit(high);
        }
        4 => {
            insn.reads = bit(rm) | bit(rs) | bit(low) | bit(high);
            insn.writes = bit(low) | bit(high);
        }
        // UMULL, SMULL, and with accumulation
        kind @ 8..=15 => {
            insn.reads = bit(rm) | bit(rs);
            insn.writes = bit(low) | bit(high);
            if kind & 2 != 0 {
                insn.reads |= bit(low) | bit(high);
            }
        }
        // SWP, SWPB
        0x10 | 0x14 if rs == 0 => {
            insn.reads = bit(high) | bit(rm);
            insn.writes = bit(low);
        }
        // STREX and its kin, LDREX and its kin
        kind @ 0x18..=0x1f if rs == 0xf || rs == 0xc || rs == 0xe => {
            insn.reads = bit(high);
            if kind & 1 == 1 {
                insn.writes = bit(low);
                if kind == 0x1b {
                    insn.writes |= bit(low + 1);
                }
            } else {
                insn.reads |= bit(rm);
                if kind == 0x1a {
                    insn.reads |= bit(rm + 1);
                }
                if rs == 0xf {
                    insn.writes = bit(low);
                }
            }
        }
        _ => insn.op = Op::Undefined,
    }
    insn.flags = word & 0x0110_0000 == 0x0010_0000;
}

fn miscellaneous(word: u32, insn: &mut Insn) {
    let (rn, rd, rs, rm) = (reg(word, 16), reg(word, 12), reg(word, 8), reg(word, 0));
    let op = word >> 21 & 3;
    match (word >> 4 & 0xf, op) {
        // MRS
        (0, 0 | 2) if word & 0x000f_0ef0 == 0x000f_0000 => {
            insn.writes = bit(rd);
            insn.op = Op::Other;
        }
        // MSR, and both for banked registers
        (0, _) if word & 0x200 != 0 || op & 1 == 1 && word & 0xff00 == 0xf000 => {
            match op & 1 {
                0 => insn.writes = bit(rd),
                _ => insn.reads = bit(rm),
            }
            insn.flags = op == 1 && word & 0x8_0000 != 0;
            insn.op = Op::Other;
        }
        (1, 1) if word & 0x000f_ff00 == 0x000f_ff00 => {
            insn.reads = bit(rm);
            insn.op = Op::JumpRegister(rm);
        }
        // CLZ
        (1, 3) if word & 0x000f_0f00 == 0x000f_0f00 => {
            insn.reads = bit(rm);
            insn.writes = bit(rd);
            insn.op = Op::Other;
        }
        (3, 1) if word & 0x000f_ff00 == 0x000f_ff00 => {
            insn.reads = bit(rm);
            insn.writes = bit(LR);
            insn.op = Op::CallRegister(rm);
        }
        // QADD and its kin
        (5, _) if rs == 0 => {
            insn.reads = bit(rm) | bit(rn);
            insn.writes = bit(rd);
            insn.op = Op::Other;
        }
        (7, 1) => insn.op = Op::Trap,
        // HVC, SMC
        (7, 2) => insn.op = Op::Other,
        (7, 3) if word & 0x000f_ff00 == 0 => insn.op = Op::Other,
        // SMLA<x><y> and their kin
        (8 | 10 | 12 | 14, _) => {
            insn.reads = bit(rm) | bit(rs);
            insn.writes = bit(rn);
            match op {
                0 => insn.reads |= bit(rd),
                1 if word & 0x20 == 0 => insn.reads |= bit(rd),
                2 => {
                    insn.reads |= bit(rd) | bit(rn);
                    insn.writes |= bit(rd);
                }
                _ => {}
            }
            insn.op = Op::Other;
        }
        _ => {}
    }
}

fn immediate(at: u32, word: u32, insn: &mut Insn) {
    let (rn, rd) = (reg(word, 16), reg(word, 12));
    let opcode = word >> 21 & 0xf;
    let value = rotated(word);
    let flags = word & 0x0010_0000 != 0;
    if !flags && (8..=11).contains(&opcode) {
        let half = word >> 4 & 0xf000 | word & 0xfff;
        match opcode {
            8 => {
                insn.op = Op::Mov(rd, half);
                insn.writes = bit(rd);
            }
            10 => {
                insn.op = Op::Movt(rd, half);
                insn.reads = bit(rd);
                insn.writes = bit(rd);
            }
            9 if word & 0x000f_ff00 == 0x0000_f000 => {
                insn.op = match word & 0xff {
                    0 => Op::Nop,
                    _ => Op::Other,
                }
            }
            // MSR
            9 | 11 if rd == 15 => insn.op = Op::Other,
            _ => {}
        }
        return;
    }
    insn.flags = flags;
    let kind = match opcode {
        0 => Use::And,
        1 => Use::Eor,
        2 => Use::Sub,
        4 => Use::Add,
        8 => Use::Tst,
        9 => Use::Teq,
        10 => Use::Cmp,
        11 => Use::Cmn,
        12 => Use::Orr,
        14 => Use::Bic,
        _ => Use::Mov,
    };
    match opcode {
        8..=11 => {
            insn.reads = bit(rn);
            insn.op = match (rd, opcode) {
                (0, 11) => Op::Compare(kind, rn, value.wrapping_neg()),
                (0, _) => Op::Compare(kind, rn, value),
                _ => Op::Undefined,
            };
            return;
        }
        13 | 15 if rn != 0 => return,
        13 | 15 => {}
        _ => insn.reads = bit(rn),
    }
    insn.writes = bit(rd);
    if rd == PC {
        insn.op = match flags {
            true => Op::Return,
            false => Op::JumpOther,
        };
        return;
    }
    let pc = at.wrapping_add(8);
    insn.op = match opcode {
        13 => Op::Mov(rd, value),
        15 => Op::Mov(rd, !value),
        4 if rn == PC => Op::Adr(rd, pc.wrapping_add(value)),
        2 if rn == PC => Op::Adr(rd, pc.wrapping_sub(value)),
        4 if rd == SP && rn == SP => Op::Stack((value as i32).wrapping_neg()),
        2 if rd == SP && rn == SP => Op::Stack(value as i32),
        // With a carry the sum is not known (adc, sbc, rsc); rsb swaps.
        3 | 5..=7 => Op::Other,
        _ => Op::Arith(kind, rd, rn, value),
    };
}

/// Media instructions: which registers are read and written depends on the
/// group only.
fn media(word: u32, insn: &mut Insn) {
    let (rn, rd, rs, rm) = (reg(word, 16), reg(word, 12), reg(word, 8), reg(word, 0));
    insn.op = Op::Other;
    match word >> 20 & 0x1f {
        // Parallel additions, SEL
        0x01..=0x07 if word & 0xf00 == 0xf00 => {
            insn.reads = bit(rn) | bit(rm);
            insn.writes = bit(rd);
        }
        // PKH, SSAT, USAT, extensions, reversals
        0x08..=0x0f => {
            insn.reads = bit(rm);
            insn.writes = bit(rd);
            let extends = word >> 4 & 0xf == 7;
            if word & 0x0070_0020 == 0 || extends && rn != PC {
                insn.reads |= bit(rn);
            }
        }
        // SMUAD and its kin, SDIV, UDIV, USAD8
        0x10..=0x18 => {
            insn.reads = bit(rm) | bit(rs);
            insn.writes = bit(rn);
            if rd != PC {
                insn.reads |= bit(rd);
            }
            if word >> 20 & 0x1f == 0x14 {
                insn.writes |= bit(rd);
            }
        }
        // SBFX, UBFX
        0x1a | 0x1b | 0x1e if word & 0x70 == 0x50 => {
            insn.reads = bit(rm);
            insn.writes = bit(rd);
        }
        0x1f if word & 0x70 == 0x50 => {
            insn.reads = bit(rm);
            insn.writes = bit(rd);
        }
        // BFI, BFC
        0x1c | 0x1d if word & 0x70 == 0x10 => {
            insn.reads = bit(rd);
            if rm != PC {
                insn.reads |= bit(rm);
            }
            insn.writes = bit(rd);
        }
        0x1f if word & 0xf0 == 0xf0 => insn.op = Op::Trap,
        _ => insn.op = Op::Undefined,
    }
}

fn coprocessor(word: u32, insn: &mut Insn) {
    let (rn, rt) = (reg(word, 16), reg(word, 12));
    let number = word >> 8 & 0xf;
    insn.op = Op::Other;
    if word >> 24 & 0xf == 0xf {
        // SVC: the kernel has none but for its own helpers.
        return;
    }
    if word >> 24 & 0xf == 0xe {
        if word & 0x10 == 0 {
            return;
        }
        if word & 0x0010_0000 != 0 {
            if rt == PC {
                insn.flags = true;
            } else {
                insn.writes = bit(rt);
            }
        } else {
            insn.reads = bit(rt);
        }
        return;
    }
    if word & 0x0fa0_0000 == 0x0c00_0000 {
        // MCRR, MRRC
        match word & 0x0050_0000 {
            0x0040_0000 => insn.reads = bit(rt) | bit(rn),
            0x0050_0000 => insn.writes = bit(rt) | bit(rn),
            _ => insn.op = Op::Undefined,
        }
        return;
    }
    // LDC, STC, and those of the floating-point unit
    insn.reads = bit(rn);
    if word & 0x0020_0000 != 0 {
        insn.writes = bit(rn);
        if rn == SP && matches!(number, 10 | 11) {
            let bytes = (word & 0xff) as i32 * 4;
            insn.op = match word & 0x0180_0000 {
                0x0100_0000 => Op::Stack(bytes),
                0x0080_0000 => Op::Stack(-bytes),
                _ => Op::Other,
            };
        }
    }
}
