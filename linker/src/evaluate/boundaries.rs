//! Starts of functions, against the text symbols of a kernel.
//!
//! The rule for the truth. Every address in the image with a symbol of the kinds
//! `t`, `T`, `w` or `W` is looked at once, whatever the number of its names, and
//! counts as the start of a function, except
//!
//! 1. **data**: it lies outside of `_stext.._etext` and `_sinittext.._einittext`, or its
//!    first word is no A32 instruction that is always carried out. Symbols of data
//!    that are typed as text (`sys_call_table`, `__setup_str_*`, strings in init
//!    sections) are such.
//! 2. **labels in assembly**: control runs into it from the instruction before it
//!    (which is neither a jump, nor a return, nor a call that may be the last thing a
//!    function does, nor padding, nor a word that the code before it loads), and
//!    nothing calls it. No compiler makes such a function. Also names that begin with
//!    `.` or `$`, which are local to an assembler file and mark no function.
//! 3. **ends of sections**: `_etext`, `_einittext` and `_sinittext` where nothing else
//!    has the same address: the linker script puts them there.
//!
//! What is left out neither counts as right nor as wrong when it is found. The same
//! holds for starts that are found outside of the two pairs of marks: kallsyms without
//! `KALLSYMS_ALL` holds nothing there (`scripts/kallsyms.c`), although other text (the
//! exit section, the entry code before `_stext`) has functions. Nothing that is asked
//! here uses the analysis that is judged.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    code::{Code, glance},
    kernel::Kernel,
    machine::isa,
    symbols::SymbolTable,
};

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

/// Why a symbol is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Data.
    Data,
    /// A label in assembly.
    Label,
    /// The end of a section.
    Mark,
}

/// What the symbols of a kernel say about its functions.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Starts that count, sorted.
    counts: Vec<u32>,
    /// Addresses with a symbol that does not count, sorted.
    left_out: Vec<(u32, Why)>,
    /// Addresses for which the table is silent.
    silent: Vec<Range<u32>>,
}

impl Truth {
    /// Applies the rule of this module's first lines.
    pub fn of(kernel: &Kernel, symbols: &SymbolTable) -> Truth {
        let mut names: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        for symbol in symbols.iter() {
            let address = symbol.address & !1;
            if matches!(symbol.kind, 't' | 'T' | 'w' | 'W') && kernel.offset(address).is_some() {
                names.entry(address).or_default().push(&symbol.name);
            }
        }
        let addresses: Vec<u32> = names.keys().copied().collect();
        let called = called(kernel);
        let silent = silent(kernel, symbols);
        let in_text = |address| !silent.iter().any(|range| range.contains(&address));
        let mut truth = Truth {
            silent: silent.clone(),
            ..Truth::default()
        };
        for (index, (&address, names)) in names.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|i| addresses.get(i).copied());
            let thumb = isa::is_thumb(kernel, address);
            let marker = |name: &&str| matches!(*name, "_etext" | "_einittext" | "_sinittext");
            let is_called = called.binary_search(&address).is_ok();
            let why = if names.iter().all(marker) {
                Some(Why::Mark)
            } else if !in_text(address) || !kernel.facts.thumb2 && is_data(kernel, address) {
                Some(Why::Data)
            } else if names.iter().all(|name| name.starts_with(['.', '$']))
                || !is_called && before.is_some_and(|from| runs_into(kernel, from, address, thumb))
            {
                Some(Why::Label)
            } else {
                None
            };
            match why {
                Some(why) => truth.left_out.push((address, why)),
                None => truth.counts.push(address),
            }
        }
        truth
    }

    /// Starts that count, sorted.
    pub fn starts(&self) -> &[u32] {
        &self.counts
    }

    /// Addresses of symbols that do not count, sorted, and why they do not.
    pub fn left_out(&self) -> &[(u32, Why)] {
        &self.left_out
    }

    /// Whether a start that was found is right; `None` when the symbols do not say.
    pub fn is_right(&self, start: u32) -> Option<bool> {
        if self.counts.binary_search(&start).is_ok() {
            return Some(true);
        }
        let silent = self.silent.iter().any(|range| range.contains(&start));
        let left_out = self.left_out.binary_search_by_key(&start, |out| out.0);
        (!silent && left_out.is_err()).then_some(false)
    }
}

/// Everything outside of the two pairs of section marks, where they are known.
fn silent(kernel: &Kernel, symbols: &SymbolTable) -> Vec<Range<u32>> {
    let pair = |from, to| Some(symbols.address(from)?..symbols.address(to)?);
    // Up to 2.6.39 `_stext` is the start of the init section, which comes first, and
    // `_text` that of the text; later `_text` is before `_stext`.
    let text = pair("_stext", "_etext").map(|range| {
        let start = symbols.address("_text").unwrap_or(range.start);
        range.start.max(start)..range.end
    });
    let mut known: Vec<Range<u32>> = [text, pair("_sinittext", "_einittext")]
        .into_iter()
        .flatten()
        .collect();
    if known.len() < 2 {
        return Vec::new();
    }
    known.sort_by_key(|range| range.start);
    let mut silent = Vec::new();
    let mut at = kernel.base;
    for range in known {
        silent.push(at..range.start);
        at = at.max(range.end);
    }
    silent.push(at..kernel.end());
    silent
}

/// Targets of everything that looks like a call, sorted.
fn called(kernel: &Kernel) -> Vec<u32> {
    let step = if kernel.facts.thumb2 { 2 } else { 4 };
    let mut called: Vec<u32> = (kernel.base..kernel.end())
        .step_by(step)
        .filter_map(|at| glance::call(kernel, at, kernel.facts.thumb2))
        .collect();
    called.sort_unstable();
    called.dedup();
    called
}

/// Whether the word at an address is no A32 instruction that a function may begin
/// with.
fn is_data(kernel: &Kernel, address: u32) -> bool {
    !glance::may_begin(kernel, address)
}

/// Whether control runs into `address` from the instruction before it; `from` is
/// where the code of the symbol before it starts.
fn runs_into(kernel: &Kernel, from: u32, address: u32, thumb: bool) -> bool {
    let mut last = glance::Runs::Ends;
    let mut at = from.max(address.saturating_sub(LONGEST));
    let mut pools = Vec::new();
    while at < address {
        if pools.contains(&(at & !3)) {
            last = glance::Runs::Ends;
            at = (at & !3).wrapping_add(4);
            continue;
        }
        pools.extend(glance::literal(kernel, at, thumb));
        let (size, runs) = glance::runs(kernel, at, thumb);
        // Padding says nothing.
        if runs != glance::Runs::Nop {
            last = runs;
        }
        at = at.wrapping_add(size);
    }
    at == address && last == glance::Runs::On
}

/// Code of one symbol that is looked at, in bytes.
const LONGEST: u32 = 0x4000;

/// Compares.
pub fn score(code: &Code, truth: &Truth) -> Score {
    let mut score = Score {
        left_out: truth.left_out.len(),
        ..Score::default()
    };
    for function in code.functions() {
        match truth.is_right(function.start) {
            Some(true) => score.right += 1,
            Some(false) => score.wrong += 1,
            None => {}
        }
    }
    score.missed = truth.counts.len() - score.right;
    score
}
