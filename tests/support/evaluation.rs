//! Whole sets of kernels measured with their names hidden, and what has to be
//! true of the result.

use std::path::PathBuf;
use std::sync::Arc;

use linker::evaluate::{self, Counts, Evaluation, Plan, Truth, table};
use linker::kernel::Kernel;
use linker::signatures::Signatures;
use linker::{image, symbols};
use rehost::pipeline::transplanting;

use crate::{fixtures, parallel};

/// Function starts, without the unwind index: on every kernel, and in the middle.
const LEAST_F1: f64 = 0.96;
const MEDIAN_F1: f64 = 0.985;

/// What the pointers of a set of kernels have to reach.
///
/// The aim is the same for every set: none wrong, none required that is missing,
/// at most 0.02 ambiguous and the right one first, and 0.8 of the paper's by
/// strategies I to III. Where a bar is lower, it stands at what has been reached,
/// so that nothing is lost on the way there.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    /// Found and right, at least, of those that exist.
    pub right: f64,
    /// Found and wrong, at most, of those that exist.
    pub wrong: f64,
    /// With several candidates, at most, of those that exist.
    pub ambiguous: f64,
    /// The paper's pointers that strategies I to III alone find, at least, of
    /// those that exist.
    pub by_signatures: f64,
    /// Pointers that the built-in driver requires on a kernel and that are not
    /// found, at most, on all kernels together.
    pub unmet: usize,
}

/// One kernel and where its truth is.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is called in messages.
    pub name: String,
    /// The image.
    pub image: PathBuf,
    /// The truth as text; `None`: the kernel's own symbol table is the truth.
    pub truth: Option<String>,
}

impl Case {
    /// A kernel of the cache. The truth is the `System.map` of the build where
    /// there is one, else the kernel's own table.
    ///
    /// # Panics
    /// When the image is not there; the message says which command puts it there.
    pub fn of_cache(name: &str, file: &str) -> Self {
        let image = fixtures::kernel(name, file);
        let truth = std::fs::read_to_string(image.with_file_name("System.map")).ok();
        Self {
            name: name.to_owned(),
            image,
            truth,
        }
    }
}

/// Measures every case, as many at once as there are processors.
///
/// # Panics
/// When an image or a table cannot be read.
pub fn all(cases: &[Case]) -> Vec<Evaluation> {
    parallel::map(cases, |case| one(case, None))
}

/// The same, with these signatures and no others.
///
/// # Panics
/// When an image or a table cannot be read.
pub fn all_by(cases: &[Case], signatures: &Arc<Signatures>) -> Vec<Evaluation> {
    parallel::map(cases, |case| one(case, Some(signatures)))
}

fn one(case: &Case, signatures: Option<&Arc<Signatures>>) -> Evaluation {
    let kernel = kernel(case);
    let truth = truth(case, &kernel);
    let driver = transplanting::driver(&kernel, None).expect("the built-in driver can be read");
    let plan = Plan {
        driver: Some(&driver),
        each_strategy: false,
        signatures,
    };
    evaluate::evaluate(&case.name, &kernel, &truth, plan)
}

/// The symbols that results are compared with.
///
/// # Panics
/// When the case's list is none.
pub fn truth(case: &Case, kernel: &Kernel) -> Truth {
    let table = match &case.truth {
        Some(text) => symbols::system_map::parse(text)
            .unwrap_or_else(|error| panic!("{}: {error}", case.name)),
        None => symbols::recover(kernel),
    };
    Truth::new(table)
}

/// The kernel in the case's image.
///
/// # Panics
/// When there is none.
pub fn kernel(case: &Case) -> Kernel {
    let bytes = std::fs::read(&case.image).expect("the image can be read");
    let firmware = image::open(&bytes);
    firmware
        .unwrap_or_else(|error| panic!("{}: {error}", case.name))
        .kernel
}

/// What is not as it has to be, a line each. The table goes to standard error.
pub fn faults(evaluations: &[Evaluation], bar: &Bar) -> Vec<String> {
    eprintln!("{}", table::many(evaluations));
    let mut faults = Vec::new();
    let mut total = Counts::default();
    let mut signatures = Counts::default();
    let mut all_f1 = Vec::new();
    let mut unmet = Vec::new();
    for one in evaluations {
        if let Some(functions) = one.functions {
            all_f1.push(functions.without.f1);
            if functions.without.f1 < LEAST_F1 {
                let found = functions.without;
                faults.push(format!("{}: function starts: {found:?}", one.name));
            }
        }
        let names = one.unmet.iter().map(|names| names.join(" or "));
        unmet.extend(names.map(|names| format!("{}: {names}", one.name)));
        total += one.counts();
        signatures += one.signatures_of_paper().unwrap_or_default();
    }
    let median = table::median(&all_f1);
    if !all_f1.is_empty() && median < MEDIAN_F1 {
        faults.push(format!("function starts: the median F1 is {median:.4}"));
    }
    let share = |count: u32| f64::from(count) / f64::from(total.existing().max(1));
    let mut at_most = |what: &str, count: u32, limit: f64| {
        if share(count) > limit {
            let existing = total.existing();
            faults.push(format!(
                "{count} of {existing} {what}, at most {limit} of them"
            ));
        }
    };
    at_most("wrong", total.wrong, bar.wrong);
    at_most("ambiguous", total.ambiguous(), bar.ambiguous);
    at_most("not right", total.existing() - total.right, 1.0 - bar.right);
    if signatures.share() < bar.by_signatures {
        faults.push(format!(
            "strategies I to III alone find {} of {} of the paper's pointers",
            signatures.right,
            signatures.existing()
        ));
    }
    if unmet.len() > bar.unmet {
        faults.push(format!("required and not found:\n  {}", unmet.join("\n  ")));
    }
    faults
}
