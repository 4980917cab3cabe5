//! Thumb code: narrow instructions, and wide ones and If-Then blocks where the
//! processor has them.

use emu::cpu::Architecture::{V6, V7};

use super::{Has, Random};

/// Halfwords of a piece: four words.
const ROOM: usize = 8;
const NOP: u16 = 0x46c0;

pub(super) fn piece(random: &mut Random, has: Has) -> [u32; 4] {
    let mut code: Vec<u16> = Vec::new();
    while code.len() < ROOM {
        let left = ROOM - code.len();
        match random.below(6) {
            0..2 if has.architecture == V7 && left >= 2 => code.extend(wide(random, has)),
            2 if has.architecture == V7 && left >= 5 => code.extend(if_then(random, left)),
            _ => code.push(narrow(random, has)),
        }
    }
    let mut words = [0; 4];
    for (word, pair) in words.iter_mut().zip(code.chunks_exact(2)) {
        *word = u32::from(pair[0]) | u32::from(pair[1]) << 16;
    }
    words
}

/// Up to four narrow instructions that are done or not.
fn if_then(random: &mut Random, left: usize) -> Vec<u16> {
    let count = 1 + random.below(4.min(left as u32 - 1));
    let first = random.below(14);
    let others = random.below(8);
    // The mask: for each further instruction the low bit of its condition, then a 1.
    let mask = (others << 1 | 1) << (4 - count) & 15;
    let mut code = vec![(0xbf00 | first << 4 | mask) as u16];
    for _ in 0..count {
        code.push(data_processing(random));
    }
    code
}

fn narrow(random: &mut Random, has: Has) -> u16 {
    let low = |random: &mut Random| random.below(8);
    match random.below(5) {
        0 if has.architecture >= V6 => {
            // Extension and reversal.
            let kind = random.pick(&[0xb200, 0xb240, 0xb280, 0xb2c0, 0xba00, 0xba40, 0xbac0]);
            (kind | low(random) << 3 | low(random)) as u16
        }
        // High registers; the base of loads is made one of the low ones.
        1 => match random.below(4) {
            0 => {
                let to = random.pick(&[8, 9, 12, 14]);
                let operation = random.pick(&[0x4400, 0x4600]);
                let from = random.source();
                (operation | (to & 8) << 4 | to & 7 | from << 3) as u16
            }
            1 => (0x4500 | 1 << 7 | low(random) << 3 | random.below(6)) as u16,
            _ => load_store(random),
        },
        2 => load_store(random),
        _ => data_processing(random),
    }
}

/// Of the stack pointer, which `streams.c` lets point at memory.
fn load_store(random: &mut Random) -> u16 {
    let register = random.below(8);
    match random.below(3) {
        0 => (0x9000 | random.bit(11) | register << 8 | random.below(16)) as u16,
        1 => (0xa800 | register << 8 | random.below(64)) as u16,
        _ => NOP,
    }
}

fn data_processing(random: &mut Random) -> u16 {
    let low = |random: &mut Random| random.below(8);
    let code = match random.below(4) {
        0 => random.below(3) << 11 | random.field(5, 6) | low(random) << 3 | low(random),
        1 => 0x1800 | random.field(2, 9) | random.field(3, 6) | low(random) << 3 | low(random),
        2 => 0x2000 | random.field(2, 11) | low(random) << 8 | random.field(8, 0),
        _ => 0x4000 | random.field(4, 6) | low(random) << 3 | low(random),
    };
    code as u16
}

/// Wide ones. Neither the stack pointer nor the program counter is an operand.
fn wide(random: &mut Random, has: Has) -> [u16; 2] {
    let any = |random: &mut Random| random.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14]);
    let (rd, rn, rm) = (any(random), any(random), any(random));
    let other = loop {
        let other = any(random);
        if other != rd {
            break other;
        }
    };
    // AND, BIC, ORR, ORN, EOR, ADD, ADC, SBC, SUB, RSB.
    let operation = random.pick(&[0, 1, 2, 3, 4, 8, 10, 11, 13, 14]) << 5;
    let (first, second) = match random.below(if has.division { 8 } else { 7 }) {
        0 => {
            let shift = random.field(3, 12) | random.field(2, 6) | random.field(2, 4);
            (
                0xea00 | operation | random.bit(4) | rn,
                shift | rd << 8 | rm,
            )
        }
        1 => {
            let immediate = modified_immediate(random);
            let first = 0xf000 | operation | random.bit(4) | rn;
            (
                first | immediate >> 11 << 10,
                rd << 8 | (immediate >> 8 & 7) << 12 | immediate & 0xff,
            )
        }
        // ADDW, SUBW, MOVW, MOVT.
        2 => {
            let kind = random.pick(&[0xf200, 0xf2a0, 0xf240, 0xf2c0]);
            let rn = if kind & 0x40 != 0 {
                random.below(16)
            } else {
                rn
            };
            (
                kind | random.bit(10) | rn,
                random.field(3, 12) | rd << 8 | random.field(8, 0),
            )
        }
        // Shifts by a register, extensions.
        3 => (0xfa00 | random.field(3, 4) | rn, 0xf000 | rd << 8 | rm),
        4 => {
            let kind = random.below(6) << 4;
            (
                0xfa00 | kind | rn,
                0xf080 | random.field(2, 4) | rd << 8 | rm,
            )
        }
        // Parallel ones, multiplications.
        5 => {
            let kind = random.pick(&[0, 1, 2, 4, 5, 6]) << 4;
            let how = random.pick(&[0x00, 0x10, 0x20, 0x40, 0x50, 0x60]);
            (0xfa80 | kind | rn, 0xf000 | how | rd << 8 | rm)
        }
        6 => match random.below(2) {
            0 => (0xfb00 | rn, other << 12 | random.bit(4) | rd << 8 | rm),
            _ => {
                let kind = random.pick(&[0xfb80, 0xfba0, 0xfbc0, 0xfbe0]);
                (kind | rn, rd << 12 | other << 8 | rm)
            }
        },
        _ => (random.pick(&[0xfb90, 0xfbb0]) | rn, 0xf0f0 | rd << 8 | rm),
    };
    [first as u16, second as u16]
}

/// Twelve bits of a constant; those that repeat a zero byte are open.
fn modified_immediate(random: &mut Random) -> u32 {
    let bits = random.field(12, 0);
    match bits >> 8 {
        1..4 if bits & 0xff == 0 => bits | 1,
        _ => bits,
    }
}
