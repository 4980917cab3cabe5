//! The functions of a source file, one after the other.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::directives::{Follow, Reader};
use super::initialiser;
use super::items::{self, Item, items};
use super::table::{Definition, Macro, Table};
use super::token::{self, Kind, Name, Names, Token};
use super::unit::{Shared, Unit, parameters};
use super::value::Value;
use super::walk::Walk;
use crate::signatures::{self, Era, Linkage, SourceFunction};

/// Adds the facts of a file's functions that are wanted.
pub(super) fn read(shared: &Shared<'_>, path: &str, era: &mut Era, wanted: &dyn Fn(&str) -> bool) {
    let tree = shared.tree;
    let mut reader = Reader {
        tree,
        ours: shared.ours,
        below: Some(shared.headers),
        table: module_name(path, &mut tree.names.borrow_mut()),
        seen: HashSet::new(),
        maybe_seen: HashSet::new(),
        doubt: false,
    };
    let tokens = reader.file(path, Follow::Own, 0);
    let file: Rc<str> = path.into();
    let all = items(&tokens, &tree.names.borrow());
    let mut definitions = Vec::new();
    let mut exports = HashSet::new();
    for item in &all {
        match item {
            Item::Function {
                head,
                name,
                parameters,
                body,
            } => {
                let definition = Definition {
                    name: name.name,
                    file: file.clone(),
                    line: name.line,
                    head: head.to_vec(),
                    parameters: parameters.to_vec(),
                    body: body.to_vec(),
                    doubt: name.doubt,
                };
                let names = tree.names.borrow();
                let is_inline = head
                    .iter()
                    .any(|token| INLINE.contains(&names.text(token.name)));
                let is_static = head.iter().any(|token| token.name == token::STATIC);
                drop(names);
                match is_inline && is_static {
                    true => reader.table.add_inline(definition),
                    false => definitions.push((definition, is_static)),
                }
            }
            Item::Other(tokens) => {
                exports.extend(export(tokens, &tree.names.borrow()));
                items::other(&mut reader, path, tokens);
            }
        }
    }
    let mut unit = Unit::new(shared, file, reader.table);
    for (definition, _) in &definitions {
        let doubt = unit.functions.entry(definition.name).or_insert(true);
        *doubt &= definition.doubt;
    }
    let mut order = 0;
    let mut here: HashMap<String, usize> = HashMap::new();
    for (definition, is_static) in definitions {
        let Some(mut function) = function(&unit, &definition, is_static, era) else {
            continue;
        };
        function.exported = exports.contains(&function.name);
        if let Some(&index) = here.get(&function.name) {
            // Another definition for another configuration.
            if let Some(known) = era.functions.get_mut(index) {
                *known = signatures::both(known, &function);
            }
            continue;
        }
        function.order = order;
        order += 1;
        if wanted(&function.name) {
            here.insert(function.name.clone(), era.functions.len());
            era.functions.push(function);
        }
    }
    for item in &all {
        if let Item::Other(tokens) = item {
            let variable = initialiser::read(&unit, tokens, era.version);
            era.initialisers.extend(variable);
        }
    }
}

const INLINE: [&str; 5] = [
    "inline",
    "__inline",
    "__inline__",
    "__always_inline",
    "always_inline",
];

fn function(
    unit: &Unit<'_>,
    definition: &Definition,
    is_static: bool,
    era: &Era,
) -> Option<SourceFunction> {
    let names = &unit.shared.tree.names;
    let (name, arguments) = called(definition, &names.borrow())?;
    let init = {
        let names = names.borrow();
        let mut head = definition.head.iter();
        head.any(|token| names.text(token.name) == "__init")
    };
    let parsed = unit.parse(definition, unit.scope())?;
    let mut walk = Walk::new(unit);
    let values = arguments.iter().enumerate().map(|(index, name)| {
        let value = u8::try_from(index).map_or(Value::Other, Value::Parameter);
        (name.clone(), value)
    });
    let shared: Rc<str> = name.as_str().into();
    walk.enter(&shared, &parsed.body, values.collect());
    let facts = walk.facts;
    Some(SourceFunction {
        name,
        file: unit.file.to_string(),
        line: definition.line,
        order: 0,
        linkage: match is_static {
            true => Linkage::Static,
            false => Linkage::Global,
        },
        init,
        exported: false,
        conditional: definition.doubt,
        parameters: u8::try_from(arguments.len()).unwrap_or(u8::MAX),
        strings: facts.strings,
        warns: facts.warns,
        calls: facts.calls,
        indirect_calls: facts.indirect_calls,
        address_of: facts.address_of,
        constants: facts.constants,
        returns: facts.returns,
        blocks: facts.blocks,
        loops: facts.loops,
        version: era.version,
    })
}

/// The name and parameters of a function; None for what a macro makes.
fn called(definition: &Definition, names: &Names) -> Option<(String, Vec<String>)> {
    let name = names.text(definition.name);
    if name.starts_with("SYSCALL_DEFINE") {
        // `SYSCALL_DEFINE2(name, type, argument, type, argument)`
        let mut words = super::expand::split(&definition.parameters).into_iter();
        let name = names.text(words.next()?.first()?.name);
        let arguments = words.skip(1).step_by(2).map(|words| {
            let word = words.last().map(|token| names.text(token.name));
            word.unwrap_or_default().to_owned()
        });
        return Some((format!("sys_{name}"), arguments.collect()));
    }
    if !name.contains(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    Some((name.to_owned(), parameters(&definition.parameters, names)))
}

/// The function that an `EXPORT_SYMBOL` names.
fn export(tokens: &[Token], names: &Names) -> Option<String> {
    let (first, rest) = tokens.split_first()?;
    let is_export = names.text(first.name).starts_with("EXPORT_SYMBOL")
        || names.text(first.name).starts_with("EXPORT_PER_CPU_SYMBOL");
    let [open, name, ..] = rest else {
        return None;
    };
    (is_export && open.name == token::OPEN).then(|| names.text(name.name).to_owned())
}

/// `KBUILD_MODNAME` and kin, which the build gives: the name of the file, for
/// one that is not a part of a larger module.
fn module_name(path: &str, names: &mut Names) -> Table {
    let file = path.rsplit('/').next().unwrap_or_default();
    let stem = file.strip_suffix(".c").unwrap_or(file).replace('-', "_");
    let text = names.name(&format!("\"{stem}\""));
    let mut table = Table::default();
    for name in ["KBUILD_MODNAME", "KBUILD_BASENAME"] {
        let name: Name = names.name(name);
        let body = vec![Token {
            kind: Kind::Text,
            name: text,
            line: 0,
            space: true,
            doubt: false,
        }];
        let one = Macro {
            parameters: None,
            rest: None,
            body,
        };
        table.define(name, one, false);
    }
    table
}
