//! Where the fields of the kernel's structs lie, and the values of constants
//! that changed between versions.
//!
//! Three sources, in this order: what the binary itself shows (the machine
//! descriptors, and code that uses a field: [`read`]), then the tables in
//! `linker/data/layouts` for the kernel's version, then none. A table lists the
//! members of a struct in order, some of them under a condition on the
//! configuration; where it is not known whether a condition holds, both ways are
//! laid out and only what they agree on, and what agrees with the binary, is
//! believed. A version outside every table's range has no layout: the nearest is
//! not used. What happens where binary and table differ is in [`merge`].

use std::collections::{BTreeMap, BTreeSet};

use crate::{kernel::Kernel, machine::Machines, symbols::SymbolTable};

mod conditions;
mod constants;
mod merge;
mod read;
mod solve;
mod table;
#[cfg(test)]
mod tests;
mod timers;

pub use read::Lookup;
pub use table::{Error, Tables};

/// A number, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Field offset in bytes, size in bytes or constant.
    pub value: u32,
    /// The table's source, or the instruction that shows it.
    pub evidence: String,
}

impl Known {
    /// `layout_table` when it is what the kernel's source of this version has,
    /// `binary` when the kernel's own bytes show it.
    pub fn source(&self) -> &'static str {
        let tables = ["layout table, ", "include/"];
        match tables.iter().any(|table| self.evidence.starts_with(table)) {
            true => "layout_table",
            false => "binary",
        }
    }
}

/// What is known of one kernel's structs.
#[derive(Debug, Clone, Default)]
pub struct Layouts {
    known: BTreeMap<String, Known>,
    contradictions: BTreeMap<String, String>,
}

impl Layouts {
    /// The layouts of this kernel by the tables that come with the linker and
    /// by the code of the functions that the symbol table names.
    pub fn of(kernel: &Kernel, symbols: &SymbolTable, machines: &Machines) -> Self {
        Self::by(Tables::built_in(), kernel, symbols, machines)
    }

    /// The layouts of this kernel by other tables.
    pub fn by(
        tables: &Tables,
        kernel: &Kernel,
        symbols: &SymbolTable,
        machines: &Machines,
    ) -> Self {
        let lookup = Lookup {
            address: &|name| symbols.address(name),
            end: &|start| symbols.next_address(start),
        };
        Self::with(tables, kernel, symbols, machines, &lookup)
    }

    /// The layouts of this kernel, with the addresses of functions from
    /// `lookup`. The symbol table still says what the kernel was configured
    /// with, by what is in it and what is not.
    pub fn with(
        tables: &Tables,
        kernel: &Kernel,
        symbols: &SymbolTable,
        machines: &Machines,
        lookup: &Lookup<'_>,
    ) -> Self {
        let version = kernel.facts.version;
        let mut conditions = conditions::Conditions::of(tables, kernel, symbols);
        let mut reads = read::Reads::of(kernel, lookup);
        let mut layouts = Self {
            known: constants::known(tables, version),
            contradictions: BTreeMap::new(),
        };
        let mut tabled = BTreeSet::new();
        for table in &tables.structs {
            tabled.insert(table.name.as_str());
            let observed = solve::Observed::of(&table.name, kernel, machines, &layouts);
            // What the descriptors show stands above everything else.
            let above = observed.clone();
            let name = &table.name;
            let mut merged =
                merge::merge(name, Some(table), version, &conditions, observed, &reads);
            conditions.learn(&merged.conditions);
            merged.fields.extend(above.fields);
            merged.size = above.size.or(merged.size);
            layouts.add(&table.name, merged);
            if table.name == "uart_port" {
                let port = |field: &str| Some(layouts.get(&format!("uart_port.{field}"))?.value);
                reads.platform(kernel, lookup, &port);
            }
        }
        for name in reads.structs().filter(|name| !tabled.contains(name)) {
            let observed = solve::Observed::default();
            let merged = merge::merge(name, None, version, &conditions, observed, &reads);
            layouts.add(name, merged);
        }
        layouts
    }

    fn add(&mut self, name: &str, merged: merge::Merged) {
        for (field, known) in merged.fields {
            self.known.insert(format!("{name}.{field}"), known);
        }
        for (field, words) in merged.contradictions {
            self.contradictions.insert(format!("{name}.{field}"), words);
        }
        if let Some(size) = merged.size {
            self.known.insert(name.to_owned(), size);
        }
    }

    /// Fields of which the code and the tables, or two places in the code, say
    /// different things, and what: they have no value.
    pub fn contradictions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.contradictions
            .iter()
            .map(|(name, words)| (name.as_str(), words.as_str()))
    }

    /// An offset (`irq_data.irq`), a size (`irqaction`) or a constant
    /// (`IRQ_NOREQUEST`).
    pub fn get(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    /// Everything that is known, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Known)> {
        self.known
            .iter()
            .map(|(name, known)| (name.as_str(), known))
    }
}
