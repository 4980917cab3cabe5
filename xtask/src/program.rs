//! The programs of the `tests` member that chores run.

use std::process::Command;

use anyhow::Result;

use crate::{Usage, process};

/// Builds everything that such a program runs, and gives the command of the one
/// that is asked for, to which arguments may be added.
pub(crate) fn built(name: &str) -> Result<Command> {
    let mut build = process::cargo();
    build.args(["build", "--release", "-p", "rehost", "-p", "linker"]);
    process::run(build.args(["-p", "tests", "--bins"]))?;
    let mut program = process::cargo();
    program.args(["run", "--quiet", "--release", "-p", "tests"]);
    program.args(["--bin", name, "--"]);
    Ok(program)
}

/// Takes the only flag that a chore knows out of its arguments: whether it was
/// there, and the rest.
pub(crate) fn one_flag<'a>(
    chore: &str,
    known: &str,
    arguments: &'a [String],
) -> Result<(bool, Vec<&'a String>)> {
    let (flags, rest): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    match flags[..] {
        [] => Ok((false, rest)),
        [flag] if flag == known => Ok((true, rest)),
        _ => Err(Usage(format!("`{chore}` does not know {flags:?}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_taken_out_and_others_are_refused() {
        let words = |text: &str| {
            text.split_whitespace()
                .map(String::from)
                .collect::<Vec<_>>()
        };
        let all = words("a --write b");
        let (set, rest) = one_flag("corpus", "--write", &all).expect("a flag that is known");
        assert!(set && rest == ["a", "b"]);
        let (set, rest) = one_flag("corpus", "--write", &[]).expect("no flag");
        assert!(!set && rest.is_empty());
        for wrong in ["--other", "--write --write"] {
            let error = one_flag("corpus", "--write", &words(wrong)).expect_err("refused");
            assert!(error.is::<Usage>());
        }
    }
}
