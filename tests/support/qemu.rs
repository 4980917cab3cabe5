//! `qemu-system-arm`, the other emulator that the machine is compared with.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::console::{self, Console};

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
        console::watch(&mut command, texts, limit)
    }
}
