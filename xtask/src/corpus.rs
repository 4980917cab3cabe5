//! `cargo xtask corpus`: sets up, builds and runs the program of the `tests`
//! member that boots every image of a folder and prints how far each came.
//!
//! `--write` puts the table into the README; images may be named.

use anyhow::Result;

use crate::setup::{self, Scope};
use crate::{Usage, process, workspace};

/// The chore.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (flags, names): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let write = match flags[..] {
        [] => false,
        [flag] if flag == "--write" => true,
        _ => return Err(Usage(format!("`corpus` does not know {flags:?}")).into()),
    };
    if write && !names.is_empty() {
        return Err(Usage("`corpus --write` takes all images".to_owned()).into());
    }
    setup::ensure(Scope::Everything)?;
    let mut build = process::cargo();
    build.args(["build", "--release", "-p", "rehost", "-p", "linker"]);
    process::run(build.args(["-p", "tests", "--bins"]))?;
    let mut corpus = process::cargo();
    corpus.args(["run", "--quiet", "--release", "-p", "tests"]);
    corpus.args(["--bin", "corpus", "--"]).args(names);
    if write {
        corpus
            .arg("--write")
            .arg(workspace::root().join("README.md"));
    }
    process::run(&mut corpus)
}
