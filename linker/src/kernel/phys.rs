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
        .or_else(|| page_frames(bytes, page_offset))
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

/// RAM base from the arithmetic of page frames, which is inlined everywhere: a
/// virtual address becomes physical by an addition before it is shifted right by
/// 12, a physical one virtual by an addition after a shift to the left.
///
/// The distance from the start of low memory is taken in the same way (as
/// `virt_to_pfn` does it), so that `-PAGE_OFFSET` is among the constants of every
/// kernel; RAM begins at 0 when it is the only one.
fn page_frames(bytes: &[u8], page_offset: u32) -> Option<u32> {
    /// Instructions between the addition and the shift, at most.
    const WINDOW: usize = 3;
    /// Fewer uses than this may be chance.
    const USES: usize = 20;
    /// The other constant has one use for so many of `-PAGE_OFFSET` at least.
    const SHARE: usize = 20;

    let code: Vec<u32> = words(bytes).collect();
    let mut votes: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, &word) in code.iter().enumerate() {
        let constant = match word & 0xfff0_0000 {
            0xe280_0000 => immediate(word),
            0xe240_0000 => immediate(word).wrapping_neg(),
            _ => continue,
        };
        if constant == 0 || constant % COARSE != 0 {
            continue;
        }
        let (to, from) = (word >> 12 & 0xf, word >> 16 & 0xf);
        let shifted = |other: &u32, way: u32| other & 0x0e00_0ff0 == way;
        let behind = code.iter().skip(index + 1).take(WINDOW);
        let before = code.get(..index).into_iter().flatten().rev().take(WINDOW);
        // MOV or another operation with LSR #12 of the sum.
        if behind
            .clone()
            .any(|other| shifted(other, 0x620) && other & 0xf == to)
        {
            *votes.entry(constant).or_default() += 1;
        } else if before
            .clone()
            .any(|other| shifted(other, 0x600) && other >> 12 & 0xf == from)
        {
            *votes.entry(constant.wrapping_neg()).or_default() += 1;
        }
    }
    let within = votes.remove(&page_offset.wrapping_neg()).unwrap_or(0);
    let other = votes.into_iter().max_by_key(|&(_, count)| count);
    match other {
        Some((constant, count)) if count >= USES.max(within / SHARE) => {
            Some(constant.wrapping_add(page_offset))
        }
        _ => (within >= USES).then_some(0),
    }
}

/// RAM begins on such a boundary on every board whose kernel shows it in this way.
const COARSE: u32 = 0x100_0000;

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
    fn arithmetic_of_page_frames_shows_the_base() {
        // add r3, r0, #0x40000000; lsr r3, r3, #12
        let low_memory = [0xe280_3101, 0xe1a0_3623];
        // lsl r4, r4, #12; sub r4, r4, #0xa0000000
        let upward = [0xe1a0_4604, 0xe244_420a];
        let mut words = low_memory.repeat(60);
        assert_eq!(page_frames(&code(&words), 0xc000_0000), Some(0));
        words.extend(upward.repeat(25));
        assert_eq!(page_frames(&code(&words), 0xc000_0000), Some(0x6000_0000));
        assert_eq!(page_frames(&code(&low_memory), 0xc000_0000), None);
    }

    #[test]
    fn calls_backwards_are_followed() {
        assert_eq!(call_target(10, 0xebff_fff8), Some(4));
        assert_eq!(call_target(1, 0xebff_fff8), None);
        assert_eq!(call_target(10, 0xe1a0_0000), None);
    }
}
