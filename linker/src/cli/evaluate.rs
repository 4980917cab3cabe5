//! `ecmo-link evaluate`: how much is found without the kernel's names.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail};
use linker::evaluate::mutate::Mutation;
use linker::evaluate::{self, Evaluation, Plan, Subject, Truth, table};
use linker::image;
use linker::kernel::Kernel;
use linker::object::Driver;
use linker::symbols::system_map;
use serde::Serialize;

use super::Outcome;
use super::input::read;

/// File names in a folder of a corpus.
const IMAGE: &str = "image";
const SYMBOLS: &str = "symbols.txt.xz";

/// Measures how much is found in a kernel whose names are hidden.
///
/// The kernel's symbol table, its export table and the tables of its built-in
/// modules are overwritten in memory first. Then function starts and pointers
/// are compared with a symbol table that you give.
///
/// Ends with 1 when a wrong address was found or one that the driver requires
/// was not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  ecmo-link evaluate zImage --truth System.map\n  \
    ecmo-link evaluate a/zImage b/zImage --truth a/System.map --truth b/System.map.xz\n  \
    ecmo-link evaluate --corpus kernels/ --json -"
)]
pub(super) struct Args {
    /// Kernels: zImage, uImage, Image, ELF, or firmware images that hold one.
    #[arg(value_name = "KERNEL", required_unless_present = "corpus")]
    kernels: Vec<PathBuf>,
    /// Symbols of the kernel in the form of System.map, plain or as .xz; one for
    /// each kernel, in the same order.
    #[arg(long, value_name = "SYMBOLS")]
    truth: Vec<PathBuf>,
    /// A folder with a folder for each kernel: the files `image` and
    /// `symbols.txt.xz` in it; folders that lack either are skipped.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["kernels", "truth"])]
    corpus: Option<PathBuf>,
    /// A driver: count what it requires of each kernel and was not found.
    #[arg(long, value_name = "LIB")]
    driver: Option<PathBuf>,
    /// Signatures of the kernels' source, as `ecmo-link signatures` wrote them,
    /// instead of those that come with the program.
    #[arg(long, value_name = "FILE", conflicts_with = "mutations")]
    signatures: Option<PathBuf>,
    /// Leave out what each strategy finds alone: a third of the time.
    #[arg(long)]
    together: bool,
    /// Instead, break every kernel this many times, in six ways by turns, and
    /// list the addresses that are believed although they are wrong and what
    /// speaks for them was not broken.
    #[arg(long, value_name = "N", conflicts_with_all = ["driver", "together", "jobs", "json"])]
    mutations: Option<u64>,
    /// Kernels to measure at once; times are only worth something with one.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Write the result as one JSON object; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One kernel and where its truth is.
struct Case {
    name: String,
    image: PathBuf,
    truth: PathBuf,
}

/// The JSON of this command.
#[derive(Serialize)]
struct Answer<'a> {
    kernels: &'a [Evaluation],
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let cases = cases(args)?;
    if let Some(count) = args.mutations {
        return mutate(&cases, count);
    }
    let driver = match &args.driver {
        None => None,
        Some(path) => Some(Driver::read(&path.display().to_string(), &read(path)?)?),
    };
    let signatures = match &args.signatures {
        None => None,
        Some(path) => Some(super::input::signatures(path)?),
    };
    let plan = Plan {
        driver: driver.as_ref(),
        each_strategy: !args.together,
        signatures: signatures.as_ref(),
    };
    let evaluations = all(&cases, plan, args.jobs)?;
    if let Some(path) = &args.json {
        let answer = Answer {
            kernels: &evaluations,
        };
        let text = serde_json::to_string_pretty(&answer)? + "\n";
        match path == Path::new("-") {
            true => super::print(&text)?,
            false => std::fs::write(path, text)
                .with_context(|| format!("cannot write {}", path.display()))?,
        }
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        match evaluations.as_slice() {
            [only] => super::print(&table::one(only))?,
            several => super::print(&table::many(several))?,
        }
    }
    let clean = |it: &Evaluation| it.counts().wrong == 0 && it.unmet.is_empty();
    Ok(match evaluations.iter().all(clean) {
        true => Outcome::Done,
        false => Outcome::Negative,
    })
}

