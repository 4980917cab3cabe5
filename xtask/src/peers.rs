//! Programs from pip that the benchmarks run beside ours, each in a virtual
//! environment of its own in the cache folder, in the versions named here.
//!
//! `tests/bench/identify.rs` looks for them in the same place.

use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::Missing;
use crate::{process, workspace};

/// One program.
struct Peer {
    /// Folder in `peers` of the cache.
    name: &'static str,
    /// What pip installs.
    packages: &'static [&'static str],
}

const PEERS: [Peer; 2] = [
    Peer {
        name: "angr",
        // Without the other two this version does not start.
        packages: &["angr==9.2.213", "bitstring<5", "pycparser==3.0"],
    },
    Peer {
        name: "vmlinux-to-elf",
        packages: &["vmlinux-to-elf==1.4.0"],
    },
];

/// Installs what is not there yet.
pub(crate) fn ensure() -> Result<()> {
    let folder = workspace::cache()?.join("peers");
    for peer in &PEERS {
        let place = folder.join(peer.name);
        let stamp = place.join("packages");
        let wanted = peer.packages.join("\n");
        if std::fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
            continue;
        }
        workspace::remove_folder(&place)?;
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let mut venv = Command::new("python3");
        if !process::succeeds(venv.args(["-m", "venv"]).arg(&place))? {
            let text = "`python3 -m venv` does not work: on Debian install python3-venv";
            return Err(Missing(text.to_owned()).into());
        }
        let mut pip = Command::new(place.join("bin").join("pip"));
        process::run(pip.args(["install", "--quiet"]).args(peer.packages))?;
        workspace::write_whole(&stamp, wanted.as_bytes())?;
    }
    Ok(())
}
