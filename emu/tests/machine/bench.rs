//! A machine on the bench: memory at 0, programs and page tables put there by
//! hand.

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Exit, Machine, RamBank, Registers};

/// Where programs go, and the function that some call.
pub(crate) const CODE: u32 = 0x0000_8000;
/// A first-level table.
pub(crate) const TABLE: u32 = 0x0010_0000;
/// Second-level tables, 1 KiB each.
pub(crate) const SECOND: u32 = 0x0010_8000;
/// Memory for data.
pub(crate) const DATA: u32 = 0x0020_0000;
/// Bytes of memory.
pub(crate) const RAM: u64 = 16 << 20;

/// All modes may do everything: section, small page of the new format.
pub(crate) const SECTION: u32 = 0xc02;
pub(crate) const PAGE: u32 = 0x32;
/// Only privileged modes may.
pub(crate) const SECTION_PRIVILEGED: u32 = 0x402;
pub(crate) const PAGE_PRIVILEGED: u32 = 0x12;

pub(crate) struct Bench {
    pub(crate) machine: Machine,
    r: [u32; 16],
}

impl Bench {
    pub(crate) fn new(cpu: CpuModel) -> Self {
        Self::with_board(cpu, BoardConfig::Versatile)
    }

    pub(crate) fn with_board(cpu: CpuModel, board: BoardConfig) -> Self {
        let machine = Machine::new(Config {
            cpu,
            midr: None,
            ram: vec![RamBank { base: 0, size: RAM }],
            board,
        })
        .expect("a machine");
        Self {
            machine,
            r: [0; 16],
        }
    }

    /// Puts words of ARM code somewhere.
    pub(crate) fn arm(&mut self, at: u32, words: &[u32]) -> &mut Self {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.machine.load(at, &bytes).expect("room for code");
        self
    }

    /// Puts halfwords of Thumb code somewhere.
    pub(crate) fn thumb(&mut self, at: u32, halves: &[u16]) -> &mut Self {
        let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        self.machine.load(at, &bytes).expect("room for code");
        self
    }

    pub(crate) fn word(&mut self, at: u32, word: u32) -> &mut Self {
        self.arm(at, &[word])
    }

    /// The first-level descriptor of a MiB.
    pub(crate) fn first(&mut self, va: u32, descriptor: u32) -> &mut Self {
        self.word(TABLE + (va >> 20) * 4, descriptor)
    }

    /// The second-level descriptor of a page, in the table of its MiB, which is
    /// entered in the first level.
    pub(crate) fn second(&mut self, va: u32, descriptor: u32) -> &mut Self {
        let table = SECOND + (va >> 20) % 32 * 0x400;
        self.first(va, table | 1);
        self.word(table + (va >> 12 & 255) * 4, descriptor)
    }

    /// A register at the start.
    pub(crate) fn r(&mut self, number: usize, value: u32) -> &mut Self {
        self.r[number] = value;
        self
    }

    /// Starts at `pc` with the registers, set by a program of moves in front.
    pub(crate) fn start(&mut self, pc: u32) -> &mut Self {
        // ldr rN, [pc, #offset] for each, and the values behind; r15 last.
        const FRONT: u32 = 0x0000_4000;
        self.r[15] = pc;
        let r = self.r;
        let loads = (0..16).map(|number| 0xe59f_0000 | number << 12 | (16 * 4 - 8));
        let words: Vec<u32> = loads.chain(r).collect();
        self.arm(FRONT, &words);
        self.machine.start(Entry {
            pc: FRONT,
            r: [0; 3],
        });
        self
    }

    /// Instructions that [`start`](Self::start) takes.
    pub(crate) const FRONT: u64 = 16;

    /// Runs for so many instructions, past milestones.
    pub(crate) fn run(&mut self, instructions: u64) -> Registers {
        match self.until(instructions) {
            Exit::Budget => self.machine.registers(),
            other => panic!("{other:x?}: {:x?}", self.machine.registers()),
        }
    }

    /// Runs to the first exit that is no milestone.
    pub(crate) fn until(&mut self, instructions: u64) -> Exit {
        let end = self.machine.instructions() + instructions;
        loop {
            let left = end.saturating_sub(self.machine.instructions());
            match self.machine.run(left).expect("a run") {
                Exit::Milestone(_) => {}
                other => return other,
            }
        }
    }

    /// Identity for all of memory and for the chips of the Versatile board.
    pub(crate) fn identity(&mut self) -> &mut Self {
        for mib in 0..16 {
            self.first(mib << 20, mib << 20 | SECTION_PRIVILEGED);
        }
        self.first(0x1010_0000, 0x1010_0000 | SECTION_PRIVILEGED)
    }

    /// Starts with the MMU on, further control bits set, at `pc` (in r4, where
    /// the program finds itself).
    pub(crate) fn start_mapped(&mut self, pc: u32, control: u32) -> &mut Self {
        const SWITCH: u32 = 0x0000_4400;
        self.arm(SWITCH, super::programs::MMU_ON);
        let r0 = self.r[0];
        assert_eq!(r0, 0, "r0 to r4 are used to switch the MMU on");
        self.r(0, TABLE).r(1, 1).r(2, control | 1).r(4, pc);
        self.start(SWITCH)
    }
}
