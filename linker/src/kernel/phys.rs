//! The physical start of RAM that a kernel was built for, when it was built for
//! one (without `ARM_PATCH_PHYS_VIRT`).

use std::collections::BTreeMap;

use super::head::{HEAD, Head, immediate};
use crate::bytes::{le32, words};

/// The physical address of `PAGE_OFFSET`; `None` when the kernel patches itself,
/// or when its code does not show it.
pub(super) fn offset(bytes: &[u8], head: Head, page_offset: u32, text_offset: u32) -> Option<u32> {
    if head.patches_itself(bytes) {
        return None;
    }
    page_table_constant(bytes)
        .map(|table| table.wrapping_add(0x4000).wrapping_sub(text_offset))
        .or_else(|| Some(translation(bytes)?.wrapping_add(page_offset)))
        .filter(|phys| phys % GRAIN == 0)
}

/// No board has RAM that begins within a MiB.
const GRAIN: u32 = 0x10_0000;

/// Up to 2.6.37 `__create_page_tables` begins with the physical address of the
/// page table as a constant: `ldr r4, =table` (or `mov`), then `mov r0, r4;
/// mov r3, #0; add r6, r0, #0x4000`.
fn page_table_constant(bytes: &[u8]) -> Option<u32> {
    (4..HEAD).step_by(4).find_map(|offset| {
        let found = le32(bytes, offset)? == 0xe1a0_0004
            && le32(bytes, offset + 4)? == 0xe3a0_3000
            && le32(bytes, offset + 8)? == 0xe280_6901;
        if !found {
            return None;
        }
        let load = le32(bytes, offset - 4)?;
        match load & 0xffff_f000 {
            // LDR r4, [pc, #...]
            0xe59f_4000 => le32(bytes, offset + 4 + (load & 0xfff) as usize),
            // MOV r4, #...
            0xe3a0_4000 => Some(immediate(load)),
            _ => None,
        }
    })
}

/// What is added to a virtual address to make it physical, from the callers of
/// `cpu_*_switch_mm`: `cpu_switch_mm(pgd, mm)` of `asm/proc-fns.h` gives it
/// `virt_to_phys(pgd)`, which the compiler makes of one or two additions of a
/// constant to r0 just before the call. The function is known by the write of
/// the translation table base (`mcr p15, 0, r0, c2, c0, 0`) near its start.
fn translation(bytes: &[u8]) -> Option<u32> {
    const WRITE_TTBR0: u32 = 0x0e02_0f10;
    /// Instructions of the function before the write; at most as many as the
    /// Armv7 variants with all their errata have.
    const PROLOGUE: usize = 24;
    /// Fewer callers than this may be chance.
    const CALLERS: usize = 3;
    /// A kernel has one such write for each processor type and one or two more.
    const WRITES: usize = 32;

    let code: Vec<u32> = words(bytes).collect();
    let writes: Vec<usize> = (0..)
        .zip(&code)
        .filter(|(_, word)| **word & 0x0fff_ffff == WRITE_TTBR0)
        .map(|(index, _)| index)
        .take(WRITES)
        .collect();
    let mut votes: BTreeMap<(usize, u32), usize> = BTreeMap::new();
    for (index, &word) in code.iter().enumerate() {
        let Some(target) = call_target(index, word) else {
            continue;
        };
        let near = |write: &usize| target <= *write && target + PROLOGUE > *write;
        if !writes.iter().any(near) {
            continue;
        }
        if let Some(constant) = code.get(..index).and_then(added_to_r0) {
            *votes.entry((target, constant)).or_default() += 1;
        }
    }
    let (&(_, constant), &count) = votes.iter().max_by_key(|(_, count)| **count)?;
    (count >= CALLERS).then_some(constant)
}

/// Index of the instruction that a BL at `index` calls.
fn call_target(index: usize, word: u32) -> Option<usize> {
    if word & 0x0f00_0000 != 0x0b00_0000 {
        return None;
    }
    let distance = ((word << 8) as i32 >> 8) + 2;
    index.checked_add_signed(distance as isize)
}

/// The constant that the last instructions add to make r0, if they do that and
/// it is a distance between memories.
fn added_to_r0(before: &[u32]) -> Option<u32> {
    const WINDOW: usize = 8;
    let mut register = 0;
    let mut sum = None;
    for &word in before.iter().rev().take(WINDOW) {
        if word & 0x0e00_0000 == 0x0a00_0000 || word & 0x0fff_fff0 == 0x012f_ff30 {
            // Another call or a branch: what came before it is not ours.
            break;
        }
        if word >> 12 & 0xf != register || word & 0x0c00_0000 != 0 {
            continue;
        }
        let constant = immediate(word);
        let step = match word & 0x0fe0_0000 {
            0x0280_0000 => constant,
            0x0240_0000 => constant.wrapping_neg(),
            _ => break,
        };
        sum = Some(sum.unwrap_or(0u32).wrapping_add(step));
        register = word >> 16 & 0xf;
    }
    sum.filter(|sum| sum % GRAIN == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn old_kernels_have_a_constant_for_the_page_table() {
        let mut words = vec![0u32; 64];
        words[8..12].copy_from_slice(&[0xe59f_4064, 0xe1a0_0004, 0xe3a0_3000, 0xe280_6901]);
        words[8 + 2 + 0x64 / 4] = 0x3000_4000;
        let bytes = code(&words);
        let phys = offset(&bytes, Head::default(), 0xc000_0000, 0x8000);
        assert_eq!(phys, Some(0x3000_0000));
        words[8] = 0xe3a0_4901;
        let bytes = code(&words);
        let phys = offset(&bytes, Head::default(), 0xc000_0000, 0x8000);
        assert_eq!(phys, Some(0));
    }

    #[test]
    fn callers_of_switch_mm_show_the_translation() {
        let mut words = vec![0xe320_f000u32; 64];
        words[40] = 0xee02_0f10;
        for call in [10usize, 20, 30] {
            // sub r0, r3, #0x40000000; add r0, r0, #0x100000; bl 38
            words[call - 3] = 0xe243_0440;
            words[call - 1] = 0xe280_0601;
            words[call] = 0xeb00_0000 | (38 - call - 2) as u32;
        }
        assert_eq!(translation(&code(&words)), Some(0xc010_0000));
        words[10] = 0;
        assert_eq!(translation(&code(&words)), None);
    }

    #[test]
    fn calls_backwards_are_followed() {
        assert_eq!(call_target(10, 0xebff_fff8), Some(4));
        assert_eq!(call_target(1, 0xebff_fff8), None);
        assert_eq!(call_target(10, 0xe1a0_0000), None);
    }
}
