//! What stands at the top level of a file: functions, prototypes, enumerators,
//! variables with an initialiser, exports.

use std::rc::Rc;

use super::conditions;
use super::directives::Reader;
use super::expand::{Expander, group, split};
use super::table::{Declared, Definition};
use super::token::{self, Kind, Name, Names, Token};

/// One thing at the top level.
pub(super) enum Item<'a> {
    /// A function with its body: tokens before the name, the name, between its
    /// parentheses, the body with its braces.
    Function {
        head: &'a [Token],
        name: Token,
        parameters: &'a [Token],
        body: &'a [Token],
    },
    /// Anything else, up to its semicolon.
    Other(&'a [Token]),
}

/// Words that stand between a function's parentheses and its body, with
/// parentheses of their own.
const NOTES: [&str; 12] = [
    "__attribute__",
    "__releases",
    "__acquires",
    "__must_hold",
    "__printf",
    "__section",
    "__aligned",
    "__cond_acquires",
    "__no_sanitize_address",
    "__releases_shared",
    "__acquires_shared",
    "__diagnose_as",
];

/// Takes the top level of a file apart.
pub(super) fn items<'a>(tokens: &'a [Token], names: &Names) -> Vec<Item<'a>> {
    let mut all = Vec::new();
    let mut start = 0;
    let mut at = 0;
    // The last pair of parentheses outside of braces that has a name before it.
    let mut call: Option<(usize, usize)> = None;
    let mut equals = false;
    while let Some(token) = tokens.get(at) {
        match token.name {
            token::END => {
                all.push(Item::Other(tokens.get(start..at).unwrap_or_default()));
                (start, call, equals) = (at + 1, None, false);
            }
            token::EQUALS => equals = true,
            token::OPEN => {
                let end = group(tokens, at).unwrap_or(tokens.len());
                let named = at.checked_sub(1).filter(|&before| before >= start);
                let name = named.and_then(|before| tokens.get(before));
                if name.is_some_and(|name| {
                    name.kind == Kind::Word && !NOTES.contains(&names.text(name.name))
                }) && !equals
                {
                    call = Some((at, end));
                }
                at = end;
                continue;
            }
            token::BRACE => {
                let end = braces(tokens, at);
                let body = tokens.get(at..end).unwrap_or_default();
                let before = |open: usize| {
                    let head = tokens.get(start..open - 1)?;
                    Some((head, *tokens.get(open - 1)?))
                };
                let is_body = |close: usize| {
                    let between = tokens.get(close..at).unwrap_or_default();
                    between
                        .iter()
                        .all(|token| token.kind != Kind::Sign || token.name != token::COMMA)
                };
                if let Some((open, close)) = call.filter(|&(_, close)| !equals && is_body(close))
                    && let Some((head, name)) = before(open)
                {
                    all.push(Item::Function {
                        head,
                        name,
                        parameters: tokens.get(open + 1..close - 1).unwrap_or_default(),
                        body,
                    });
                    (start, call, equals) = (end, None, false);
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    all
}

/// The place behind the brace that closes the one at `at`, or the end.
fn braces(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        if token.name == token::BRACE {
            depth += 1;
        } else if token.name == token::UNBRACE {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return index + 1;
            }
        }
    }
    tokens.len()
}

/// Puts what a header declares into the reader's table.
pub(super) fn declare(reader: &mut Reader<'_>, path: &Rc<str>, tokens: &[Token]) {
    let names = reader.tree.names.borrow();
    let all = items(tokens, &names);
    drop(names);
    for item in all {
        match item {
            Item::Function {
                head,
                name,
                parameters,
                body,
            } => reader.table.add_inline(Definition {
                name: name.name,
                file: path.clone(),
                line: name.line,
                head: head.to_vec(),
                parameters: parameters.to_vec(),
                body: body.to_vec(),
                doubt: name.doubt,
            }),
            Item::Other(tokens) => other(reader, path, tokens),
        }
    }
}

/// Puts enumerators and a prototype into the reader's table.
pub(super) fn other(reader: &mut Reader<'_>, path: &str, tokens: &[Token]) {
    enumerators(reader, path, tokens);
    let declared = declared(tokens, &reader.tree.names.borrow());
    if let Some((name, declared)) = declared {
        reader.table.declared.entry(name).or_insert(declared);
    }
}

/// The prototype of an inline function declares no other.
fn is_static_inline(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| token.name == token::STATIC)
}

/// The function or variable that is declared.
fn declared(tokens: &[Token], names: &Names) -> Option<(Name, Declared)> {
    let first = tokens.first()?;
    if first.name == token::TYPEDEF
        || is_static_inline(tokens)
        || tokens.iter().any(|token| token.name == token::BRACE)
    {
        return None;
    }
    // `int (*pointer)(int);`
    let pointer = tokens.windows(3).find_map(|three| match three {
        [open, star, name] if open.name == token::OPEN && star.name == token::STAR => Some(name),
        _ => None,
    });
    let call = tokens.windows(3).find(|three| {
        matches!(three, [name, open, next] if open.name == token::OPEN && name.kind == Kind::Word
            && next.name != token::STAR && !NOTES.contains(&names.text(name.name)))
    });
    if let (None, Some(pointer)) = (call, pointer.filter(|name| name.kind == Kind::Word)) {
        return Some((pointer.name, Declared::Variable));
    }
    if let Some([name, ..]) = call {
        // A macro's use has nothing before its name.
        return (name != first).then_some((name.name, Declared::Function));
    }
    // `extern struct x name[...] __note;`
    if !tokens.iter().any(|token| token.name == token::EXTERN) {
        return None;
    }
    let end = tokens
        .iter()
        .position(|token| token.name == token::BRACKET)
        .unwrap_or(tokens.len());
    let mut words = tokens.get(..end)?.iter().rev();
    let word = words.find(|token| {
        token.kind == Kind::Word && !names.text(token.name).starts_with("__read_mostly")
    })?;
    Some((word.name, Declared::Variable))
}

/// Puts the enumerators of a declaration into the reader's table.
fn enumerators(reader: &mut Reader<'_>, path: &str, tokens: &[Token]) {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        if token.name != token::ENUM {
            continue;
        }
        let brace = (at..at + 4).find(|&at| {
            tokens
                .get(at)
                .is_some_and(|token| token.name == token::BRACE)
        });
        let Some(open) = brace else {
            continue;
        };
        let end = braces(tokens, open);
        let inner = tokens.get(open + 1..end - 1).unwrap_or_default();
        let mut next = Some(0i64);
        for one in split(inner) {
            let Some((name, rest)) = one.split_first() else {
                continue;
            };
            if let Some((_, value)) = rest.split_first() {
                let expander = Expander::new(reader.scope(), &reader.tree.names, path);
                next = conditions::value(value, &expander);
            }
            // What follows a doubtful enumerator may be one less.
            if name.doubt {
                next = None;
            }
            reader.table.enumerators.insert(name.name, next);
            next = next.and_then(|value| value.checked_add(1));
        }
        at = end;
    }
}
