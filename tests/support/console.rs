//! Watching what an emulator writes to the guest's console, and when.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// What was seen.
#[derive(Debug)]
pub struct Console {
    /// Everything on the serial console.
    pub text: String,
    /// For each text that was waited for, the time from the start of the
    /// emulator to its arrival; `None` when it did not come.
    pub arrived: Vec<Option<Duration>>,
}

/// Ends the emulator when a test panics.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs an emulator that writes the console to its standard output until the
/// last of `texts` stands there, each being looked for behind the one before; it
/// is ended then, or after `limit`.
///
/// # Panics
/// When it cannot be started.
pub fn watch(command: &mut Command, texts: &[&str], limit: Duration) -> Console {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let started = Instant::now();
    let child = command.spawn();
    let mut child = Ended(child.unwrap_or_else(|error| {
        panic!("cannot start {command:?} ({error}): run `cargo xtask setup`")
    }));
    let mut stream = child.0.stdout.take().expect("its output is a pipe");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = stream.read(&mut buffer) {
            if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });

    let mut bytes: Vec<u8> = Vec::new();
    let mut arrived = Vec::new();
    let mut searched = 0;
    while arrived.len() < texts.len() {
        let Some(left) = limit.checked_sub(started.elapsed()) else {
            break;
        };
        match receiver.recv_timeout(left) {
            Ok(more) => bytes.extend(more),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
        let now = started.elapsed();
        while let Some(text) = texts.get(arrived.len()) {
            let rest = &bytes[searched..];
            let Some(at) = rest
                .windows(text.len())
                .position(|window| window == text.as_bytes())
            else {
                break;
            };
            searched += at + text.len();
            arrived.push(Some(now));
        }
    }
    arrived.resize(texts.len(), None);
    Console {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        arrived,
    }
}
