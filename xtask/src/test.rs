//! `cargo xtask test`: format, lints, documentation and every test there is.
//!
//! All of it is run even when an early part fails, so that one run shows all
//! there is to mend. The last line sums up the tests.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Scope};
use crate::{process, workspace};

/// How many tests passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// The chore. With arguments only the tests whose names contain one of them are
/// run, and nothing else.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    setup::ensure(Scope::Everything)?;
    let mut count = Count::default();
    let mut failures = Vec::new();
    let mut note = |what: &str, outcome: Result<bool>| match outcome {
        Ok(true) => {}
        Ok(false) => failures.push(what.to_owned()),
        Err(error) => failures.push(format!("{what} ({error:#})")),
    };

    if arguments.is_empty() {
        for (what, words, environment) in CHECKS {
            let mut command = process::cargo();
            command.args(*words).envs(environment.iter().copied());
            note(what, timed(what, || process::succeeds(&mut command)));
        }
    }
    // The tests run these two; they are built here once and not by each test.
    let mut build = process::cargo();
    build.args(["build", "-p", "rehost", "-p", "linker", "--bins"]);
    note(
        "build of the commands",
        timed("build of the commands", || process::succeeds(&mut build)),
    );

    let commands = workspace::target().join("debug");

    let nextest = process::quiet_success(process::cargo().args(["nextest", "--version"]));
    let mut tests = process::cargo();
    let runner: &[&str] = if nextest {
        &["nextest", "run"]
    } else {
        &["test", "--lib", "--bins", "--tests"]
    };
    tests.args(runner);
    tests
        .args(["--workspace", "--no-fail-fast", "--"])
        .args(arguments);
    if !workspace::corpus().is_dir() {
        // Tests over images that cannot be redistributed have this in their
        // names; left out, they count as skipped and not as passed.
        let folder = workspace::corpus();
        eprintln!("test: no images at {} (ECMO_CORPUS)", folder.display());
        tests.args(["--skip", "corpus"]);
    }
    if !setup::has_later_kernels()? {
        eprintln!("test: no kernels of linux-source-6.12 (see the set-up above)");
        tests.args(["--skip", "linux_source_6_12"]);
    }
    tests.env("ECMO_COMMANDS", commands);
    note("tests", timed("tests", || counted(&mut tests, &mut count)));
    if arguments.is_empty() {
        let mut examples = process::cargo();
        examples.args(["test", "--doc", "--workspace", "--no-fail-fast"]);
        note(
            "documentation tests",
            timed("documentation tests", || counted(&mut examples, &mut count)),
        );
    }

    println!(
        "{} passed, {} failed, {} skipped",
        count.passed, count.failed, count.skipped
    );
    if failures.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failures.join(", "))
}

/// Name, cargo's arguments and environment of a check that is not a test.
type Check = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const CHECKS: &[Check] = &[
    ("format", &["fmt", "--all", "--check"], &[]),
    (
        "lints",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    ),
    (
        "lints of the driver",
        &[
            "clippy",
            "-p",
            "driver",
            "--target",
            "armv7a-none-eabi",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    ),
    (
        "lints of the fuzz targets",
        &[
            "clippy",
            "--manifest-path",
            "tests/fuzz/Cargo.toml",
            "--target-dir",
            "target/fuzz",
            "--bins",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    ),
    (
        "documentation",
        &["doc", "--workspace", "--no-deps", "--quiet"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    ),
];

/// Says what is run, and how long it took.
fn timed<T>(what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("test: {what}");
    let started = Instant::now();
    let outcome = run();
    eprintln!("test: {what} took {:.1} s", started.elapsed().as_secs_f64());
    outcome
}

/// Runs a test runner, shows what it prints and adds up its closing lines.
fn counted(command: &mut Command, count: &mut Count) -> Result<bool> {
    // nextest closes on standard error, cargo's own runner on standard output;
    // both are sent to one pipe, so that the order of lines stays.
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run `{}`", process::text(command)))?;
    // The pipe ends when the last copy of its writing side is closed, and the
    // command still holds two.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut screen = std::io::stdout().lock();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        screen.write_all(&line)?;
        screen.write_all(b"\n")?;
        if let Some(more) = closing(&String::from_utf8_lossy(&line)) {
            count.passed += more.passed;
            count.failed += more.failed;
            count.skipped += more.skipped;
        }
    }
    screen.flush()?;
    Ok(child.wait()?.success())
}

/// The numbers in a closing line of nextest or of cargo's own runner. The latter's
/// stand at the margin: nextest shows what a failed test printed, indented, and
/// that has such a line too.
fn closing(line: &str) -> Option<Count> {
    if !line.trim_start().starts_with("Summary [") && !line.starts_with("test result:") {
        return None;
    }
    let number = |word: &str| {
        let words: Vec<&str> = line
            .split([' ', ',', ';', '.', '(', ')'])
            .filter(|word| !word.is_empty())
            .collect();
        let place = words.iter().position(|other| *other == word)?;
        words.get(place.checked_sub(1)?)?.parse().ok()
    };
    let skipped = number("skipped").or(number("ignored")).unwrap_or(0);
    let failed = number("failed").unwrap_or(0) + number("timed").unwrap_or(0);
    Some(Count {
        passed: number("passed")?,
        failed,
        skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_runners_are_read() {
        let nextest = "     Summary [   0.051s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 4 skipped";
        assert_eq!(
            closing(nextest),
            Some(Count {
                passed: 3,
                failed: 2,
                skipped: 4
            })
        );
        let cargo = "test result: FAILED. 7 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(
            closing(cargo),
            Some(Count {
                passed: 7,
                failed: 1,
                skipped: 2
            })
        );
        assert_eq!(closing("test result is not known"), None);
        assert_eq!(closing(&format!("    {cargo}")), None);
    }
}
