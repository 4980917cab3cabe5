//! Addresses for everything that a driver may ask for, each with evidence.
//!
//! Strategies ([`Strategy`]), each usable alone: the kernel's symbol table, its
//! export table, a file of symbols from the user, the machine descriptors, and
//! for a kernel without symbols the comparison of its code with what the
//! kernel's source says ([`crate::signatures`]):
//!
//! * [`lexical`]: texts, and the file and line of warnings
//! * [`relation`]: callers, callees, siblings, the order of calls
//! * [`structure`]: constants, return values, numbers of blocks and callees;
//!   [`assembly`]: first instructions of what is no C
//! * [`sights`]: what a function does with its arguments
//! * [`locality`]: functions of one source file lie together
//! * [`masks`]: constants that nothing uses, by where they lie
//! * [`presence`]: files of the source of which the kernel has nothing
//! * [`matcher`]: spreads names from what is certain to what follows from it
//! * [`cluster`]: functions that are alike, told apart together
//! * [`doubt`]: what has won and is not believed all the same
//! * [`versions`]: what another version of the source may have made of it
//! * [`combine`]: ranked candidates, with evidence
//!
//! Sources that disagree make a pointer ambiguous; none is ever preferred
//! silently.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use combine::Findings;
use matcher::Matcher;

use crate::{
    code::{self, Code},
    kernel::Kernel,
    layouts::Layouts,
    machine::{self, Machines, isa},
    signatures::Signatures,
    symbols::{Source, Symbol, SymbolTable},
};

mod accept;
mod arguments;
mod assembly;
mod by_name;
mod cluster;
mod combine;
mod doubt;
mod fields;
mod graph;
mod lexical;
mod locality;
mod masks;
mod matcher;
mod names;
mod place;
mod presence;
mod relation;
mod resolve;
mod seen;
mod shape;
mod sights;
mod strategy;
mod structure;
mod tally;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod vectors;
mod versions;
mod votes;

pub use strategy::{Strategy, StrategySet};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A function of the kernel.
    Function,
    /// A variable of the kernel.
    Data,
    /// A word in the kernel that holds a function pointer, such as
    /// `machine_desc.init_irq`.
    Field,
}

/// How sure we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Exactly one candidate.
    Found,
    /// More than one, the likeliest first.
    Ambiguous,
    /// None.
    Missing,
}

/// A place where something may be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Virtual address; bit 0 is set when it is a Thumb function.
    pub address: u32,
    /// What speaks for it, in bits. The order of the candidates also weighs how well
    /// each would do for other names.
    pub score: f64,
    /// Why, for a person.
    pub evidence: Vec<String>,
}

/// One thing that was asked for, and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pointer {
    /// Function, variable or field, for example `setup_irq` or
    /// `machine_desc.init_irq`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How sure we are.
    pub status: Status,
    /// The likeliest first.
    pub candidates: Vec<Candidate>,
    /// What found it: `symbol_table`, `export_table`, `machine_desc`, ...
    pub strategy: Option<String>,
}

impl Pointer {
    /// The address when there is exactly one candidate.
    pub fn address(&self) -> Option<u32> {
        match (self.status, self.candidates.as_slice()) {
            (Status::Found, [only]) => Some(only.address),
            _ => None,
        }
    }
}

/// What identification may use.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Symbols that the user knows.
    pub extra: Option<SymbolTable>,
    /// What may be used to find names; all by default.
    pub strategies: StrategySet,
    /// Names to look for beside those that a driver writer mostly wants.
    pub names: Vec<String>,
    /// What is known of the kernel's source, instead of what comes with the linker.
    pub signatures: Option<Arc<Signatures>>,
}

/// What is known of a kernel.
#[derive(Debug, Clone)]
pub struct Identification {
    /// The names that a driver writer would want and those of [`Options::names`],
    /// found or not.
    pub pointers: Vec<Pointer>,
    /// Struct layouts and constants.
    pub layouts: Layouts,
    /// Machine descriptors and processors.
    pub machines: Machines,
    /// Every symbol that was used.
    symbols: SymbolTable,
    findings: Findings,
    thumb: Thumb,
}

impl Identification {
    /// One of [`Self::pointers`].
    pub fn pointer(&self, name: &str) -> Option<&Pointer> {
        self.pointers.iter().find(|pointer| pointer.name == name)
    }

    /// The address of any name, bit 0 set for a Thumb function: of one of the
    /// pointers, or of any other symbol on whose address all sources agree.
    pub fn address(&self, name: &str) -> Option<u32> {
        match self.pointer(name) {
            Some(pointer) => pointer.address(),
            None => self.resolve(name).address(),
        }
    }

    /// What is known of any name, pointer or not.
    pub fn resolve(&self, name: &str) -> Pointer {
        match self.pointer(name) {
            Some(pointer) => pointer.clone(),
            None => resolve::any(name, &self.symbols, &self.findings, &self.thumb),
        }
    }

    /// The symbols that were used.
    pub fn symbols(&self) -> &SymbolTable {
        &self.symbols
    }
}

