//! Directives: what is left of a file, and what it defines.
//!
//! Of a condition that depends on the configuration all branches are kept, as
//! doubtful, if what they hold can stand side by side.

use std::collections::HashSet;
use std::rc::Rc;

use super::conditions;
use super::expand::{Expander, group};
use super::items;
use super::table::{Macro, Scope, Table};
use super::token::{self, Kind, Part, Token};
use super::tree::Tree;

/// Headers within headers.
const MAX_DEPTH: u32 = 60;

/// Reads files into a table on top of others.
pub(super) struct Reader<'a> {
    pub(super) tree: &'a Tree,
    /// Macros of our own, which stand above the tree's.
    pub(super) ours: &'a Table,
    /// The headers', when a single file is read.
    pub(super) below: Option<&'a Table>,
    pub(super) table: Table,
    /// Files that are not read again.
    pub(super) seen: HashSet<String>,
    /// Files that were read where that depends on the configuration.
    pub(super) maybe_seen: HashSet<String>,
    /// The file that is read may not be included.
    pub(super) doubt: bool,
}

/// Which headers are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// Those that all files share.
    Shared,
    /// Those of the file's own folder.
    Own,
}

/// The branches of a `#if`.
struct Condition {
    state: State,
    /// A branch before this one holds for certain.
    done: bool,
    /// A branch before this one may hold.
    maybe: bool,
    /// Where in the output the branches start that are doubtful.
    starts: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    On,
    Off,
    Maybe,
}

impl<'a> Reader<'a> {
    pub(super) fn scope(&self) -> Scope<'_> {
        Scope {
            layers: [Some(self.ours), Some(&self.table), self.below],
        }
    }

    /// Reads a header into the table. One that may not be included is read
    /// again when it is for certain.
    fn header(&mut self, path: &str, follow: Follow, depth: u32, doubt: bool) {
        if depth > MAX_DEPTH || self.seen.contains(path) {
            return;
        }
        if doubt {
            if !self.maybe_seen.insert(path.to_owned()) {
                return;
            }
        } else {
            self.seen.insert(path.to_owned());
            if self.maybe_seen.contains(path) {
                self.unguard(path);
            }
        }
        let before = std::mem::replace(&mut self.doubt, doubt);
        let tokens = self.file(path, follow, depth);
        let path: Rc<str> = path.into();
        items::declare(self, &path, &tokens);
        self.doubt = before;
    }

    /// Takes back what keeps a header from being read twice, the macro of its
    /// first line: `#ifndef _LINUX_IRQ_H`.
    fn unguard(&mut self, path: &str) {
        let Some(lexed) = self.tree.lexed(path) else {
            return;
        };
        let first = lexed.parts.iter().find(|part| part.directive);
        let tokens = first.and_then(|part| lexed.tokens.get(part.start..part.end));
        if let Some([_, guard, ..]) = tokens {
            self.table.undefine(guard.name);
        }
    }

    /// Reads the headers that a source file includes, under whatever condition.
    pub(super) fn includes(&mut self, path: &str, follow: Follow) {
        let Some(lexed) = self.tree.lexed(path) else {
            return;
        };
        let include = self.tree.names.borrow_mut().name("include");
        for part in lexed.parts.iter().filter(|part| part.directive) {
            let tokens = lexed.tokens.get(part.start..part.end).unwrap_or_default();
            if let Some((word, rest)) = tokens.split_first()
                && word.name == include
            {
                self.include(rest, path, follow, 0, false);
            }
        }
    }

    /// Carries out the directives of a file; gives what is left of it.
    pub(super) fn file(&mut self, path: &str, follow: Follow, depth: u32) -> Vec<Token> {
        let Some(lexed) = self.tree.lexed(path) else {
            return Vec::new();
        };
        let mut out: Vec<Token> = Vec::with_capacity(lexed.tokens.len());
        let mut conditions: Vec<Condition> = Vec::new();
        for &Part {
            start,
            end,
            directive,
        } in &lexed.parts
        {
            let tokens = lexed.tokens.get(start..end).unwrap_or_default();
            let skipped = conditions.iter().any(|one| one.state == State::Off);
            let doubt = self.doubt || conditions.iter().any(|one| one.state == State::Maybe);
            if directive {
                let Some((word, rest)) = tokens.split_first() else {
                    continue;
                };
                let word = self.tree.names.borrow().shared(word.name);
                if self.branch(&word, rest, skipped, path, &mut conditions, &mut out) || skipped {
                    continue;
                }
                self.define(&word, rest, path, doubt);
                if &*word == "include" {
                    self.include(rest, path, follow, depth, doubt);
                }
            } else if !skipped {
                out.extend(tokens.iter().map(|&token| Token { doubt, ..token }));
            }
        }
        out
    }

    /// Carries out `#if` and its kin.
    fn branch(
        &mut self,
        word: &str,
        rest: &[Token],
        skipped: bool,
        path: &str,
        conditions: &mut Vec<Condition>,
        out: &mut Vec<Token>,
    ) -> bool {
        let evaluate = |word: &str| {
            let expander = Expander::new(self.scope(), &self.tree.names, path);
            let defined = || {
                let token = rest.first()?;
                conditions::is_defined(*token, &expander)
            };
            match word {
                "ifdef" | "elifdef" => defined(),
                "ifndef" | "elifndef" => defined().map(|yes| !yes),
                _ => conditions::condition(rest, &expander),
            }
        };
        match word {
            "if" | "ifdef" | "ifndef" => {
                let value = if skipped { Some(false) } else { evaluate(word) };
                let state = State::of(value);
                conditions.push(Condition {
                    state,
                    done: state == State::On || skipped,
                    maybe: state == State::Maybe,
                    starts: Vec::from_iter((state == State::Maybe).then_some(out.len())),
                });
            }
            "elif" | "elifdef" | "elifndef" | "else" => {
                let done = conditions.last().is_none_or(|last| last.done);
                let value = match (done, word) {
                    (true, _) => Some(false),
                    (false, "else") => Some(true),
                    (false, _) => evaluate(word),
                };
                let Some(last) = conditions.last_mut() else {
                    return true;
                };
                last.state = match State::of(value) {
                    State::On if last.maybe => {
                        last.done = true;
                        State::Maybe
                    }
                    State::On => {
                        last.done = true;
                        State::On
                    }
                    other => other,
                };
                if last.state == State::Maybe {
                    last.maybe = true;
                }
                // An empty branch keeps the others from being taken for the only one.
                last.starts.push(out.len());
            }
            "endif" => {
                if let Some(last) = conditions.pop()
                    && last.maybe
                {
                    settle(&last.starts, out);
                }
            }
            _ => return false,
        }
        true
    }

    fn define(&mut self, word: &str, rest: &[Token], path: &str, doubt: bool) {
        let Some((name, rest)) = rest.split_first() else {
            return;
        };
        if self.ours_has(name) {
            return;
        }
        match word {
            "define" => {
                if let Some(one) = definition(rest) {
                    self.table.define(name.name, one, doubt);
                }
            }
            "undef" if !doubt => self.table.end(name.name, path, name.line),
            _ => {}
        }
    }

    fn ours_has(&self, name: &Token) -> bool {
        let scope = Scope {
            layers: [Some(self.ours), None, None],
        };
        scope.macros(name.name).is_some()
    }

    fn include(&mut self, rest: &[Token], from: &str, follow: Follow, depth: u32, doubt: bool) {
        let names = self.tree.names.borrow();
        let Some(first) = rest.first() else {
            return;
        };
        let (name, quoted) = match first.kind {
            Kind::Text => (names.text(first.name).trim_matches('"').to_owned(), true),
            _ => {
                let words = rest.iter().skip(1).map(|token| names.text(token.name));
                (words.take_while(|&word| word != ">").collect(), false)
            }
        };
        drop(names);
        let Some(path) = self.tree.include(&name, quoted, from) else {
            return;
        };
        let shared = path.starts_with("include/") || path.starts_with("arch/arm/include/");
        let wanted = shared == (follow == Follow::Shared);
        if wanted && path.ends_with(".h") {
            self.header(&path, follow, depth + 1, doubt);
        }
    }
}

