//! The virtual address of the kernel's first byte.
//!
//! Every Linux kernel has hundreds of statically initialised list heads
//! (`LIST_HEAD_INIT`, `include/linux/list.h`): two words that both hold the
//! address of the first. Such a pair at offset `x` with the value `v` says that
//! the first byte lies at `v - x`, and nothing else makes many pairs agree.

use crate::bytes::words;

/// Fewer pairs than this do not decide. The smallest kernel looked at has more
/// than two hundred.
pub(super) const ENOUGH: u32 = 12;

/// No kernel is linked below this.
const LOWEST: u32 = 0x1000_0000;
/// Text offsets are whole pages, so that candidates can be counted by page.
const PAGE_BITS: u32 = 12;

/// The virtual address of `bytes[0]`.
///
/// # Errors
///
/// The votes of the best candidate when they do not decide.
pub(super) fn find(bytes: &[u8]) -> Result<u32, u32> {
    let mut votes = vec![0u32; 1 << (32 - PAGE_BITS)];
    let pairs = words(bytes)
        .zip(words(bytes).skip(1))
        .zip((0u32..).step_by(4));
    for ((first, second), offset) in pairs {
        if first != second {
            continue;
        }
        let base = first.wrapping_sub(offset);
        if base >= LOWEST
            && base.trailing_zeros() >= PAGE_BITS
            && let Some(count) = votes.get_mut((base >> PAGE_BITS) as usize)
        {
            *count += 1;
        }
    }
    let (page, most) = (0u32..)
        .zip(&votes)
        .max_by_key(|(_, count)| **count)
        .map_or((0, 0), |(page, count)| (page, *count));
    // A second candidate nearly as good means that two images lie in `bytes`.
    let rivals = votes.iter().filter(|count| **count > most / 2).count();
    if most < ENOUGH || rivals > 1 {
        return Err(most);
    }
    Ok(page << PAGE_BITS)
}

/// The start of RAM that belongs to a base when the code does not show it: the
/// splits that `arch/arm/Kconfig` offers (0x40000000, 0x80000000, 0xb0000000,
/// 0xc0000000) and those seen elsewhere are multiples of 256 MiB, and no text
/// offset is that large.
pub(super) fn page_offset(base: u32) -> u32 {
    base & 0xf000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` list heads in an image of 64 KiB at `base`.
    fn with_lists(base: u32, count: u32) -> Vec<u8> {
        let mut bytes = vec![0; 0x1_0000];
        for index in 0..count {
            let offset = 0x8000 + index * 0x18;
            let head = (base + offset).to_le_bytes();
            let at = offset as usize;
            bytes[at..at + 4].copy_from_slice(&head);
            bytes[at + 4..at + 8].copy_from_slice(&head);
        }
        bytes
    }

    #[test]
    fn list_heads_tell_the_base() {
        for base in [0xc000_8000, 0x8010_8000, 0x4000_c000, 0xb020_8000] {
            assert_eq!(find(&with_lists(base, 40)), Ok(base));
        }
    }

    #[test]
    fn too_few_do_not_decide() {
        assert_eq!(find(&with_lists(0xc000_8000, 5)), Err(5));
        assert_eq!(find(&[0; 0x1_0000]), Err(1));
        assert_eq!(find(&[]), Err(0));
    }

    #[test]
    fn two_images_do_not_decide() {
        let mut bytes = with_lists(0xc000_8000, 40);
        bytes.extend(with_lists(0xc000_8000, 39));
        assert_eq!(find(&bytes), Err(40));
    }

    #[test]
    fn splits_are_multiples_of_256_mib() {
        assert_eq!(page_offset(0xc030_8000), 0xc000_0000);
        assert_eq!(page_offset(0xb000_8000), 0xb000_0000);
        assert_eq!(page_offset(0x4000_8000), 0x4000_0000);
    }
}