/// Which functions are Thumb.
#[derive(Debug, Clone)]
pub(crate) struct Thumb {
    kernel: bool,
    /// Functions of a Thumb kernel that are not.
    arm: BTreeSet<u32>,
}

impl Thumb {
    fn of(kernel: &Kernel, symbols: &SymbolTable) -> Self {
        let arm = match kernel.facts.thumb2 {
            true => symbols
                .iter()
                .map(|symbol| symbol.address & !1)
                .filter(|&address| !isa::is_thumb(kernel, address))
                .collect(),
            false => BTreeSet::new(),
        };
        Self {
            kernel: kernel.facts.thumb2,
            arm,
        }
    }

    /// The address with which a function is called.
    fn callable(&self, address: u32) -> u32 {
        let even = address & !1;
        match self.kernel && !self.arm.contains(&even) {
            true => even | 1,
            false => address,
        }
    }
}

/// Finds everything that can be found.
///
/// `symbols` is what [`crate::symbols::recover`] gave. For a kernel as it would be
/// without them, pass none and what [`crate::symbols::hidden`] gave.
pub fn identify(kernel: &Kernel, symbols: &SymbolTable, options: &Options) -> Identification {
    let given = match &options.extra {
        Some(extra) => symbols.merged(extra),
        None => symbols.clone(),
    };
    // Most of it is done in many small steps on all threads; one of these threads
    // begins the next step sooner than one that has to wake them first.
    let findings = rayon::scope(|_| find(kernel, &given, options));
    let symbols = with_found(&given, &findings);
    let mut machines = machine::find(kernel, &symbols);
    let layouts = Layouts::of(kernel, &symbols, &machines);
    fields::complete(kernel, &mut machines, &layouts);
    let thumb = Thumb::of(kernel, &symbols);
    let functions = names::FUNCTIONS
        .iter()
        .map(|name| resolve::one(name, Kind::Function, &symbols, &findings, &thumb, &machines));
    let listed = |name: &&String| {
        let mut lists = names::FUNCTIONS.iter().chain(names::DATA);
        !lists.any(|it| it == name)
    };
    let further: BTreeSet<&String> = options.names.iter().filter(listed).collect();
    let further = further
        .into_iter()
        .map(|name| resolve::any(name, &symbols, &findings, &thumb));
    let data = names::DATA
        .iter()
        .map(|name| resolve::one(name, Kind::Data, &symbols, &findings, &thumb, &machines));
    let pointers = functions
        .chain(data)
        .chain(fields::pointers(&machines))
        .chain(further)
        .collect();
    Identification {
        pointers,
        layouts,
        machines,
        symbols,
        findings,
        thumb,
    }
}

/// What the code says, for a kernel whose own symbols say nothing.
fn find(kernel: &Kernel, given: &SymbolTable, options: &Options) -> Findings {
    let own = |symbol: &Symbol| matches!(symbol.source, Source::Kallsyms | Source::Elf);
    if given.iter().any(own) {
        return Findings::new();
    }
    let own = options.signatures.as_deref();
    let signatures = own.unwrap_or_else(|| Signatures::shipped());
    let ((facts, source), code) = rayon::join(
        || {
            let facts = signatures.for_version(kernel.facts.version);
            let source = graph::Source::of(&facts);
            (facts, source)
        },
        || Code::analyse(kernel, &code::Options::default()),
    );
    let binary = graph::Binary::of(&code, &source);
    let ((shapes, assembly), sights) = rayon::join(
        || {
            let shapes = shape::Shapes::of(kernel, &facts, &source, &binary);
            (shapes, assembly::Assembly::of(kernel, &source, &binary))
        },
        || sights::Sights::of(kernel, &source, &binary),
    );
    let known = matcher::Known {
        shapes,
        sights,
        assembly,
    };
    let mut matcher = Matcher::new(kernel, &source, &binary, known, options.strategies);
    for symbol in given.iter() {
        if let (Some(named), Some(node)) = (source.named(&symbol.name), binary.at(symbol.address))
            && given.address(&symbol.name).is_some()
        {
            matcher.fix(named, node);
        }
    }
    matcher.run();
    let asked: Vec<&str> = names::FUNCTIONS
        .iter()
        .chain(names::DATA)
        .copied()
        .chain(options.names.iter().map(String::as_str))
        .collect();
    let mut findings = combine::findings(&matcher, &asked);
    drop(matcher);
    if options.strategies.has(Strategy::Shape) {
        masks::add(kernel, &mut findings);
    }
    // Lists by the hundred thousand take a while to be given back; nobody waits for it.
    let lists = binary.into_lists();
    rayon::spawn(move || drop((lists, code, source, facts)));
    findings
}

/// The symbols, and those names that the code shows with certainty.
fn with_found(given: &SymbolTable, findings: &Findings) -> SymbolTable {
    if findings.is_empty() {
        return given.clone();
    }
    let found = findings.iter().filter(|it| it.1.certain);
    let found = found.filter_map(|(name, finding)| {
        Some(Symbol {
            address: finding.candidates.first()?.1.address & !1,
            kind: if finding.function { 'T' } else { 'D' },
            name: name.clone(),
            source: Source::Code,
        })
    });
    given.merged(&SymbolTable::new(found.collect()))
}
