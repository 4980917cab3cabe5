//! The addresses of kallsyms, in every way in which they were ever written.

use std::ops::Range;

use super::{names::Names, starts_behind};
use crate::{bytes::le32, kernel::Kernel};

/// How far outside the image a symbol may reasonably lie: `.bss` behind it,
/// and swapper_pg_dir or a module area before it.
const MARGIN: u32 = 64 << 20;

/// One address a name and the offsets of the table, or `None` when no table of that
/// many fits.
///
/// `behind` is where the tables that follow the names end.
pub(super) fn find(kernel: &Kernel, names: &Names, behind: usize) -> Option<Addresses> {
    before_count(kernel, names).or_else(|| behind_names(kernel, names, behind))
}

/// The addresses, and the offsets of the table in which they stand.
type Addresses = (Vec<u32>, Range<usize>);

/// Up to 6.3: the table ends where num_syms starts.
fn before_count(kernel: &Kernel, names: &Names) -> Option<Addresses> {
    let bytes = &kernel.bytes;
    let end = skip_zeros_back(bytes, names.count_at)?;
    let start = end.checked_sub(4 * names.count)?;
    let absolute =
        table(bytes, start, names.count).filter(|addresses| plausible(kernel, addresses));
    absolute
        .map(|addresses| (addresses, start..end))
        .or_else(|| {
            let base = le32(bytes, end.checked_sub(4)?)?;
            let offsets_end = skip_zeros_back(bytes, end - 4)?;
            let start = offsets_end.checked_sub(4 * names.count)?;
            let offsets = table(bytes, start, names.count)?;
            Some((relative(kernel, base, &offsets)?, start..end))
        })
}

/// From 6.4 on: the table follows token_index, or markers where there is none.
fn behind_names(kernel: &Kernel, names: &Names, behind: usize) -> Option<Addresses> {
    let bytes = &kernel.bytes;
    starts_behind(bytes, behind).find_map(|start| {
        let values = table(bytes, start, names.count)?;
        let end = start + 4 * names.count;
        if plausible(kernel, &values) {
            return Some((values, start..end));
        }
        starts_behind(bytes, end)
            .find_map(|at| Some((relative(kernel, le32(bytes, at)?, &values)?, start..at + 4)))
            .or_else(|| Some((place_relative(kernel, start, &values)?, start..end)))
    })
}

fn relative(kernel: &Kernel, base: u32, offsets: &[u32]) -> Option<Vec<u32>> {
    let addresses: Vec<u32> = offsets
        .iter()
        .map(|offset| base.wrapping_add(*offset))
        .collect();
    plausible(kernel, &addresses).then_some(addresses)
}

/// Every value is a distance from its own place (relocatable kernels from 7.0
/// on). The table lies behind the text, so the first distance is negative.
fn place_relative(kernel: &Kernel, start: usize, values: &[u32]) -> Option<Vec<u32>> {
    values.first().filter(|&&value| value as i32 <= -4)?;
    let addresses: Vec<u32> = values
        .iter()
        .enumerate()
        .map(|(index, value)| kernel.va(start + 4 * index).wrapping_add(*value))
        .collect();
    plausible(kernel, &addresses).then_some(addresses)
}

/// `count` words at `start`.
fn table(bytes: &[u8], start: usize, count: usize) -> Option<Vec<u32>> {
    let bytes = bytes.get(start..start.checked_add(count.checked_mul(4)?)?)?;
    let words = bytes.chunks_exact(4);
    Some(
        words
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect(),
    )
}

/// The table is sorted by address, and its middle lies in the kernel.
fn plausible(kernel: &Kernel, addresses: &[u32]) -> bool {
    let low = kernel.base.saturating_sub(MARGIN);
    let high = kernel.end().saturating_add(MARGIN);
    let inside = |index: usize| {
        addresses
            .get(index)
            .is_some_and(|address| (low..high).contains(address))
    };
    let count = addresses.len();
    addresses.is_sorted() && inside(count / 4) && inside(count / 2) && inside(count * 3 / 4)
}

/// The end of the array before `end`, from which fewer than 16 zeros part it.
fn skip_zeros_back(bytes: &[u8], end: usize) -> Option<usize> {
    (0..4)
        .filter_map(|words| end.checked_sub(4 * words))
        .find(|&at| at >= 4 && le32(bytes, at - 4).is_some_and(|word| word != 0))
}
