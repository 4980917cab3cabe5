//! Identification of a kernel without names, beside what a user would run
//! instead: time and memory.
//!
//! The three do not do the same. `vmlinux-to-elf` reads the kernel's own symbol
//! table, so it gets the kernel as it is; of one without that table it makes
//! nothing. angr's CFGFast gives function boundaries without names, of a kernel
//! that is unpacked already. Ours unpacks, finds functions and names pointers,
//! with every name hidden.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ::tests::command::{self, Finished};
use ::tests::fixtures;
use anyhow::{Context, Result, ensure};
use linker::image;
use serde_json::{Value, json};

use crate::table::median;

/// The kernel: Debian's for Marvell's Kirkwood and Orion, 7.9 MB unpacked.
const KERNEL: (&str, &str) = ("debian-marvell", "vmlinuz");
/// What is not done after this is cut off.
const LIMIT: Duration = Duration::from_secs(300);
const CFGFAST: &str = include_str!("cfgfast.py");

/// One program.
pub(crate) struct Measured {
    name: &'static str,
    outcome: Outcome,
}

enum Outcome {
    /// Wall time of each run and the most memory of any, in MiB.
    Done { seconds: Vec<f64>, peak_mib: f64 },
    /// Not done after [`LIMIT`].
    Cut,
    /// Not on this machine.
    NotInstalled,
}

/// Measures all three; the runs of ours and of `vmlinux-to-elf` are interleaved.
pub(crate) fn measure(runs: usize) -> Result<Vec<Measured>> {
    let image = fixtures::kernel(KERNEL.0, KERNEL.1);
    let folder = tempfile::tempdir()?;
    let elf = folder.path().join("kernel.elf");
    let peers = fixtures::cache().join("peers");
    let reader = peers.join("vmlinux-to-elf/bin/vmlinux-to-elf");

    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..runs {
        let mut link = command::ecmo_link();
        link.args(["identify", "--no-symbols"]).arg(&image);
        ours.push(command::run(&mut link, LIMIT));
        if reader.is_file() {
            let mut read = Command::new(&reader);
            read.arg(&image).arg(&elf);
            theirs.push(command::run(&mut read, LIMIT));
        }
    }
    Ok(vec![
        Measured {
            name: "ecmo-link identify --no-symbols",
            outcome: done(&ours)?,
        },
        Measured {
            name: "vmlinux-to-elf (reads the symbol table)",
            outcome: done(&theirs)?,
        },
        Measured {
            name: "angr CFGFast (unpacked kernel, boundaries only)",
            outcome: cfgfast(&image, &peers, folder.path())?,
        },
    ])
}

/// angr, once: it takes minutes.
fn cfgfast(image: &Path, peers: &Path, folder: &Path) -> Result<Outcome> {
    let python = peers.join("angr/bin/python");
    if !python.is_file() {
        return Ok(Outcome::NotInstalled);
    }
    let kernel = image::open(&std::fs::read(image)?)?.kernel;
    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        Ok(path)
    };
    let script = write("cfgfast.py", CFGFAST.as_bytes())?;
    let unpacked = write("Image", &kernel.bytes)?;
    let mut angr = Command::new(python);
    angr.arg(script).arg(unpacked);
    angr.arg(format!("{:#x}", kernel.base));
    eprintln!("bench: angr, at most {} s", LIMIT.as_secs());
    match command::attempt(&mut angr, LIMIT) {
        Ok(finished) => done(&[finished]),
        Err(_) => Ok(Outcome::Cut),
    }
}

fn done(runs: &[Finished]) -> Result<Outcome> {
    if runs.is_empty() {
        return Ok(Outcome::NotInstalled);
    }
    for run in runs {
        ensure!(run.code() == 0, "it failed:\n{}", run.stderr);
    }
    let peak_kib = runs.iter().map(|run| run.peak_kib).max().unwrap_or(0);
    Ok(Outcome::Done {
        seconds: runs.iter().map(|run| run.wall.as_secs_f64()).collect(),
        peak_mib: peak_kib as f64 / 1024.0,
    })
}

/// The rows for a person.
pub(crate) fn text(all: &[Measured]) -> String {
    let width = all.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "{:width$}  {:>8}  {:>8}\n",
        format!("pointers of {}, {}", KERNEL.0, KERNEL.1),
        "median s",
        "MiB"
    );
    for Measured { name, outcome } in all {
        text += &match outcome {
            Outcome::Done { seconds, peak_mib } => {
                format!("{name:width$}  {:>8.2}  {peak_mib:>8.0}\n", median(seconds))
            }
            Outcome::Cut => format!("{name:width$}  not done after {} s\n", LIMIT.as_secs()),
            Outcome::NotInstalled => {
                format!("{name:width$}  not installed (`cargo xtask bench --peers` does it)\n")
            }
        };
    }
    text
}

/// The same for `target/bench.json`; null where there is no figure.
pub(crate) fn json(all: &[Measured]) -> Value {
    let rows = all.iter().map(|Measured { name, outcome }| match outcome {
        Outcome::Done { seconds, peak_mib } => json!({
            "name": name, "median_s": median(seconds), "runs_s": seconds, "peak_mib": peak_mib,
        }),
        Outcome::Cut => json!({"name": name, "cut_after_s": LIMIT.as_secs()}),
        Outcome::NotInstalled => json!({"name": name, "installed": false}),
    });
    json!({"kernel": KERNEL.0, "programs": rows.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_row() {
        let measured = |name, outcome| Measured { name, outcome };
        let rows = [
            measured(
                "ours",
                Outcome::Done {
                    seconds: vec![0.5, 0.75, 0.625],
                    peak_mib: 99.6,
                },
            ),
            measured("slow", Outcome::Cut),
            measured("gone", Outcome::NotInstalled),
        ];
        let text = text(&rows);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[0], ["ours", "0.62", "100"]);
        assert!(text.contains("slow  not done after 300 s"), "{text}");
        assert!(text.contains("gone  not installed"), "{text}");
    }
}
