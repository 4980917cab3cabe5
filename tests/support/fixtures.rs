//! Where fixtures are.
//!
//! Two kinds. What may be redistributed (Debian's kernels and busybox, kernels
//! built from source) is put into a cache folder by `cargo xtask setup`; a test
//! that needs it and does not find it fails and says so. Images of vendors may
//! not be redistributed; they are looked for in a folder of the user's, and a
//! test that needs one is skipped where there is none.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> &'static Path {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member)
}

/// The cache folder: `$ECMO_CACHE`, else `$XDG_CACHE_HOME/ecmo-rs`, else
/// `~/.cache/ecmo-rs`, as in `xtask`.
///
/// # Panics
/// When none of the three is set.
pub fn cache() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("ECMO_CACHE") {
        return folder.into();
    }
    if let Some(folder) = set("XDG_CACHE_HOME") {
        return PathBuf::from(folder).join("ecmo-rs");
    }
    let home = set("HOME").expect("one of ECMO_CACHE, XDG_CACHE_HOME and HOME is set");
    PathBuf::from(home).join(".cache").join("ecmo-rs")
}

/// A file of a kernel in the cache, for example `("bcm5301x-6.1", "zImage")`.
///
/// # Panics
/// When it is not there; the message says which command puts it there.
pub fn kernel(name: &str, file: &str) -> PathBuf {
    cached(&Path::new("kernels").join(name).join(file))
}

/// The static busybox for a Debian architecture, `armel` or `armhf`.
///
/// # Panics
/// When it is not there; the message says which command puts it there.
pub fn busybox(architecture: &str) -> PathBuf {
    cached(&Path::new("userland").join(format!("busybox-{architecture}")))
}

fn cached(path: &Path) -> PathBuf {
    let whole = cache().join(path);
    assert!(
        whole.is_file(),
        "{} is missing: run `cargo xtask setup`",
        whole.display()
    );
    whole
}

/// The folder of vendors' images: `$ECMO_CORPUS`, else `../shared/corpus` beside
/// the checkout. `None`, with a line on standard error, where there is none.
pub fn corpus() -> Option<PathBuf> {
    let folder = match std::env::var_os("ECMO_CORPUS") {
        Some(folder) => PathBuf::from(folder),
        None => root().join("../shared/corpus"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "skipped: no images at {} (ECMO_CORPUS names the folder)",
        folder.display()
    );
    None
}

/// A file of an image of the corpus, for example `("ecmo-oxnas-3.18.20",
/// "image")`. `None`, with a line on standard error, where there is no corpus.
///
/// # Panics
/// When the corpus lacks it: a test that asks for it would pass without a look.
pub fn image(name: &str, file: &str) -> Option<PathBuf> {
    let path = corpus()?.join(name).join(file);
    assert!(path.is_file(), "the corpus lacks {}", path.display());
    Some(path)
}
