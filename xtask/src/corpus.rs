//! `cargo xtask corpus`: sets up, builds and runs the program of the `tests`
//! member that boots every image of a folder and prints how far each came.
//!
//! `--write` puts the table into the README; images may be named.

use anyhow::Result;

use crate::setup::{self, Scope};
use crate::{Usage, process, program, workspace};

/// The chore.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (write, names) = program::one_flag("corpus", "--write", arguments)?;
    if write && !names.is_empty() {
        return Err(Usage("`corpus --write` takes all images".to_owned()).into());
    }
    setup::ensure(Scope::Everything)?;
    let mut corpus = program::built("corpus")?;
    corpus.args(names);
    if write {
        corpus
            .arg("--write")
            .arg(workspace::root().join("README.md"));
    }
    process::run(&mut corpus)
}
