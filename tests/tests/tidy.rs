//! Habits of the source tree that no compiler checks: every file says what it
//! is for, none is too long to read, and nothing unfinished or private is left.

use std::path::{Path, PathBuf};

use tests::fixtures::root;

/// A file above this is split along a seam. Tables are not: they are looked
/// things up in, and one struct's belong together.
const LONGEST: usize = 600;
const TABLES: &str = "linker/data";

/// What must not stand in a source file, and why. Written in two halves, so
/// that this file does not find itself.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("dbg", "!("), "left from debugging"),
    (concat!("todo", "!("), "unfinished"),
    (concat!("unimplemented", "!("), "unfinished"),
    (
        concat!("TO", "DO"),
        "unfinished; open work belongs into the issue tracker",
    ),
    (
        concat!("FIX", "ME"),
        "unfinished; open work belongs into the issue tracker",
    ),
    (
        concat!("allow(dead", "_code)"),
        "code that nothing uses is removed",
    ),
    (concat!("/ho", "me/"), "a path of one person's machine"),
    (concat!("/Us", "ers/"), "a path of one person's machine"),
    (concat!("/ro", "ot/."), "a path of one person's machine"),
];

/// Files of the checkout, as paths relative to its root, but for what git does
/// not keep.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder of the checkout can be read");
        for entry in entries {
            let path = entry.expect("a folder of the checkout can be read").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                let ours =
                    !["target", ".git", "corpus", "artifacts", "shared"].contains(&name.as_str());
                folders.extend(ours.then_some(path));
            } else {
                found.push(
                    path.strip_prefix(root())
                        .expect("below the root")
                        .to_path_buf(),
                );
            }
        }
    }
    found.sort();
    found
}

/// Text files that people write, with their text.
fn sources() -> Vec<(PathBuf, String)> {
    let written = |path: &PathBuf| {
        let end = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        [
            "rs", "toml", "config", "c", "h", "ld", "s", "S", "sh", "lua", "py",
        ]
        .contains(&end.as_str())
    };
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(root().join(&path));
        text.ok().map(|text| (path, text))
    };
    let sources: Vec<_> = files()
        .into_iter()
        .filter(written)
        .filter_map(read)
        .collect();
    assert!(
        sources.len() > 20,
        "the checkout is not where it is looked for"
    );
    sources
}

/// Whether the first thing in the file is a comment; attributes of the whole
/// crate and `#!` lines may stand before it.
fn opens_with_a_comment(path: &Path, text: &str) -> bool {
    let end = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let marks: &[&str] = match end.as_str() {
        "rs" => &["//"],
        "c" | "h" | "ld" => &["//", "/*"],
        "s" | "S" => &["//", "/*", "@", "#"],
        "lua" => &["--"],
        "py" => &["#", "\"\"\""],
        _ => &["#"],
    };
    let skipped = |line: &&str| line.is_empty() || line.starts_with("#!");
    let first = text.lines().map(str::trim).find(|line| !skipped(line));
    first.is_some_and(|line| marks.iter().any(|mark| line.starts_with(mark)))
}

#[test]
fn every_file_starts_with_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| !opens_with_a_comment(path, text))
        .map(|(path, _)| path)
        .collect();
    assert!(
        silent.is_empty(),
        "these do not start with a comment: {silent:?}"
    );
}

#[test]
fn no_file_is_too_long_to_read() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| !path.starts_with(TABLES))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .collect();
    assert!(
        long.is_empty(),
        "these have more than {LONGEST} lines: {long:?}"
    );
}

#[test]
fn nothing_unfinished_or_private_is_left() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for (word, why) in FORBIDDEN {
                if line.contains(word) {
                    found.push(format!("{}:{}: {word} ({why})", path.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn members_take_the_lints_of_the_workspace() {
    let manifests = files()
        .into_iter()
        .filter(|path| path.ends_with("Cargo.toml"));
    for path in manifests.filter(|path| path.components().count() == 2) {
        let text = std::fs::read_to_string(root().join(&path)).expect("a manifest can be read");
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{}",
            path.display()
        );
    }
}
