//! The product: the relocated driver, the chips' register pages beside it, and
//! the patches that make the kernel call the driver.

pub(crate) mod elf;
mod files;
mod text;

use serde::{Deserialize, Serialize};

pub use files::{DRIVER_ELF, FileError, KERNEL_ELF, MANIFEST, kernel_elf};

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

/// A function or variable of the kernel that the driver uses by its name,
/// without a slot: C drivers do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByName {
    /// The name.
    pub name: String,
    /// Its address, bit 0 set for Thumb.
    pub value: u32,
    /// Where the value comes from, for a person.
    pub evidence: String,
    /// Virtual addresses of the veneers that lead there.
    pub veneers: Vec<u32>,
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
    /// What the driver uses by name.
    pub by_name: Vec<ByName>,
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

/// The kernel is not the one that this transplant was made for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The bytes to be replaced are others.
    #[error("at {va:#010x} stands {found:02x?}, expected {expected:02x?} ({why})")]
    Mismatch {
        /// Virtual address.
        va: u32,
        /// What must stand there.
        expected: Vec<u8>,
        /// What does.
        found: Vec<u8>,
        /// What the patch does.
        why: String,
    },
    /// A patch lies outside of the kernel.
    #[error("{va:#010x} lies outside of the kernel ({why})")]
    Outside {
        /// Virtual address.
        va: u32,
        /// What the patch does.
        why: String,
    },
    /// A patch replaces bytes by more or fewer.
    #[error("the patch at {va:#010x} replaces {old} bytes by {new}")]
    Length {
        /// Virtual address.
        va: u32,
        /// Bytes replaced.
        old: usize,
        /// Bytes written.
        new: usize,
    },
}

impl Transplant {
    /// Applies the patches to the kernel's bytes, which start at the virtual
    /// address `base`. On an error nothing is changed.
    ///
    /// # Errors
    ///
    /// [`ApplyError`] when what is to be replaced is not what stands there.
    pub fn apply(&self, kernel: &mut [u8], base: u32) -> Result<(), ApplyError> {
        for patch in &self.patches {
            if patch.old.len() != patch.new.len() {
                return Err(ApplyError::Length {
                    va: patch.va,
                    old: patch.old.len(),
                    new: patch.new.len(),
                });
            }
            let found = place(kernel, base, patch)?;
            if *found != patch.old[..] {
                return Err(ApplyError::Mismatch {
                    va: patch.va,
                    expected: patch.old.clone(),
                    found: found.to_vec(),
                    why: patch.why.clone(),
                });
            }
        }
        for patch in &self.patches {
            place(kernel, base, patch)?.copy_from_slice(&patch.new);
        }
        Ok(())
    }
}

fn place<'a>(kernel: &'a mut [u8], base: u32, patch: &Patch) -> Result<&'a mut [u8], ApplyError> {
    let start = patch.va.wrapping_sub(base) as usize;
    start
        .checked_add(patch.old.len())
        .and_then(|end| kernel.get_mut(start..end))
        .ok_or_else(|| ApplyError::Outside {
            va: patch.va,
            why: patch.why.clone(),
        })
}

#[cfg(test)]
mod tests;
