//! `cargo xtask bench`: sets up, builds and runs the benchmark program of the
//! `tests` member, which prints a table and writes `target/bench.json`.
//!
//! `--peers` installs the programs from pip that identification is compared
//! with, in pinned versions, into the cache folder. Without it those that are
//! there are used.

use anyhow::Result;

use crate::setup::{self, Scope};
use crate::{Usage, peers, process, program, workspace};

/// The chore.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (install, numbers) = program::one_flag("bench", "--peers", arguments)?;
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
    let mut bench = program::built("bench")?;
    bench
        .arg(runs.to_string())
        .arg(workspace::target().join("bench.json"));
    process::run(&mut bench)
}
