//! The command line of `ecmo-link`: a file for each command.

mod dump;
mod evaluate;
mod identify;
mod input;
mod link;
mod signatures;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Did what was asked.
const DONE: u8 = 0;
/// Ran, but the result is negative.
const NEGATIVE: u8 = 1;
/// The input cannot be used; clap itself answers wrong usage with 2.
const UNUSABLE: u8 = 3;
/// A fault of this program.
const FAULT: i32 = 4;

/// Links drivers into a stripped ARM Linux kernel binary.
#[derive(Debug, Parser)]
#[command(
    name = "ecmo-link",
    version,
    after_help = "Exit status: 0 done, 1 the kernel lacks something that is required, 2 wrong usage, \
                  3 unusable input, 4 a fault of this program.\n\n\
                  Example:\n  ecmo-link link --driver libdriver.a zImage -o transplant/"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Link(link::Args),
    Identify(identify::Args),
    Dump(dump::Args),
    Evaluate(evaluate::Args),
    Signatures(signatures::Args),
}

/// How a command ended that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It did what was asked.
    Done,
    /// It ran, but something was not found.
    Negative,
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        default(info);
        std::process::exit(FAULT);
    }));
    let result = match Arguments::parse().command {
        Command::Link(args) => link::run(&args),
        Command::Identify(args) => identify::run(&args),
        Command::Dump(args) => dump::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Signatures(args) => signatures::run(&args),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::from(DONE),
        Ok(Outcome::Negative) => ExitCode::from(NEGATIVE),
        Err(error) => {
            eprintln!("ecmo-link: {error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}

/// Ends as clap does when the options do not fit together.
fn wrong_usage(why: &str) -> ! {
    Arguments::command()
        .error(clap::error::ErrorKind::ValueValidation, why)
        .exit()
}

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &impl Display) -> anyhow::Result<()> {
    match write!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
