//! The decompressed kernel as a value: its bytes at their virtual address, and
//! what the bytes alone tell about it.
//!
//! * [`banner`]: release and version from the `Linux version` line
//! * [`base`]: the virtual address, from data that points to itself
//! * [`head`]: what the entry code in `head.S` shows
//! * [`cpu`]: the architecture, from the processors that the kernel knows
//! * [`phys`]: the physical address it was built for
//! * [`foreign`]: images of other machines, to name them in an error

pub(crate) mod banner;
mod base;
mod cpu;
mod foreign;
mod head;
mod phys;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use banner::Banner;
pub use foreign::Foreign;
pub(crate) use head::begins;

/// The least size of what is taken for a kernel, in bytes. The smallest ARM
/// kernels with everything left out have several hundred KiB.
pub const MIN_SIZE: usize = 64 << 10;

/// Why bytes are not a kernel that this program can use. Offsets are within
/// the decompressed bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operating system image of another kind of machine.
    #[error("{0}; only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used")]
    Foreign(Foreign),
    /// Too short to be a kernel.
    #[error("not a kernel: {len} bytes, expected at least {MIN_SIZE}")]
    TooSmall {
        /// Bytes that are there.
        len: usize,
    },
    /// No `Linux version` line.
    #[error(
        "not a Linux kernel: no line \"Linux version N.N... (...)\" in its {len} bytes (still compressed or encrypted, or another system)"
    )]
    NoBanner {
        /// Bytes that were searched.
        len: usize,
    },
    /// A Linux kernel, but nothing in it is 32-bit ARM.
    #[error(
        "Linux {release}, but not for ARM: no processor table entry (\"armv7\", \"v7\" or alike), and the first bytes are not arch/arm/kernel/head.S"
    )]
    NotArm {
        /// From the banner.
        release: String,
    },
    /// An ARM Linux kernel, but not from its first byte on.
    #[error(
        "ARM Linux {release}, but the bytes do not begin with its first: no entry code of arch/arm/kernel/head.S"
    )]
    NoEntry {
        /// From the banner.
        release: String,
    },
    /// The virtual address cannot be told.
    #[error(
        "ARM Linux {release}, but its virtual address cannot be told: {pairs} list heads that point to themselves, expected at least {} that agree (cut off, or data not behind the code as with XIP)",
        base::ENOUGH
    )]
    NoBase {
        /// From the banner.
        release: String,
        /// Votes of the best candidate.
        pairs: u32,
    },
}

/// A kernel release as far as it orders: `3.18.20` is `(3, 18, 20)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Version(pub u16, pub u16, pub u16);

/// Architecture the kernel was built for: the lowest that its code can run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// Armv4 and Armv4T
    V4,
    /// Armv5TE
    V5,
    /// Armv6 and Armv6K
    V6,
    /// Armv7-A
    V7,
}

/// What the bytes of a kernel say about it.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// Release as in `uname -r`, for example `3.18.20` or `6.1.0-50-rpi`.
    pub release: String,
    /// The numbers at the head of `release`.
    pub version: Version,
    /// The whole `Linux version ...` line.
    pub banner: String,
    /// Lowest architecture on which it runs.
    pub arch: Arch,
    /// Virtual address of the start of RAM.
    pub page_offset: u32,
    /// Distance of the kernel's first byte from the start of RAM.
    pub text_offset: u32,
    /// Physical address of the start of RAM when the kernel was built for one;
    /// `None` when it patches itself (`ARM_PATCH_PHYS_VIRT`) or when the code
    /// does not show it.
    pub phys_offset: Option<u32>,
    /// Built with `CONFIG_SMP`.
    pub smp: bool,
    /// Compiled to Thumb-2 (`CONFIG_THUMB2_KERNEL`).
    pub thumb2: bool,
    /// Built with the long-descriptor page tables (`CONFIG_ARM_LPAE`).
    pub lpae: bool,
    /// Boots from a device tree (it has `setup_machine_fdt`'s texts).
    pub device_tree: bool,
}

