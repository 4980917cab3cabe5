//! `cargo xtask bench`: sets up, builds and runs the benchmark program of the
//! `tests` member, which prints a table and writes `target/bench.json`.
//!
//! `--peers` installs the programs from pip that identification is compared
//! with, in pinned versions, into the cache folder. Without it those that are
//! there are used.

use anyhow::Result;

use crate::setup::{self, Scope};
use crate::{Usage, peers, process, workspace};

/// The chore.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (flags, numbers): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let install = match flags[..] {
        [] => false,
        [flag] if flag == "--peers" => true,
        _ => return Err(Usage(format!("`bench` does not know {flags:?}")).into()),
    };
    let runs = match numbers[..] {
        [] => 5,
        [number] => number
            .parse::<u32>()
            .ok()
            .filter(|runs| *runs > 0)
            .ok_or_else(|| Usage(format!("`bench` takes a number of runs, not {number:?}")))?,
        _ => return Err(Usage("`bench` takes one number".to_owned()).into()),
    };
    setup::ensure(Scope::Everything)?;
    if install {
        peers::ensure()?;
    }
    let mut build = process::cargo();
    process::run(build.args([
        "build",
        "--release",
        "-p",
        "rehost",
        "-p",
        "linker",
        "-p",
        "tests",
        "--bins",
    ]))?;
    let mut bench = process::cargo();
    bench.args([
        "run",
        "--quiet",
        "--release",
        "-p",
        "tests",
        "--bin",
        "bench",
        "--",
    ]);
    bench
        .arg(runs.to_string())
        .arg(workspace::target().join("bench.json"));
    process::run(&mut bench)
}
