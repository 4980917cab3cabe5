//! Random instruction streams: a table of short pieces of code, each ended by a
//! supervisor call, that `guest/streams.c` runs one after the other.
//!
//! Encodings: DDI 0406C A5 to A7. What the architecture leaves open
//! (UNPREDICTABLE) is kept away from; what it calls undefined is not. r10 is the
//! base of all memory accesses and r11 a small index: neither is written by
//! anything else.

use std::fmt::Write;

use emu::cpu::{Architecture, CpuModel};

mod arm;
mod thumb;
mod vector;

/// Pieces, and instructions of ARM code in each.
const PIECES: usize = 3000;
const WORDS: usize = 4;
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

/// Assembler text of the pieces for a processor.
pub(crate) fn source(cpu: CpuModel) -> String {
    let has = Has {
        architecture: cpu.architecture(),
        division: matches!(cpu, CpuModel::CortexA7 | CpuModel::CortexA15),
    };
    let mut random = Random(0x1234_5677 + cpu as u32);
    let mut text = String::from("@ Random code.\n.section .rodata\n.balign 4\n");
    for kind in ["arm", "thumb", "vector"] {
        writeln!(
            text,
            ".global {kind}_pieces, {kind}_pieces_end\n{kind}_pieces:"
        )
        .expect("a text can be written to");
        for _ in 0..PIECES {
            let (words, end) = match kind {
                "arm" => (
                    [(); WORDS].map(|()| arm::instruction(&mut random, has)),
                    SVC,
                ),
                "vector" => {
                    let piece = [(); WORDS].map(|()| vector::instruction(&mut random, has));
                    (piece, SVC)
                }
                _ => (thumb::piece(&mut random, has), SVC_THUMB),
            };
            let [a, b, c, d] = words;
            writeln!(text, ".word {a:#x}, {b:#x}, {c:#x}, {d:#x}, {end:#x}")
                .expect("a text can be written to");
        }
        writeln!(text, "{kind}_pieces_end:").expect("a text can be written to");
    }
    text
}