impl Facts {
    /// What is usual for a kernel of which the version alone is known: Armv7, one
    /// processor, A32 code, short descriptors, a device tree, wherever RAM is. For
    /// those who make kernels up.
    pub fn usual(version: Version) -> Self {
        let Version(major, minor, patch) = version;
        Self {
            release: format!("{major}.{minor}.{patch}"),
            version,
            banner: String::new(),
            arch: Arch::V7,
            page_offset: 0xc000_0000,
            text_offset: 0x8000,
            phys_offset: None,
            smp: false,
            thumb2: false,
            lpae: false,
            device_tree: true,
        }
    }
}

/// A decompressed, little-endian, 32-bit ARM Linux kernel.
#[derive(Clone)]
pub struct Kernel {
    /// The bytes as they lie in memory before the first instruction runs.
    pub bytes: Vec<u8>,
    /// Virtual address of `bytes[0]`: `page_offset + text_offset`.
    pub base: u32,
    /// What the bytes say about themselves.
    pub facts: Facts,
}

impl fmt::Debug for Kernel {
    // Nobody wants to read the megabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("len", &self.bytes.len())
            .field("base", &format_args!("{:#010x}", self.base))
            .field("facts", &self.facts)
            .finish()
    }
}

impl Kernel {
    /// Takes the bytes of a decompressed kernel (an `Image`) and reads the
    /// facts from them.
    ///
    /// # Errors
    ///
    /// Says which machine the bytes are for when that is another one, or what
    /// is missing in them. Time and memory are linear in the length.
    pub fn from_raw(bytes: Vec<u8>) -> Result<Kernel, Error> {
        if let Some(foreign) = Foreign::of(&bytes) {
            return Err(Error::Foreign(foreign));
        }
        if bytes.len() < MIN_SIZE {
            return Err(Error::TooSmall { len: bytes.len() });
        }
        let banner = Banner::find(&bytes)
            .or_else(|| Banner::find_named(&bytes, || crate::image::config::version(&bytes)))
            .ok_or(Error::NoBanner { len: bytes.len() })?;
        let head = head::Head::read(&bytes);
        let arch = match (cpu::lowest(&bytes), &head) {
            (cpu::Lowest::Application(arch), _) => arch,
            (cpu::Lowest::Microcontroller, _) => {
                return Err(Error::Foreign(Foreign::CortexM));
            }
            // Names of processors can be compiled out; the code cannot.
            (cpu::Lowest::None, Some(_)) => cpu::lowest_by_code(&bytes),
            (cpu::Lowest::None, None) => {
                return Err(Error::NotArm {
                    release: banner.release,
                });
            }
        };
        let base = base::find(&bytes).map_err(|pairs| Error::NoBase {
            release: banner.release.clone(),
            pairs,
        })?;
        // Without known entry code the first byte is that of a kernel only if it
        // lies where one is linked to, not when a kernel lies somewhere within.
        const NEAR: std::ops::Range<u32> = 0x4000..0x100_0000;
        if head.is_none() && !NEAR.contains(&(base - base::page_offset(base))) {
            return Err(Error::NoEntry {
                release: banner.release,
            });
        }
        let head = head.unwrap_or_default();
        let page_offset = head
            .page_offset(&bytes, base)
            .unwrap_or_else(|| base::page_offset(base));
        let text_offset = base.wrapping_sub(page_offset);
        let facts = Facts {
            smp: banner.smp(),
            release: banner.release,
            version: banner.version,
            banner: banner.line,
            arch,
            page_offset,
            text_offset,
            phys_offset: phys::offset(&bytes, head, page_offset, text_offset),
            thumb2: head.thumb2,
            lpae: head.lpae(&bytes),
            device_tree: memchr::memmem::find(&bytes, head::NO_SUCH_TREE).is_some(),
        };
        Ok(Kernel { bytes, base, facts })
    }

    /// Virtual address behind the last byte.
    pub fn end(&self) -> u32 {
        self.base.wrapping_add(self.bytes.len() as u32)
    }

    /// Offset of a virtual address within `bytes`.
    pub fn offset(&self, va: u32) -> Option<usize> {
        let offset = va.wrapping_sub(self.base) as usize;
        (offset < self.bytes.len()).then_some(offset)
    }

    /// Virtual address of a byte.
    pub fn va(&self, offset: usize) -> u32 {
        self.base.wrapping_add(offset as u32)
    }

    /// The word at a virtual address.
    pub fn word(&self, va: u32) -> Option<u32> {
        crate::bytes::le32(&self.bytes, self.offset(va)?)
    }
}
