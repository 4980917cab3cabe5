//! `cargo xtask corpus`: boots every image of a folder, once with the kernel's
//! own names and once without, and prints how far each came.
//!
//! A shell counts when what is typed at it is answered: it calculates, a second of
//! sleep takes one, timer and UART count interrupts. With `--write FILE`
//! the table also replaces the one between two marks in that file.

mod outcome;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use outcome::Outcome;
use table::Row;
use tests::{command, fixtures, parallel};

/// Wall time that one boot may take, with everything that it tries, in seconds.
const BUDGET: u64 = 60;
/// Beyond it, a command hangs: opening and identifying are not in the budget.
const LIMIT: Duration = Duration::from_secs(5 * BUDGET);

fn main() -> ExitCode {
    match corpus() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corpus: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn corpus() -> Result<()> {
    let mut names: Vec<String> = Vec::new();
    let mut write = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--write" => {
                let file = arguments.next().context("--write wants a file")?;
                write = Some(PathBuf::from(file));
            }
            _ => names.push(argument),
        }
    }
    if let Some(file) = &write {
        // The work would be lost without a place for its result.
        with_table(file, "")?;
    }
    let folder = fixtures::corpus().context("no folder of images")?;
    let images = images(&folder, &names)?;
    let rows = boot_all(&images)?;
    let text = table::text(&rows);
    print!("{text}");
    if let Some(file) = &write {
        std::fs::write(file, with_table(file, &text)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// What the file is with this table in it.
fn with_table(file: &Path, table: &str) -> Result<String> {
    let old =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    table::replaced(&old, table).with_context(|| format!("{} lacks the marks", file.display()))
}

/// The folders with an image in them, by name: all, or those that are named.
fn images(folder: &Path, names: &[String]) -> Result<Vec<(String, PathBuf)>> {
    let mut images = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let image = entry.path().join("image");
        let asked = names.is_empty() || names.contains(&name);
        if asked && image.is_file() {
            images.push((name, image));
        }
    }
    images.sort();
    if images.len() < names.len().max(1) {
        bail!("{} does not have all that was asked for", folder.display());
    }
    Ok(images)
}

/// Boots each image twice.
fn boot_all(images: &[(String, PathBuf)]) -> Result<Vec<Row>> {
    let typed = tempfile::NamedTempFile::new()?;
    std::fs::write(typed.path(), outcome::TYPED)?;
    Ok(parallel::map(images, |(name, image)| {
        let row = Row {
            name: name.clone(),
            named: boot(image, typed.path(), false),
            stripped: boot(image, typed.path(), true),
        };
        eprintln!("corpus: {}", table::line(&row));
        row
    }))
}

fn boot(image: &Path, typed: &Path, without_names: bool) -> Outcome {
    let mut ecmo = command::ecmo();
    ecmo.arg("run").arg(image);
    ecmo.args(["--initrd", "builtin", "--until", "shell", "--json", "-"]);
    ecmo.arg("--budget").arg(BUDGET.to_string());
    ecmo.arg("--input").arg(typed);
    if without_names {
        ecmo.arg("--no-symbols");
    }
    match command::attempt(&mut ecmo, LIMIT) {
        Ok(finished) => match serde_json::from_slice(&finished.stdout) {
            Ok(report) => Outcome::of(&report),
            Err(_) => Outcome::failed(&finished.stderr),
        },
        Err(_) => Outcome::failed("no end within its time"),
    }
}
