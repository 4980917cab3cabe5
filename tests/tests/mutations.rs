//! Damaged kernels: whatever is broken in a decompressed kernel, identification
//! ends soon, does not panic, and accepts hardly a wrong address unless what its
//! evidence rests on was changed.
//!
//! A test a kind of mutation. They share so many mutations ([`DEFAULT`]); the variable
//! `ECMO_MUTATIONS` asks for another number (`cargo xtask mutate 10000`). The
//! kernels are those of the cache. A failure names the kernel and the seed;
//! `ECMO_MUTATION_SEED` runs that seed alone.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use linker::evaluate::{
    Subject,
    mutate::{Fault, Mutation},
};
use tests::evaluation::{self, Case};

/// How many in all when nothing else is asked for.
const DEFAULT: u64 = 120;

/// Wrong addresses accepted where the evidence was left alone, at most, for each
/// mutation of a kind. The aim is none; this is what has been reached. Where code
/// was shifted or cut away, calls lead into the middle of functions, which are
/// then taken for others.
fn most_wrong(mutation: Mutation) -> f64 {
    match mutation {
        Mutation::Shifted => 1.4,
        Mutation::Cut => 0.35,
        _ => 0.05,
    }
}

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

/// Each kernel once, read when it is first asked for.
fn case(index: usize) -> Arc<Subject> {
    static CASES: [OnceLock<Arc<Subject>>; KERNELS.len()] =
        [const { OnceLock::new() }; KERNELS.len()];
    CASES[index].get_or_init(|| Arc::new(read(index))).clone()
}

fn read(index: usize) -> Subject {
    let (name, file) = KERNELS[index];
    let case = Case::of_cache(name, file);
    let kernel = evaluation::kernel(&case);
    Subject::new(&kernel, evaluation::truth(&case, &kernel))
}

/// What is wrongly accepted under one mutation; `None` when that panics.
fn faults(subject: &Subject, mutation: Mutation, seed: u64) -> Option<Vec<String>> {
    let faults = catch_unwind(AssertUnwindSafe(|| subject.faults(mutation, seed))).ok()?;
    Some(faults.iter().map(Fault::to_string).collect())
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
    let slowest = cases.into_iter().map(|index| case(index).took()).max();
    let limit = slowest.unwrap_or_default() * FACTOR + GRACE;

    // In a thread of its own, so that one that does not end is noticed.
    let (send, receive) = mpsc::channel();
    let work = seeds.clone();
    let worker = std::thread::spawn(move || {
        for seed in work {
            if send.send(faults(&case(of(seed)), mutation, seed)).is_err() {
                return;
            }
        }
    });
    let count = seeds.len();
    let mut wrong = Vec::new();
    for seed in seeds {
        let name = KERNELS[of(seed)].0;
        match receive.recv_timeout(limit) {
            Ok(Some(faults)) => wrong.extend(
                faults
                    .into_iter()
                    .map(|fault| format!("{name}, {mutation:?}, seed {seed}: {fault}")),
            ),
            Ok(None) => panic!("{name}, {mutation:?}, seed {seed}: a panic"),
            Err(RecvTimeoutError::Timeout) => {
                panic!("{name}, {mutation:?}, seed {seed}: not done after {limit:?}")
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    worker.join().expect("panics are caught where they are");
    eprintln!(
        "{mutation:?}: {} wrong addresses under {count} mutations\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(wrong.len() as f64 <= most_wrong(mutation) * count as f64);
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
