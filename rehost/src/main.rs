//! The command `ecmo`.

use std::process::ExitCode;

use clap::Parser;
use rehost::cli::{self, Cli};

fn main() -> ExitCode {
    cli::fault::install();
    cli::dispatch(Cli::parse())
}
