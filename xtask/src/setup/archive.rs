//! Debian's package archive, read with a private apt.
//!
//! User space and kernels for ARM come from Debian packages of a foreign
//! architecture. They are files to work with, not software for the host, so
//! they do not go through the host's package database: apt is given its own
//! state folders and its own sources, and needs no privilege. The mirror is the
//! one that the host's own sources name, and what it serves is checked against
//! Debian's keyring.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Missing, say};
use crate::{process, workspace};

/// The release whose packages are used, whatever the host runs: the last one
/// with kernels for `armel`.
const SUITE: &str = "bookworm";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The archive. Its lists are fetched when the first package is asked for.
pub(super) struct Archive {
    cache: PathBuf,
    root: PathBuf,
    is_open: Cell<bool>,
}

impl Archive {
    /// The archive with its state below the cache folder; does nothing yet.
    pub(super) fn new(cache: &Path) -> Archive {
        let root = cache.join("downloads").join("apt");
        Archive {
            cache: cache.to_path_buf(),
            root,
            is_open: Cell::new(false),
        }
    }

    /// Prepares the private apt and fetches the package lists, the first time.
    ///
    /// # Errors
    /// [`Missing`] when the host has no apt or names no Debian mirror.
    fn open(&self) -> Result<()> {
        if self.is_open.get() {
            return Ok(());
        }
        let (cache, root) = (&self.cache, &self.root);
        if !process::on_path("apt-get") || !process::on_path("dpkg-deb") {
            return Err(Missing(by_hand(cache, "this system has no apt")).into());
        }
        let Some(sources) = sources() else {
            let reason = "no Debian mirror is named in /etc/apt (ECMO_DEBIAN_MIRROR=URL names one)";
            return Err(Missing(by_hand(cache, reason)).into());
        };
        for folder in ["lists/partial", "cache/archives/partial", "empty.d"] {
            std::fs::create_dir_all(root.join(folder))
                .with_context(|| format!("cannot create {}", root.join(folder).display()))?;
        }
        workspace::write_whole(&root.join("sources.list"), sources.as_bytes())?;
        workspace::write_whole(&root.join("status"), b"")?;
        say(
            "archive",
            &format!("fetching the package lists of Debian {SUITE} for ARM"),
        );
        // A mirror in the middle of its own update serves some lists that do not
        // fit the others; apt then leaves those out, and what is wanted may
        // well be in the rest. What is not is an error when it is asked for.
        if !process::succeeds(self.apt("apt-get").args(["-q", "update"]))? {
            say(
                "archive",
                "not every list could be fetched; going on with the others",
            );
        }
        self.is_open.set(true);
        Ok(())
    }

    /// The package that a meta package stands for today: its first dependency
    /// whose name starts with `prefix`.
    pub(super) fn dependency(&self, meta: &str, prefix: &str) -> Result<String> {
        self.open()?;
        let text = process::output(self.apt("apt-cache").args(["depends", meta]))?;
        let names = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "));
        let found = names.map(|name| name.split(':').next().unwrap_or(name));
        found
            .into_iter()
            .find(|name| name.starts_with(prefix))
            .map(str::to_owned)
            .with_context(|| format!("package {meta} depends on no {prefix}*"))
    }

    /// Fetches a package (`name` or `name:architecture`) and lays its files out
    /// in `folder`, which must not exist yet. Returns the package's version.
    pub(super) fn unpack(&self, package: &str, folder: &Path) -> Result<String> {
        self.unpack_of(SUITE, package, folder)
    }

    /// The same, of the suite with security updates, which has later kernels'
    /// source than the release itself.
    pub(super) fn unpack_update(&self, package: &str, folder: &Path) -> Result<String> {
        self.unpack_of(&format!("{SUITE}-security"), package, folder)
    }

    fn unpack_of(&self, suite: &str, package: &str, folder: &Path) -> Result<String> {
        self.open()?;
        say("archive", &format!("fetching {package}"));
        let package = format!("{package}/{suite}");
        let package = package.as_str();
        let landing = self.root.join("landing");
        workspace::remove_folder(&landing)?;
        std::fs::create_dir_all(&landing)?;
        let mut download = self.apt("apt-get");
        process::run(
            download
                .args(["-q", "download", package])
                .current_dir(&landing),
        )?;
        let files = std::fs::read_dir(&landing)?
            .flatten()
            .map(|entry| entry.path());
        let mut packages = files.filter(|path| path.extension().is_some_and(|end| end == "deb"));
        let Some(file) = packages.next() else {
            bail!("apt fetched no file for {package}")
        };
        std::fs::create_dir_all(folder)?;
        process::run(Command::new("dpkg-deb").arg("-x").arg(&file).arg(folder))?;
        let mut field = Command::new("dpkg-deb");
        let version = process::output(field.arg("-f").arg(&file).arg("Version"))?;
        workspace::remove_folder(&landing)?;
        Ok(version.trim().to_owned())
    }

