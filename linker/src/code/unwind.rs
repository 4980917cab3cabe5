//! The unwind index (`.ARM.exidx`, ARM IHI 0038, section 6): a pair of words for every
//! function, or for several in a row that are unwound alike. The first word is the
//! distance to the start of the function, the second says how to unwind it: itself,
//! with the distance to a longer description, or not at all.

use super::map::Map;
use crate::kernel::Kernel;

/// Entries in a row that make an index.
const ENTRIES: usize = 32;
/// The second word of what cannot be unwound.
const CANNOT: u32 = 1;

/// Starts of functions that an index names, sorted; `data` is the words of the image.
pub(super) fn find(kernel: &Kernel, data: &[u32], map: &Map) -> Vec<u32> {
    let entry = |index: usize| {
        let at = kernel.va(4 * index);
        let (first, second) = (*data.get(index)?, *data.get(index + 1)?);
        let start = at.wrapping_add(distance(first)?);
        let thumb = map.region(start)?.thumb;
        if !thumb && start & 3 != 0 {
            return None;
        }
        let start = start & !1;
        let described = match distance(second) {
            None => second >> 24 & 0x7e == 0,
            Some(_) if second == CANNOT => true,
            Some(distance) => {
                let table = at.wrapping_add(4).wrapping_add(distance);
                table & 3 == 0 && kernel.offset(table).is_some() && !map.in_code(table)
            }
        };
        (described && map.in_code(start)).then_some(start)
    };
    // What cannot be unwound is as often the end of a section as a function.
    let mut starts = Vec::new();
    let mut index = 0;
    while index < data.len() {
        let mut run = Vec::new();
        let mut next = index;
        let mut last = 0;
        while let Some(start) = entry(next)
            && start > last
        {
            if data.get(next + 1) != Some(&CANNOT) {
                run.push(start);
            }
            last = start;
            next += 2;
        }
        if (next - index) / 2 >= ENTRIES {
            starts.append(&mut run);
            index = next;
        } else {
            index += 1;
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The signed distance of 31 bits, unless bit 31 says that it is none.
fn distance(word: u32) -> Option<u32> {
    (word >> 31 == 0).then_some(((word << 1) as i32 >> 1) as u32)
}
