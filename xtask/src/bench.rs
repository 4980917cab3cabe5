//! `cargo xtask bench`: sets up, builds and runs the benchmark program of the
//! `tests` member, which prints a table and writes `target/bench.json`.

use anyhow::Result;

use crate::setup::{self, Scope};
use crate::{Usage, process, workspace};

/// The chore.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let runs = match arguments {
        [] => 5,
        [number] => number
            .parse::<u32>()
            .ok()
            .filter(|runs| *runs > 0)
            .ok_or_else(|| Usage(format!("`bench` takes a number of runs, not {number:?}")))?,
        _ => return Err(Usage("`bench` takes one number".to_owned()).into()),
    };
    setup::ensure(Scope::Everything)?;
    let mut build = process::cargo();
    process::run(build.args([
        "build",
        "--release",
        "-p",
        "rehost",
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
