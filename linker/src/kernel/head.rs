//! What the entry code shows (`arch/arm/kernel/head.S`, `phys2virt.S`).
//!
//! It is the first thing in a kernel and is written in assembler, so that it
//! hardly varies with the compiler.

use crate::bytes::{le32, u16_at};

/// The entry code lies within this many bytes from the start.
pub(super) const HEAD: usize = 0x1000;

/// The text that `setup_machine_fdt` prints when no machine fits the tree
/// (`arch/arm/kernel/devtree.c`).
pub(super) const NO_SUCH_TREE: &[u8] = b"unrecognized/unsupported device tree compatible list";

/// The entry code of a kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// It switches to Thumb at once.
    pub(super) thumb2: bool,
}

impl Head {
    /// Recognises the entry code at the start of `bytes`: the switch to Thumb
    /// (`add r9, pc, #1; bx r9`), or within a few instructions the switch to
    /// the supervisor mode (`msr cpsr_c, #0xd3`; from 3.8 on `mrs r9, cpsr;
    /// eor r9, r9, #0x1a`).
    pub(super) fn read(bytes: &[u8]) -> Option<Head> {
        if le32(bytes, 0) == Some(0xe28f_9001) && le32(bytes, 4) == Some(0xe12f_ff19) {
            return Some(Head { thumb2: true });
        }
        (0..16)
            .any(|index| supervisor(bytes, index * 4))
            .then_some(Head { thumb2: false })
    }

    /// `PAGE_OFFSET` where the entry code shows it. From 2.6.38 to 5.10 a
    /// literal behind one that holds its own address (`2: .long .; .long
    /// PAGE_OFFSET`); later the text offset, which is taken from the address of
    /// the first byte (`add r8, r8, pc; sub r8, r8, #TEXT_OFFSET`).
    pub(super) fn page_offset(self, bytes: &[u8], base: u32) -> Option<u32> {
        let plausible = |page_offset: &u32| {
            let text_offset = base.wrapping_sub(*page_offset);
            // The page tables lie below the text; PAGE_OFFSET is a multiple of
            // 2 MiB at least (arch/arm/include/asm/memory.h).
            page_offset.is_multiple_of(0x20_0000) && (0x4000..0x1000_0000).contains(&text_offset)
        };
        let literal = (0..HEAD)
            .step_by(4)
            .zip((base..).step_by(4))
            .filter(|(offset, own)| le32(bytes, *offset) == Some(*own))
            .find_map(|(offset, _)| le32(bytes, offset + 4).filter(plausible));
        literal.or_else(|| {
            let subtraction = (0..0x80)
                .step_by(4)
                .filter(|offset| le32(bytes, *offset) == Some(0xe088_800f))
                .find_map(|offset| le32(bytes, offset + 4))
                .filter(|next| next & 0xffff_f000 == 0xe248_8000)?;
            Some(base.wrapping_sub(immediate(subtraction))).filter(plausible)
        })
    }

    /// Built with long descriptors: the entry code then asks ID_MMFR0 whether
    /// the processor has them (`mrc p15, 0, r3, c0, c1, 4; and r3, r3, #0xf;
    /// cmp r3, #5`).
    pub(super) fn lpae(self, bytes: &[u8]) -> bool {
        if self.thumb2 {
            return (0..0x100).step_by(2).any(|offset| {
                let half = |index: usize| u16_at(bytes, offset + index * 2, scroll::LE);
                half(0) == Some(0xee10)
                    && half(1) == Some(0x3f91)
                    && (2..6).any(|index| half(index) == Some(0x2b05))
            });
        }
        (0..0x100).step_by(4).any(|offset| {
            le32(bytes, offset) == Some(0xee10_3f91)
                && (1..4).any(|index| le32(bytes, offset + index * 4) == Some(0xe353_0005))
        })
    }

    /// `ARM_PATCH_PHYS_VIRT`: `__fixup_pv_table` checks that the difference of
    /// the addresses fits into the instructions that it patches: `mov rA, rB,
    /// lsr #24; teq rB, rA, lsl #24`, since 5.11 with 21.
    pub(super) fn patches_itself(self, bytes: &[u8]) -> bool {
        if self.thumb2 {
            return (0..HEAD).step_by(2).any(|offset| {
                let half =
                    |index: usize| u16_at(bytes, offset + index * 2, scroll::LE).unwrap_or(0);
                half(0) & 0xfff0 == 0xea90 && matches!(half(1) & 0xfff0, 0x6f00 | 0x5f40)
            });
        }
        (0..HEAD).step_by(4).any(|offset| {
            let word = |index: usize| le32(bytes, offset + index * 4).unwrap_or(0);
            let shift = word(0) & 0xffff_0ff0;
            let test = word(1) & 0xfff0_fff0;
            (shift == 0xe1a0_0c20 && test == 0xe130_0c00)
                || (shift == 0xe1a0_0aa0 && test == 0xe130_0a80)
        })
    }
}

