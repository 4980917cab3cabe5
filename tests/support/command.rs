//! Running the project's own commands as a user does, with a limit on time and
//! an eye on memory.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// `ecmo` of the profile that the calling test was built with.
pub fn ecmo() -> Command {
    Command::new(commands().join("ecmo"))
}

/// `ecmo-link` of the profile that the calling test was built with.
pub fn ecmo_link() -> Command {
    Command::new(commands().join("ecmo-link"))
}

/// The folder of the two commands.
///
/// Cargo tells a test where programs of its own package are, and these belong
/// to others. So they are built on first use into the folder that the test
/// itself was built into. Where that is known to have been done, the variable
/// `ECMO_COMMANDS` names the folder.
///
/// # Panics
/// When they do not build.
fn commands() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("ECMO_COMMANDS") {
            return folder.into();
        }
        let test = std::env::current_exe().expect("a test has a path");
        // TARGET/PROFILE/deps/NAME-HASH, or TARGET/PROFILE/NAME.
        let folder = test.parent().expect("a program lies in a folder");
        let folder = if folder.ends_with("deps") {
            folder.parent()
        } else {
            Some(folder)
        };
        let folder = folder.expect("the profile's folder");
        let profile = if folder.ends_with("debug") {
            "dev"
        } else {
            "release"
        };
        let mut build = Command::new("cargo");
        build.current_dir(crate::fixtures::root());
        build.args(["build", "--quiet", "--profile", profile, "--bins"]);
        build.args(["-p", "rehost", "-p", "linker", "--target-dir"]);
        build.arg(folder.parent().expect("the target folder"));
        let status = build.status().expect("cargo is on the search path");
        assert!(status.success(), "ecmo and ecmo-link do not build");
        folder.to_path_buf()
    })
}

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, as text.
    pub stderr: String,
    /// From its start to its end.
    pub wall: Duration,
    /// The most memory that it held at once, in KiB (`VmHWM` of Linux; 0 on
    /// other systems).
    pub peak_kib: u64,
}

impl Finished {
    /// Its exit code; -1 when a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Its standard output as one JSON value.
    ///
    /// # Panics
    /// When it is none; the message shows both outputs.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| {
            let stdout = String::from_utf8_lossy(&self.stdout);
            panic!(
                "no JSON on standard output ({error}):\n{stdout}\nstandard error:\n{}",
                self.stderr
            )
        })
    }
}

/// Runs a command to its end, without standard input.
///
/// # Panics
/// When it cannot be started or is still running after `limit`; it is ended
/// then.
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    attempt(command, limit).unwrap_or_else(|stderr| {
        panic!("{command:?} was still running after {limit:?}; its standard error:\n{stderr}")
    })
}

/// [`run`] for a command that may well take longer than it is given.
///
/// # Errors
/// Its standard error so far when it was ended for its time.
///
/// # Panics
/// When it cannot be started.
pub fn attempt(command: &mut Command, limit: Duration) -> Result<Finished, String> {
    let started = Instant::now();
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let mut peak_kib = 0;
    let status = loop {
        // The high-water mark only grows, so the last look before the end is
        // the one that counts.
        peak_kib = peak_memory(child.id()).unwrap_or(0).max(peak_kib);
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if started.elapsed() > limit {
            child.kill().expect("a child can be ended");
            child.wait().expect("a child can be waited for");
            return Err(String::from_utf8_lossy(&finish(stderr)).into_owned());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = started.elapsed();
    let stderr = String::from_utf8_lossy(&finish(stderr)).into_owned();
    Ok(Finished {
        status,
        stdout: finish(stdout),
        stderr,
        wall,
        peak_kib,
    })
}

fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What came before an error is what a test can look at.
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn finish(thread: JoinHandle<Vec<u8>>) -> Vec<u8> {
    thread.join().expect("reading a pipe does not panic")
}

/// The most memory that a process has held so far, in KiB.
pub fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
