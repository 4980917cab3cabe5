//! Where things are: the checkout, and the cache folder outside it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the checkout that this program was built from.
pub(crate) fn root() -> &'static Path {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member)
}

/// The folder in which cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The folder for everything that is fetched or built once and may be shared by
/// several checkouts: `$ECMO_CACHE`, else `$XDG_CACHE_HOME/ecmo-rs`, else
/// `~/.cache/ecmo-rs`. `tests/support` looks in the same place.
pub(crate) fn cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("ECMO_CACHE") {
        return Ok(std::path::absolute(folder)?);
    }
    if let Some(folder) = set("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(folder).join("ecmo-rs"));
    }
    let home = set("HOME").context("none of ECMO_CACHE, XDG_CACHE_HOME and HOME is set")?;
    Ok(PathBuf::from(home).join(".cache").join("ecmo-rs"))
}

/// The folder of vendors' images, which need not be there: `$ECMO_CORPUS`, else
/// `../shared/corpus` beside the checkout. `tests/support` looks in the same
/// place.
pub(crate) fn corpus() -> PathBuf {
    match std::env::var_os("ECMO_CORPUS") {
        Some(folder) => PathBuf::from(folder),
        None => root().join("../shared/corpus"),
    }
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, contents: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file needs a folder")?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let name = path.file_name().context("a file needs a name")?;
    let mut draft = name.to_os_string();
    draft.push(format!(".{}.tmp", std::process::id()));
    let draft = folder.join(draft);
    std::fs::write(&draft, contents)
        .with_context(|| format!("cannot write {}", draft.display()))?;
    std::fs::rename(&draft, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a folder and what is in it; one that is not there is fine.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