    /// `apt-get` or `apt-cache` that sees only this archive.
    fn apt(&self, program: &str) -> Command {
        let root = self.root.display();
        let mut command = Command::new(program);
        for option in [
            format!("Dir::Etc::sourcelist={root}/sources.list"),
            format!("Dir::Etc::sourceparts={root}/empty.d"),
            format!("Dir::State={root}"),
            format!("Dir::State::lists={root}/lists"),
            format!("Dir::State::status={root}/status"),
            format!("Dir::Cache={root}/cache"),
            "APT::Architecture=armel".to_owned(),
            "APT::Architectures::=armel".to_owned(),
            "APT::Architectures::=armhf".to_owned(),
            "APT::Sandbox::User=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command
    }
}

/// `sources.list` for the private apt, from the mirrors that the host uses.
fn sources() -> Option<String> {
    if let Some(mirror) = std::env::var_os("ECMO_DEBIAN_MIRROR") {
        return Some(source_line(&mirror.to_string_lossy()));
    }
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts = std::fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten();
    files.extend(parts.map(|entry| entry.path()).filter(|path| {
        path.extension()
            .is_some_and(|end| end == "list" || end == "sources")
    }));
    let texts = files
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok());
    let host = process::output(Command::new("dpkg").arg("--print-architecture"));
    let host = host.unwrap_or_else(|_| "amd64".to_owned());
    sources_from(&texts.collect::<Vec<_>>().join("\n\n"), host.trim())
}

/// As [`sources`], from the text of the host's files (both forms of them).
///
/// A mirror of Debian proper and one of its security archive are told by the last
/// part of their addresses; other vendors' archives are passed over. Of the
/// security archive only packages for every architecture are wanted, and read from
/// the host's list: it no longer has one for `armel`.
fn sources_from(text: &str, host: &str) -> Option<String> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let mirror = |end: &str| {
        let of_kind =
            |word: &&&str| word.contains("://") && word.trim_end_matches('/').ends_with(end);
        words.iter().find(of_kind).copied()
    };
    let mut text = source_line(mirror("/debian")?);
    if let Some(updates) = mirror("/debian-security") {
        text.push_str(&format!(
            "deb [arch={host} signed-by={KEYRING}] {updates} {SUITE}-security main\n"
        ));
    }
    Some(text)
}

fn source_line(mirror: &str) -> String {
    format!("deb [arch=armel,armhf signed-by={KEYRING}] {mirror} {SUITE} main\n")
}

/// What a person can do where there is no Debian archive.
fn by_hand(cache: &Path, reason: &str) -> String {
    let cache = cache.display();
    format!(
        "{reason}, so these cannot be fetched; put them there by hand (DESIGN.md, \"Fixtures\"):\n  \
         {cache}/userland/busybox-armel   a static busybox for Armv5TE Linux\n  \
         {cache}/userland/busybox-armhf   a static busybox for Armv7 Linux with VFP\n  \
         {cache}/downloads/linux-source-6.1.tar.xz   the source of Linux 6.1\n  \
         {cache}/downloads/linux-source-6.12.tar.xz   the source of Linux 6.12 (for one test)\n  \
         {cache}/kernels/debian-marvell/vmlinuz   Debian's linux-image-marvell (6.1)\n  \
         {cache}/kernels/debian-rpi/vmlinuz   Debian's linux-image-rpi (6.1)\n  \
         {cache}/kernels/debian-armmp-lpae/vmlinuz   Debian's linux-image-armmp-lpae (6.1)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_taken_from_deb822_sources() {
        let text = "Types: deb\nURIs: http://mirror.example/debian-security/\n\n\
                    Types: deb\n# http://old.example/debian\nURIs: http://mirror.example/debian\n\
                    Suites: trixie trixie-updates\nSigned-By: /usr/share/keyrings/x.gpg\n";
        let lines = sources_from(text, "amd64").unwrap();
        let ends = [
            "] http://mirror.example/debian bookworm main",
            "] http://mirror.example/debian-security/ bookworm-security main",
        ];
        for (line, end) in lines.lines().zip(ends) {
            assert!(line.ends_with(end), "{line}");
        }
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn mirrors_are_taken_from_one_line_sources() {
        let text = "deb https://vendor.example/apt stable main\n\
                    deb [signed-by=/k.gpg] https://mirror.example/debian/ bookworm main";
        let line = sources_from(text, "amd64").unwrap();
        assert!(
            line.ends_with("] https://mirror.example/debian/ bookworm main\n"),
            "{line}"
        );
    }

    #[test]
    fn other_vendors_archives_are_no_mirror() {
        assert_eq!(
            sources_from("deb https://vendor.example/ubuntu noble main", "amd64"),
            None
        );
    }
}
