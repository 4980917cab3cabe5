//! Single loads and stores of every addressing mode, for `guest/faults.c`: r3 to r6
//! hold small multiples of 8, the others addresses that are multiples of 8. What is
//! accessed is aligned, but for single words and halfwords: see the test of those.

use emu::cpu::Architecture::{V5, V7};

use super::{Has, Random};

const ARM_NOP: u32 = 0xe1a0_0000;
const THUMB_NOP: u16 = 0x46c0;

fn base(random: &mut Random) -> u32 {
    random.pick(&[0, 1, 2, 7, 8, 9, 10, 11, 12, 13, 14])
}

fn index(random: &mut Random) -> u32 {
    3 + random.below(4)
}

/// One that is loaded or stored and is not the base.
fn other(random: &mut Random, base: u32) -> u32 {
    loop {
        let register = random.below(15);
        if register != base {
            return register;
        }
    }
}

pub(super) fn arm(random: &mut Random, has: Has) -> [u32; 4] {
    let rn = base(random);
    let rt = other(random, rn) << 12;
    let (rn16, up, load) = (rn << 16, random.bit(23), random.bit(20));
    // Before with and without writing back; after.
    let mode = random.pick(&[1 << 24, 1 << 24 | 1 << 21, 0]);
    let low = |offset: u32| offset & 15 | (offset & 0xf0) << 4;
    let half = random.pick(&[0x0010_00b0, 0x0000_00b0, 0x0010_00d0, 0x0010_00f0]);
    // Where what is not aligned is taken as it is.
    let free = |random: &mut Random, offset: u32| match has.architecture {
        V7 => offset + random.below(8),
        _ => offset,
    };
    let body = match random.below(9) {
        0 => {
            let offset = random.below(12) << 3;
            0x0400_0000 | mode | up | random.bit(22) | load | rn16 | rt | free(random, offset)
        }
        1 => {
            let shift = random.pick(&[0, 1 << 7, 2 << 7, 1 << 5 | 3 << 7, 2 << 5 | 1 << 7]);
            let (rm, byte) = (index(random), random.bit(22));
            0x0600_0000 | mode | up | byte | load | rn16 | rt | shift | rm
        }
        2 => {
            let offset = random.below(12) << 3;
            0x0040_0000 | half | mode | up | rn16 | rt | low(free(random, offset))
        }
        3 => half | mode | up | rn16 | rt | index(random),
        // With the rights of user mode.
        4 => 0x0420_0000 | up | random.bit(22) | load | rn16 | rt | random.below(12) << 3,
        5 => {
            let pair = loop {
                let pair = random.below(7) * 2;
                if pair != rn && pair + 1 != rn {
                    break pair << 12;
                }
            };
            let offset = low(random.below(12) << 3);
            0x0040_00d0 | mode | up | random.bit(5) | rn16 | pair | offset
        }
        6..8 => {
            let list = (random.bits() & 0x7fff | 1 << random.below(15)) & !(1 << rn);
            let list = if list == 0 { 1 << (rn ^ 1) } else { list };
            0x0800_0000 | random.bit(24) | up | random.bit(21) | load | rn16 | list
        }
        _ if has.architecture == V5 => {
            let rm = other(random, rn);
            0x0100_0090 | random.bit(22) | rn16 | rt | rm
        }
        _ => {
            let status = loop {
                let status = random.below(13);
                if status != rn && status << 12 != rt {
                    break status;
                }
            };
            match load {
                0 => 0x0180_0f90 | rn16 | status << 12 | rt >> 12,
                _ => 0x0190_0f9f | rn16 | rt,
            }
        }
    };
    [0xe000_0000 | body, ARM_NOP, ARM_NOP, ARM_NOP]
}

