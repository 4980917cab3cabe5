//! Register scripts: their steps, and their execution under QEMU by the
//! program in tests/bare. The guest's half is tests/bare/script.c; keep them
//! equal.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use emu::{clock::Time, devices::Device};

use crate::bare;

/// Where the program expects the script, and where it puts the results.
const SCRIPT: u32 = 0x0040_0000;
const RESULTS: u32 = 0x0080_0000;

/// One step of a script. Addresses are physical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Write {
        address: u32,
        size: u32,
        value: u32,
    },
    Read {
        address: u32,
        size: u32,
    },
    /// Asks which of IRQ (bit 0) and FIQ (bit 1) the processor sees.
    Levels,
    /// A loop of two instructions, so often.
    Delay(u32),
}

impl Step {
    pub(crate) fn read(address: u32) -> Self {
        Self::Read { address, size: 4 }
    }

    pub(crate) fn write(address: u32, value: u32) -> Self {
        Self::Write {
            address,
            size: 4,
            value,
        }
    }

    fn words(self) -> [u32; 3] {
        match self {
            Self::Write {
                address,
                size: 4,
                value,
            } => [1, address, value],
            Self::Read { address, size: 4 } => [2, address, 0],
            Self::Write { address, value, .. } => [3, address, value],
            Self::Read { address, .. } => [4, address, 0],
            Self::Levels => [5, 0, 0],
            Self::Delay(loops) => [6, 0, loops],
        }
    }

    /// Applies a write or a read to a model whose registers begin at `base`;
    /// the value read, 0 for a write.
    pub(crate) fn apply(self, device: &mut impl Device, base: u32, now: Time) -> u32 {
        match self {
            Self::Write {
                address,
                size,
                value,
            } => {
                device.write(address - base, size, value, now);
                0
            }
            Self::Read { address, size } => device.read(address - base, size, now),
            Self::Levels | Self::Delay(_) => 0,
        }
    }
}

/// What QEMU's guest saw at one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// The clock before and after the step.
    pub(crate) before: u32,
    pub(crate) after: u32,
    /// The value read, 0 for steps that read none.
    pub(crate) value: u32,
}

/// Runs `steps` on a machine of QEMU. `clock` is the address of a counter to
/// note around each step, 0 for none.
pub(crate) fn run_under_qemu(machine: &str, clock: u32, steps: &[Step]) -> Vec<Outcome> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("script.bin");
    let results = folder.path().join("results.bin");
    std::fs::write(&script, encode(&results, clock, steps)).expect("script.bin written");

    // Built once.
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program =
        PROGRAM.get_or_init(|| bare::build("script", "arm926ej-s", &["start.S", "script.c"]));
    let mut qemu = bare::qemu(machine, program, &[(&script, SCRIPT)]);
    bare::run_to_end(qemu.args(["-icount", "shift=0,sleep=off"]));

    let bytes = std::fs::read(&results).expect("QEMU's guest wrote its results");
    let words: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect();
    assert_eq!(words.len(), 3 * steps.len(), "the guest stopped early");
    words
        .chunks_exact(3)
        .map(|words| Outcome {
            before: words[0],
            after: words[1],
            value: words[2],
        })
        .collect()
}

fn encode(results: &Path, clock: u32, steps: &[Step]) -> Vec<u8> {
    let name = results.to_str().expect("a path in UTF-8");
    assert!(name.len() < 256, "the temporary folder's name is too long");
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(256, 0);
    let end = [0; 3];
    let words = [name.len() as u32, clock]
        .into_iter()
        .chain(steps.iter().flat_map(|step| step.words()))
        .chain(end);
    bytes.extend(words.flat_map(u32::to_le_bytes));
    let room = (RESULTS - SCRIPT) as usize;
    assert!(bytes.len() <= room, "the script is too long");
    bytes
}

/// The script in words up to a step, for a failing comparison.
pub(crate) fn listing(steps: &[Step], name: impl Fn(u32) -> String) -> String {
    let tail = steps.len().saturating_sub(40);
    steps
        .iter()
        .enumerate()
        .skip(tail)
        .map(|(index, step)| match *step {
            Step::Write { address, value, .. } => {
                format!("{index:5} write {} = {value:#x}\n", name(address))
            }
            Step::Read { address, .. } => format!("{index:5} read  {}\n", name(address)),
            Step::Levels => format!("{index:5} levels\n"),
            Step::Delay(loops) => format!("{index:5} delay {loops}\n"),
        })
        .collect()
}
