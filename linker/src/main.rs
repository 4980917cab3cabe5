//! `ecmo-link`: links drivers into a stripped ARM Linux kernel binary.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