pub(super) fn vector(random: &mut Random, has: Has) -> [u32; 4] {
    let rn = base(random);
    let (rn16, up, load) = (rn << 16, random.bit(23), random.bit(20));
    let body = match random.below(if has.architecture == V7 { 5 } else { 2 }) {
        0 => {
            let register = random.field(4, 12);
            0xed00_0a00 | up | load | random.bit(8) | rn16 | register | random.below(12) << 1
        }
        // Many: from the lower ones on, upwards or downwards.
        1 => {
            let count = 1 + random.below(8);
            let how = random.pick(&[1 << 23, 1 << 23 | 1 << 21, 1 << 24 | 1 << 21]);
            0xec00_0b00 | how | load | rn16 | random.field(3, 12) | count << 1
        }
        // Elements and structures. The index is none, the length, or a register.
        2..4 => {
            let kind = random.below(11) << 8;
            let rm = random.pick(&[15, 13, 3, 4]);
            let registers = random.field(4, 12) | random.bit(22);
            0xf400_0000 | load << 1 | rn16 | registers | kind | random.field(2, 6) | rm
        }
        // One element, or one for all lanes. No demand of alignment: bits of the lane.
        _ => {
            let size = random.below(3);
            let lanes = random.below(8 >> size) << (5 + size);
            let number = random.field(2, 8);
            let rm = random.pick(&[15, 13, 3, 4]);
            0xf480_0000 | load << 1 | rn16 | random.field(3, 12) | size << 10 | number | lanes | rm
        }
    };
    [body, ARM_NOP, ARM_NOP, ARM_NOP]
}

pub(super) fn thumb(random: &mut Random, has: Has) -> [u32; 4] {
    let (first, second) = match has.architecture {
        V7 if random.below(2) == 0 => wide(random),
        _ => (narrow(random), THUMB_NOP),
    };
    let nops = u32::from(THUMB_NOP) << 16 | u32::from(THUMB_NOP);
    [u32::from(first) | u32::from(second) << 16, nops, nops, nops]
}

fn narrow(random: &mut Random) -> u16 {
    let rn = random.pick(&[0, 1, 2, 7]);
    let rt = random.below(8);
    let code = match random.below(7) {
        0 => 0x5000 | random.field(3, 9) | index(random) << 6 | rn << 3 | rt,
        1 => 0x6000 | random.bit(11) | (random.field(5, 6) & !0x40) | rn << 3 | rt,
        2 => 0x7000 | random.bit(11) | random.field(5, 6) | rn << 3 | rt,
        3 => 0x8000 | random.bit(11) | random.field(5, 6) | rn << 3 | rt,
        4 => 0x9000 | random.bit(11) | rt << 8 | random.below(16),
        // Push with the link register; pop without the program counter.
        5 => match random.below(2) {
            0 => 0xb400 | random.bit(8) | (1 + random.below(255)),
            _ => 0xbc00 | (1 + random.below(255)),
        },
        _ => {
            let list = (1 + random.below(255)) & !(1 << rn);
            0xc000 | random.bit(11) | rn << 8 | if list == 0 { 1 << (rn ^ 1) } else { list }
        }
    };
    code as u16
}

fn wide(random: &mut Random) -> (u16, u16) {
    let rn = random.pick(&[0, 1, 2, 7, 8, 9, 10, 11, 12, 14]);
    let rt = loop {
        let rt = random.below(13);
        if rt != rn {
            break rt;
        }
    };
    // Stores of bytes, halfwords, words; loads of them, also with a sign.
    let kind = random.pick(&[
        0xf800, 0xf820, 0xf840, 0xf810, 0xf830, 0xf850, 0xf910, 0xf930,
    ]);
    let offset = random.below(24) << 3 | random.below(8);
    let (first, second) = match random.below(6) {
        0 => (kind | 0x80 | rn, rt << 12 | offset),
        // Below; before and after with writing back; with the rights of user mode.
        1 => {
            let how = random.pick(&[0xc00, 0xd00, 0xf00, 0x900, 0xb00, 0xe00]);
            (kind | rn, rt << 12 | how | offset & 0xff)
        }
        2 => (kind | rn, rt << 12 | random.field(2, 4) | index(random)),
        3 => {
            let rt2 = loop {
                let rt2 = random.below(13);
                if rt2 != rn && rt2 != rt {
                    break rt2;
                }
            };
            let how = random.pick(&[0x100, 0x180, 0x120, 0x1a0, 0x020, 0x0a0]);
            let offset = random.below(24) << 1;
            (
                0xe840 | how | random.bit(4) | rn,
                rt << 12 | rt2 << 8 | offset,
            )
        }
        4 => {
            let list = (random.bits() & 0x5fff | 3) & !(1 << rn);
            let list = if list.count_ones() < 2 { 0x30 } else { list };
            let how = random.pick(&[0xe880, 0xe900]);
            (how | random.bit(5) | random.bit(4) | rn, list)
        }
        _ => (0xe850 | rn, rt << 12 | 0xf00 | random.below(12) << 1),
    };
    (first as u16, second as u16)
}
