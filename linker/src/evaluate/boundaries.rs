//! Starts of functions, against the text symbols of a kernel.
//!
//! Every address with a symbol of the kinds `t`, `T`, `w` or `W` in the image is
//! looked at once, whatever the number of its names.

use std::collections::BTreeMap;

use crate::{code::Code, kernel::Kernel, symbols::SymbolTable};

/// Numbers of one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// Starts that the symbols name and that were found.
    pub right: usize,
    /// Starts that were found and have no symbol.
    pub wrong: usize,
    /// Starts that the symbols name and that were not found.
    pub missed: usize,
    /// Symbols that say nothing about functions.
    pub left_out: usize,
}

impl Score {
    /// Share of what was found that is right.
    pub fn precision(&self) -> f64 {
        share(self.right, self.wrong)
    }

    /// Share of what is right that was found.
    pub fn recall(&self) -> f64 {
        share(self.right, self.missed)
    }

    /// Harmonic mean of the two.
    pub fn f1(&self) -> f64 {
        share(2 * self.right, self.wrong + self.missed)
    }
}

fn share(part: usize, rest: usize) -> f64 {
    match part + rest {
        0 => 1.0,
        all => part as f64 / all as f64,
    }
}

/// The starts that count: 1 counts, 0 is left out.
pub fn truth(kernel: &Kernel, symbols: &SymbolTable) -> BTreeMap<u32, bool> {
    let mut truth = BTreeMap::new();
    for symbol in symbols.iter() {
        let address = symbol.address & !1;
        if !matches!(symbol.kind, 't' | 'T' | 'w' | 'W') || kernel.offset(address).is_none() {
            continue;
        }
        let counts = kernel.facts.thumb2
            || kernel
                .word(address)
                .is_some_and(|word| word >> 28 == 0xe || word >> 28 == 0xf);
        truth.insert(address, counts);
    }
    truth
}

/// Compares.
pub fn score(code: &Code, truth: &BTreeMap<u32, bool>) -> Score {
    let mut score = Score::default();
    for function in code.functions() {
        match truth.get(&function.start) {
            Some(true) => score.right += 1,
            Some(false) => {}
            None => score.wrong += 1,
        }
    }
    let counted = truth.values().filter(|counts| **counts).count();
    score.missed = counted - score.right;
    score.left_out = truth.len() - counted;
    score
}
