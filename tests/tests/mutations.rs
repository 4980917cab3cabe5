//! Damaged kernels: whatever is broken in a decompressed kernel, identification
//! ends soon, does not panic, and accepts no wrong address unless what its
//! evidence rests on was changed.
//!
//! A test a kind of mutation. They share 500 mutations; the variable
//! `ECMO_MUTATIONS` asks for another number (`cargo xtask mutate 10000`). The
//! kernels are those of the cache. A failure names the kernel and the seed;
//! `ECMO_MUTATION_SEED` runs that seed alone.

use std::{
    collections::BTreeSet,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use linker::{
    code::{self, Code, Section},
    evaluate::{
        Truth, mask,
        mutate::{self, Knowledge, Mutation},
    },
    identify::{self, Identification, Kind, Options},
    image,
    kernel::Kernel,
    symbols::{self, SymbolTable},
};
use tests::fixtures;

/// How many in all when nothing else is asked for.
const DEFAULT: u64 = 500;
/// A mutated kernel may take this much longer than the kernel as it is ...
const FACTOR: u32 = 10;
/// ... and this much on top, as the machine may be busy.
const GRACE: Duration = Duration::from_secs(20);

/// Names in the cache, and the image's file.
const KERNELS: [(&str, &str); 4] = [
    ("bcm5301x-6.1", "zImage"),
    ("debian-marvell", "vmlinuz"),
    ("debian-rpi", "vmlinuz"),
    ("versatile-6.1", "zImage"),
];

/// A kernel without its names, and what is right about it.
struct Case {
    name: &'static str,
    kernel: Kernel,
    code: Code,
    truth: Truth,
    /// What is found in it as it is; the truth for fields.
    found: Identification,
    /// How long that took.
    took: Duration,
}

/// Each kernel once, read when it is first asked for.
fn case(index: usize) -> Arc<Case> {
    static CASES: [OnceLock<Arc<Case>>; KERNELS.len()] = [const { OnceLock::new() }; KERNELS.len()];
    CASES[index].get_or_init(|| Arc::new(read(index))).clone()
}

fn read(index: usize) -> Case {
    let (name, file) = KERNELS[index];
    let bytes = std::fs::read(fixtures::kernel(name, file)).expect("the kernel can be read");
    let open = image::open(&bytes).expect("a kernel").kernel;
    let truth = Truth::new(symbols::recover(&open));
    let kernel = mask::without_tables(&open);
    let start = Instant::now();
    let found = identified(&kernel);
    let took = start.elapsed();
    Case {
        name,
        code: Code::analyse(&kernel, &code::Options::default()),
        kernel,
        truth,
        found,
        took,
    }
}

fn identified(kernel: &Kernel) -> Identification {
    let options = Options {
        no_symbols: true,
        ..Options::default()
    };
    identify::identify(kernel, &SymbolTable::default(), &options)
}

impl Knowledge for Case {
    fn right(&self, name: &str, kind: Kind) -> Option<Vec<u32>> {
        match self.truth.addresses(name, kind) {
            Some(addresses) => Some(addresses.into_iter().collect()),
            None => self.found.address(name).map(|address| vec![address]),
        }
    }

    fn extent(&self, va: u32) -> Option<Range<u32>> {
        let function = self.code.function(self.code.containing(va)?);
        Some(function.start..function.end)
    }
}

impl Case {
    /// Offsets of `.text`: from its first function to the end of its last.
    fn text(&self) -> Range<usize> {
        let functions = self.code.functions().iter();
        let mut text = functions.filter(|it| it.section == Section::Text);
        let first = text.next().expect("a kernel has functions");
        let last = text.next_back().unwrap_or(first);
        let offset = |va| self.kernel.offset(va).expect("functions lie in the image");
        offset(first.start)..offset(last.end - 1)
    }

    /// What is wrong about one mutation.
    fn faults(&self, mutation: Mutation, seed: u64) -> Vec<String> {
        let mutated = mutation.apply(&self.kernel, self.text(), seed);
        let Ok(found) = catch_unwind(AssertUnwindSafe(|| identified(&mutated))) else {
            return vec!["a panic".to_owned()];
        };
        let faults = mutate::faults(&self.kernel, &mutated, &found, self);
        // What is found wrongly in the kernel as it is is no matter of mutations.
        let before = |name: &str, address: u32| self.found.address(name) == Some(address);
        faults
            .into_iter()
            .filter(|fault| !before(&fault.name, fault.found))
            .map(|fault| format!("{fault:x?}"))
            .collect()
    }
}

/// Runs this kind's share of all mutations.
fn run(mutation: Mutation) {
    let seeds: Vec<u64> = match std::env::var("ECMO_MUTATION_SEED") {
        Ok(seed) => vec![seed.parse().expect("ECMO_MUTATION_SEED is a number")],
        Err(_) => {
            let all = std::env::var("ECMO_MUTATIONS").map_or(DEFAULT, |number| {
                number.parse().expect("ECMO_MUTATIONS is a number")
            });
            (0..all.div_ceil(Mutation::ALL.len() as u64)).collect()
        }
    };
    let cases: BTreeSet<usize> = seeds.iter().map(|&seed| of(seed)).collect();
    let slowest = cases.into_iter().map(|index| case(index).took).max();
    let limit = slowest.unwrap_or_default() * FACTOR + GRACE;

    // In a thread of its own, so that one that does not end is noticed.
    let (send, receive) = mpsc::channel();
    let work = seeds.clone();
    let worker = std::thread::spawn(move || {
        for seed in work {
            if send.send(case(of(seed)).faults(mutation, seed)).is_err() {
                return;
            }
        }
    });
    let mut all = Vec::new();
    for seed in seeds {
        let name = KERNELS[of(seed)].0;
        match receive.recv_timeout(limit) {
            Ok(faults) => all.extend(
                faults
                    .into_iter()
                    .map(|fault| format!("{name}, {mutation:?}, seed {seed}: {fault}")),
            ),
            Err(RecvTimeoutError::Timeout) => {
                panic!("{name}, {mutation:?}, seed {seed}: not done after {limit:?}")
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    worker.join().expect("panics are caught where they are");
    assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
}

/// The kernel that a seed is about.
fn of(seed: u64) -> usize {
    (seed % KERNELS.len() as u64) as usize
}

#[test]
fn bit_flips() {
    run(Mutation::BitFlips);
}

#[test]
fn cut() {
    run(Mutation::Cut);
}

#[test]
fn shifted() {
    run(Mutation::Shifted);
}

#[test]
fn spliced() {
    run(Mutation::Spliced);
}

#[test]
fn data_as_code() {
    run(Mutation::DataAsCode);
}

#[test]
fn overwritten() {
    run(Mutation::Overwritten);
}
