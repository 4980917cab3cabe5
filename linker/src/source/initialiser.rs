//! Structs of function pointers: `struct irq_chip dummy_irq_chip = { .name =
//! "dummy", .irq_enable = noop };`

use std::rc::Rc;

use tree_sitter::Node;

use super::body::Body;
use super::expand::Expander;
use super::expression::named;
use super::token::{self, Kind, Token};
use super::unit::Unit;
use super::value::Value;
use super::walk::Walk;
use crate::kernel::Version;
use crate::signatures::{Argument, Initialiser, Linkage};

/// Structs within structs.
const MAX_DEPTH: u32 = 8;

/// The variable that a top-level declaration initialises, if the declaration
/// names functions.
pub(super) fn read(unit: &Unit<'_>, tokens: &[Token], version: Version) -> Option<Initialiser> {
    let equals = tokens
        .iter()
        .position(|token| token.name == token::EQUALS)?;
    let (head, value) = tokens.split_at_checked(equals)?;
    let value = value.get(1..)?;
    if value.first()?.name != token::BRACE {
        return None;
    }
    let at = head.iter().position(|token| token.name == token::STRUCT)?;
    let tag = head.get(at + 1).filter(|tag| tag.kind == Kind::Word)?;
    let names = &unit.shared.tree.names;
    let expander = Expander::new(unit.scope(), names, &unit.file);
    // What is left of notes such as `__read_mostly` is the name, last.
    let name = *expander
        .expand(head.get(at + 2..)?)
        .iter()
        .rev()
        .find(|token| token.kind == Kind::Word || token.name == token::UNBRACKET)?;
    if name.kind != Kind::Word {
        return None;
    }
    let expanded = expander.expand(value);
    let doubt = name.doubt || expanded.iter().any(|token| token.doubt);
    let parser = &mut *unit.shared.parser.borrow_mut();
    let body = Rc::new(Body::parse("struct s v = ", &expanded, names, parser)?);
    let list = first_list(body.tree.root_node())?;
    let names = names.borrow();
    let mut variable = Initialiser {
        name: names.text(name.name).to_owned(),
        tag: names.text(tag.name).to_owned(),
        file: unit.file.to_string(),
        linkage: match head.iter().any(|token| token.name == token::STATIC) {
            true => Linkage::Static,
            false => Linkage::Global,
        },
        conditional: doubt,
        members: Vec::new(),
        version,
    };
    drop(names);
    members(unit, &body, list, "", 0, &mut variable);
    let is_function = |value: &Argument| matches!(value, Argument::Address(_));
    let mut values = variable.members.iter().map(|(_, value)| value);
    values.any(is_function).then_some(variable)
}

fn first_list(node: Node<'_>) -> Option<Node<'_>> {
    let mut node = node;
    for _ in 0..6 {
        if node.kind() == "initializer_list" {
            return Some(node);
        }
        let value = node.child_by_field_name("value");
        let inner = value.or_else(|| {
            named(node).find(|child| {
                matches!(
                    child.kind(),
                    "declaration" | "init_declarator" | "initializer_list"
                )
            })
        });
        node = inner?;
    }
    None
}

fn members(
    unit: &Unit<'_>,
    body: &Rc<Body>,
    list: Node<'_>,
    outer: &str,
    depth: u32,
    variable: &mut Initialiser,
) {
    if depth > MAX_DEPTH {
        return;
    }
    for pair in named(list).filter(|node| node.kind() == "initializer_pair") {
        let Some(value) = pair.child_by_field_name("value") else {
            continue;
        };
        // `.a.b = x`, and `a: x` of old.
        let mut name = outer.to_owned();
        for part in named(pair).take_while(|node| node.id() != value.id()) {
            let text = body.text_of(part);
            let word: String = text.chars().filter(|c| !" .:".contains(*c)).collect();
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&word);
        }
        if value.kind() == "initializer_list" {
            members(unit, body, value, &name, depth + 1, variable);
            continue;
        }
        let known = match value.kind() {
            "identifier" => unit.named_value(body.text_of(value)),
            _ => Walk::new(unit).constant(body, value),
        };
        let given = match known {
            // The name of an array, or of a function that nothing declares.
            Value::Global(name) => Argument::Address(name.to_string()),
            value => value.argument(),
        };
        if !name.is_empty() && !name.contains('[') && given != Argument::Other {
            variable.members.push((name, given));
        }
    }
}
