//! `ecmo-link dump`: a transplant or a driver library as text.

use std::path::PathBuf;

use linker::object::Driver;
use linker::transplant::Transplant;

use super::Outcome;

/// Shows slots, forwards, layouts and patches as text.
///
/// DIR is what `ecmo-link link` wrote; OBJECT is a driver library or object,
/// of which the notes are shown: what it asks for and offers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  ecmo-link dump transplant/\n  ecmo-link dump libdriver.a")]
pub(super) struct Args {
    /// Directory of a transplant, or a driver library.
    #[arg(value_name = "DIR|OBJECT")]
    path: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    if args.path.is_dir() {
        super::print(&Transplant::read_from(&args.path)?)?;
    } else {
        let bytes = super::input::read(&args.path)?;
        let name = args.path.file_name().unwrap_or_default().to_string_lossy();
        super::print(&Driver::read(&name, &bytes)?)?;
    }
    Ok(Outcome::Done)
}
