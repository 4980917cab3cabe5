//! Where the fields of the kernel's structs lie, and the values of constants
//! that changed between versions.
//!
//! Three sources, in this order: what the binary itself shows (the machine
//! descriptors, code that uses a field), then the tables in
//! `linker/data/layouts` for the kernel's version. A table lists the members of
//! a struct in order, some of them under a condition on the configuration;
//! where it is not known whether a condition holds, both ways are laid out and
//! only what they agree on, and what agrees with the binary, is believed. A
//! version outside every table's range has no layout: the nearest is not used.

use std::collections::BTreeMap;

use crate::{kernel::Kernel, machine::Machines, symbols::SymbolTable};

mod conditions;
mod constants;
mod solve;
mod table;
#[cfg(test)]
mod tests;

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
}

impl Layouts {
    /// The layouts of this kernel by the tables that come with the linker.
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
        let version = kernel.facts.version;
        let mut conditions = conditions::Conditions::of(tables, kernel, symbols);
        let mut known = constants::known(tables, version);
        for table in &tables.structs {
            let observed = solve::Observed::of(&table.name, kernel, machines);
            if let Some(era) = table.era(version) {
                let solution = solve::solve(era, &conditions, &observed);
                conditions.learn(&solution.conditions);
                for (field, value) in solution.fields {
                    known.insert(format!("{}.{field}", table.name), value);
                }
                if let Some(size) = solution.size {
                    known.insert(table.name.clone(), size);
                }
            }
            // What the binary shows stands above every table.
            for (field, value) in observed.fields {
                known.insert(format!("{}.{field}", table.name), value);
            }
            if let Some(size) = observed.size {
                known.insert(table.name.clone(), size);
            }
        }
        Self { known }
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
