//! Images of other machines, so that an error can name them.

use std::fmt;

use crate::bytes::{be32, le32};

/// A recognised image that is not a little-endian kernel for the A profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// x86 `bzImage` (Linux, Documentation/x86/boot.rst: "HdrS" at 0x202).
    X86,
    /// arm64 `Image` (Documentation/arm64/booting.rst: "ARM\x64" at 0x38).
    Arm64,
    /// RISC-V `Image` (Documentation/riscv/boot-image-header.rst: "RSC\x05").
    RiscV,
    /// ARM, but big-endian (BE8 or BE32).
    BigEndianArm,
    /// A vector table or a kernel of the M profile.
    CortexM,
    /// An ELF file for another machine, by its number in the ELF header.
    Elf(u16),
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Foreign::X86 => f.write_str("an x86 bzImage (\"HdrS\" at 0x202)"),
            Foreign::Arm64 => f.write_str("an arm64 Image (\"ARM\\x64\" at 0x38)"),
            Foreign::RiscV => f.write_str("a RISC-V Image (\"RSC\\x05\" at 0x38)"),
            Foreign::BigEndianArm => f.write_str("a big-endian ARM kernel, which is not supported"),
            Foreign::CortexM => f.write_str("code for a microcontroller (Cortex-M)"),
            Foreign::Elf(machine) => write!(f, "an ELF file for {}", elf_machine(*machine)),
        }
    }
}

/// Names of the machines that firmware is often for (the ELF specification's
/// `e_machine` registry).
fn elf_machine(number: u16) -> String {
    let name = match number {
        3 => "x86",
        8 => "MIPS",
        20 => "PowerPC",
        21 => "64-bit PowerPC",
        42 => "SuperH",
        45 | 93 | 195 => "ARC",
        62 => "x86-64",
        94 => "Xtensa",
        183 => "arm64",
        243 => "RISC-V",
        _ => return format!("machine number {number} at 0x12, expected 40 (ARM)"),
    };
    format!("{name} (machine number {number} at 0x12)")
}

impl Foreign {
    /// Looks at the start of an image.
    pub fn of(bytes: &[u8]) -> Option<Foreign> {
        let is =
            |offset: usize, value: &[u8]| bytes.get(offset..offset + value.len()) == Some(value);
        if is(0x1fe, &[0x55, 0xaa]) && is(0x202, b"HdrS") {
            return Some(Foreign::X86);
        }
        if is(0x38, b"ARM\x64") {
            return Some(Foreign::Arm64);
        }
        if is(0x38, b"RSC\x05") {
            return Some(Foreign::RiscV);
        }
        if big_endian_arm(bytes) {
            return Some(Foreign::BigEndianArm);
        }
        vector_table(bytes).then_some(Foreign::CortexM)
    }
}

/// The magic word of a zImage, or the first instructions of `head.S`, in the
/// other byte order; or `setend be`, with which a BE8 kernel begins.
fn big_endian_arm(bytes: &[u8]) -> bool {
    const ZIMAGE_MAGIC: u32 = 0x016f_2818;
    const SETEND_BE: u32 = 0xf101_0200;
    if be32(bytes, 0x24) == Some(ZIMAGE_MAGIC) {
        return true;
    }
    let first = be32(bytes, 0);
    let old = first == Some(0xe321_f0d3) && be32(bytes, 4) == Some(0xee10_9f10);
    let newer = first == Some(0xe10f_9000) && be32(bytes, 4) == Some(0xe229_901a);
    old || newer || le32(bytes, 0) == Some(SETEND_BE)
}

/// The vector table of an M-profile processor (Armv7-M manual, B1.5.3): the
/// first stack pointer, then addresses of handlers, all odd.
fn vector_table(bytes: &[u8]) -> bool {
    const SRAM: std::ops::Range<u32> = 0x1000_0000..0x4000_0000;
    /// Flash and SRAM of microcontrollers lie below this.
    const CODE_END: u32 = 0x4000_0000;
    let (Some(stack), Some(reset)) = (le32(bytes, 0), le32(bytes, 4)) else {
        return false;
    };
    if !SRAM.contains(&stack) || stack % 4 != 0 || reset % 2 == 0 || reset >= CODE_END {
        return false;
    }
    let handlers: Vec<u32> = (2..16).filter_map(|index| le32(bytes, index * 4)).collect();
    let set = handlers.iter().filter(|handler| **handler != 0);
    let plausible = |handler: &&u32| **handler % 2 == 1 && handler.abs_diff(reset) < 0x0100_0000;
    // One word of the reserved four may be a checksum (NXP LPC).
    let total = set.clone().count();
    handlers.len() == 14 && total >= 4 && set.filter(plausible).count() + 1 >= total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
        bytes[offset..offset + value.len()].copy_from_slice(value);
    }

    #[test]
    fn names_other_machines() {
        let mut x86 = vec![0; 0x400];
        put(&mut x86, 0x1fe, &[0x55, 0xaa]);
        put(&mut x86, 0x202, b"HdrS");
        assert_eq!(Foreign::of(&x86), Some(Foreign::X86));

        let mut arm64 = vec![0; 0x40];
        put(&mut arm64, 0x38, b"ARM\x64");
        assert_eq!(Foreign::of(&arm64), Some(Foreign::Arm64));

        let mut zimage = vec![0; 0x40];
        put(&mut zimage, 0x24, &0x016f_2818u32.to_be_bytes());
        assert_eq!(Foreign::of(&zimage), Some(Foreign::BigEndianArm));
        put(&mut zimage, 0x24, &0x016f_2818u32.to_le_bytes());
        assert_eq!(Foreign::of(&zimage), None);

        let mut be8 = vec![0; 0x40];
        put(&mut be8, 0, &0xf101_0200u32.to_le_bytes());
        assert_eq!(Foreign::of(&be8), Some(Foreign::BigEndianArm));
    }

    #[test]
    fn a_vector_table_is_a_microcontroller() {
        let mut table = 0x2000_5000u32.to_le_bytes().to_vec();
        for index in 0..15u32 {
            let handler = if (6..10).contains(&index) {
                0
            } else {
                0x0800_0101 + index * 0x10
            };
            table.extend(handler.to_le_bytes());
        }
        assert_eq!(Foreign::of(&table), Some(Foreign::CortexM));
        assert_eq!(Foreign::of(&table[..0x30]), None);
    }

    #[test]
    fn short_or_empty_is_nothing() {
        for len in 0..0x30 {
            assert_eq!(Foreign::of(&vec![0xff; len]), None);
        }
    }
}
