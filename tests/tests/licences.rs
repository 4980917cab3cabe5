//! Which licences may meet in one program.
//!
//! Unicorn is GPL-2.0-only. A program that links it may not contain a crate
//! whose only licence is Apache-2.0, which the GPL's version 2 does not allow;
//! and the crates that are offered under MIT or Apache-2.0 (`driver`, `linker`)
//! may not depend on a GPL one. Only normal dependencies are linked; tools of
//! the build and of the tests are not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Crates of the workspace and what they depend on, by package id.
struct Graph {
    /// Name and licence expression.
    packages: BTreeMap<String, (String, String)>,
    /// Normal dependencies.
    edges: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn read() -> Graph {
        let mut command = Command::new("cargo");
        command.current_dir(tests::fixtures::root());
        command.args(["metadata", "--format-version", "1", "--locked"]);
        // Dependencies for other systems are never linked here.
        command.args(["--filter-platform", &host()]);
        let output = command.output().expect("cargo is on the search path");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();

        let packages = list(&metadata["packages"]);
        let packages = packages.iter().map(|package| {
            (
                text(&package["id"]),
                (text(&package["name"]), text(&package["license"])),
            )
        });
        let nodes = list(&metadata["resolve"]["nodes"]);
        let edges = nodes.iter().map(|node| {
            let dependencies = list(&node["deps"]).into_iter().filter(|dependency| {
                list(&dependency["dep_kinds"])
                    .iter()
                    .any(|kind| kind["kind"].is_null())
            });
            (
                text(&node["id"]),
                dependencies
                    .map(|dependency| text(&dependency["pkg"]))
                    .collect(),
            )
        });
        Graph {
            packages: packages.collect(),
            edges: edges.collect(),
        }
    }

    /// Everything that is linked into a member, itself included: name, licence.
    fn linked_into(&self, member: &str) -> Vec<(String, String)> {
        let local = |id: &&String| id.starts_with("path+file://");
        let start = self
            .packages
            .keys()
            .filter(local)
            .find(|id| self.packages[*id].0 == member);
        let mut open = vec![
            start
                .unwrap_or_else(|| panic!("no member is called {member}"))
                .clone(),
        ];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id.clone()) {
                open.extend(self.edges.get(&id).into_iter().flatten().cloned());
            }
        }
        seen.iter().map(|id| self.packages[id].clone()).collect()
    }
}

fn host() -> String {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("rustc is on the search path");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc names its host")
        .to_owned()
}

/// The licences that a user may choose from, each a list of those that hold
/// together: `A OR (B AND C)` gives `[[A], [B, C]]`.
fn choices(expression: &str) -> Vec<Vec<String>> {
    // The form with a slash is older than SPDX expressions and means OR.
    let words = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = words.split_whitespace().collect();
    let (result, rest) = either(&words);
    assert!(
        rest.is_empty(),
        "cannot read the licence expression {expression:?}"
    );
    result
}

fn either<'a>(words: &'a [&'a str]) -> (Vec<Vec<String>>, &'a [&'a str]) {
    let (mut result, mut rest) = both(words);
    while rest.first() == Some(&"OR") {
        let (more, after) = both(&rest[1..]);
        result.extend(more);
        rest = after;
    }
    (result, rest)
}

fn both<'a>(words: &'a [&'a str]) -> (Vec<Vec<String>>, &'a [&'a str]) {
    let (mut result, mut rest) = one(words);
    while rest.first() == Some(&"AND") {
        let (more, after) = one(&rest[1..]);
        let pairs = result.iter().flat_map(|left| {
            more.iter()
                .map(move |right| [&left[..], &right[..]].concat())
        });
        result = pairs.collect();
        rest = after;
    }
    (result, rest)
}

fn one<'a>(words: &'a [&'a str]) -> (Vec<Vec<String>>, &'a [&'a str]) {
    if words.first() == Some(&"(") {
        let (result, rest) = either(&words[1..]);
        assert_eq!(rest.first(), Some(&")"), "a bracket is not closed");
        return (result, &rest[1..]);
    }
    let name = words.first().copied().unwrap_or_default().to_owned();
    if words.get(1) == Some(&"WITH") {
        let exception = words.get(2).copied().unwrap_or_default();
        return (vec![vec![format!("{name} WITH {exception}")]], &words[3..]);
    }
    (vec![vec![name]], &words[1..])
}

/// May not be linked with GPL-2.0-only code. The LLVM exception lifts it.
fn apache_only(licence: &str) -> bool {
    licence == "Apache-2.0"
}

fn gpl(licence: &str) -> bool {
    licence.starts_with("GPL") || licence.starts_with("AGPL")
}

/// Crates of which every choice of licence has one that is refused.
fn refused(linked: &[(String, String)], bad: fn(&str) -> bool) -> Vec<String> {
    let linked = linked.iter().filter(|(name, licence)| {
        assert!(!licence.is_empty(), "{name} names no licence");
        choices(licence)
            .iter()
            .all(|together| together.iter().any(|licence| bad(licence)))
    });
    linked
        .map(|(name, licence)| format!("{name}: {licence}"))
        .collect()
}

#[test]
fn what_links_unicorn_has_no_crate_under_apache_alone() {
    let graph = Graph::read();
    for member in ["emu", "rehost"] {
        let linked = graph.linked_into(member);
        assert!(
            linked.iter().any(|(name, _)| name == "unicorn-engine"),
            "{member} links no Unicorn"
        );
        assert_eq!(refused(&linked, apache_only), [""; 0], "{member}");
    }
}

#[test]
fn permissive_crates_have_no_crate_under_the_gpl() {
    let graph = Graph::read();
    for member in ["driver", "linker"] {
        assert_eq!(
            refused(&graph.linked_into(member), gpl),
            [""; 0],
            "{member}"
        );
    }
}

#[test]
fn members_say_which_licence_they_are_under() {
    let graph = Graph::read();
    for (member, licence) in [
        ("driver", "MIT OR Apache-2.0"),
        ("linker", "MIT OR Apache-2.0"),
        ("emu", "GPL-2.0-only"),
        ("rehost", "GPL-2.0-only"),
    ] {
        let own = graph
            .linked_into(member)
            .into_iter()
            .find(|(name, _)| name == member);
        assert_eq!(own.map(|(_, licence)| licence).as_deref(), Some(licence));
    }
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "LICENSE-GPL-2.0"] {
        assert!(
            tests::fixtures::root().join(file).is_file(),
            "{file} is missing"
        );
    }
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    assert_eq!(choices("MIT/Apache-2.0"), [["MIT"], ["Apache-2.0"]]);
    assert_eq!(choices("(MIT OR Apache-2.0) AND Unicode-3.0").len(), 2);
    assert_eq!(
        choices("Apache-2.0 WITH LLVM-exception"),
        [["Apache-2.0 WITH LLVM-exception"]]
    );
    let crates = |licence: &str| vec![("a".to_owned(), licence.to_owned())];
    assert_eq!(refused(&crates("Apache-2.0"), apache_only).len(), 1);
    assert_eq!(
        refused(&crates("(MIT OR Apache-2.0) AND BSD-3-Clause"), apache_only).len(),
        0
    );
    assert_eq!(refused(&crates("MIT OR GPL-2.0-only"), gpl).len(), 0);
    assert_eq!(refused(&crates("GPL-2.0-only AND MIT"), gpl).len(), 1);
}
