//! Firmware image to verdict. The steps in order:
//!
//! 1. [`prepare`]: open the image, recover symbols, identify pointers;
//!    [`extractor`] for kernels that only their own code can unpack
//! 2. [`transplanting`]: link the driver into the kernel
//! 3. [`opaque_range`]: where the driver's memory may lie, if not at the default
//! 4. [`boot`]: plan and machine; `attempts`: what is different when it is
//!    started once more; [`guesses`]: which candidates it gets; `running`: the run
//! 5. [`outcome`]: what came of it, as a report
//!
//! [`resume`] begins at the fourth, from a snapshot.

mod attempts;
pub mod boot;
pub mod extractor;
pub mod guesses;
pub mod opaque_range;
pub mod outcome;
pub mod prepare;
pub mod resume;
mod running;
pub mod transplanting;

use std::time::Duration;

use thiserror::Error;

use crate::plan::{self, Board};
use crate::session::record::Record;
use crate::verdict::Milestone;

/// Which user space the kernel gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Initrd {
    /// The one inside the kernel if there is one, else the built-in one.
    Default,
    /// The built-in one.
    Builtin,
    /// The one inside the kernel.
    Vendor,
    /// None.
    None,
    /// This archive.
    File(Vec<u8>),
}

/// Where names of the kernel come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symbols {
    /// The kernel's own tables.
    Own,
    /// Nowhere: the kernel's own tables are not looked at.
    Hidden,
    /// A list of the user's, beside the kernel's own tables.
    Listed {
        /// The file as it was named.
        file: String,
        /// Its text.
        text: String,
    },
}

/// How long a run may last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Wall time. The only limit that depends on the host.
    pub wall: Option<Duration>,
    /// Instructions of all starts together, up to a shell.
    pub tries: Option<u64>,
    /// Instructions of the start that counts.
    pub instructions: Option<u64>,
    /// Virtual time.
    pub virtual_time: Option<Duration>,
}

impl Limits {
    /// For a run by a script: 60 s of wall time, 32 virtual seconds of work for all
    /// starts up to a shell, 400 for what is done there, ten virtual minutes. A boot to
    /// a shell takes some tenths of a second to 12 s of work.
    pub const SCRIPT: Limits = Limits {
        wall: Some(Duration::from_secs(60)),
        tries: Some(4_000_000_000),
        instructions: Some(50_000_000_000),
        virtual_time: Some(Duration::from_secs(600)),
    };
    /// For a person at a console.
    pub const NONE: Limits = Limits {
        wall: None,
        tries: None,
        instructions: None,
        virtual_time: None,
    };
}

/// Everything that a run depends on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The image as it was named.
    pub name: String,
    /// The image.
    pub image: Vec<u8>,
    /// Which user space.
    pub initrd: Initrd,
    /// Where names come from.
    pub symbols: Symbols,
    /// Another driver library: its name and its bytes.
    pub driver: Option<(String, Vec<u8>)>,
    /// Which machine.
    pub board: Board,
    /// What the user fixed of the plan.
    pub wishes: plan::Wishes,
    /// The milestone at which the run ends.
    pub goal: Option<Milestone>,
    /// Typed at the console once there is a shell.
    pub input: Option<Vec<u8>>,
    /// How long the run may last.
    pub limits: Limits,
    /// The milestone at which the session keeps a moment.
    pub keep_at: Option<Milestone>,
    /// What is typed at the console, by the instruction.
    pub replay: Option<Record>,
}

/// Why a command could not do its work.
#[derive(Debug, Error)]
pub enum Error {
    /// The image, or another file that was given, cannot be used.
    #[error("{file}: {why}")]
    Input {
        /// The file as it was named.
        file: String,
        /// Which byte or field, and what was expected.
        why: String,
    },
    /// Options that contradict the image.
    #[error("{0}")]
    Usage(String),
    /// No driver can be linked into this kernel.
    #[error("no transplant for this kernel: {0}")]
    Link(#[from] linker::link::Error),
    /// No boot plan.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// The emulator refuses.
    #[error("machine: {0}")]
    Machine(#[from] emu::machine::Error),
    /// The transplant does not match its own kernel.
    #[error(transparent)]
    Apply(#[from] linker::transplant::ApplyError),
    /// The transplant's files cannot be written.
    #[error(transparent)]
    Files(#[from] linker::transplant::FileError),
    /// The terminal or a file cannot be written.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl Error {
    /// Exit code of a command that fails with this.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Link(_) => 1,
            Error::Usage(_) => 2,
            Error::Plan(plan::Error::Tree(_)) | Error::Input { .. } => 3,
            Error::Plan(_) => 2,
            Error::Machine(_) | Error::Apply(_) | Error::Files(_) | Error::Io { .. } => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_as_a_person_reads_them() {
        let errors = [
            Error::Input {
                file: "firmware.bin".into(),
                why: "zImage at 0x40: its data ends at 0x1000 (cut off)".into(),
            },
            Error::Usage("--initrd vendor: the image has no user space".into()),
            Error::Plan(plan::Error::NoTree),
            Error::Plan(plan::Error::TooLittleRam {
                what: "initial RAM disk",
                needed: 300,
                given: 128,
            }),
            Error::Plan(plan::Error::Tree("bad magic".into())),
            Error::Link(linker::link::Error::Unresolved {
                driver: "built-in driver for Armv5".into(),
                forward: "machine_desc.init_time".into(),
                reasons: vec!["clockevents_config_and_register: not found in this kernel".into()],
            }),
        ];
        let text: String = errors
            .iter()
            .map(|error| format!("exit {}: {error}\n", error.exit_code()))
            .collect();
        expect_test::expect![[r#"
            exit 3: firmware.bin: zImage at 0x40: its data ends at 0x1000 (cut off)
            exit 2: --initrd vendor: the image has no user space
            exit 2: this kernel needs the board's device tree: give it with --dtb
            exit 2: 300 MiB of RAM are needed for initial RAM disk, and there are 128; use --ram
            exit 3: device tree: bad magic
            exit 1: no transplant for this kernel: built-in driver for Armv5: machine_desc.init_time is required and cannot be installed:
              clockevents_config_and_register: not found in this kernel
        "#]]
        .assert_eq(&text);
    }
}
