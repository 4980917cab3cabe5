//! `cargo xtask fuzz [SECONDS]`: runs every fuzz target of `tests/fuzz`, one
//! after the other, each for that long.

use anyhow::{Result, bail};

use crate::setup::{self, Scope};
use crate::{Usage, process, workspace};

/// The chore.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let _seconds = match arguments {
        [] => 60,
        [number] => number
            .parse::<u32>()
            .ok()
            .filter(|seconds| *seconds > 0)
            .ok_or_else(|| Usage(format!("`fuzz` takes a number of seconds, not {number:?}")))?,
        _ => return Err(Usage("`fuzz` takes one number".to_owned()).into()),
    };
    setup::ensure(Scope::Demo)?;
    let _ = (process::cargo(), workspace::root());
    bail!("no fuzz targets")
}
