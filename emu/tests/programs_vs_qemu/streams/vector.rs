//! Floating point, and vectors where the processor has them.

use emu::cpu::Architecture::V7;

use super::{Has, Random};

pub(super) fn instruction(random: &mut Random, has: Has) -> u32 {
    match random.below(8) {
        0..3 => arithmetic(random),
        3 => conversion(random, has),
        4 => transfer(random),
        5 if has.architecture == V7 => vector_three(random, has),
        6 if has.architecture == V7 => vector_two(random),
        7 if has.architecture == V7 => vector_shift(random),
        _ => arithmetic(random),
    }
}

/// A register of single or double precision (of sixteen): its four bits and the
/// fifth, which says which half where the first are double.
fn register(random: &mut Random, double: bool, low: u32, fifth: u32) -> u32 {
    let fifth = if double { 0 } else { random.bit(fifth) };
    random.field(4, low) | fifth
}

fn three(random: &mut Random, double: bool) -> u32 {
    register(random, double, 12, 22)
        | register(random, double, 16, 7)
        | register(random, double, 0, 5)
}

fn arithmetic(random: &mut Random) -> u32 {
    let double = random.below(2) == 0;
    let size = u32::from(double) << 8;
    // VMLA, VMLS, VNMLS, VNMLA, VMUL, VNMUL, VADD, VSUB, VDIV.
    let operation = random.pick(&[
        0x0e00_0a00,
        0x0e00_0a40,
        0x0e10_0a00,
        0x0e10_0a40,
        0x0e20_0a00,
        0x0e20_0a40,
        0x0e30_0a00,
        0x0e30_0a40,
        0x0e80_0a00,
    ]);
    0xe << 28 | operation | size | three(random, double)
}

/// One operand: moves, signs, roots, comparisons, conversions.
fn conversion(random: &mut Random, has: Has) -> u32 {
    let double = random.below(2) == 0;
    let size = u32::from(double) << 8;
    let (to, from) = (
        register(random, double, 12, 22),
        register(random, double, 0, 5),
    );
    let single = |random: &mut Random, low, fifth| register(random, false, low, fifth);
    let body = match random.below(9) {
        // VMOV, VABS, VNEG, VSQRT.
        0 => random.pick(&[0x0eb0_0a40, 0x0eb0_0ac0, 0x0eb1_0a40, 0x0eb1_0ac0]) | to | from | size,
        // VCMP, VCMPE, also with zero.
        1..3 => match random.below(3) {
            0 => 0x0eb5_0a40 | random.bit(7) | to | size,
            _ => 0x0eb4_0a40 | random.bit(7) | to | from | size,
        },
        // Between the two precisions.
        3 => match double {
            true => 0x0eb7_0bc0 | single(random, 12, 22) | from,
            false => 0x0eb7_0ac0 | random.field(4, 12) | from,
        },
        // From integers, to integers with rounding towards zero or not.
        4 => 0x0eb8_0a40 | random.bit(7) | to | single(random, 0, 5) | size,
        5..7 => {
            let kind = random.bit(16) | random.bit(7);
            0x0ebc_0a40 | kind | single(random, 12, 22) | from | size
        }
        // To fixed point (the way back is in `guest/vectors.S`), constants.
        7 if has.architecture == V7 => {
            let kind = 1 << 18 | random.bit(16) | random.bit(7);
            // The fraction is not longer than the number: 16 bits.
            0x0eba_0a40 | kind | to | random.bit(5) | random.field(3, 0) | size
        }
        8 if has.architecture == V7 => {
            0x0eb0_0a00 | random.field(4, 16) | to | random.field(4, 0) | size
        }
        // VMRS of the flags.
        _ => 0x0ef1_fa10,
    };
    0xe << 28 | body
}

