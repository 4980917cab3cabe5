//! How good identification is: the kernel without its names, against the truth.
//!
//! | file | what |
//! |---|---|
//! | `truth` | the symbol table that the result is compared with |
//! | `boundaries` | precision and recall of function starts |
//! | `pointers` | each pointer: right, wrong, ambiguous, missing |
//! | `table` | the result as text |
//! | `mutate` | damaged kernels, and what must not be believed of them |
//! | `subject` | a kernel that is damaged again and again |

pub mod boundaries;
pub mod mutate;
pub mod pointers;
mod subject;
pub mod table;
#[cfg(test)]
mod tests;
mod truth;

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

pub use pointers::{Counts, Judged, PAPER, Verdict};
pub use subject::Subject;
pub use truth::Truth;

use crate::code::{self, Code};
use crate::identify::{self, Identification, Options, Strategy, StrategySet};
use crate::kernel::Kernel;
use crate::link;
use crate::object::Driver;
use crate::signatures::Signatures;
use crate::symbols::{self, Source, SymbolTable};

/// The paper's three strategies together, and nothing beyond them.
pub const SIGNATURES: &str = "I to III together";
/// All strategies that need no name from the kernel.
pub const COMBINED: &str = "all together";

/// Function starts against the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Boundaries {
    /// Starts that were found.
    pub found: usize,
    /// Starts that the truth has.
    pub truth: usize,
    /// Share of what was found that is right.
    pub precision: f64,
    /// Share of what is right that was found.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
}

impl From<boundaries::Score> for Boundaries {
    fn from(score: boundaries::Score) -> Self {
        Self {
            found: score.right + score.wrong,
            truth: score.right + score.missed,
            precision: score.precision(),
            recall: score.recall(),
            f1: score.f1(),
        }
    }
}

/// Function starts, found in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Functions {
    /// From the code alone.
    pub without: Boundaries,
    /// With the unwind index as one more source.
    pub with: Boundaries,
}

/// What one strategy finds when it is the only one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alone {
    /// Its name.
    pub strategy: String,
    /// All pointers that are asked for.
    pub pointers: Counts,
    /// Those of the paper's Table 1.
    pub paper: Counts,
}

/// Wall time of one run of each, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Seconds {
    /// The analysis of the code.
    pub code: f64,
    /// Identification with all strategies, the analysis of the code included.
    pub pointers: f64,
}

/// What was measured on one kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// What the user calls it.
    pub name: String,
    /// Its release.
    pub release: String,
    /// Bytes of the decompressed kernel.
    pub bytes: usize,
    /// Function starts; `None` when the truth does not name every function.
    pub functions: Option<Functions>,
    /// Every pointer, found with all strategies.
    pub pointers: Vec<Judged>,
    /// Each strategy alone, then some of them together.
    pub strategies: Vec<Alone>,
    /// What the driver cannot do without, what this kernel has, and what was
    /// not found: each as the names of which one would have been enough.
    pub unmet: Vec<Vec<String>>,
    /// How long it took.
    pub seconds: Seconds,
}

impl Evaluation {
    /// All pointers, found with all strategies.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.pointers)
    }

    /// What strategies I to III find of the paper's pointers; `None` when the
    /// kernel has none of them.
    pub fn signatures_of_paper(&self) -> Option<Counts> {
        let mut alone = self.strategies.iter();
        let counts = alone.find(|it| it.strategy == SIGNATURES)?.paper;
        (counts.existing() > 0).then_some(counts)
    }
}

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// A driver, to see whether all is found that it cannot do without.
    pub driver: Option<&'a Driver>,
    /// Each strategy alone too, and not only some of them together: three times
    /// as much work.
    pub each_strategy: bool,
    /// What is known of the kernel's source, instead of what comes with the linker.
    pub signatures: Option<&'a Arc<Signatures>>,
}

