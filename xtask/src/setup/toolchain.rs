//! Rust for the guest: a `core` for Armv7-A, and the source of `core` for the
//! older architectures, for which nobody ships a built one.
//!
//! Tried in this order, and the first that works is said:
//!
//! 1. what is there already;
//! 2. rustup fetches the target and the source;
//! 3. `core` for the target is built from the source of the same toolchain;
//! 4. Debian's `rustc-web`, `cargo-web` and `rust-web-src`, with `core` built
//!    from that source, as a toolchain of its own.
//!
//! After any of them `cargo build -p driver --target armv7a-none-eabi` works as
//! typed. A `rust-toolchain.toml` that lists the target would do the second
//! alone, and would make every cargo command fail where rustup cannot fetch it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Missing, packages, say};
use crate::{process, workspace};

const TARGET: &str = "armv7a-none-eabi";
/// The oldest rustc that the driver's dependencies accept.
const OLDEST: (u32, u32) = (1, 93);
/// The name under which rustup knows Debian's toolchain.
const DEBIAN: &str = "debian";
const DEBIAN_PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rustfmt-web",
    "rust-web-clippy",
];

/// A toolchain, by its rustc.
struct Toolchain {
    sysroot: PathBuf,
    version: (u32, u32),
}

/// Makes sure that the driver can be built.
pub(super) fn ensure(cache: &Path) -> Result<()> {
    let toolchain = Toolchain::in_force()?;
    if toolchain.is_old() {
        say(
            "toolchain",
            &format!("rustc {} is too old", toolchain.version_text()),
        );
        return debian(cache);
    }
    if toolchain.has_core() && toolchain.has_source() {
        say(
            "toolchain",
            &format!("rustc {} can build for the guest", toolchain.version_text()),
        );
        return Ok(());
    }
    if process::on_path("rustup") && with_rustup(&toolchain) {
        return Ok(());
    }
    if toolchain.has_source() && toolchain.build_core(cache)? {
        return Ok(());
    }
    debian(cache)
}

/// Lets rustup fetch what is missing.
fn with_rustup(toolchain: &Toolchain) -> bool {
    let wanted: [(&[&str], bool); 2] = [
        (&["target", "add", TARGET], toolchain.has_core()),
        (&["component", "add", "rust-src"], toolchain.has_source()),
    ];
    for (arguments, there) in wanted {
        if there {
            continue;
        }
        let words = arguments.join(" ");
        if !process::succeeds(process::in_toolchain("rustup").args(arguments)).unwrap_or(false) {
            say(
                "toolchain",
                &format!("`rustup {words}` failed; trying another way"),
            );
        } else {
            say("toolchain", &format!("`rustup {words}`"));
        }
    }
    toolchain.has_core() && toolchain.has_source()
}

/// Debian's toolchain: installed by apt, completed here, made the one that
/// rustup uses in this checkout.
fn debian(cache: &Path) -> Result<()> {
    packages::install(&DEBIAN_PACKAGES, "have a Rust toolchain whose library comes with its source")
        .context("rustup could not fetch what the driver is built with, and Debian's toolchain is the other way")?;
    if process::on_path("rustup") {
        process::run(Command::new("rustup").args(["toolchain", "link", DEBIAN, "/usr"]))?;
        let root = workspace::root();
        let mut choose = Command::new("rustup");
        process::run(choose.args(["override", "set", DEBIAN, "--path"]).arg(root))?;
        process::choose_toolchain(DEBIAN);
        say(
            "toolchain",
            "rustup now uses Debian's toolchain in this checkout (`rustup override unset` undoes it)",
        );
    }
    let toolchain = Toolchain::in_force()?;
    if toolchain.is_old() {
        let version = toolchain.version_text();
        return Err(Missing(format!(
            "rustc {version} is too old: 1.93 or newer is needed"
        ))
        .into());
    }
    if toolchain.has_core() || toolchain.build_core(cache)? {
        return Ok(());
    }
    bail!(
        "`core` for {TARGET} could not be built with Debian's toolchain in {}",
        toolchain.sysroot.display()
    )
}

