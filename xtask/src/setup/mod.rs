//! `cargo xtask setup`: everything that has to be on the machine first.
//!
//! Each step looks whether its work is done before it does any, so that a
//! second run takes well under a second. In the order in which they build on
//! each other:
//!
//! 1. [`packages`]: compilers and tools, from Debian where apt may be used
//! 2. [`toolchain`]: Rust for the guest
//! 3. [`userland`]: busybox for ARM, through [`archive`]
//! 4. [`kernels`]: kernels of Debian's, and ours built from Debian's source

mod archive;
mod kernels;
mod packages;
mod toolchain;
mod userland;

use std::fs::{File, TryLockError};

use anyhow::{Context, Result};
use archive::Archive;

use crate::{Usage, workspace};

/// How much is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// What `cargo xtask demo` needs.
    Demo,
    /// What tests and benchmarks need too.
    Everything,
}

/// Something is not there and cannot be installed from here; the text says what
/// a person has to do.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// The chore.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => ensure(Scope::Everything),
        [word] if word == "demo" => ensure(Scope::Demo),
        _ => Err(Usage("what follows `setup` may only be `demo`".to_owned()).into()),
    }
}

/// Does what is still to be done for `scope`.
pub(crate) fn ensure(scope: Scope) -> Result<()> {
    let cache = workspace::cache()?;
    std::fs::create_dir_all(&cache)
        .with_context(|| format!("cannot create {}", cache.display()))?;
    let _lock = lock(&cache)?;
    packages::ensure(scope)?;
    toolchain::ensure(&cache)?;
    let archive = Archive::new(&cache);
    userland::ensure(&cache, &archive)?;
    kernels::ensure(&cache, &archive, scope)?;
    say(
        "done",
        &format!("what is fetched and built once is in {}", cache.display()),
    );
    Ok(())
}

/// Whether the kernels are there that not every system can have.
pub(crate) fn has_later_kernels() -> Result<bool> {
    Ok(kernels::has_updates(&workspace::cache()?))
}

/// Keeps a second set-up out of the same cache folder while the file is open.
fn lock(cache: &std::path::Path) -> Result<File> {
    let path = cache.join("setup.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say(
                "lock",
                "another set-up is at work in the same cache folder: waiting for it",
            );
            file.lock()
                .with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    Ok(file)
}

/// One line about one step.
fn say(step: &str, text: &str) {
    eprintln!("set-up: {step:<10} {text}");
}
