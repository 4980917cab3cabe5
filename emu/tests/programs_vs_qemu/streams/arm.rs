//! ARM code for the core's registers and for memory.

use emu::cpu::Architecture::{V5, V6, V7};

use super::{Has, Random};

/// Always, or on a condition.
fn condition(random: &mut Random) -> u32 {
    match random.below(3) {
        0 => random.below(15) << 28,
        _ => 0xe << 28,
    }
}

pub(super) fn instruction(random: &mut Random, has: Has) -> u32 {
    let body = match random.below(8) {
        0..3 => data_processing(random),
        3 => multiplication(random, has),
        4 => dsp(random, has),
        5 if has.architecture >= V6 => media(random, has),
        6 => load_store(random),
        7 => load_store_extra(random),
        _ => data_processing(random),
    };
    // Some have no condition.
    match body >> 28 {
        0 => condition(random) | body,
        _ => body,
    }
}

fn data_processing(random: &mut Random) -> u32 {
    let operation = random.below(16);
    let compares = matches!(operation, 8..=11);
    let moves = matches!(operation, 13 | 15);
    let flags = if compares { 1 } else { random.below(2) };
    let rn = if moves { 0 } else { random.source() };
    let rd = if compares { 0 } else { random.target() };
    let operand = match random.below(3) {
        0 => 1 << 25 | random.field(12, 0),
        1 => random.field(5, 7) | random.field(2, 5) | random.source(),
        _ => random.source() << 8 | random.field(2, 5) | 1 << 4 | random.source(),
    };
    operation << 21 | flags << 20 | rn << 16 | rd << 12 | operand
}

/// Two different registers that are written, neither of which is `other`.
fn two(random: &mut Random, other: u32) -> (u32, u32) {
    loop {
        let (low, high) = (random.target(), random.target());
        if low != high && low != other && high != other {
            return (low, high);
        }
    }
}

fn multiplication(random: &mut Random, has: Has) -> u32 {
    let rm = random.source();
    let (rd, other) = two(random, rm);
    let rs = random.source() << 8;
    match random.below(if has.architecture == V5 { 6 } else { 7 }) {
        0 => random.bit(20) | rd << 16 | rs | 0x90 | rm,
        1 => 1 << 21 | random.bit(20) | rd << 16 | random.source() << 12 | rs | 0x90 | rm,
        2..6 => {
            let kind = random.field(2, 21) | 1 << 23;
            kind | random.bit(20) | rd << 16 | other << 12 | rs | 0x90 | rm
        }
        // UMAAL; MLS came later.
        _ if has.architecture == V7 && random.below(2) == 0 => {
            3 << 21 | rd << 16 | random.source() << 12 | rs | 0x90 | rm
        }
        _ => 1 << 22 | rd << 16 | other << 12 | rs | 0x90 | rm,
    }
}

/// Armv5TE's: halfword multiplication, saturation, CLZ.
fn dsp(random: &mut Random, has: Has) -> u32 {
    let (rd, other) = two(random, 16);
    let (rm, rs, rn) = (random.source(), random.source() << 8, random.source());
    match random.below(if has.division { 7 } else { 6 }) {
        0 => 0x0160_0f10 | rd << 12 | rm,
        1 => 0x0100_0050 | random.field(2, 21) | rn << 16 | rd << 12 | rm,
        // SMLA<x><y>, SMLAW<y>.
        2 => 0x0100_0080 | rd << 16 | rn << 12 | rs | random.field(2, 5) | rm,
        3 => 0x0120_0080 | rd << 16 | rn << 12 | rs | random.bit(6) | rm,
        // SMUL<x><y>, SMULW<y>.
        4 => match random.below(2) {
            0 => 0x0160_0080 | rd << 16 | rs | random.field(2, 5) | rm,
            _ => 0x0120_00a0 | rd << 16 | rs | random.bit(6) | rm,
        },
        5 => 0x0140_0080 | rd << 16 | other << 12 | rs | random.field(2, 5) | rm,
        _ => 0x0710_f010 | random.bit(21) | rd << 16 | rs | rm,
    }
}

