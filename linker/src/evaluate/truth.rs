//! The truth that results are measured against, and what it can tell.

use std::collections::BTreeSet;

use crate::identify::Kind;
use crate::symbols::{Symbol, SymbolTable};

/// A table with fewer variables of `.bss` than this was made without
/// `CONFIG_KALLSYMS_ALL`. It still has some marks of the linker script, and what
/// lies between sections of code: tables of quirks for instance, thousands of
/// them, but nothing of `.bss`.
const MIN_VARIABLES: usize = 256;

/// A symbol table of the kernel that the measured program does not get to see.
#[derive(Debug, Clone)]
pub struct Truth {
    symbols: SymbolTable,
    /// It names every function of the kernel.
    functions: bool,
    /// It names every variable.
    variables: bool,
}

impl Truth {
    /// What a table can tell.
    ///
    /// A list without type letters names what somebody has looked up, so that
    /// a name it lacks says nothing. A table with letters is the kernel's own.
    pub fn new(symbols: SymbolTable) -> Self {
        let functions = symbols.iter().any(|symbol| symbol.kind != '?');
        let variables = symbols
            .iter()
            .filter(|symbol| matches!(symbol.kind, 'b' | 'B'))
            .count();
        Self {
            symbols,
            functions,
            variables: variables >= MIN_VARIABLES,
        }
    }

    /// Where a name is: `None` when the table cannot tell, no address when the
    /// kernel has nothing of that name.
    ///
    /// Of static functions there may be many of one name; what other files mean
    /// by it is the global one.
    pub fn addresses(&self, name: &str, kind: Kind) -> Option<BTreeSet<u32>> {
        let all: Vec<&Symbol> = self.symbols.all(name).collect();
        let global = all.iter().any(|symbol| symbol.kind.is_ascii_uppercase());
        let addresses: BTreeSet<u32> = all
            .iter()
            .filter(|symbol| !global || symbol.kind.is_ascii_uppercase())
            .map(|symbol| symbol.address & !u32::from(kind == Kind::Function))
            .collect();
        let tells = match kind {
            Kind::Function => self.functions,
            Kind::Data => self.variables,
            Kind::Field => false,
        };
        (tells || !addresses.is_empty()).then_some(addresses)
    }

    /// Whether the table names every function, so that boundaries can be
    /// measured against it.
    pub fn has_functions(&self) -> bool {
        self.functions
    }

    /// Whether the table names every variable.
    pub fn has_variables(&self) -> bool {
        self.variables
    }

    /// The table.
    pub fn symbols(&self) -> &SymbolTable {
        &self.symbols
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::system_map;

    fn truth(text: &str) -> Truth {
        Truth::new(system_map::parse(text).unwrap())
    }

    #[test]
    fn a_whole_table_tells_what_is_not_there() {
        let truth = truth("c0008000 T stext\nc0008100 t twice\nc0008200 T twice");
        let one = |name| truth.addresses(name, Kind::Function);
        assert_eq!(one("twice"), Some([0xc000_8200].into()));
        assert_eq!(one("gone"), Some(BTreeSet::new()));
        assert_eq!(truth.addresses("gone", Kind::Data), None);
        assert!(truth.has_functions());
    }

    #[test]
    fn a_table_without_bss_does_not_name_every_variable() {
        let table = |kind: char| {
            let lines = (0..300).map(|it| format!("c0{it:06x} {kind} thing_{it}"));
            lines.collect::<Vec<_>>().join("\n")
        };
        assert!(!truth(&table('D')).has_variables());
        assert!(truth(&table('b')).has_variables());
    }

    #[test]
    fn a_list_tells_only_what_it_names() {
        let truth = truth("one 0xc0008101\nother 0xc0008200");
        let one = |name| truth.addresses(name, Kind::Function);
        assert_eq!(one("one"), Some([0xc000_8100].into()));
        assert_eq!(one("gone"), None);
        assert!(!truth.has_functions());
    }
}
