//! kallsyms: the symbol table that a kernel carries for its own oops texts.
//!
//! It is found by its shape alone; no symbol and no version is needed. The
//! arrays lie one behind the other, each aligned (to 16 bytes up to about
//! 4.19, to 4 later), in one of these orders (scripts/kallsyms.c):
//!
//! | kernel | order |
//! |---|---|
//! | 2.6.10 .. 4.5 | addresses, num_syms, names, markers, token_table, token_index |
//! | 4.6 .. 6.1 | offsets, relative_base, num_syms, names, markers, token_table, token_index |
//! | 6.2, 6.3, late 6.1.y | as before, with seqs_of_names behind markers |
//! | 6.4 .. 6.19 | num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names |
//! | 7.0 .. | as before without relative_base: absolute values, or relative to their own place when the kernel is relocatable |
//!
//! From 4.6 to 6.10 absolute addresses stayed possible by configuration. Two
//! tables are left out by OpenWrt, which keeps its names uncompressed:
//! token_table and token_index.
//!
//! A name is a length and that many codes, each of which stands for a token;
//! the first letter of the expanded text is the type as `nm` prints it. From
//! 6.1 on a length above 127 takes two bytes. `markers` holds the offset of
//! every 256th name and so proves that names and count belong together.

mod addresses;
#[cfg(test)]
mod encode;
mod names;
#[cfg(test)]
mod tests;
mod tokens;

use std::ops::Range;

use super::{Source, Symbol};
use crate::kernel::Kernel;

/// Fewer symbols than this make no table: a kernel has thousands.
const MIN_SYMBOLS: usize = 257;
/// More than this cannot be: the largest distribution kernels have 200,000.
const MAX_SYMBOLS: usize = 2_000_000;

/// The table of a kernel.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the table's order.
    pub symbols: Vec<Symbol>,
    /// Offsets of its arrays.
    pub spans: Vec<Range<usize>>,
}

/// The kernel's own table; empty when it has none.
pub(super) fn recover(kernel: &Kernel) -> Table {
    let bytes = kernel.bytes.as_slice();
    let compressed = tokens::find(bytes);
    compressed
        .iter()
        .chain([&tokens::Tokens::none()])
        .find_map(|tokens| {
            let names = names::find(bytes, tokens)?;
            let behind = tokens.end().unwrap_or(names.markers.end);
            let (addresses, span) = addresses::find(kernel, &names, behind)?;
            let texts = names::expand(bytes, tokens, &names)?;
            let symbols = texts
                .into_iter()
                .zip(addresses)
                .map(|((kind, name), address)| Symbol {
                    address,
                    kind,
                    name,
                    source: Source::Kallsyms,
                })
                .collect();
            Some(Table {
                symbols,
                spans: vec![names.count_at..behind, span],
            })
        })
        .unwrap_or_default()
}

/// The multiple of `alignment`, a power of two, at or above `offset`.
fn align_up(offset: usize, alignment: usize) -> usize {
    offset.saturating_add(alignment - 1) & !(alignment - 1)
}

/// The 4-aligned offsets at which an array may start that follows one which
/// ends at `end`: only zeros, and fewer than 16 bytes, lie between.
fn starts_behind(bytes: &[u8], end: usize) -> impl Iterator<Item = usize> + '_ {
    let first = align_up(end, 4);
    (0..4)
        .map(move |words| first + 4 * words)
        .take_while(move |&start| {
            bytes
                .get(end..start)
                .is_some_and(|gap| gap.iter().all(|&byte| byte == 0))
        })
}
