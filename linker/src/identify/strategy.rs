//! The strategies by name, and sets of them.

use serde::Serialize;

/// A way to tell what an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The kernel's own symbol table.
    SymbolTable,
    /// The kernel's export table.
    ExportTable,
    /// A list that the user gave.
    SymbolsFile,
    /// What the machine descriptors and the code that uses them show.
    MachineDesc,
    /// I: texts, and the file and line of warnings.
    Lexical,
    /// II: who calls whom, and in which order.
    Relation,
    /// III: constants, return values, numbers of blocks, callees, parameters.
    Structure,
    /// Tables of known form: structs of functions, initcalls, the vector page.
    Shape,
    /// What is passed to calls and stored in fields.
    Arguments,
    /// Functions of one source file lie together.
    Locality,
}

impl Strategy {
    /// All of them, the most trusted first.
    pub const ALL: [Strategy; 10] = [
        Strategy::SymbolTable,
        Strategy::ExportTable,
        Strategy::SymbolsFile,
        Strategy::MachineDesc,
        Strategy::Lexical,
        Strategy::Relation,
        Strategy::Structure,
        Strategy::Shape,
        Strategy::Arguments,
        Strategy::Locality,
    ];

    /// As it is written in reports.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::SymbolTable => "symbol_table",
            Strategy::ExportTable => "export_table",
            Strategy::SymbolsFile => "symbols_file",
            Strategy::MachineDesc => "machine_desc",
            Strategy::Lexical => "lexical",
            Strategy::Relation => "relation",
            Strategy::Structure => "structure",
            Strategy::Shape => "shape",
            Strategy::Arguments => "arguments",
            Strategy::Locality => "locality",
        }
    }
}

/// Which strategies may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrategySet(u16);

impl StrategySet {
    /// None.
    pub const NONE: StrategySet = StrategySet(0);

    /// Every one.
    pub const ALL: StrategySet = StrategySet((1 << Strategy::ALL.len()) - 1);

    /// These.
    pub fn of(strategies: &[Strategy]) -> Self {
        strategies
            .iter()
            .fold(Self::NONE, |set, &strategy| set.with(strategy))
    }

    /// This set and one more.
    pub fn with(self, strategy: Strategy) -> Self {
        Self(self.0 | 1 << strategy as u16)
    }

    /// This set and one less.
    pub fn without(self, strategy: Strategy) -> Self {
        Self(self.0 & !(1 << strategy as u16))
    }

    /// Whether the strategy is in it.
    pub fn has(self, strategy: Strategy) -> bool {
        self.0 & 1 << strategy as u16 != 0
    }
}

impl Default for StrategySet {
    fn default() -> Self {
        Self::ALL
    }
}