/// Between the core and vector registers, and memory.
fn transfer(random: &mut Random) -> u32 {
    let core = random.target() << 12;
    let double = random.below(2) == 0;
    let size = u32::from(double) << 8;
    let to = register(random, double, 12, 22);
    let body = match random.below(5) {
        0 => 0x0e00_0a10 | random.bit(20) | random.field(4, 16) | core | random.bit(7),
        1 => {
            let pair = (random.below(5) << 12) | (5 + random.below(5)) << 16;
            0x0c40_0b10 | random.bit(20) | pair | random.field(4, 0)
        }
        2 => 0x0d0a_0a00 | random.bit(20) | random.bit(23) | to | size | random.below(16),
        // Eight at most, from the lower eight on.
        3 => {
            let count = 1 + random.below(4);
            let first = random.field(3, 12);
            0x0c8a_0b00 | random.bit(20) | first | count << 1
        }
        _ => 0x0ef1_0a10 | core,
    };
    0xe << 28 | body
}

/// Registers of vectors: any double one, quadruple ones are even.
fn vectors(random: &mut Random) -> (u32, u32) {
    let quadruple = random.bit(6);
    let mask = if quadruple != 0 { 0xe } else { 0xf };
    let registers = (random.below(16) & mask) << 12
        | (random.below(16) & mask) << 16
        | random.below(16) & mask
        | random.bit(22)
        | random.bit(7)
        | random.bit(5);
    (quadruple, registers)
}

/// Three registers of the same length, any operation. Of those with floating point
/// only what there is: Unicorn takes some others for them (`guest/vectors.S`).
fn vector_three(random: &mut Random, has: Has) -> u32 {
    let (quadruple, registers) = vectors(random);
    let (u, size) = (random.bit(24), random.field(2, 20));
    let operation = random.below(16);
    let (operation, u, size) = match (operation, random.bit(4)) {
        (0..12, low) => (operation << 8 | low, u, size),
        (12, 1) if has.division => (12 << 8 | 1 << 4, 0, random.bit(21)),
        _ => {
            let known = [
                (0xd00, 0, 0),
                (0xd00, 0, 2),
                (0xd00, 1, 0),
                (0xd00, 1, 2),
                (0xd10, 0, 0),
                (0xd10, 0, 2),
                (0xd10, 1, 0),
                (0xe00, 0, 0),
                (0xe00, 1, 0),
                (0xe00, 1, 2),
                (0xe10, 1, 0),
                (0xe10, 1, 2),
                (0xf00, 0, 0),
                (0xf00, 0, 2),
                (0xf00, 1, 0),
                (0xf00, 1, 2),
                (0xf10, 0, 0),
                (0xf10, 0, 2),
            ];
            let (operation, u, size) = known[random.below(known.len() as u32) as usize];
            (operation, u << 24, size << 20)
        }
    };
    0xf200_0000 | u | size | registers | operation | quadruple
}

/// Two registers and what is left: estimates are not among them.
fn vector_two(random: &mut Random) -> u32 {
    let (quadruple, registers) = vectors(random);
    let registers = registers & !(0xf << 16 | 1 << 7);
    let kind = random.pick(&[0, 1, 2]) << 16;
    let operation = match kind >> 16 {
        0 => random.pick(&[0, 1, 2, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15]) << 7,
        1 => random.pick(&[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 14, 15]) << 7,
        // A swap or transposition of a register with itself is open.
        _ => random.pick(&[4, 5, 6]) << 7,
    };
    let quadruple = if kind >> 16 == 2 {
        operation & 1 << 6
    } else {
        quadruple
    };
    0xf3b0_0000 | random.field(2, 18) | kind | registers | operation | quadruple
}

fn vector_shift(random: &mut Random) -> u32 {
    let (quadruple, registers) = vectors(random);
    let registers = registers & !(0xf << 16 | 1 << 7);
    let operation = random.pick(&[0, 1, 2, 3, 4, 5, 6, 7]) << 8;
    let amount = (8 + random.below(56)) << 16 | random.bit(7);
    0xf280_0010 | random.bit(24) | registers | amount | operation | quadruple
}