/// Armv6's media instructions, and what was added to them.
fn media(random: &mut Random, has: Has) -> u32 {
    let (rd, other) = two(random, 16);
    let (rm, rs, rn) = (random.source(), random.source() << 8, random.source());
    // Without an accumulator the field is 15.
    let accumulator = if random.below(3) == 0 { 15 } else { rn };
    match random.below(if has.architecture == V7 { 12 } else { 9 }) {
        // Parallel addition and subtraction.
        0..2 => {
            let kind = random.pick(&[1, 2, 3, 5, 6, 7]) << 20;
            let operation = random.pick(&[0, 1, 2, 3, 4, 7]) << 5;
            0x0600_0f10 | kind | rn << 16 | rd << 12 | operation | rm
        }
        2 => 0x0680_0010 | rn << 16 | rd << 12 | random.field(5, 7) | random.bit(6) | rm,
        // Extension, with and without addition.
        3 => {
            let kind = random.pick(&[0, 2, 3, 4, 6, 7]) << 20;
            0x0680_0070 | kind | accumulator << 16 | rd << 12 | random.field(2, 10) | rm
        }
        4 => match random.below(2) {
            0 => 0x0680_0fb0 | rn << 16 | rd << 12 | rm,
            _ => {
                let kind = random.pick(&[0x06bf_0f30, 0x06bf_0fb0, 0x06ff_0fb0]);
                kind | rd << 12 | rm
            }
        },
        // Saturation.
        5 => match random.below(2) {
            0 => {
                let to = random.field(5, 16) | random.bit(22);
                0x06a0_0010 | to | rd << 12 | random.field(5, 7) | random.bit(6) | rm
            }
            _ => 0x06a0_0f30 | random.field(4, 16) | random.bit(22) | rd << 12 | rm,
        },
        // SMLAD, SMLSD and without an accumulator; SMLALD, SMLSLD.
        6 => 0x0700_0010 | rd << 16 | accumulator << 12 | rs | random.field(2, 5) | rm,
        7 => match random.below(2) {
            0 => 0x0740_0010 | rd << 16 | other << 12 | rs | random.field(2, 5) | rm,
            _ => 0x0750_0010 | rd << 16 | accumulator << 12 | rs | random.bit(5) | rm,
        },
        8 => match random.below(2) {
            0 => 0x0750_00d0 | rd << 16 | rn << 12 | rs | random.bit(5) | rm,
            _ => 0x0780_0010 | rd << 16 | accumulator << 12 | rs | rm,
        },
        // RBIT, MOVW and MOVT.
        9 => match random.below(2) {
            0 => 0x06ff_0f30 | rd << 12 | rm,
            _ => {
                0x0300_0000 | random.bit(22) | random.field(4, 16) | rd << 12 | random.field(12, 0)
            }
        },
        // Bit fields.
        10 => {
            let low = random.below(32);
            let high = low + random.below(32 - low);
            let from = if random.below(3) == 0 { 15 } else { rm };
            0x07c0_0010 | high << 16 | rd << 12 | low << 7 | from
        }
        _ => {
            let low = random.below(32);
            let width = random.below(32 - low);
            0x07a0_0050 | random.bit(22) | width << 16 | rd << 12 | low << 7 | rm
        }
    }
}

/// Words and bytes.
fn load_store(random: &mut Random) -> u32 {
    let kind = random.bit(22) | random.bit(20) | random.bit(23) | random.target() << 12;
    match random.below(4) {
        // An offset; r10 stays, or it is written back and stays aligned.
        0 => 0x050a_0000 | kind | random.below(0x80),
        1 => 0x052a_0000 | kind | random.below(4) << 3,
        2 => 0x040a_0000 | kind & !(1 << 22) | random.below(4) << 3,
        _ => 0x070a_000b | kind | random.below(2) << 7,
    }
}

/// Halfwords, doublewords, many, swaps.
fn load_store_extra(random: &mut Random) -> u32 {
    let target = random.target() << 12;
    let up = random.bit(23);
    let low = |offset: u32| offset & 15 | (offset & 0xf0) << 4;
    match random.below(6) {
        0 => {
            let kind = random.pick(&[0x0010_00b0, 0x0000_00b0, 0x0010_00d0, 0x0010_00f0]);
            0x014a_0000 | kind | up | target | low(random.below(0x80))
        }
        1 => {
            let kind = random.pick(&[0x0010_00b0, 0x0000_00b0, 0x0010_00d0, 0x0010_00f0]);
            0x010a_000b | kind | up | target
        }
        2 => {
            let pair = random.pick(&[0, 2, 4, 6, 8, 12]) << 12;
            0x014a_00d0 | random.bit(5) | up | pair | low(random.below(8) << 3)
        }
        // Not r10 and r11, nor the program counter.
        3..5 => {
            let list = random.bits() & 0x73ff | 1 << random.below(10);
            // Written back by an even number of words, so that it stays aligned.
            let even = list.count_ones().is_multiple_of(2);
            let back = if even { random.bit(21) } else { 0 };
            0x080a_0000 | random.bit(24) | up | back | random.bit(20) | list
        }
        _ => {
            let rm = random.pick(&[0, 1, 2, 3]);
            0x010a_0090 | random.bit(22) | (4 + random.below(6)) << 12 | rm
        }
    }
}
