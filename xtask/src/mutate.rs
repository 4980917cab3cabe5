//! `cargo xtask mutate [N]`: identification over N damaged kernels.
//!
//! The test suite does the same with fewer; what is checked is said in
//! `tests/tests/mutations.rs`.

use anyhow::Result;

use crate::setup::{self, Scope};
use crate::{Usage, process};

/// The chore.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let count = match arguments {
        [] => 10_000,
        [number] => number
            .parse::<u32>()
            .map_err(|_| Usage(format!("`mutate` takes a number, not {number:?}")))?,
        _ => return Err(Usage("`mutate` takes one number".to_owned()).into()),
    };
    setup::ensure(Scope::Everything)?;
    // The dev profile, which checks arithmetic and unwinds: a panic is counted
    // and does not end the run.
    let mut tests = process::cargo();
    tests.args(["test", "-p", "tests", "--test", "mutations"]);
    tests.args(["--no-fail-fast", "--", "--nocapture"]);
    process::run(tests.env("ECMO_MUTATIONS", count.to_string()))
}
