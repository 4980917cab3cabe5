//! Facts about functions, from the kernel's source.
//!
//! The source is read as it is, without a configuration and without being
//! compiled, with the headers of the tree. What depends on the configuration is
//! kept and marked as doubtful.
//!
//! * [`token`], [`tree`]: files, and the words in them
//! * [`directives`], [`conditions`], [`table`], [`config`]: `#if` and
//!   `#define`, and what names stand for
//! * [`expand`]: what macros come down to
//! * [`items`]: the top level of a file
//! * [`body`]: a function's syntax tree
//! * [`walk`], [`expression`], [`call`], [`value`], [`facts`]: what it does
//! * [`unit`](mod@unit), [`file`](mod@file): a source file
//! * [`initialiser`]: structs of function pointers
//! * [`asked`]: which files and functions are wanted

mod asked;
mod body;
mod call;
mod conditions;
mod config;
mod directives;
mod expand;
mod expression;
mod facts;
mod file;
mod initialiser;
mod items;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod tree;
mod unit;
mod value;
mod walk;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use directives::{Follow, Reader};
use table::{Macro, Table};
use token::{Kind, Token};
use tree::Tree;

pub use asked::Asked;

use crate::kernel::Version;
use crate::signatures::{self, Era, Linkage, SourceFunction};

/// Our own meaning of some macros.
const MACROS: &str = include_str!("../../data/signatures/macros.h");

/// Why no facts can be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder is not a kernel's.
    #[error(
        "{0}: no VERSION, PATCHLEVEL and SUBLEVEL in its Makefile; the top of a kernel's source tree is expected"
    )]
    NoTree(PathBuf),
    /// The list of what is wanted.
    #[error("the list of files and functions: {0}")]
    Asked(String),
    /// The parser of C does not fit its grammar.
    #[error("the parser of C cannot be started: {0}")]
    Parser(String),
}

/// Takes the facts of the wanted functions from a source tree.
///
/// # Errors
/// [`Error`] if the folder is not a kernel's source. Files that are not there
/// are passed over: eras differ.
pub fn extract(root: &Path, asked: &Asked) -> Result<Era, Error> {
    let tree = Tree::new(root);
    let makefile = tree.text("Makefile").unwrap_or_default();
    let version = version(&makefile).ok_or_else(|| Error::NoTree(root.to_owned()))?;
    let mut parser = tree_sitter::Parser::new();
    parser
        .set_language(&tree_sitter_c::LANGUAGE.into())
        .map_err(|error| Error::Parser(error.to_string()))?;

    let ours = own_macros(&tree);
    let mut wanted = asked.files_of(&tree);
    let whole: HashSet<String> = wanted.iter().cloned().collect();
    let elsewhere = definitions(&tree, asked, &whole);
    let mut others: Vec<_> = elsewhere.values().flatten().cloned().collect();
    others.sort();
    others.dedup();
    wanted.extend(others);

    let mut headers = Reader {
        tree: &tree,
        ours: &ours,
        below: None,
        table: defaults(&tree),
        seen: HashSet::new(),
        maybe_seen: HashSet::new(),
        doubt: false,
    };
    for path in &wanted {
        headers.includes(path, Follow::Shared);
    }
    let headers = headers.table;
    let shared = unit::Shared::new(&tree, &ours, &headers, parser);
    let mut era = Era {
        version,
        functions: Vec::new(),
        initialisers: Vec::new(),
    };
    for path in &wanted {
        let only = (!whole.contains(path)).then_some(&elsewhere);
        file::read(&shared, path, &mut era, &|name| {
            only.is_none_or(|only| only.contains_key(name))
        });
    }
    join_rivals(&mut era);
    Ok(era)
}

/// Files of which a kernel has but one (`mm/slab.c`, `mm/slub.c`) define the same
/// functions: for sure is what all of them say.
fn join_rivals(era: &mut Era) {
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut joined: Vec<SourceFunction> = Vec::with_capacity(era.functions.len());
    for function in era.functions.drain(..) {
        if function.linkage == Linkage::Static {
            joined.push(function);
            continue;
        }
        match first
            .get(&function.name)
            .and_then(|&index| joined.get_mut(index))
        {
            Some(known) => *known = signatures::both(known, &function),
            None => {
                first.insert(function.name.clone(), joined.len());
                joined.push(function);
            }
        }
    }
    era.functions = joined;
}

/// Where functions that are asked for by name are defined: the files of the
/// folders that are looked through, except those that are taken whole.
fn definitions(
    tree: &Tree,
    asked: &Asked,
    whole: &HashSet<String>,
) -> HashMap<String, Vec<String>> {
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    let names: HashSet<&str> = asked.names().collect();
    for folder in asked.folders() {
        for path in tree.sources(folder) {
            if whole.contains(&path) || asked.leaves_out(&path) {
                continue;
            }
            let Some(text) = tree.text(&path) else {
                continue;
            };
            for line in text.lines() {
                if let Some(name) = begins_definition(line).filter(|name| names.contains(name)) {
                    found.entry(name.to_owned()).or_default().push(path.clone());
                }
            }
        }
    }
    found
}

/// The name of the function that a line seems to define: `int f(...` at its
/// start, not `int f(...);`.
fn begins_definition(line: &str) -> Option<&str> {
    if !line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || line.ends_with(';') {
        return None;
    }
    let head = line.split_once('(')?.0.trim_end();
    let start = head
        .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .map_or(0, |at| at + 1);
    // The type may stand on the line before.
    head.get(start..).filter(|name| !name.is_empty())
}

/// The macros of `macros.h`.
fn own_macros(tree: &Tree) -> Table {
    let lexed = token::lex(MACROS, &mut tree.names.borrow_mut());
    let mut table = Table::default();
    for part in lexed.parts.iter().filter(|part| part.directive) {
        let tokens = lexed.tokens.get(part.start..part.end).unwrap_or_default();
        if let Some((_, [name, rest @ ..])) = tokens.split_first()
            && let Some(one) = directives::definition(rest)
        {
            table.define(name.name, one, false);
        }
    }
    table
}

/// What stands until a header says otherwise: `pr_fmt`, which came with 2.6.25.
fn defaults(tree: &Tree) -> Table {
    let mut names = tree.names.borrow_mut();
    let (pr_fmt, format) = (names.name("pr_fmt"), names.name("format"));
    let mut table = Table::default();
    let one = Macro {
        parameters: Some(vec![format]),
        rest: None,
        body: vec![Token {
            kind: Kind::Word,
            name: format,
            line: 0,
            space: true,
            doubt: false,
        }],
    };
    table.define(pr_fmt, one, false);
    table
}

/// The release that a kernel's `Makefile` names.
fn version(makefile: &str) -> Option<Version> {
    let number = |name: &str| {
        let mut lines = makefile.lines().take(20);
        let line = lines.find(|line| {
            line.split('=')
                .next()
                .is_some_and(|word| word.trim() == name)
        })?;
        let value = line.split_once('=')?.1.trim();
        value.parse::<u16>().ok()
    };
    Some(Version(
        number("VERSION")?,
        number("PATCHLEVEL")?,
        number("SUBLEVEL")?,
    ))
}
