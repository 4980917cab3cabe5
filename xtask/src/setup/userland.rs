//! User space for the guest: Debian's static busybox, once for Armv5TE
//! (`armel`) and once for Armv7 with VFP (`armhf`).
//!
//! Two, because a kernel without the user helpers page cannot run the first,
//! and a core before v7 cannot run the second.

use std::path::Path;

use anyhow::{Context, Result};

use super::archive::Archive;
use super::say;
use crate::workspace;

/// Fetches what is not in the cache yet.
pub(super) fn ensure(cache: &Path, archive: &Archive) -> Result<()> {
    let folder = cache.join("userland");
    let missing: Vec<&str> = ["armel", "armhf"]
        .into_iter()
        .filter(|architecture| !folder.join(format!("busybox-{architecture}")).is_file())
        .collect();
    if missing.is_empty() {
        say("userland", "busybox for armel and armhf is there");
        return Ok(());
    }
    for architecture in missing {
        let unpacked = cache.join("downloads").join("busybox");
        workspace::remove_folder(&unpacked)?;
        let version = archive.unpack(&format!("busybox-static:{architecture}"), &unpacked)?;
        let program = ["bin/busybox", "usr/bin/busybox"].map(|path| unpacked.join(path));
        let program = program.iter().find(|path| path.is_file());
        let program = program.context("package busybox-static has no busybox in it")?;
        let bytes = std::fs::read(program).context("cannot read the unpacked busybox")?;
        let name = format!("busybox-{architecture}");
        workspace::write_whole(&folder.join(format!("{name}.version")), version.as_bytes())?;
        workspace::write_whole(&folder.join(&name), &bytes)?;
        workspace::remove_folder(&unpacked)?;
        say("userland", &format!("{name}, version {version}"));
    }
    Ok(())
}
