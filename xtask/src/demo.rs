//! `cargo xtask demo`: sets up what the demo needs, builds `ecmo` and runs
//! `ecmo demo`.

use anyhow::Result;

use crate::process;
use crate::setup::{self, Scope};

/// The chore; the arguments are handed on to `ecmo demo`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    setup::ensure(Scope::Demo)?;
    let mut command = process::cargo();
    command.args([
        "run",
        "--release",
        "-p",
        "rehost",
        "--bin",
        "ecmo",
        "--",
        "demo",
    ]);
    process::run(command.args(arguments))
}
