//! Writes small snapshots for the fuzz target of their files:
//!
//!     cargo run --release -p emu --example snapshot_seeds -- tests/fuzz/seeds/snapshot

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Machine, RamBank};
use emu::mmu::opaque::{Chip, ChipKind, OpaqueMap};

/// A loop that counts in memory: str r1, [r0]; add r1, r1, #1; b to the first.
const PROGRAM: [u32; 3] = [0xe580_1000, 0xe281_1001, 0xeaff_fffc];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("which folder?")?);
    let kinds = [
        ChipKind::Pl190,
        ChipKind::Sp804,
        ChipKind::Uart16550,
        ChipKind::Rom,
    ];
    let chips = (0..).zip(kinds).map(|(number, chip)| Chip {
        chip,
        va: 0xd000_8000 + (number << 12),
        phys: 0xfeec_0000 + (number << 12),
        irq: number,
    });
    let transplant = OpaqueMap {
        base: 0xd000_8000,
        size: 0x1_0000,
        segments: Vec::new(),
        chips: chips.collect(),
        rom: vec![1, 2, 3],
    };
    for (name, cpu, board) in [
        ("versatile", CpuModel::Arm926, BoardConfig::Versatile),
        (
            "transplant",
            CpuModel::CortexA9,
            BoardConfig::Transplant(transplant),
        ),
    ] {
        let mut machine = Machine::new(Config {
            cpu,
            midr: None,
            ram: vec![RamBank {
                base: 0,
                size: 16 << 10,
            }],
            board,
        })?;
        let code: Vec<u8> = PROGRAM.iter().flat_map(|word| word.to_le_bytes()).collect();
        machine.load(0, &code)?;
        let r = [0x1000, 1, 0];
        machine.start(Entry { pc: 0, r });
        machine.run(1000)?;
        machine.type_in(b"typed");
        let mut file = File::create(folder.join(name))?;
        machine.snapshot().write(&mut file, b"more")?;
    }
    Ok(())
}
