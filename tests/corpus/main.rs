//! `cargo xtask corpus`: boots every image of a folder, once with the kernel's
//! own names and once without, and prints how far each came.
//!
//! A shell counts when a command typed at it is answered. With `--write FILE`
//! the table also replaces the one between two marks in that file.

mod outcome;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use outcome::Outcome;
use table::Row;
use tests::{command, fixtures};

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
    let folder = fixtures::corpus().context("no folder of images")?;
    let images = images(&folder, &names)?;
    let rows = boot_all(&images)?;
    let text = table::text(&rows);
    print!("{text}");
    if let Some(file) = write {
        let old = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let new = table::replaced(&old, &text)
            .with_context(|| format!("{} lacks the marks", file.display()))?;
        std::fs::write(&file, new).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
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

/// Boots each image twice, on as many threads as there are processors.
fn boot_all(images: &[(String, PathBuf)]) -> Result<Vec<Row>> {
    let typed = tempfile::NamedTempFile::new()?;
    std::fs::write(typed.path(), outcome::TYPED)?;
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some((name, image)) = images.get(index)
                {
                    let row = Row {
                        name: name.clone(),
                        named: boot(image, typed.path(), false),
                        stripped: boot(image, typed.path(), true),
                    };
                    eprintln!("corpus: {}", table::line(&row));
                    if let Ok(mut rows) = rows.lock() {
                        rows.push((index, row));
                    }
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_default();
    rows.sort_by_key(|(index, _)| *index);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
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
