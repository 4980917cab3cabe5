//! A kernel to be damaged: what is right about it, and what is wrongly believed
//! of it afterwards.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::mutate::{self, Fault, Knowledge, Mutation};
use super::truth::Truth;
use crate::code::{self, Code, Section};
use crate::identify::{self, Identification, Kind, Options};
use crate::kernel::Kernel;
use crate::symbols::{self, SymbolTable};

/// A kernel without its names, and what is right about it.
#[derive(Debug)]
pub struct Subject {
    kernel: Kernel,
    code: Code,
    truth: Truth,
    /// What is found in it as it is.
    found: Identification,
    took: Duration,
}

impl Subject {
    /// Of a kernel and its symbols.
    pub fn new(kernel: &Kernel, truth: Truth) -> Self {
        let kernel = symbols::hidden(kernel);
        let start = Instant::now();
        let found = identified(&kernel);
        Self {
            took: start.elapsed(),
            code: Code::analyse(&kernel, &code::Options::default()),
            kernel,
            truth,
            found,
        }
    }

    /// How long identification takes in the kernel as it is.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Identifies what the mutation that the seed stands for leaves, and gives
    /// what is wrongly accepted. What is wrong in the kernel as it is already is
    /// no matter of mutations.
    pub fn faults(&self, mutation: Mutation, seed: u64) -> Vec<Fault> {
        let mutated = mutation.apply(&self.kernel, self.text(), seed);
        let found = identified(&mutated);
        let mut faults = mutate::faults(&self.kernel, &mutated, &found, self);
        faults.retain(|fault| self.found.address(&fault.name) != Some(fault.found));
        faults
    }

    /// Offsets of `.text`: from its first function to the end of its last.
    fn text(&self) -> Range<usize> {
        let functions = self.code.functions().iter();
        let mut text = functions.filter(|it| it.section == Section::Text);
        let first = text.next();
        let last = text.next_back().or(first);
        let offset = |va| self.kernel.offset(va);
        let range = first.zip(last).and_then(|(first, last)| {
            Some(offset(first.start)?..offset(last.end.wrapping_sub(1))?)
        });
        range.unwrap_or_default()
    }
}

impl Knowledge for Subject {
    /// From the symbols; for fields, which have none, what is found in the kernel
    /// as it is.
    fn right(&self, name: &str, kind: Kind) -> Option<Vec<u32>> {
        match kind {
            Kind::Field => self.found.address(name).map(|address| vec![address]),
            _ => Some(self.truth.addresses(name, kind)?.into_iter().collect()),
        }
    }

    fn extent(&self, va: u32) -> Option<Range<u32>> {
        let function = self.code.function(self.code.containing(va)?);
        Some(function.start..function.end)
    }
}

fn identified(kernel: &Kernel) -> Identification {
    let options = Options {
        ..Options::default()
    };
    identify::identify(kernel, &SymbolTable::default(), &options)
}