/// Measures one kernel.
///
/// The kernel's own names are overwritten first, in memory, so that no phase
/// can see them, wherever it looks. Only the strategies that read those names
/// are measured on the kernel as it is.
pub fn evaluate(name: &str, kernel: &Kernel, truth: &Truth, plan: Plan<'_>) -> Evaluation {
    let masked = symbols::hidden(kernel);
    let reference = reference(kernel, truth);
    let judged = |found: &Identification| pointers::judge(found, &reference, truth);

    let start = Instant::now();
    let code = Code::analyse(&masked, &code::Options::default());
    let code_seconds = start.elapsed().as_secs_f64();
    let functions = truth.has_functions().then(|| {
        let options = code::Options {
            unwind_index: false,
        };
        let truth = boundaries::Truth::of(kernel, truth.symbols());
        Functions {
            without: boundaries::score(&Code::analyse(&masked, &options), &truth).into(),
            with: boundaries::score(&code, &truth).into(),
        }
    });

    let start = Instant::now();
    let found = hidden(&masked, StrategySet::ALL, plan);
    let pointers_seconds = start.elapsed().as_secs_f64();
    let all = judged(&found);

    let each: &[Strategy] = match plan.each_strategy {
        true => &Strategy::ALL,
        false => &[],
    };
    let mut strategies: Vec<Alone> = each
        .iter()
        // There is no list from a user here.
        .filter(|&&strategy| strategy != Strategy::SymbolsFile)
        .map(|&strategy| {
            let only = StrategySet::of(&[strategy]);
            let found = match strategy {
                Strategy::SymbolTable => open(kernel, only, Source::Kallsyms),
                Strategy::ExportTable => open(kernel, only, Source::Exports),
                _ => hidden(&masked, only, plan),
            };
            let mut judged = judged(&found);
            if strategy != Strategy::MachineDesc {
                pointers::fields_by_functions(&mut judged);
            }
            alone(strategy.name(), &judged)
        })
        .collect();
    let signatures = [Strategy::Lexical, Strategy::Relation, Strategy::Structure];
    let mut signatures = judged(&hidden(&masked, StrategySet::of(&signatures), plan));
    pointers::fields_by_functions(&mut signatures);
    strategies.push(alone(SIGNATURES, &signatures));
    strategies.push(alone(COMBINED, &all));

    let needs = plan.driver.map_or_else(Vec::new, |driver| {
        link::requirements(&reference, std::slice::from_ref(driver))
            // Nothing of it can be linked, whatever is found.
            .unwrap_or_default()
    });
    Evaluation {
        name: name.to_owned(),
        release: kernel.facts.release.clone(),
        bytes: kernel.bytes.len(),
        functions,
        unmet: pointers::unmet(&needs, &found, &reference, truth),
        pointers: all,
        strategies,
        seconds: Seconds {
            code: code_seconds,
            pointers: pointers_seconds,
        },
    }
}

/// What identification says when it is given the truth.
fn reference(kernel: &Kernel, truth: &Truth) -> Identification {
    let options = Options {
        extra: Some(truth.symbols().clone()),
        strategies: StrategySet::of(&[Strategy::SymbolsFile, Strategy::MachineDesc]),
        ..Options::default()
    };
    identify::identify(kernel, &SymbolTable::default(), &options)
}

/// Identification of a kernel without names.
fn hidden(masked: &Kernel, strategies: StrategySet, plan: Plan<'_>) -> Identification {
    let options = Options {
        strategies,
        signatures: plan.signatures.cloned(),
        ..Options::default()
    };
    identify::identify(masked, &SymbolTable::default(), &options)
}

/// Identification that may read one of the kernel's own tables of names.
fn open(kernel: &Kernel, strategies: StrategySet, source: Source) -> Identification {
    let symbols = symbols::recover(kernel);
    let of_source = symbols.iter().filter(|symbol| symbol.source == source);
    let symbols = SymbolTable::new(of_source.cloned().collect());
    let options = Options {
        strategies,
        ..Options::default()
    };
    identify::identify(kernel, &symbols, &options)
}

fn alone(strategy: &str, judged: &[Judged]) -> Alone {
    let of_paper = judged.iter().filter(|it| PAPER.contains(&it.name.as_str()));
    Alone {
        strategy: strategy.to_owned(),
        pointers: Counts::of(judged),
        paper: Counts::of(of_paper),
    }
}