impl State {
    fn of(value: Option<bool>) -> State {
        match value {
            Some(true) => State::On,
            Some(false) => State::Off,
            None => State::Maybe,
        }
    }
}

/// What stands behind `#define NAME`.
pub(super) fn definition(rest: &[Token]) -> Option<Macro> {
    let first = rest.first();
    if !first.is_some_and(|first| first.name == token::OPEN && !first.space) {
        return Some(Macro {
            parameters: None,
            rest: None,
            body: rest.to_vec(),
        });
    }
    let end = group(rest, 0)?;
    let mut parameters = Vec::new();
    let mut variadic = None;
    for parameter in super::expand::split(rest.get(1..end - 1)?) {
        match parameter {
            [dots] if dots.name == token::DOTS => variadic = Some(token::VA_ARGS),
            [name, dots] if dots.name == token::DOTS => variadic = Some(name.name),
            [name] => parameters.push(name.name),
            _ => {}
        }
    }
    Some(Macro {
        parameters: Some(parameters),
        rest: variadic,
        body: rest.get(end..)?.to_vec(),
    })
}

/// Makes the doubtful branches of a condition something that parses: where one
/// of them opens what it does not close, no more than the first stays.
fn settle(starts: &[usize], out: &mut Vec<Token>) {
    let ends = starts.iter().skip(1).copied().chain([out.len()]);
    let branches: Vec<(usize, usize)> = starts.iter().copied().zip(ends).collect();
    let balances: Vec<[i32; 3]> = branches
        .iter()
        .map(|&(start, end)| balance(out.get(start..end).unwrap_or_default()))
        .collect();
    if balances.iter().all(|balance| *balance == [0; 3]) {
        return;
    }
    let first = balances.first().copied();
    let alike = balances.len() > 1 && balances.iter().all(|one| Some(*one) == first);
    for (index, &(start, end)) in branches.iter().enumerate().rev() {
        let stays = match alike {
            true => index == 0,
            false => balances.get(index) == Some(&[0; 3]),
        };
        if !stays {
            out.drain(start..end);
        }
    }
}

fn balance(tokens: &[Token]) -> [i32; 3] {
    let mut balance = [0; 3];
    for token in tokens {
        match token.name {
            token::OPEN => balance[0] += 1,
            token::CLOSE => balance[0] -= 1,
            token::BRACE => balance[1] += 1,
            token::UNBRACE => balance[1] -= 1,
            token::BRACKET => balance[2] += 1,
            token::UNBRACKET => balance[2] -= 1,
            _ => {}
        }
    }
    balance
}
