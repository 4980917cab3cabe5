//! Where in the image code lies.
//!
//! In A32 the top four bits of nearly every instruction are 0xe, and no kind of
//! data has that in half its words. T32 has no such mark; there calls, the saving
//! of registers and returns are counted, which are rare by chance and come every
//! few instructions in code.

use std::ops::Range;

use crate::{bytes::part, kernel::Kernel};

/// Bytes that are judged together.
const BLOCK: usize = 512;
/// Blocks that are judged together where code is known by counting.
const WINDOW: usize = 4;
/// Blocks of something else that do not end a region of A32: tables between functions.
const BRIDGE: usize = 4;
/// The same for T32: also long functions that call nothing.
const THUMB_BRIDGE: usize = 16;

/// A piece of the image that holds code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    /// Addresses.
    pub range: Range<u32>,
    /// Most of it is Thumb code.
    pub thumb: bool,
}

/// The regions, by address.
pub(super) fn find(kernel: &Kernel) -> Vec<Region> {
    let mut kinds = Vec::new();
    for window in kernel.bytes.chunks(BLOCK * WINDOW) {
        let thumb = kernel.facts.thumb2 && is_thumb(window);
        kinds.extend(window.chunks(BLOCK).map(|block| match is_arm(block) {
            true => Some(false),
            false => thumb.then_some(true),
        }));
    }
    let mut regions: Vec<(Range<usize>, bool)> = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        let Some(thumb) = *kind else { continue };
        match regions.last_mut() {
            Some((last, of)) if *of == thumb && index - last.end <= bridge(thumb) => {
                last.end = index + 1;
            }
            _ => regions.push((index..index + 1, thumb)),
        }
    }
    // A block may begin or end with what is not code: widened by one on each side
    // where nobody else is, and narrowed by whoever walks.
    let count = regions.len();
    (0..count)
        .filter_map(|index| {
            let (blocks, thumb) = regions.get(index)?;
            let before = index
                .checked_sub(1)
                .and_then(|before| regions.get(before))
                .map_or(0, |region| region.0.end);
            let after = regions.get(index + 1).map_or(kinds.len(), |r| r.0.start);
            let start = blocks.start.saturating_sub(1).max(before);
            let end = (blocks.end + 1).min(after.max(blocks.end));
            let end = (end * BLOCK).min(kernel.bytes.len());
            Some(Region {
                range: kernel.va(start * BLOCK)..kernel.va(end),
                thumb: *thumb,
            })
        })
        .collect()
}

fn bridge(thumb: bool) -> usize {
    if thumb { THUMB_BRIDGE } else { BRIDGE }
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
