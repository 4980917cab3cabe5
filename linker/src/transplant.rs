//! The product: the relocated driver, the chips' register pages beside it, and
//! the patches that make the kernel call the driver.

use serde::{Deserialize, Serialize};

/// Default virtual address of opaque memory (the paper, section 4.3).
pub const DEFAULT_OPAQUE_BASE: u32 = 0xd000_8000;
/// Default size of opaque memory in bytes (the paper, section 4.3).
pub const DEFAULT_OPAQUE_SIZE: u32 = 0x1_0000;
/// Opaque memory is handed out in pages of this many bytes.
pub const PAGE: u32 = 0x1000;

/// One piece of the relocated driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Virtual address, page-aligned.
    pub va: u32,
    /// Contents; padded by the machine with zeros up to `size`.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// Bytes of memory, a multiple of [`PAGE`].
    pub size: u32,
    /// Writable and not executable, or executable and not writable.
    pub writable: bool,
}

/// The register page of a chip that the machine models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChipPage {
    /// `pl190`, `sp804` or `uart16550`.
    pub chip: String,
    /// Virtual address at which the driver sees it.
    pub va: u32,
    /// Physical address at which the kernel's own drivers may see it.
    pub phys: u32,
    /// Input of the interrupt controller to which the chip is wired.
    pub irq: Option<u32>,
    /// Input clock in hertz, where the chip has one.
    pub clock_hz: Option<u32>,
}

/// Opaque memory: virtual addresses that only the machine's own table maps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opaque {
    /// First virtual address, page-aligned.
    pub base: u32,
    /// Size in bytes, a multiple of [`PAGE`].
    pub size: u32,
    /// The driver's code and data.
    pub segments: Vec<Segment>,
    /// The chips' register pages.
    pub chips: Vec<ChipPage>,
}

/// Bytes of the kernel that are replaced before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Virtual address.
    pub va: u32,
    /// What must stand there.
    pub old: Vec<u8>,
    /// What is written there.
    pub new: Vec<u8>,
    /// For a person: what this patch does.
    pub why: String,
}

/// A slot of the driver, and what was written into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilledSlot {
    /// The name that was found, for example `irq_set_chip_and_handler_name`.
    pub name: String,
    /// Virtual address of the slot.
    pub va: u32,
    /// Its value: an address (bit 0 set for Thumb), a field offset, a constant.
    pub value: u32,
    /// Where the value comes from, for a person.
    pub evidence: String,
}

/// A place in the kernel that now calls the driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledForward {
    /// The place, for example `machine_desc.init_irq`.
    pub place: String,
    /// Virtual address of the driver's function, bit 0 set for Thumb.
    pub target: u32,
    /// Virtual addresses of the patched words.
    pub at: Vec<u32>,
}

/// What was left out of the driver, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// A forward's place or a slot's name.
    pub what: String,
    /// For a person.
    pub why: String,
}

/// A driver linked into a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transplant {
    /// Release of the kernel this was made for.
    pub release: String,
    /// The driver's memory.
    pub opaque: Opaque,
    /// Backward pointers, layouts and constants as filled in.
    pub slots: Vec<FilledSlot>,
    /// Forward pointers as installed.
    pub forwards: Vec<InstalledForward>,
    /// Optional parts that this kernel cannot carry.
    pub left_out: Vec<LeftOut>,
    /// Changes to the kernel's bytes.
    pub patches: Vec<Patch>,
    /// `driver.elf`: the linked driver with symbols and debugging information.
    #[serde(skip)]
    pub driver_elf: Vec<u8>,
}
