//! What is known of a kernel's configuration, as far as layouts depend on it.

use std::collections::BTreeMap;

use super::table::{Tables, Term};
use crate::{
    kernel::{Arch, Kernel, Version},
    symbols::{Source, SymbolTable},
};

/// With more functions than this, and not from the export table alone, a
/// symbol table names every function of a kernel.
const WHOLE_TABLE: usize = 3000;

/// Conditions that are known to hold or not to hold.
pub(super) struct Conditions {
    known: BTreeMap<String, bool>,
    /// Bytes of a cache line, `L1_CACHE_BYTES`: an upper bound, since some
    /// Armv7 kernels before 3.2 have 32 and it is not seen in the binary.
    pub cache_line: u32,
}

impl Conditions {
    pub(super) fn of(tables: &Tables, kernel: &Kernel, symbols: &SymbolTable) -> Self {
        let facts = &kernel.facts;
        let mut known = BTreeMap::from([
            ("smp".to_owned(), facts.smp),
            ("lpae".to_owned(), facts.lpae),
        ]);
        // The EABI came with 2.6.16, and v6 kernels never had another.
        if facts.version < Version(2, 6, 16) {
            known.insert("aeabi".to_owned(), false);
        } else if facts.arch >= Arch::V6 || facts.version >= Version(3, 0, 0) {
            known.insert("aeabi".to_owned(), true);
        }
        // A word that tells of a processor that waits, until 4.15 and with SMP.
        if !facts.smp || facts.version >= Version(4, 16, 0) {
            known.insert("lock_break".to_owned(), false);
        }
        if facts.version < Version(5, 7, 0) {
            known.insert("lock_wait_types".to_owned(), false);
        }
        if facts.version >= Version(2, 6, 39) {
            known.insert("lock_two_classes".to_owned(), true);
        }
        let functions = symbols
            .iter()
            .filter(|symbol| symbol.source != Source::Exports && matches!(symbol.kind, 't' | 'T'))
            .count();
        for condition in &tables.conditions {
            if facts.version < condition.from || known.contains_key(&condition.name) {
                continue;
            }
            let shown = condition
                .shown_by
                .iter()
                .any(|name| symbols.all(name).next().is_some());
            if shown || functions > WHOLE_TABLE {
                known.insert(condition.name.clone(), shown);
            }
        }
        Self {
            known,
            cache_line: if facts.arch >= Arch::V7 { 64 } else { 32 },
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<bool> {
        self.known.get(name).copied()
    }

    /// Takes over what a struct showed.
    pub(super) fn learn(&mut self, shown: &BTreeMap<String, bool>) {
        for (name, holds) in shown {
            self.known.entry(name.clone()).or_insert(*holds);
        }
    }
}

/// Conditions of which every one has a value.
pub(super) struct Assignment<'a> {
    pub values: BTreeMap<&'a str, bool>,
}

impl Assignment<'_> {
    pub(super) fn all(&self, terms: &[Term]) -> bool {
        terms
            .iter()
            .all(|term| self.values.get(term.name.as_str()) == Some(&term.holds))
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.values.get(name) == Some(&true)
    }
}