/// Whether the first instructions are those of a kernel, at exactly this place:
/// the switch to Thumb or to the supervisor mode, or one call before the latter
/// (`bl __hyp_stub_install`).
pub(crate) fn begins(bytes: &[u8]) -> bool {
    match le32(bytes, 0) {
        Some(0xe28f_9001) => le32(bytes, 4) == Some(0xe12f_ff19),
        Some(word) if word & 0xff00_0000 == 0xeb00_0000 => supervisor(bytes, 4),
        _ => supervisor(bytes, 0),
    }
}

/// The switch to the supervisor mode at `offset`.
fn supervisor(bytes: &[u8], offset: usize) -> bool {
    match le32(bytes, offset) {
        // MSR CPSR_c or CPSR_cf, #0xd3, then MRC main id, or a call
        Some(0xe321_f0d3 | 0xe329_f0d3) => {
            let next = le32(bytes, offset + 4).unwrap_or(0);
            next == 0xee10_9f10 || next & 0xff00_0000 == 0xeb00_0000
        }
        Some(0xe10f_9000) => le32(bytes, offset + 4) == Some(0xe229_901a),
        _ => false,
    }
}

/// The value of an A32 modified immediate (ARM DDI 0406C, A5.2.4).
pub(super) fn immediate(instruction: u32) -> u32 {
    let rotation = instruction >> 8 & 0xf;
    (instruction & 0xff).rotate_right(rotation * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn recognises_entry_code() {
        let arm = Some(Head { thumb2: false });
        let old = code(&[0xe321_f0d3, 0xee10_9f10, 0xeb00_0010]);
        assert_eq!(Head::read(&old), arm);
        let oldest = code(&[0xe321_f0d3, 0xeb00_0052]);
        assert_eq!(Head::read(&oldest), arm);
        let hyp = code(&[0xeb00_2c06, 0xe10f_9000, 0xe229_901a]);
        assert_eq!(Head::read(&hyp), arm);
        let thumb = code(&[0xe28f_9001, 0xe12f_ff19]);
        assert_eq!(Head::read(&thumb), Some(Head { thumb2: true }));
        assert_eq!(Head::read(&code(&[0xe1a0_0000; 32])), None);
        assert_eq!(Head::read(&[]), None);
        for whole in [&old, &oldest, &hyp, &thumb] {
            assert!(begins(whole));
            assert!(!begins(&[&[0; 4], whole.as_slice()].concat()));
        }
    }

    #[test]
    fn page_offset_from_the_literal_behind_its_own_address() {
        let mut words = vec![0u32; 32];
        words[18] = 0x8010_8000 + 18 * 4;
        words[19] = 0x8000_0000;
        let head = Head::default();
        let bytes = code(&words);
        assert_eq!(head.page_offset(&bytes, 0x8010_8000), Some(0x8000_0000));
        assert_eq!(head.page_offset(&bytes, 0x8020_8000), None);
    }

    #[test]
    fn page_offset_from_the_subtracted_text_offset() {
        // add r8, r8, pc; sub r8, r8, #0x208000 as two instructions is not
        // what the assembler makes; #0x8000 is.
        let bytes = code(&[0, 0xe59f_818c, 0xe088_800f, 0xe248_8902]);
        let head = Head::default();
        assert_eq!(head.page_offset(&bytes, 0xb000_8000), Some(0xb000_0000));
    }

    #[test]
    fn patching_shows_in_the_check_of_the_difference() {
        let arm = Head { thumb2: false };
        assert!(arm.patches_itself(&code(&[0xe1a0_6c23, 0xe133_0c06, 0x1a00_0000])));
        assert!(arm.patches_itself(&code(&[0xe1a0_0aa3, 0xe133_0a80])));
        assert!(!arm.patches_itself(&code(&[0xe1a0_6c23, 0xe133_0006])));
        let thumb = Head { thumb2: true };
        assert!(thumb.patches_itself(&code(&[0x6613_ea4f, 0x6f06_ea93])));
        assert!(!thumb.patches_itself(&code(&[0x6613_ea4f, 0x0f06_ea90])));
    }

    #[test]
    fn long_descriptors_show_in_the_check_of_mmfr0() {
        let arm = Head { thumb2: false };
        let check = [0xee10_3f91, 0xe203_300f, 0xe353_0005, 0x33a0_a000];
        assert!(arm.lpae(&code(&check)));
        assert!(!arm.lpae(&code(&check[..2])));
        let thumb = Head { thumb2: true };
        assert!(thumb.lpae(&code(&[0x3f91_ee10, 0x030f_f003, 0x0000_2b05])));
    }

    #[test]
    fn modified_immediates() {
        assert_eq!(immediate(0xe3a0_4901), 0x4000);
        assert_eq!(immediate(0xe248_8902), 0x8000);
        assert_eq!(immediate(0xe280_0440), 0x4000_0000);
        assert_eq!(immediate(0xe280_00ff), 0xff);
    }
}
