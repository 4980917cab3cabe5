//! The files of a source tree.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::token::{Lexed, Names, lex};

/// No source file of the kernel's is longer, but for generated headers of
/// graphics drivers.
const MAX_FILE: u64 = 4 << 20;

/// Where `#include <x>` looks, in this order; the last is for what `Kbuild`
/// fills from `asm-generic`. 2.6.27 and older have `include/asm-arm`.
const FOLDERS: [&str; 5] = [
    "arch/arm/include",
    "include",
    "arch/arm/include/uapi",
    "include/uapi",
    "arch/arm/include/generated",
];

pub(super) struct Tree {
    root: PathBuf,
    pub(super) names: RefCell<Names>,
    lexed: RefCell<HashMap<String, Option<Rc<Lexed>>>>,
}

impl Tree {
    pub(super) fn new(root: &Path) -> Tree {
        Tree {
            root: root.to_owned(),
            names: RefCell::default(),
            lexed: RefCell::default(),
        }
    }

    /// The text of a file, whatever its encoding; None if there is no such file.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let path = self.root.join(path);
        let facts = std::fs::metadata(&path).ok()?;
        if !facts.is_file() || facts.len() > MAX_FILE {
            return None;
        }
        let bytes = std::fs::read(path).ok()?;
        Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// A file taken apart.
    pub(super) fn lexed(&self, path: &str) -> Option<Rc<Lexed>> {
        if let Some(known) = self.lexed.borrow().get(path) {
            return known.clone();
        }
        let text = self.text(path);
        let lexed = text.map(|text| Rc::new(lex(&text, &mut self.names.borrow_mut())));
        let mut all = self.lexed.borrow_mut();
        all.insert(path.to_owned(), lexed.clone());
        lexed
    }

    fn exists(&self, path: &str) -> bool {
        if self.lexed.borrow().get(path).is_some_and(Option::is_some) {
            return true;
        }
        self.root.join(path).is_file()
    }

    /// The path of an included header below the top of the tree. `from` is the
    /// file that includes it, for `"x"`.
    pub(super) fn include(&self, name: &str, quoted: bool, from: &str) -> Option<String> {
        if name.contains("..") && !quoted || name.starts_with('/') {
            return None;
        }
        if quoted {
            let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
            let path = joined(folder, name)?;
            if self.exists(&path) {
                return Some(path);
            }
        }
        let mut places: Vec<String> = FOLDERS
            .iter()
            .map(|folder| format!("{folder}/{name}"))
            .collect();
        if let Some(rest) = name.strip_prefix("asm/") {
            places.insert(1, format!("include/asm-arm/{rest}"));
            places.push(format!("include/asm-generic/{rest}"));
        }
        places.into_iter().find(|path| self.exists(path))
    }

    /// All `.c` files directly in a folder, by name.
    pub(super) fn sources(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(folder));
        let mut names: Vec<_> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.ends_with(".c") && !name.ends_with(".mod.c"))
            .map(|name| format!("{folder}/{name}"))
            .collect();
        names.sort();
        names
    }
}

/// `name` seen from `folder`; None if that is outside of the tree.
fn joined(folder: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn paths_stay_in_the_tree() {
        assert_eq!(
            joined("kernel/irq", "internals.h").unwrap(),
            "kernel/irq/internals.h"
        );
        assert_eq!(joined("kernel/irq", "../a.h").unwrap(), "kernel/a.h");
        assert_eq!(joined("kernel", "../../a.h"), None);
    }
}
