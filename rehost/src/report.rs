//! The report of `ecmo run` as JSON. Its keys are an interface: scripts read
//! them.

use linker::transplant::LeftOut;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::verdict::Milestone;

/// A number that is written as hexadecimal text, as addresses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex(pub u32);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#010x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or_default();
        u32::from_str_radix(digits, 16)
            .map(Self)
            .map_err(|_| de::Error::custom(format!("{text:?} is no address")))
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The kernel in a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KernelFacts {
    /// Release as in `uname -r`.
    pub release: String,
    /// `v4` to `v7`.
    pub arch: linker::kernel::Arch,
    /// The processor it runs on.
    pub cpu: String,
}

/// A pointer that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PointerFacts {
    /// Function, variable or field.
    pub name: String,
    /// Where it was found.
    pub address: Option<Hex>,
    /// What found it.
    pub strategy: Option<String>,
    /// How many places it may be at.
    pub candidates: usize,
    /// Why it is believed to be there.
    pub evidence: Vec<String>,
}

/// Opaque memory as the boot used it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpaqueFacts {
    /// First virtual address.
    pub base: Hex,
    /// Bytes.
    pub size: u32,
    /// Whether a conflict moved it away from where it was to be.
    pub relocated: bool,
}

/// Something that was tried, and how far it went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tried {
    /// What was varied.
    pub what: String,
    /// The value tried.
    pub value: String,
    /// The last milestone that was reached with it.
    pub reached: Option<Milestone>,
}

/// A milestone and when it was reached; `None`s when it was not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reached {
    /// Which.
    pub name: Milestone,
    /// Instructions retired until then.
    pub instructions: Option<u64>,
    /// Virtual seconds since the machine was switched on.
    pub virtual_s: Option<f64>,
    /// Seconds of wall time since the command began.
    pub wall_s: Option<f64>,
}

/// Accesses to an address at which there is nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unassigned {
    /// Physical address.
    pub address: Hex,
    /// The instruction that made them.
    pub pc: Hex,
    /// How many reads.
    pub reads: u64,
    /// How many writes.
    pub writes: u64,
}

/// A loop that waited for an absent chip, or a call of absent firmware that was
/// made again and again: it was given this answer, and went on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Polled {
    /// Physical address of the register; null for firmware.
    pub address: Option<Hex>,
    /// The instruction that reads or calls.
    pub pc: Hex,
    /// The value as hexadecimal text, or `count` for one that grows.
    pub answer: String,
}

/// Everything that there is to say about a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The image as it was named.
    pub image: String,
    /// The kernel in it.
    pub kernel: KernelFacts,
    /// The pointers that were asked for.
    pub pointers: Vec<PointerFacts>,
    /// Opaque memory; null on a machine without a transplant.
    pub opaque: Option<OpaqueFacts>,
    /// What was tried before it went the way it went.
    pub tried: Vec<Tried>,
    /// All milestones in order.
    pub milestones: Vec<Reached>,
    /// The last milestone that was reached.
    pub verdict: Option<Milestone>,
    /// Why it went no further; null when the goal was reached.
    pub reason: Option<String>,
    /// Instructions retired inside opaque memory.
    pub driver_instructions: u64,
    /// Parts of the driver that this kernel cannot carry.
    pub left_out: Vec<LeftOut>,
    /// How many places of the kernel were patched.
    pub patches: usize,
    /// Accesses to addresses at which there is nothing, the most frequent first.
    pub unassigned: Vec<Unassigned>,
    /// Loops that were ended by an answer.
    pub polled: Vec<Polled>,
    /// Instructions retired in all.
    pub instructions: u64,
    /// What the console showed.
    pub console: String,
    /// The kernel's log buffer, when the console did not show it.
    pub log: Option<String>,
    /// SHA-256 of the console's bytes.
    pub console_sha256: String,
    /// Seconds of wall time that the command took.
    pub wall_s: f64,
}