impl Toolchain {
    /// The toolchain that cargo commands of this program use.
    fn in_force() -> Result<Toolchain> {
        let mut ask = process::in_toolchain("rustc");
        let sysroot = PathBuf::from(process::output(ask.args(["--print", "sysroot"]))?.trim());
        let text = process::output(process::in_toolchain("rustc").arg("--version"))?;
        let version = parse_version(&text).with_context(|| format!("no version in {text:?}"))?;
        Ok(Toolchain { sysroot, version })
    }

    fn is_old(&self) -> bool {
        self.version < OLDEST
    }

    fn version_text(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }

    fn library(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(TARGET).join("lib")
    }

    fn has_core(&self) -> bool {
        let files = std::fs::read_dir(self.library())
            .into_iter()
            .flatten()
            .flatten();
        files
            .map(|file| file.file_name())
            .any(|name| is_library(&name.to_string_lossy(), "core"))
    }

    fn has_source(&self) -> bool {
        self.sysroot
            .join("lib/rustlib/src/rust/library/core/src/lib.rs")
            .is_file()
    }

    /// Builds `core` for the target from the toolchain's own source and puts it
    /// where rustc looks for it. False when that did not work (said why).
    fn build_core(&self, cache: &Path) -> Result<bool> {
        say(
            "toolchain",
            &format!("building `core` for {TARGET} from its source"),
        );
        let work = cache.join("work-core");
        workspace::remove_folder(&work)?;
        std::fs::create_dir_all(work.join("src"))?;
        let manifest =
            "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n";
        workspace::write_whole(&work.join("Cargo.toml"), manifest.as_bytes())?;
        workspace::write_whole(&work.join("src/lib.rs"), b"#![no_std]\n")?;
        let mut build = process::cargo();
        build
            .current_dir(&work)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", work.join("target"));
        build.args(["build", "--release", "-Zbuild-std=core", "--target", TARGET]);
        if !process::succeeds(&mut build)? {
            say("toolchain", &format!("`{}` failed", process::text(&build)));
            return Ok(false);
        }
        let built = work.join("target").join(TARGET).join("release/deps");
        let mut copied = Vec::new();
        let place = self.library();
        for entry in std::fs::read_dir(&built)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_library(&name, "core") && !is_library(&name, "compiler_builtins") {
                continue;
            }
            let copy = std::fs::create_dir_all(&place)
                .and_then(|()| std::fs::copy(entry.path(), place.join(&name)));
            if let Err(error) = copy {
                say(
                    "toolchain",
                    &format!("cannot write {}: {error}", place.display()),
                );
                return Ok(false);
            }
            copied.push(name);
        }
        workspace::remove_folder(&work)?;
        say(
            "toolchain",
            &format!("put {} into {}", copied.join(" and "), place.display()),
        );
        Ok(self.has_core())
    }
}

/// Whether a file is the compiled library of that name.
fn is_library(file: &str, name: &str) -> bool {
    file.strip_prefix("lib")
        .and_then(|rest| rest.strip_prefix(name))
        .is_some_and(|rest| rest.starts_with('-') && rest.ends_with(".rlib"))
}

/// Major and minor from what `rustc --version` prints.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_rustc_prints() {
        assert_eq!(
            parse_version("rustc 1.95.0 (59807616e 2026-04-14)\n"),
            Some((1, 95))
        );
        assert_eq!(
            parse_version("rustc 1.96.0-nightly (built from a source tarball)"),
            Some((1, 96))
        );
        assert_eq!(parse_version("rustc"), None);
    }

    #[test]
    fn a_library_file_is_told_by_its_whole_name() {
        assert!(is_library("libcore-0123.rlib", "core"));
        assert!(!is_library("libcore_arch-0123.rlib", "core"));
        assert!(!is_library("libcore-0123.rmeta", "core"));
    }
}
