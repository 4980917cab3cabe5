//! Names for addresses: the kernel's own tables, or a list from outside.

use std::collections::HashMap;

use serde::Serialize;

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

/// All symbols known of a kernel, sorted by address.
#[derive(Debug, Clone, Default)]
pub struct SymbolTable {
    symbols: Vec<Symbol>,
    by_name: HashMap<String, Vec<usize>>,
}

impl SymbolTable {
    /// A table of these symbols; the order in which they come does not matter.
    pub fn new(mut symbols: Vec<Symbol>) -> Self {
        symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        symbols.dedup_by(|a, b| a.address == b.address && a.name == b.name);
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, symbol) in symbols.iter().enumerate() {
            by_name.entry(symbol.name.clone()).or_default().push(index);
        }
        Self { symbols, by_name }
    }

    /// Every symbol of this name: static functions of one name are many.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Symbol> {
        let indices = self.by_name.get(name).map(Vec::as_slice).unwrap_or(&[]);
        indices.iter().map(|&index| &self.symbols[index])
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
