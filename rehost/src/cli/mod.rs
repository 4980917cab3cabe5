//! The command line: one file a command.
//!
//! Exit codes of all: 0 did it; 1 ran, but the result is negative; 2 wrong usage;
//! 3 input unusable; 4 a fault of the program itself.

pub mod demo;
pub mod fault;
pub mod identify;
pub mod inspect;
pub mod progress;
pub mod run;
pub mod text;
pub mod unpack;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::pipeline::{Error, Symbols};

/// Brings the Linux kernel of an ARM device's firmware image up to a shell, in a
/// machine that models none of the device's chips.
#[derive(Debug, Parser)]
#[command(name = "ecmo", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Arguments>),
    Inspect(inspect::Arguments),
    Unpack(unpack::Arguments),
    Identify(identify::Arguments),
    Demo(demo::Arguments),
}

/// Did it.
pub(crate) const DONE: u8 = 0;
/// Ran, but the result is negative.
pub(crate) const NEGATIVE: u8 = 1;

/// Runs the command and says how it went.
pub fn dispatch(cli: Cli) -> ExitCode {
    let result = match &cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Unpack(arguments) => unpack::run(arguments),
        Command::Identify(arguments) => identify::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
    };
    ExitCode::from(result.unwrap_or_else(|error| {
        eprintln!("ecmo: {error}");
        error.exit_code()
    }))
}

/// Reads a file that the user named.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| unusable(path, error))
}

/// Reads a text file that the user named.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read(path)?).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        unusable(path, format!("not UTF-8 at byte {offset:#x}"))
    })
}

fn unusable(path: &Path, why: impl ToString) -> Error {
    Error::Input {
        file: path.display().to_string(),
        why: why.to_string(),
    }
}

/// The names to use, from the options that all commands share.
pub(crate) fn symbols(hidden: bool, list: Option<&Path>) -> Result<Symbols, Error> {
    Ok(match list {
        Some(path) => Symbols::Listed {
            file: path.display().to_string(),
            text: read_text(path)?,
        },
        None if hidden => Symbols::Hidden,
        None => Symbols::Own,
    })
}

/// Whether `--json` asks for standard output, which then carries nothing else.
pub(crate) fn is_stdout(json: Option<&Path>) -> bool {
    json == Some(Path::new("-"))
}

/// Writes the one JSON object that `--json` asks for.
pub(crate) fn write_json(json: Option<&Path>, value: &impl Serialize) -> Result<(), Error> {
    let Some(path) = json else { return Ok(()) };
    let mut text = serde_json::to_string_pretty(value).map_err(|error| Error::Io {
        what: path.display().to_string(),
        source: error.into(),
    })?;
    text.push('\n');
    if is_stdout(json) {
        print(&text)
    } else {
        write(path, text.as_bytes())
    }
}

/// Writes a file that the user named.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(|source| Error::Io {
        what: path.display().to_string(),
        source,
    })
}

/// Writes to standard output. A reader that has gone away is no fault of ours.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    print_bytes(text.as_bytes())
}

/// [`print()`] for what need not be text.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::Io {
            what: "standard output".to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}
