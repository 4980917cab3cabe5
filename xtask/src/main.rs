//! `cargo xtask NAME`: the chores of the workspace.
//!
//! This program has to build on a machine on which nothing but Rust has been
//! installed, because installing the rest is one of its chores. So it depends
//! on no crate that compiles C, and on none of the other members.
//!
//! A chore is a file and a row of [`CHORES`].

mod bench;
mod corpus;
mod demo;
mod fuzz;
mod mutate;
mod peers;
mod process;
mod program;
mod setup;
mod test;
mod workspace;

use std::process::ExitCode;

/// One thing that can be asked for.
struct Chore {
    name: &'static str,
    /// What follows the name on the command line; empty when nothing does.
    arguments: &'static str,
    help: &'static str,
    run: fn(&[String]) -> anyhow::Result<()>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "setup",
        arguments: "[demo]",
        help: "install what is needed: packages, Rust targets, user space, kernels; with `demo` only what the demo needs",
        run: setup::run,
    },
    Chore {
        name: "demo",
        arguments: "[OPTION OF ecmo demo]...",
        help: "set up, then boot a real kernel for a chip that no emulator models to a shell",
        run: demo::run,
    },
    Chore {
        name: "test",
        arguments: "[FILTER]...",
        help: "set up, then check format and lints and run every test (or those whose names match)",
        run: test::run,
    },
    Chore {
        name: "bench",
        arguments: "[RUNS] [--peers]",
        help: "set up, then time emulation beside qemu-system-arm, and identification beside other programs (median of 5 runs); with --peers these are installed first",
        run: bench::run,
    },
    Chore {
        name: "corpus",
        arguments: "[--write] [IMAGE]...",
        help: "set up, then boot every image of a folder (ECMO_CORPUS) with and without its names, and print how far each came; with --write the README's table is replaced",
        run: corpus::run,
    },
    Chore {
        name: "fuzz",
        arguments: "[SECONDS] [TARGET]...",
        help: "run every fuzz target, each for that many seconds (60)",
        run: fuzz::run,
    },
    Chore {
        name: "mutate",
        arguments: "[NUMBER]",
        help: "identify pointers in that many damaged kernels (10000): no panic, nothing wrong accepted",
        run: mutate::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    if name == "help" || name == "--help" || name == "-h" {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        eprint!("no chore is called {name:?}\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (chore.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {name}: {error:#}");
            exit_code(&error)
        }
    }
}

/// The exit code that stands for an error: 2 wrong usage, 3 something has to be
/// installed by hand first, 1 everything else.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<setup::Missing>() {
        ExitCode::from(3)
    } else if error.is::<Usage>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// The command line makes no sense; the text says why.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn usage() -> String {
    let mut text = String::from("Usage: cargo xtask CHORE\n\nChores:\n");
    for chore in CHORES {
        let head = format!("{} {}", chore.name, chore.arguments);
        text.push_str(&format!("  {head:<30} {}\n", chore.help));
    }
    text
}
