//! Which files and functions are wanted: `linker/data/signatures/asked.toml`.

use serde::Deserialize;

use super::Error;
use super::tree::Tree;

const LIST: &str = include_str!("../../data/signatures/asked.toml");

/// The files that are taken whole, and the functions that are looked for
/// elsewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Below the top of the tree; `folder/*.c` stands for all of a folder's.
    files: Vec<String>,
    /// Functions that may be in other files.
    names: Vec<String>,
    /// Where they are looked for, without folders below.
    folders: Vec<String>,
    /// Files that they are not taken from.
    without: Vec<String>,
}

impl Asked {
    /// The list that comes with the linker.
    ///
    /// # Errors
    /// [`Error::Asked`] if the list is not of its form, which a test excludes.
    pub fn shipped() -> Result<Asked, Error> {
        Asked::read(LIST)
    }

    /// Another list.
    ///
    /// # Errors
    /// [`Error::Asked`] says what is wrong with it.
    pub fn read(text: &str) -> Result<Asked, Error> {
        toml::from_str(text).map_err(|error| Error::Asked(error.to_string()))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = &str> {
        self.folders.iter().map(String::as_str)
    }

    pub(super) fn leaves_out(&self, path: &str) -> bool {
        self.without.iter().any(|other| other == path)
    }

    /// The files that a tree has.
    pub(super) fn files_of(&self, tree: &Tree) -> Vec<String> {
        let mut files = Vec::new();
        for pattern in &self.files {
            let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
            let (start, end) = name.split_once('*').unwrap_or((name, ""));
            let fits = |path: &String| {
                let name = path.rsplit('/').next().unwrap_or_default();
                match name.strip_prefix(start) {
                    Some(rest) if pattern.contains('*') => rest.ends_with(end),
                    Some(rest) => rest.is_empty(),
                    None => false,
                }
            };
            files.extend(tree.sources(folder).into_iter().filter(fits));
        }
        let mut seen = std::collections::HashSet::new();
        files.retain(|path| seen.insert(path.clone()));
        files
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn the_shipped_list_is_of_its_form() {
        let asked = Asked::shipped().unwrap();
        assert!(asked.files.iter().all(|file| file.ends_with(".c")));
    }
}
