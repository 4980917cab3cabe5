//! `cargo xtask fuzz [SECONDS] [TARGET]...`: runs the fuzz targets of
//! `tests/fuzz`, one after the other, each for that long.
//!
//! libFuzzer comes with a crate, and the instrumentation that it needs is asked
//! of the stable compiler by flags, so nothing has to be installed for it. What
//! a target learns is kept in `target/fuzz/corpus` for the next time; inputs
//! that break something are put into `target/fuzz/artifacts`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::setup::{self, Scope};
use crate::{Usage, process, workspace};

/// Coverage of every edge, as libFuzzer reads it.
const INSTRUMENTATION: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1";

/// The chore.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let seconds = match arguments.first() {
        None => 60,
        Some(number) => number.parse::<u32>().map_err(|_| {
            Usage(format!(
                "`fuzz` takes a number of seconds first, not {number:?}"
            ))
        })?,
    };
    let wanted = arguments.get(1..).unwrap_or_default();
    setup::ensure(Scope::Demo)?;

    let folder = workspace::root().join("tests").join("fuzz");
    let mut targets = targets(&folder.join("fuzz_targets"))?;
    if !wanted.is_empty() {
        targets.retain(|target| wanted.contains(target));
    }
    if targets.is_empty() {
        return Err(Usage("no fuzz target is called that".to_owned()).into());
    }

    // A named target keeps the flags away from build scripts and macros.
    let host = host()?;
    let built = workspace::target().join("fuzz");
    let mut build = process::cargo();
    build
        .current_dir(&folder)
        .args(["build", "--release", "--bins", "--target", &host]);
    build
        .arg("--target-dir")
        .arg(&built)
        .env("RUSTFLAGS", INSTRUMENTATION);
    process::run(&mut build)?;

    let mut broken = Vec::new();
    for target in &targets {
        let program = built.join(&host).join("release").join(target);
        if !fuzz(&program, target, seconds, &built)? {
            broken.push(target.as_str());
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    bail!(
        "inputs that break {} are in {}",
        broken.join(", "),
        built.join("artifacts").display()
    )
}

/// Runs one target; false when it found something.
fn fuzz(program: &Path, target: &str, seconds: u32, built: &Path) -> Result<bool> {
    let corpus = built.join("corpus").join(target);
    let artifacts = built.join("artifacts").join(target);
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    eprintln!("fuzz: {target}, {seconds} s");
    let mut command = std::process::Command::new(program);
    command.arg(&corpus);
    // Beside the targets' sources: small inputs to start from, and those that
    // once broke something.
    for kind in ["seeds", "regressions"] {
        let folder = workspace::root().join("tests/fuzz").join(kind).join(target);
        if folder.is_dir() {
            command.arg(folder);
        }
    }
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args([
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-verbosity=0",
    ]);
    process::succeeds(&mut command)
}

/// Names of the targets: one file each.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let files = std::fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    let files = files.flatten().map(|entry| entry.path());
    let sources = files.filter(|path: &PathBuf| path.extension().is_some_and(|end| end == "rs"));
    let mut names: Vec<String> = sources
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let text = process::output(process::in_toolchain("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}
