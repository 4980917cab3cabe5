//! Names for addresses: the kernel's own tables, or a list from outside.

use std::{ops::Range, panic::resume_unwind, sync::Arc};

use serde::Serialize;

use crate::kernel::Kernel;

pub mod elf;
mod exports;
mod kallsyms;
pub mod system_map;

/// Where a symbol was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The kernel's own kallsyms.
    Kallsyms,
    /// The kernel's export table (`__ksymtab`).
    Exports,
    /// The symbol table of an ELF kernel.
    Elf,
    /// A file that the user gave.
    File,
    /// The kernel's code, compared with what its source says.
    Code,
}

/// One named address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Symbol {
    /// Virtual address without the Thumb bit.
    pub address: u32,
    /// Type letter as `nm` prints it, `?` where the source has none.
    pub kind: char,
    /// The name.
    pub name: String,
    /// Where it was read.
    pub source: Source,
}

/// The symbols that the kernel's own tables name: kallsyms and the exports.
///
/// Empty when it has neither. Bounded in time and memory whatever the bytes.
pub fn recover(kernel: &Kernel) -> SymbolTable {
    // Each looks through the whole image, and neither needs the other.
    let (mut symbols, exported) = std::thread::scope(|scope| {
        let exported = scope.spawn(|| exports::recover(kernel).symbols);
        let symbols = kallsyms::recover(kernel).symbols;
        let exported = exported.join().unwrap_or_else(|panic| resume_unwind(panic));
        (symbols, exported)
    });
    symbols.extend(exported);
    SymbolTable::new(symbols)
}

/// A copy of a kernel in which its symbol table, its export tables and their names
/// are zeros, so that no phase can see them, wherever it looks.
///
/// Everything else stays as it is, other tables that hold addresses of functions
/// (initcalls, exception tables, structs of operations) included: a stripped kernel
/// has them as well.
pub fn hidden(kernel: &Kernel) -> Kernel {
    let mut masked = kernel.clone();
    for span in spans(kernel) {
        if let Some(bytes) = masked.bytes.get_mut(span) {
            bytes.fill(0);
        }
    }
    masked
}

/// Offsets in the image of everything that [`recover`] reads: the arrays of
/// kallsyms, the export tables and the names they point to.
fn spans(kernel: &Kernel) -> Vec<Range<usize>> {
    let (kallsyms, exports) = std::thread::scope(|scope| {
        let exports = scope.spawn(|| exports::recover(kernel).spans);
        let kallsyms = kallsyms::recover(kernel).spans;
        let exports = exports.join().unwrap_or_else(|panic| resume_unwind(panic));
        (kallsyms, exports)
    });
    kallsyms.into_iter().chain(exports).collect()
}

/// All symbols known of a kernel, sorted by address. A copy costs nothing.
#[derive(Debug, Clone, Default)]
pub struct SymbolTable {
    symbols: Arc<[Symbol]>,
    /// Hash of the name and index into `symbols`, sorted. Sorting numbers is
    /// ten times faster than sorting a hundred thousand names.
    by_name: Arc<[(u64, u32)]>,
}

impl SymbolTable {
    /// A table of these symbols; the order in which they come does not matter,
    /// except that of two with the same name, address and source the first is
    /// kept.
    pub fn new(mut symbols: Vec<Symbol>) -> Self {
        symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        symbols.dedup_by(|a, b| (a.address, &a.name, a.source) == (b.address, &b.name, b.source));
        let mut by_name: Vec<(u64, u32)> = symbols
            .iter()
            .zip(0..)
            .map(|(symbol, index)| (hash(&symbol.name), index))
            .collect();
        by_name.sort_unstable();
        Self {
            symbols: symbols.into(),
            by_name: by_name.into(),
        }
    }

    /// This table and another: nothing is lost, also where they disagree.
    pub fn merged(&self, other: &SymbolTable) -> SymbolTable {
        Self::new(self.iter().chain(other.iter()).cloned().collect())
    }

    /// Every symbol of this name, by address: static functions of one name are
    /// many, and two sources may both know it.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Symbol> {
        let hash = hash(name);
        let start = self.by_name.partition_point(|entry| entry.0 < hash);
        self.by_name[start..]
            .iter()
            .take_while(move |entry| entry.0 == hash)
            .map(|entry| &self.symbols[entry.1 as usize])
            .filter(move |symbol| symbol.name == name)
    }

    /// The address of this name when all symbols of the name agree on it.
    pub fn address(&self, name: &str) -> Option<u32> {
        let mut found = self.all(name);
        let first = found.next()?.address;
        found.all(|symbol| symbol.address == first).then_some(first)
    }

    /// The nearest symbol at or below an address, and the distance to it.
    pub fn nearest(&self, address: u32) -> Option<(&Symbol, u32)> {
        let after = self
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        let symbol = self.symbols.get(after.checked_sub(1)?)?;
        Some((symbol, address - symbol.address))
    }

    /// The first address above this one that has a symbol.
    pub fn next_address(&self, address: u32) -> Option<u32> {
        let after = self
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        self.symbols.get(after).map(|symbol| symbol.address)
    }

    /// All symbols, by address.
    pub fn iter(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }
}

/// FNV-1a, 64 bits.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(address: u32, name: &str, source: Source) -> Symbol {
        Symbol {
            address,
            kind: 'T',
            name: name.into(),
            source,
        }
    }

    #[test]
    fn a_name_has_an_address_when_all_agree() {
        let table = SymbolTable::new(vec![
            symbol(0x30, "twice", Source::Kallsyms),
            symbol(0x10, "once", Source::Kallsyms),
            symbol(0x10, "once", Source::Exports),
            symbol(0x20, "twice", Source::Kallsyms),
        ]);
        assert_eq!(table.address("once"), Some(0x10));
        assert_eq!(table.address("twice"), None);
        assert_eq!(table.address("never"), None);
        assert_eq!(
            table.all("twice").map(|s| s.address).collect::<Vec<_>>(),
            [0x20, 0x30]
        );
        assert_eq!(table.all("once").count(), 2);
        assert_eq!(table.len(), 4);
    }

    #[test]
    fn nearest_is_at_or_below() {
        let table = SymbolTable::new(vec![
            symbol(0x10, "a", Source::File),
            symbol(0x20, "b", Source::File),
        ]);
        assert_eq!(table.nearest(0xf), None);
        let name = |address| table.nearest(address).map(|(s, d)| (s.name.as_str(), d));
        assert_eq!(name(0x10), Some(("a", 0)));
        assert_eq!(name(0x1f), Some(("a", 15)));
        assert_eq!(name(0xffff_ffff), Some(("b", 0xffff_ffdf)));
        assert_eq!(table.next_address(0x10), Some(0x20));
        assert_eq!(table.next_address(0x20), None);
    }
}
