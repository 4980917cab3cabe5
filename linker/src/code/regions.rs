//! Where in the image code lies.
//!
//! In A32 the top four bits of nearly every instruction are 0xe, and no kind of
//! data has that in half its words. T32 has no such mark; there calls, the saving
//! of registers and returns are counted, which are rare by chance and come every
//! few instructions in code.

use std::ops::Range;

use memchr::memmem;

use crate::{bytes::part, kernel::Kernel};

/// Bytes that are judged together.
const BLOCK: usize = 512;
/// Blocks that are judged together where code is known by counting.
const WINDOW: usize = 4;
/// Blocks of something else that do not end a region: tables between functions, and
/// long functions of T32 that call nothing.
const BRIDGE: usize = 16;

/// A piece of the image that holds code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    /// Addresses.
    pub range: Range<u32>,
    /// Most of it is Thumb code.
    pub thumb: bool,
}

/// Bytes that are looked through by one thread at a time.
const PIECE: u32 = 64 << 10;

impl Region {
    /// Bytes from one place where an instruction may be to the next.
    pub(super) fn step(&self) -> u32 {
        if self.thumb { 2 } else { 4 }
    }

    /// All of it, in pieces for several threads.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        let Range { start, end } = self.range;
        let starts = (start..end).step_by(PIECE as usize);
        starts.map(move |at| at..at.saturating_add(PIECE).min(end))
    }
}

/// The regions, by address.
pub(super) fn find(kernel: &Kernel) -> Vec<Region> {
    let archives = archives(&kernel.bytes);
    let mut kinds = Vec::new();
    for window in kernel.bytes.chunks(BLOCK * WINDOW) {
        let thumb = kernel.facts.thumb2 && is_thumb(window);
        kinds.extend(window.chunks(BLOCK).map(|block| match is_arm(block) {
            true => Some(false),
            false => thumb.then_some(true),
        }));
    }
    for archive in archives {
        let blocks = archive.start / BLOCK..archive.end.div_ceil(BLOCK);
        if let Some(kinds) = kinds.get_mut(blocks) {
            kinds.fill(None);
        }
    }
    let mut regions: Vec<(Range<usize>, bool)> = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        let Some(thumb) = *kind else { continue };
        match regions.last_mut() {
            Some((last, of)) if *of == thumb && index - last.end <= BRIDGE => {
                last.end = index + 1;
            }
            _ => regions.push((index..index + 1, thumb)),
        }
    }
    // A block may begin or end with what is not code: widened by one on each side
    // where nobody else is, and narrowed by whoever walks.
    let mut taken = 0;
    let mut found = Vec::with_capacity(regions.len());
    for (index, (blocks, thumb)) in regions.iter().enumerate() {
        let after = regions.get(index + 1).map_or(kinds.len(), |r| r.0.start);
        let start = blocks.start.saturating_sub(1).max(taken);
        taken = (blocks.end + 1).min(after.max(blocks.end));
        let end = (taken * BLOCK).min(kernel.bytes.len());
        found.push(Region {
            range: kernel.va(start * BLOCK)..kernel.va(end),
            thumb: *thumb,
        });
    }
    found
}

/// Offsets of plain cpio archives in the image (`usr/initramfs_data.S`): the programs
/// in them are ARM code too, and not the kernel's.
fn archives(bytes: &[u8]) -> Vec<Range<usize>> {
    const MAGIC: &[u8] = b"070701";
    const HEADER: usize = 110;
    const TRAILER: &[u8] = b"TRAILER!!!";
    let mut found: Vec<Range<usize>> = Vec::new();
    for start in memmem::find_iter(bytes, MAGIC) {
        let header = part(bytes, start, HEADER);
        let number = header.len() == HEADER && header.iter().all(u8::is_ascii_hexdigit);
        let inside = found.last().is_some_and(|last| last.contains(&start));
        if start % 4 != 0 || !number || inside {
            continue;
        }
        let rest = bytes.get(start..).unwrap_or_default();
        let Some(length) = memmem::find(rest, TRAILER) else {
            break;
        };
        found.push(start..start + length + TRAILER.len());
    }
    found
}

fn is_arm(block: &[u8]) -> bool {
    let words = block.as_chunks::<4>().0;
    let always = words.iter().filter(|word| word[3] >> 4 == 0xe).count();
    always * 2 > words.len()
}

fn is_thumb(block: &[u8]) -> bool {
    let halves = block.as_chunks::<2>().0;
    let half = |index: usize| part(block, 2 * index, 2);
    let marks = (0..halves.len())
        .filter(|&index| {
            let (first, second) = match (half(index), half(index + 1)) {
                (&[a, b], &[c, d]) => (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])),
                _ => return false,
            };
            let call = first & 0xf800 == 0xf000 && second & 0xd000 == 0xd000;
            let push = first & 0xff00 == 0xb500 || first == 0xe92d;
            let pop = first & 0xff00 == 0xbd00 || first == 0xe8bd;
            call || push || pop || first == 0x4770
        })
        .count();
    marks * 42 > halves.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, Image},
    };

    #[test]
    fn regions_of_two_kinds_do_not_overlap() {
        const SIZE: usize = 0x2_0000;
        let mut image = Image::new(SIZE, Version(4, 9, 0)).thumb2();
        for block in 0..SIZE / BLOCK {
            let at = BASE + (block * BLOCK) as u32;
            // Stretches of A32, of T32 and of nothing, of different lengths.
            match block * block % 23 {
                0..=8 => image.words(at, &[0xe1a0_4000; BLOCK / 4]),
                9..=16 => image.halves(at, &[0xb510; BLOCK / 2]),
                _ => &mut image,
            };
        }
        let regions = find(&image.kernel());
        assert!(regions.iter().any(|region| region.thumb));
        assert!(regions.iter().any(|region| !region.thumb));
        for pair in regions.windows(2) {
            assert!(pair[0].range.end <= pair[1].range.start, "{pair:x?}");
        }
    }

    #[test]
    fn programs_in_an_archive_are_no_code_of_the_kernel() {
        const SIZE: usize = 0x1_0000;
        let mut image = Image::new(SIZE, Version(2, 6, 35));
        for at in (BASE..BASE + SIZE as u32).step_by(16) {
            image.words(at, &[0xe1a0_4000; 4]);
        }
        let header = format!("070701{}", "0".repeat(104));
        image.put(BASE + 0x4000, header.as_bytes());
        image.put(BASE + 0xa000, b"TRAILER!!!");
        let regions = find(&image.kernel());
        assert_eq!(regions.len(), 2);
        assert!(regions[0].range.end <= BASE + 0x4000 + BLOCK as u32);
        assert!(regions[1].range.start >= BASE + 0xa000 - BLOCK as u32);
    }
}
