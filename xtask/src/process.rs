//! Running other programs, with errors that name the command.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

/// The command as a person would type it.
pub(crate) fn text(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| {
        let word = word.to_string_lossy();
        if word.contains(char::is_whitespace) {
            format!("'{word}'")
        } else {
            word.into_owned()
        }
    }));
    words.join(" ")
}

/// Runs to the end, with the terminal's input and output; an error unless it
/// exits with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    if succeeds(command)? {
        return Ok(());
    }
    bail!("`{}` failed", text(command))
}

/// Runs to the end, with the terminal's input and output.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}`", text(command)))?;
    Ok(status.success())
}

/// Runs to the end with all output in a file; on failure the error shows the
/// last lines of it.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log);
    let file = file.with_context(|| format!("cannot write {}", log.display()))?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    if succeeds(command)? {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    let lines: Vec<&str> = output.lines().collect();
    let tail = lines[lines.len().saturating_sub(20)..].join("\n");
    bail!(
        "`{}` failed; the whole output is in {}, the end of it:\n{tail}",
        text(command),
        log.display()
    )
}

/// What the command prints on its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run `{}`", text(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}", text(command), complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the command can be run and exits with 0; it prints nothing.
pub(crate) fn quiet_success(command: &mut Command) -> bool {
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether a program of that name is on the search path.
pub(crate) fn on_path(program: impl AsRef<OsStr>) -> bool {
    let Some(path) = std::env::var_os("PATH") else {
        return false;
    };
    std::env::split_paths(&path).any(|folder| folder.join(program.as_ref()).is_file())
}

/// The name of the rustup toolchain that set-up has chosen in this run.
static TOOLCHAIN: OnceLock<String> = OnceLock::new();

/// From now on [`in_toolchain`] and [`cargo`] use this toolchain of rustup's.
pub(crate) fn choose_toolchain(name: &str) {
    // Chosen at most once a run; a second choice could only be the same.
    let _ = TOOLCHAIN.set(name.to_owned());
}

/// A program of the toolchain that is in force: the one that set-up has chosen
/// in this run, else the one with which cargo started this program.
pub(crate) fn in_toolchain(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::workspace::root());
    if let Some(name) = TOOLCHAIN.get() {
        command.env("RUSTUP_TOOLCHAIN", name);
    }
    command
}

/// `cargo`, to be run in the checkout.
pub(crate) fn cargo() -> Command {
    in_toolchain("cargo")
}
