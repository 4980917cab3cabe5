//! `ecmo-link signatures`: facts about functions, from a kernel's source.

use std::path::PathBuf;

use anyhow::Context;
use linker::signatures::{self, Differences};
use linker::source::{self, Asked};

use super::Outcome;

/// Takes facts about functions from a kernel's source tree.
///
/// The file that is written stands for the release of the tree, as those do
/// that come with the linker.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    ecmo-link signatures --source linux-3.18.20 -o 3.18.20.txt\n  \
    ecmo-link signatures --source linux-3.19 --after 3.18.20.txt -o 3.19.0.txt")]
pub(super) struct Args {
    /// Top of the source tree
    #[arg(long, value_name = "TREE")]
    source: PathBuf,
    /// Files and functions that are wanted, instead of the usual ones
    #[arg(long, value_name = "TOML")]
    asked: Option<PathBuf>,
    /// Write what differs from this file, which must be whole
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let asked = match &args.asked {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Asked::read(&text.with_context(|| format!("cannot read {}", path.display()))?)?
        }
        None => Asked::shipped()?,
    };
    let era = source::extract(&args.source, &asked)?;
    let text = match &args.after {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            let base = signatures::read(&text).with_context(|| path.display().to_string())?;
            let (era, base) = (&era, &base);
            Differences { era, base }.to_string()
        }
        None => era.to_string(),
    };
    std::fs::write(&args.output, text)
        .with_context(|| format!("cannot write {}", args.output.display()))?;
    Ok(Outcome::Done)
}
