//! What the kernel's source says about its functions, as data.
//!
//! For a set of functions that a driver may ask for, and their neighbourhood,
//! facts that survive compilation: the texts a function refers to, the places
//! in it that warn, what it calls, the constants in its logic. `ecmo-link
//! signatures` ([`crate::source`]) takes them from a source tree; those of a
//! choice of releases come with the linker (`linker/data/signatures`).
//!
//! * [`text`]: the form of the files
//! * [`shipped`]: the files that come with the linker, and the ones for a kernel
//! * [`merge`]: what holds on both sides of a release that has no file
//!
//! A fact is *conditional* when it may be absent in a kernel built from that
//! very source: it depends on the configuration, or the compiler is free to do
//! it in another way.

use crate::kernel::Version;

mod merge;
mod shipped;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use merge::both;
pub use shipped::{Signatures, SourceFacts};
pub use text::{Differences, Error, read};

/// The facts of one source tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Era {
    /// Of the tree's top `Makefile`.
    pub version: Version,
    /// By file, in the order of the file.
    pub functions: Vec<SourceFunction>,
    /// Structs that hold pointers to functions.
    pub initialisers: Vec<Initialiser>,
}

/// Who can see a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Linkage {
    /// Other files may call it: it stands in the binary unless its file does not.
    Global,
    /// The compiler may have put it into its callers and left nothing of it.
    Static,
}

/// A function of the kernel's source, with what is expected of its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFunction {
    /// As in the symbol table.
    pub name: String,
    /// Below the top of the tree, `kernel/irq/chip.c`.
    pub file: String,
    /// Of the function's name, from 1.
    pub line: u32,
    /// Position among the functions of its file, from 0.
    pub order: u32,
    /// Who can see it.
    pub linkage: Linkage,
    /// Whether it stands in `.init.text` (`__init`).
    pub init: bool,
    /// Whether modules may use it (`EXPORT_SYMBOL` and kin).
    pub exported: bool,
    /// Whether the function as a whole depends on the configuration.
    pub conditional: bool,
    /// How many parameters it takes.
    pub parameters: u8,
    /// Every string literal its code refers to, format strings with their level
    /// as in the binary (`<3>` before 3.6, `\x01` and a digit after).
    pub strings: Vec<Text>,
    /// Where it warns or gives up.
    pub warns: Vec<Warn>,
    /// What it calls, in the order of the source; inline functions and macros
    /// are replaced by what is in them.
    pub calls: Vec<SourceCall>,
    /// Calls through a pointer; a lower bound.
    pub indirect_calls: u32,
    /// Functions and variables whose address it takes, or that it reads or
    /// writes by name, whatever the configuration.
    pub address_of: Vec<String>,
    /// Constants in its logic.
    pub constants: Vec<SourceConstant>,
    /// Constants that it returns.
    pub returns: Vec<i64>,
    /// Basic blocks, an estimate: those of the statements, with nothing that is
    /// conditional.
    pub blocks: u32,
    /// Loops, those that are not conditional.
    pub loops: u32,
    /// The release this comes from.
    pub version: Version,
}

/// A string literal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text {
    /// As in the binary, without the NUL.
    pub text: String,
    /// May be absent.
    pub conditional: bool,
}

/// The macro with which a function warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WarnKind {
    /// `WARN_ON`, `WARN_ON_ONCE`: file and line.
    Warn,
    /// `WARN`, `WARN_ONCE`: file, line and a format, which is among the strings.
    WarnFormat,
    /// `BUG`, `BUG_ON`.
    Bug,
}

/// A place that warns or gives up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Warn {
    /// What the code does.
    pub kind: WarnKind,
    /// `__FILE__`, below the top of the tree; a header for an inline function.
    pub file: String,
    /// Where the macro's use starts: `__LINE__` of newer compilers.
    pub line: u32,
    /// Where the macro's use ends: `__LINE__` of older compilers.
    pub end_line: u32,
    /// Warns the first time only.
    pub once: bool,
    /// May be absent.
    pub conditional: bool,
}

/// A call of a function by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceCall {
    /// Of a function that is not inline.
    pub name: String,
    /// May be absent.
    pub conditional: bool,
    /// The callee is in the same file, static or not: the compiler may have put
    /// its code in place of the call.
    pub local: bool,
    /// What is passed, in order; not kept for a conditional call. What nothing
    /// is known of is left out at the end.
    pub arguments: Vec<Argument>,
}

/// What is passed to a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Argument {
    /// A number.
    Constant(i64),
    /// A parameter of the caller, unchanged; from 0.
    Parameter(u8),
    /// A string literal.
    Text(String),
    /// The address of a function or global variable.
    Address(String),
    /// Anything else.
    Other,
}

/// How a constant is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// `x & c`.
    And,
    /// `x & ~c`, with the value c.
    Clear,
    /// `x | c`.
    Or,
    /// `x ^ c`.
    Xor,
    /// Compared, in whatever way.
    Compare,
    /// `x + c`, and `x - c` with the value -c.
    Add,
    /// `x * c`, `x / c`, `x % c`.
    Scale,
    /// Written to a variable or to memory.
    Store,
}

/// A constant in the logic of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceConstant {
    /// How it is used.
    pub operator: Operator,
    /// Its value.
    pub value: i64,
    /// May be absent.
    pub conditional: bool,
}

/// A variable of struct type whose initialiser names functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialiser {
    /// Of the variable.
    pub name: String,
    /// The struct's tag, `irq_chip`.
    pub tag: String,
    /// Below the top of the tree.
    pub file: String,
    /// Who can see it.
    pub linkage: Linkage,
    /// Whether it, or a part of it, depends on the configuration.
    pub conditional: bool,
    /// Members and what they are given, in the order of the source. Members of
    /// inner structs are written `outer.inner`.
    pub members: Vec<(String, Argument)>,
    /// The release this comes from.
    pub version: Version,
}
