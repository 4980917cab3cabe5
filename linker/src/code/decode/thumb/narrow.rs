//! The instructions of 16 bits.

use super::{REGISTER, extend, low, memory::access, reg};
use crate::code::decode::{Insn, LR, Op, PC, SP, Use, bit};

pub(super) fn narrow(at: u32, half: u32, insn: &mut Insn) {
    let pc = at.wrapping_add(4);
    let (d, n, m) = (low(half, 0), low(half, 3), low(half, 6));
    let imm5 = half >> 6 & 31;
    let imm8 = half & 0xff;
    let r8 = low(half, 8);
    insn.op = Op::Other;
    match half >> 11 {
        0..=2 => {
            insn.reads = bit(n);
            insn.writes = bit(d);
            insn.flags = true;
            if half >> 6 == 0 {
                insn.op = Op::Copy(d, n);
            }
        }
        3 => {
            insn.reads = bit(n);
            insn.writes = bit(d);
            insn.flags = true;
            let imm3 = u32::from(m);
            match half >> 9 & 3 {
                0 => {
                    insn.reads |= bit(m);
                    insn.op = Op::AddRegister(d, n, m);
                }
                1 => insn.reads |= bit(m),
                2 => insn.op = Op::Arith(Use::Add, d, n, imm3),
                _ => insn.op = Op::Arith(Use::Sub, d, n, imm3),
            }
        }
        4 => {
            insn.writes = bit(r8);
            insn.flags = true;
            insn.op = Op::Mov(r8, imm8);
        }
        5 => {
            insn.reads = bit(r8);
            insn.flags = true;
            insn.op = Op::Compare(Use::Cmp, r8, imm8);
        }
        6 | 7 => {
            insn.reads = bit(r8);
            insn.writes = bit(r8);
            insn.flags = true;
            let kind = if half >> 11 == 6 { Use::Add } else { Use::Sub };
            insn.op = Op::Arith(kind, r8, r8, imm8);
        }
        8 if half & 0x400 == 0 => {
            insn.reads = bit(n) | bit(d);
            insn.flags = true;
            match half >> 6 & 15 {
                8 | 10 | 11 => {}
                9 | 15 => {
                    insn.reads = bit(n);
                    insn.writes = bit(d);
                }
                _ => insn.writes = bit(d),
            }
        }
        8 => special(half, insn),
        9 => {
            insn.writes = bit(r8);
            insn.op = Op::LoadLiteral {
                rt: r8,
                address: (pc & !3).wrapping_add(imm8 << 2),
                size: 4,
            };
        }
        10 | 11 => {
            insn.reads = bit(n) | bit(m);
            let kind = half >> 9 & 7;
            if kind < 3 {
                insn.reads |= bit(d);
            } else {
                insn.writes = bit(d);
                let size = match kind {
                    4 => 4,
                    5 | 7 => 2,
                    _ => 1,
                };
                insn.op = Op::LoadSum {
                    rt: d,
                    rn: n,
                    rm: m,
                    shift: 0,
                    size,
                };
            }
        }
        12..=17 => {
            let (size, scale) = match half >> 12 {
                6 => (4, 2),
                7 => (1, 0),
                _ => (2, 1),
            };
            access(half & 0x800 != 0, d, n, (imm5 << scale) as i32, size, insn);
        }
        18 | 19 => access(half & 0x800 != 0, r8, SP, (imm8 << 2) as i32, 4, insn),
        20 => {
            insn.writes = bit(r8);
            insn.op = Op::Adr(r8, (pc & !3).wrapping_add(imm8 << 2));
        }
        21 => {
            insn.reads = bit(SP);
            insn.writes = bit(r8);
            insn.op = Op::Arith(Use::Add, r8, SP, imm8 << 2);
        }
        22 | 23 => miscellaneous(at, half, insn),
        24 | 25 => {
            insn.reads = bit(r8);
            let list = imm8 as u16;
            if half & 0x800 != 0 {
                insn.writes = list | bit(r8);
            } else {
                insn.reads |= list;
                insn.writes = bit(r8);
            }
        }
        26 | 27 => match half >> 8 & 15 {
            14 => insn.op = Op::Trap,
            15 => {}
            cond => {
                insn.cond = cond as u8;
                insn.op = Op::Branch(pc.wrapping_add(extend(imm8, 8) << 1));
            }
        },
        28 => insn.op = Op::Branch(pc.wrapping_add(extend(half & 0x7ff, 11) << 1)),
        _ => insn.op = Op::Undefined,
    }
}

fn special(half: u32, insn: &mut Insn) {
    let d = (half & 7 | half >> 4 & 8) as u8;
    let m = reg(half, 3);
    match half >> 8 & 3 {
        0 => {
            insn.reads = bit(d) | bit(m);
            insn.writes = bit(d);
            insn.op = match d {
                PC => Op::JumpOther,
                _ => Op::AddRegister(d, d, m),
            };
        }
        1 => {
            insn.reads = bit(d) | bit(m);
            insn.flags = true;
        }
        2 => {
            insn.reads = bit(m);
            insn.writes = bit(d);
            insn.op = match (d, m) {
                (PC, _) => Op::JumpRegister(m),
                (d, m) if d == m => {
                    (insn.reads, insn.writes) = (0, 0);
                    Op::Nop
                }
                (SP, _) => Op::Unframe,
                _ => Op::Copy(d, m),
            };
        }
        _ => {
            insn.reads = bit(m);
            insn.op = match half & 0x80 {
                0 => Op::JumpRegister(m),
                _ => Op::CallRegister(m),
            };
            if half & 0x80 != 0 {
                insn.writes = bit(LR);
            }
            if half & 7 != 0 {
                insn.op = Op::Undefined;
            }
        }
    }
}

fn miscellaneous(at: u32, half: u32, insn: &mut Insn) {
    let list = half as u16 & 0xff;
    match half >> 8 & 15 {
        0 => {
            let bytes = (half & 0x7f) as i32 * 4;
            insn.reads = bit(SP);
            insn.writes = bit(SP);
            insn.op = Op::Stack(if half & 0x80 == 0 { -bytes } else { bytes });
        }
        1 | 3 | 9 | 11 => {
            insn.reads = bit(low(half, 0));
            insn.cond = REGISTER;
            let distance = half >> 3 & 0x40 | half >> 2 & 0x3e;
            insn.op = Op::Branch(at.wrapping_add(4).wrapping_add(distance));
        }
        2 | 10 => {
            insn.reads = bit(low(half, 3));
            insn.writes = bit(low(half, 0));
        }
        4 | 5 => {
            let list = list | if half & 0x100 != 0 { bit(LR) } else { 0 };
            insn.reads = list | bit(SP);
            insn.writes = bit(SP);
            insn.op = Op::Push(list, list.count_ones() as u16 * 4);
        }
        6 => {}
        12 | 13 => {
            insn.reads = bit(SP);
            insn.writes = list | bit(SP);
            insn.op = Op::Pop(list, list.count_ones() as u16 * 4);
            if half & 0x100 != 0 {
                insn.writes |= bit(PC);
                insn.op = Op::Return;
            }
        }
        14 => insn.op = Op::Trap,
        15 if half & 15 != 0 => insn.op = Op::IfThen(half as u8),
        15 => {
            if half & 0xf0 == 0 {
                insn.op = Op::Nop;
            }
        }
        _ => insn.op = Op::Undefined,
    }
}