/// Breaks every kernel so many times.
fn mutate(cases: &[Case], count: u64) -> anyhow::Result<Outcome> {
    let terminal = std::io::stderr().is_terminal();
    let mut faults = 0;
    for case in cases {
        let (kernel, truth) = case.read()?;
        let subject = Subject::new(&kernel, truth);
        for seed in 0..count {
            let mutation = Mutation::ALL[seed as usize % Mutation::ALL.len()];
            if terminal {
                eprint!("\r{}: {seed} of {count} ", case.name);
            }
            for fault in subject.faults(mutation, seed) {
                faults += 1;
                super::print(&format!("{}: {mutation:?} {seed}: {fault}\n", case.name))?;
            }
        }
    }
    super::print(&format!("{faults} faults\n"))?;
    Ok(match faults {
        0 => Outcome::Done,
        _ => Outcome::Negative,
    })
}

/// Every case, in their order, so many at once.
fn all(cases: &[Case], plan: Plan<'_>, jobs: u16) -> anyhow::Result<Vec<Evaluation>> {
    let terminal = std::io::stderr().is_terminal();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(index) else {
                return done;
            };
            if terminal {
                eprintln!("{} of {}: {}", index + 1, cases.len(), case.name);
            }
            done.push((index, case.evaluate(plan)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        let results = threads.into_iter().flat_map(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.collect::<Vec<_>>()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

fn cases(args: &Args) -> anyhow::Result<Vec<Case>> {
    if let Some(folder) = &args.corpus {
        return corpus(folder);
    }
    if args.kernels.len() != args.truth.len() {
        super::wrong_usage(&format!(
            "{} kernels, but {} times --truth: each kernel needs its own",
            args.kernels.len(),
            args.truth.len()
        ));
    }
    let pairs = args.kernels.iter().zip(&args.truth);
    Ok(pairs
        .map(|(image, truth)| Case {
            name: image.display().to_string(),
            image: image.clone(),
            truth: truth.clone(),
        })
        .collect())
}

fn corpus(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut cases = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let case = Case {
            name: entry.file_name().to_string_lossy().into_owned(),
            image: entry.path().join(IMAGE),
            truth: entry.path().join(SYMBOLS),
        };
        if case.image.is_file() && case.truth.is_file() {
            cases.push(case);
        }
    }
    if cases.is_empty() {
        bail!(
            "{}: no folder in it has both {IMAGE} and {SYMBOLS}",
            folder.display()
        );
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

impl Case {
    fn read(&self) -> anyhow::Result<(Kernel, Truth)> {
        let firmware =
            image::open(&read(&self.image)?).with_context(|| self.image.display().to_string())?;
        Ok((firmware.kernel, truth(&self.truth)?))
    }

    fn evaluate(&self, plan: Plan<'_>) -> anyhow::Result<Evaluation> {
        let (kernel, truth) = self.read()?;
        Ok(evaluate::evaluate(&self.name, &kernel, &truth, plan))
    }
}

/// A symbol table from a text file, plain or compressed with xz.
fn truth(path: &Path) -> anyhow::Result<Truth> {
    const XZ: &[u8] = b"\xfd7zXZ\0";
    /// Longer than the table of any kernel.
    const LIMIT: u64 = 256 << 20;
    let bytes = read(path)?;
    let text = if bytes.starts_with(XZ) {
        let mut text = Vec::new();
        let decoder = liblzma::read::XzDecoder::new(bytes.as_slice());
        std::io::Read::read_to_end(&mut std::io::Read::take(decoder, LIMIT), &mut text)
            .with_context(|| format!("{}: not a whole xz file", path.display()))?;
        text
    } else {
        bytes
    };
    let table = system_map::parse(&String::from_utf8_lossy(&text))
        .with_context(|| path.display().to_string())?;
    Ok(Truth::new(table))
}
