//! Random instruction streams: a table of short pieces of code, each ended by a
//! supervisor call, that `guest/streams.c` runs one after the other.
//!
//! Encodings: DDI 0406C A5 to A7. What the architecture leaves open
//! (UNPREDICTABLE) is kept away from; what it calls undefined is not. r10 is the
//! base of all memory accesses and r11 a small index: neither is written by
//! anything else.

use emu::cpu::{Architecture, CpuModel};

mod arm;
mod refused;
mod thumb;
mod vector;

/// Pieces of each kind.
const PIECES: usize = 2000;
/// What ends a piece: in ARM code, and twice in Thumb code.
const SVC: u32 = 0xef00_0000;
const SVC_THUMB: u32 = 0xdf00_df00;

/// A seeded generator (Marsaglia's xorshift), so that a failing piece comes again.
pub(crate) struct Random(u32);

impl Random {
    fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        // Its low bits are the worse ones.
        self.0.wrapping_mul(0x9e37_79b1).rotate_left(16)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(limit)) >> 32) as u32
    }

    fn bit(&mut self, place: u32) -> u32 {
        self.below(2) << place
    }

    fn field(&mut self, width: u32, place: u32) -> u32 {
        self.below(1 << width) << place
    }

    fn pick(&mut self, choices: &[u32]) -> u32 {
        choices[self.below(choices.len() as u32) as usize]
    }

    /// A register that is read: any but the program counter.
    fn source(&mut self) -> u32 {
        self.below(15)
    }

    /// A register that is written.
    fn target(&mut self) -> u32 {
        self.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14])
    }
}

/// What a processor has.
#[derive(Clone, Copy)]
pub(crate) struct Has {
    architecture: Architecture,
    /// SDIV and UDIV, and fused multiplication.
    division: bool,
}

/// Makes the words of a piece.
type Maker = fn(&mut Random, Has) -> [u32; 4];

/// Assembler text of random code for the registers: `guest/streams.c`.
pub(crate) fn whole(cpu: CpuModel) -> String {
    let arm: Maker = |random, has| [(); 4].map(|()| arm::instruction(random, has));
    let vector: Maker = |random, has| [(); 4].map(|()| vector::instruction(random, has));
    source(cpu, [arm, thumb::piece, vector])
}

/// Of loads and stores, many of which are refused: `guest/faults.c`.
pub(crate) fn refused(cpu: CpuModel) -> String {
    source(cpu, [refused::arm, refused::thumb, refused::vector])
}

fn source(cpu: CpuModel, makers: [Maker; 3]) -> String {
    let has = Has {
        architecture: cpu.architecture(),
        division: matches!(cpu, CpuModel::CortexA7 | CpuModel::CortexA15),
    };
    let mut random = Random(0x1234_5677 + cpu as u32);
    let mut text = String::from("@ Random code.\n.section .rodata\n.balign 4\n");
    for (kind, make) in ["arm", "thumb", "vector"].into_iter().zip(makers) {
        let end = if kind == "thumb" { SVC_THUMB } else { SVC };
        text.push_str(&format!(
            ".global {kind}_pieces, {kind}_pieces_end\n{kind}_pieces:\n"
        ));
        for _ in 0..PIECES {
            let [a, b, c, d] = make(&mut random, has);
            text.push_str(&format!(".word {a:#x}, {b:#x}, {c:#x}, {d:#x}, {end:#x}\n"));
        }
        text.push_str(&format!("{kind}_pieces_end:\n"));
    }
    text
}
