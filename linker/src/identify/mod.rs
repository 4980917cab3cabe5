//! Addresses for everything that a driver may ask for, each with evidence.

use serde::Serialize;

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
    /// The higher the likelier; candidates are sorted by it.
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
