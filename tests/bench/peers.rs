//! The emulators that are compared, and how each is started.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use rehost::userland::READY;
use tests::command;
use tests::console::{self, Console};
use tests::qemu::Boot;

/// Longer than any run takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// The same for both emulators, in MiB.
const RAM: u32 = 128;

/// A kernel for ARM's Versatile board.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) kernel: PathBuf,
    /// The device tree of the board, for a kernel that wants one.
    pub(crate) tree: Option<PathBuf>,
    pub(crate) qemu_cpu: &'static str,
    /// Whether the work in user space is measured on it too.
    pub(crate) with_work: bool,
}

/// One emulator in one way of running.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer {
    Ours,
    QemuPlain,
    QemuIcount,
}

impl Peer {
    pub(crate) const ALL: [Peer; 3] = [Peer::Ours, Peer::QemuPlain, Peer::QemuIcount];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Ours => "ecmo",
            Peer::QemuPlain => "qemu",
            Peer::QemuIcount => "qemu -icount",
        }
    }

    /// Seconds from the start of the program to the line with which the user
    /// space in `archive` says that it is ready.
    pub(crate) fn time_to_user_space(self, guest: &Guest, archive: &Path) -> Result<f64> {
        match self {
            Peer::Ours => ours(guest, archive),
            Peer::QemuPlain => qemu(guest, archive, &[]),
            Peer::QemuIcount => qemu(guest, archive, &["-icount", "shift=3,sleep=off"]),
        }
    }
}

fn ours(guest: &Guest, archive: &Path) -> Result<f64> {
    let mut ecmo = command::ecmo();
    ecmo.arg("run")
        .arg(&guest.kernel)
        .args(["--board", "versatile", "--until", "shell"]);
    ecmo.args(["--ram", &RAM.to_string(), "--initrd"])
        .arg(archive);
    if let Some(tree) = &guest.tree {
        ecmo.arg("--dtb").arg(tree);
    }
    ecmo.stderr(Stdio::null());
    ready(&console::watch(&mut ecmo, &[READY], LIMIT))
}

fn qemu(guest: &Guest, archive: &Path, options: &[&str]) -> Result<f64> {
    let boot = Boot {
        cpu: guest.qemu_cpu,
        kernel: &guest.kernel,
        tree: guest.tree.as_deref(),
        initrd: Some(archive),
        append: "console=ttyAMA0 rdinit=/init",
        ram_mib: RAM,
        options,
    };
    ready(&boot.until(&[READY], LIMIT))
}

/// When user space said that it is ready.
fn ready(console: &Console) -> Result<f64> {
    let ready = console.arrived.first().copied().flatten();
    ensure!(
        ready.is_some(),
        "user space did not get ready; the console:\n{}",
        console.text
    );
    Ok(ready.unwrap_or_default().as_secs_f64())
}
