//! `qemu-system-arm`, the other emulator that the machine is compared with.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// One boot of a kernel on QEMU's VersatilePB.
#[derive(Debug)]
pub struct Boot<'a> {
    /// Name of the CPU model, for example `arm926`.
    pub cpu: &'a str,
    /// `zImage` or uImage.
    pub kernel: &'a Path,
    /// Device tree, for kernels that want one.
    pub tree: Option<&'a Path>,
    /// cpio archive.
    pub initrd: Option<&'a Path>,
    /// Kernel command line.
    pub append: &'a str,
    /// RAM in MiB; VersatilePB has 256 at most.
    pub ram_mib: u32,
    /// Further options, for example `["-icount", "shift=3,sleep=off"]`.
    pub options: &'a [&'a str],
}

/// What a boot gave.
#[derive(Debug)]
pub struct Console {
    /// Everything on the serial console.
    pub text: String,
    /// For each text that was waited for, the time from the start of QEMU to
    /// its arrival; `None` when it did not come.
    pub arrived: Vec<Option<Duration>>,
}

/// Ends QEMU when a test panics.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Boot<'_> {
    /// Runs until the last of `texts` stands on the console, each being looked
    /// for behind the one before; QEMU is ended then, or after `limit`.
    ///
    /// # Panics
    /// When QEMU cannot be started.
    pub fn until(&self, texts: &[&str], limit: Duration) -> Console {
        let mut command = Command::new("qemu-system-arm");
        command.args([
            "-M",
            "versatilepb",
            "-cpu",
            self.cpu,
            "-m",
            &self.ram_mib.to_string(),
        ]);
        command.args([
            "-display", "none", "-monitor", "none", "-serial", "stdio", "-net", "none",
        ]);
        command
            .arg("-kernel")
            .arg(self.kernel)
            .args(["-append", self.append]);
        if let Some(tree) = self.tree {
            command.arg("-dtb").arg(tree);
        }
        if let Some(initrd) = self.initrd {
            command.arg("-initrd").arg(initrd);
        }
        command.args(self.options);
        // The board has a sound chip; without this QEMU looks for a sound card.
        command.args([
            "-audiodev",
            "none,id=silent",
            "-global",
            "pl041.audiodev=silent",
        ]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let started = Instant::now();
        let child = command.spawn();
        let mut child = Ended(child.unwrap_or_else(|error| {
            panic!("cannot start qemu-system-arm ({error}): run `cargo xtask setup`")
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
}
