//! The decompressed kernel as a value: its bytes at their virtual address, and
//! what the bytes alone tell about it.

use serde::Serialize;

/// A kernel release as far as it orders: `3.18.20` is `(3, 18, 20)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Version(pub u16, pub u16, pub u16);

/// Architecture the kernel was built for: the lowest that its code can run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
    /// Physical address of the start of RAM when the kernel was built for one,
    /// `None` when it patches itself (`ARM_PATCH_PHYS_VIRT`).
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

/// A decompressed, little-endian, 32-bit ARM Linux kernel.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The bytes as they lie in memory before the first instruction runs.
    pub bytes: Vec<u8>,
    /// Virtual address of `bytes[0]`: `page_offset + text_offset`.
    pub base: u32,
    /// What the bytes say about themselves.
    pub facts: Facts,
}

impl Kernel {
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
