//! Macro expansion.
//!
//! As C's, but for three things: a macro with several alternatives becomes
//! `__ecmo_alternative(({ a; }), ({ b; }))`, all of it doubtful; constructs of
//! the compiler that say nothing about calls are dropped; and all that comes
//! of a macro stands on the line where the outermost macro is used.

use std::cell::RefCell;

use super::config;
use super::table::{Alternatives, Declared, Macro, Scope};
use super::token::{self, Kind, Name, Names, Token};

/// Tokens that one function may expand to.
const MAX_TOKENS: usize = 60_000;
/// Macros within macros.
const MAX_DEPTH: usize = 60;

pub(super) struct Expander<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) names: &'a RefCell<Names>,
    /// `__FILE__`.
    pub(super) file: &'a str,
    words: Words,
}

/// Words with a meaning of their own.
struct Words {
    dropped: Vec<Name>,
    types: Vec<Name>,
    asm: Vec<Name>,
    qualifiers: Vec<Name>,
    size: Vec<Name>,
    options: Vec<Name>,
}

/// Where the outermost macro is used.
#[derive(Clone, Copy)]
struct Site {
    line: u32,
    end: u32,
}

impl<'a> Expander<'a> {
    pub(super) fn new(scope: Scope<'a>, names: &'a RefCell<Names>, file: &'a str) -> Self {
        let mut texts = names.borrow_mut();
        let mut all = |words: &[&str]| words.iter().map(|word| texts.name(word)).collect();
        let words = Words {
            dropped: all(&[
                "__attribute__",
                "__attribute",
                "__declspec",
                "_Alignas",
                "__aligned",
            ]),
            types: all(&[
                "typeof",
                "__typeof__",
                "__typeof",
                "typeof_unqual",
                "__typeof_unqual__",
            ]),
            asm: all(&["asm", "__asm__", "__asm"]),
            qualifiers: all(&[
                "volatile",
                "__volatile__",
                "__volatile",
                "goto",
                "inline",
                "__inline",
            ]),
            size: all(&["sizeof", "__alignof__", "_Alignof", "__builtin_offsetof"]),
            options: all(&["IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE", "IS_MODULE"]),
        };
        drop(texts);
        Expander {
            scope,
            names,
            file,
            words,
        }
    }

    pub(super) fn expand(&self, tokens: &[Token]) -> Vec<Token> {
        let mut out = Vec::with_capacity(tokens.len() * 2);
        self.into(tokens, None, &mut Vec::new(), &mut out);
        out
    }

    fn into(
        &self,
        tokens: &[Token],
        site: Option<Site>,
        active: &mut Vec<Name>,
        out: &mut Vec<Token>,
    ) {
        let mut at = 0;
        while let Some(&token) = tokens.get(at) {
            at += 1;
            if token.kind != Kind::Word || out.len() > MAX_TOKENS {
                out.push(self.placed(token, site));
                continue;
            }
            if let Some(next) = self.special(token, tokens, at, site, out) {
                at = next;
                continue;
            }
            let usable = !active.contains(&token.name) && active.len() < MAX_DEPTH;
            let alternatives = usable.then(|| self.macros(token)).flatten();
            let used = alternatives
                .and_then(|all| self.replace(token, all, tokens, at, site, active, out));
            match used {
                Some(next) => at = self.again(token, tokens, next, site, active, out),
                None => out.push(self.placed(token, site)),
            }
        }
    }

    /// A macro may come down to the name of one that takes arguments, which then
    /// are those that follow: `#define pr_warn pr_warning`.
    fn again(
        &self,
        used: Token,
        tokens: &[Token],
        at: usize,
        site: Option<Site>,
        active: &mut Vec<Name>,
        out: &mut Vec<Token>,
    ) -> usize {
        let Some((end, last)) = group(tokens, at).zip(out.last().copied()) else {
            return at;
        };
        let takes = |name| {
            let token = Token { name, ..used };
            let mut all = self.macros(token)?.all.iter();
            all.any(|one| one.parameters.is_some()).then_some(())
        };
        if last.kind != Kind::Word
            || last.name == used.name
            || active.contains(&last.name)
            || active.len() >= MAX_DEPTH
            || takes(last.name).is_none()
        {
            return at;
        }
        out.pop();
        let mut call = vec![Token {
            line: used.line,
            ..last
        }];
        call.extend_from_slice(tokens.get(at..end).unwrap_or_default());
        active.push(used.name);
        self.into(&call, site, active, out);
        active.pop();
        end
    }

    /// What a name stands for where it is used.
    fn macros(&self, used: Token) -> Option<&'a Alternatives<Macro>> {
        self.scope.macros_at(used.name, self.file, used.line)
    }

    fn placed(&self, mut token: Token, site: Option<Site>) -> Token {
        if let Some(site) = site {
            token.line = site.line;
        }
        token
    }

    /// Words of the compiler; gives the place behind what was read.
    fn special(
        &self,
        token: Token,
        tokens: &[Token],
        at: usize,
        site: Option<Site>,
        out: &mut Vec<Token>,
    ) -> Option<usize> {
        let name = token.name;
        let words = &self.words;
        let mut put = |kind, name| {
            out.push(self.placed(
                Token {
                    kind,
                    name,
                    ..token
                },
                site,
            ));
        };
        if name == token::LINE || name == token::END_LINE {
            let line = match site {
                Some(site) if name == token::END_LINE => site.end,
                Some(site) => site.line,
                None => token.line,
            };
            let number = self.names.borrow_mut().name(&line.to_string());
            put(Kind::Number, number);
            return Some(at);
        }
        if name == token::FILE {
            let file = self.names.borrow_mut().name(&format!("\"{}\"", self.file));
            put(Kind::Text, file);
            return Some(at);
        }
        if words.dropped.contains(&name) {
            return group(tokens, at);
        }
        if words.types.contains(&name) {
            let end = group(tokens, at)?;
            put(Kind::Word, token::INT);
            return Some(end);
        }
        if words.asm.contains(&name) {
            let mut at = at;
            while tokens
                .get(at)
                .is_some_and(|next| words.qualifiers.contains(&next.name))
            {
                at += 1;
            }
            let end = group(tokens, at)?;
            put(Kind::Number, token::ZERO);
            return Some(end);
        }
        if words.size.contains(&name) {
            let (word, end) = self.size(tokens, at);
            put(Kind::Word, word.unwrap_or(token::FIXED_VALUE));
            return Some(end);
        }
        if words.options.contains(&name) {
            let end = group(tokens, at)?;
            let option = tokens.get(at + 1)?;
            let value = config::option(self.names.borrow().text(option.name));
            match value {
                Some(true) => put(Kind::Number, token::ONE),
                Some(false) => put(Kind::Number, token::ZERO),
                None => put(Kind::Word, token::CONFIG_VALUE),
            }
            return Some(end);
        }
        None
    }

    /// What stands for a size, and the place behind `sizeof`'s operand.
    fn size(&self, tokens: &[Token], at: usize) -> (Option<Name>, usize) {
        let Some(end) = group(tokens, at) else {
            // `sizeof x.y[0]`: what follows is read as a subscript of a constant.
            return (None, (at + 1).min(tokens.len()));
        };
        let inner = tokens
            .get(at + 1..end.saturating_sub(1))
            .unwrap_or_default();
        let pointer = inner.last().is_some_and(|last| last.name == token::STAR);
        let mut names = self.names.borrow_mut();
        let texts: Vec<_> = inner.iter().map(|token| names.text(token.name)).collect();
        let size = match texts.as_slice() {
            _ if pointer => "4",
            ["char" | "u8" | "s8" | "__u8" | "uint8_t"] => "1",
            ["short" | "u16" | "s16" | "__u16" | "uint16_t"] => "2",
            ["int" | "long" | "u32" | "s32" | "__u32" | "uint32_t" | "size_t"] => "4",
            ["unsigned", "int" | "long"] | ["unsigned"] => "4",
            ["u64" | "s64" | "__u64" | "uint64_t"] | ["long", "long"] => "8",
            _ => return (None, end),
        };
        (Some(names.name(size)), end)
    }

    /// Puts what a macro stands for; gives the place behind its use.
    #[allow(clippy::too_many_arguments)]
    fn replace(
        &self,
        token: Token,
        alternatives: &Alternatives<Macro>,
        tokens: &[Token],
        at: usize,
        site: Option<Site>,
        active: &mut Vec<Name>,
        out: &mut Vec<Token>,
    ) -> Option<usize> {
        let first = alternatives.all.first()?;
        let (arguments, end) = match first.parameters {
            Some(_) => {
                let end = group(tokens, at)?;
                (split(tokens.get(at + 1..end - 1).unwrap_or_default()), end)
            }
            None => (Vec::new(), at),
        };
        let site = site.unwrap_or(Site {
            line: token.line,
            end: tokens.get(end - 1).map_or(token.line, |last| last.line),
        });
        let like =
            |one: &&std::rc::Rc<Macro>| one.parameters.is_some() == first.parameters.is_some();
        let function = self.scope.declared(token.name) == Some(Declared::Function)
            || self.scope.inlines(token.name).is_some();
        let single = alternatives.all.len() == 1 && (alternatives.sure || !function);
        active.push(token.name);
        if single {
            let start = out.len();
            let body = self.substitute(first, &arguments, token, site, active);
            self.into(&body, Some(site), active, out);
            let doubt = token.doubt || !alternatives.sure;
            if doubt {
                out.iter_mut()
                    .skip(start)
                    .for_each(|token| token.doubt = true);
            }
            active.pop();
            return Some(end);
        }
        let bodies: Vec<_> = alternatives
            .all
            .iter()
            .filter(like)
            .map(|one| {
                let body = self.substitute(one, &arguments, token, site, active);
                let mut expanded = Vec::new();
                self.into(&body, Some(site), active, &mut expanded);
                expanded
            })
            .collect();
        active.pop();
        let start = out.len();
        match first.parameters {
            None => self.one_of(token, bodies, tokens.get(at), out),
            Some(_) => {
                let call = (!alternatives.sure && function)
                    .then(|| tokens.get(at..end).unwrap_or_default());
                self.either(token, bodies, call, out);
            }
        }
        for token in out.iter_mut().skip(start) {
            token.doubt = true;
            token.line = site.line;
        }
        Some(end)
    }

    /// One word for alternatives without parentheses: in front of a name they
    /// are types or attributes, in front of parentheses a function, else a value.
    fn one_of(
        &self,
        token: Token,
        bodies: Vec<Vec<Token>>,
        next: Option<&Token>,
        out: &mut Vec<Token>,
    ) {
        if bodies.iter().any(Vec::is_empty) {
            return;
        }
        let is_value = next.is_none_or(|next| {
            next.kind == Kind::Sign && next.name != token::OPEN && next.name != token::STAR
        });
        if is_value {
            out.push(Token {
                kind: Kind::Word,
                name: token::CONFIG_VALUE,
                ..token
            });
            return;
        }
        match bodies
            .into_iter()
            .find(|body| matches!(body.as_slice(), [only] if only.kind == Kind::Word))
        {
            Some(body) => out.extend(body),
            None => out.push(token),
        }
    }

    fn either(
        &self,
        token: Token,
        bodies: Vec<Vec<Token>>,
        call: Option<&[Token]>,
        out: &mut Vec<Token>,
    ) {
        // What is the head of a statement cannot be wrapped; that it is one, all
        // alternatives agree on.
        const HEADS: [Name; 9] = [
            token::FOR,
            token::IF,
            token::WHILE,
            token::SWITCH,
            token::CASE,
            token::RETURN,
            token::STATIC,
            token::STRUCT,
            token::ELSE,
        ];
        let head = |body: &Vec<Token>| {
            body.first()
                .is_some_and(|first| HEADS.contains(&first.name))
        };
        if let Some(body) = bodies.iter().find(|body| head(body)) {
            out.extend(body);
            return;
        }
        let sign = |name| Token {
            kind: Kind::Sign,
            name,
            ..token
        };
        out.push(Token {
            name: token::ALTERNATIVE,
            ..token
        });
        out.push(sign(token::OPEN));
        let mut comma = false;
        for body in &bodies {
            if std::mem::replace(&mut comma, true) {
                out.push(sign(token::COMMA));
            }
            out.extend([sign(token::OPEN), sign(token::BRACE)]);
            out.extend(body);
            out.extend([sign(token::END), sign(token::UNBRACE), sign(token::CLOSE)]);
        }
        if let Some(arguments) = call {
            out.push(sign(token::COMMA));
            out.push(token);
            out.extend(arguments);
        }
        out.push(sign(token::CLOSE));
    }

    /// A macro's body with the arguments in it.
    fn substitute(
        &self,
        one: &Macro,
        arguments: &[&[Token]],
        used: Token,
        site: Site,
        active: &[Name],
    ) -> Vec<Token> {
        let parameters = one.parameters.as_deref().unwrap_or_default();
        let mut rest: Vec<Token> = Vec::new();
        if one.rest.is_some() {
            for (index, argument) in arguments.iter().enumerate().skip(parameters.len()) {
                if index > parameters.len() {
                    rest.push(Token {
                        kind: Kind::Sign,
                        name: token::COMMA,
                        ..used
                    });
                }
                rest.extend_from_slice(argument);
            }
        }
        let argument = |name: Name| -> Option<&[Token]> {
            if one.rest == Some(name) {
                return Some(&rest);
            }
            let index = parameters.iter().position(|&parameter| parameter == name)?;
            Some(arguments.get(index).copied().unwrap_or_default())
        };
        let mut out: Vec<Token> = Vec::new();
        let mut at = 0;
        while let Some(&token) = one.body.get(at) {
            let next = one.body.get(at + 1);
            at += 1;
            if token.name == token::HASH
                && one.parameters.is_some()
                && let Some(text) = next.and_then(|next| argument(next.name))
            {
                out.push(self.text_of(text, used));
                at += 1;
                continue;
            }
            if token.name == token::PASTE
                && let Some(&next) = next
            {
                at += 1;
                let right: Vec<Token> = match argument(next.name) {
                    Some(tokens) => tokens.to_vec(),
                    None => vec![next],
                };
                let is_rest = one.rest == Some(next.name);
                self.paste(&mut out, &right, is_rest);
                continue;
            }
            let pasted = next.is_some_and(|next| next.name == token::PASTE);
            match argument(token.name) {
                Some(tokens) if pasted => out.extend_from_slice(tokens),
                Some(tokens) => {
                    // Arguments are not part of the macro: its name may stand in them.
                    let mut outer: Vec<Name> = active.to_vec();
                    outer.pop();
                    self.into(tokens, Some(site), &mut outer, &mut out);
                }
                None => out.push(Token {
                    line: used.line,
                    doubt: token.doubt || used.doubt,
                    ..token
                }),
            }
            if out.len() > MAX_TOKENS {
                break;
            }
        }
        out
    }

    fn paste(&self, out: &mut Vec<Token>, right: &[Token], is_rest: bool) {
        let Some(&left) = out.last() else {
            out.extend_from_slice(right);
            return;
        };
        if is_rest {
            // `, ## args`: without arguments the comma goes.
            match right.is_empty() && left.name == token::COMMA {
                true => drop(out.pop()),
                false => out.extend_from_slice(right),
            }
            return;
        }
        let Some((first, others)) = right.split_first() else {
            return;
        };
        let mut names = self.names.borrow_mut();
        let text = format!("{}{}", names.text(left.name), names.text(first.name));
        let name = names.name(&text);
        out.pop();
        out.push(Token { name, ..left });
        out.extend_from_slice(others);
    }

    fn text_of(&self, tokens: &[Token], used: Token) -> Token {
        let mut names = self.names.borrow_mut();
        let mut text = String::from("\"");
        for (index, token) in tokens.iter().enumerate() {
            if token.space && index > 0 {
                text.push(' ');
            }
            let word = names.text(token.name);
            match token.kind {
                Kind::Text | Kind::Char => {
                    text.push_str(&word.replace('\\', "\\\\").replace('"', "\\\""));
                }
                _ => text.push_str(word),
            }
        }
        text.push('"');
        Token {
            kind: Kind::Text,
            name: names.name(&text),
            ..used
        }
    }
}

/// The place behind the parenthesis that closes the one at `at`.
pub(super) fn group(tokens: &[Token], at: usize) -> Option<usize> {
    if tokens.get(at)?.name != token::OPEN {
        return None;
    }
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        if token.name == token::OPEN {
            depth += 1;
        } else if token.name == token::CLOSE {
            depth -= 1;
            if depth == 0 {
                return Some(index + 1);
            }
        }
    }
    None
}

/// Arguments, parted by the commas outside of parentheses and braces. No tokens
/// are one argument without tokens.
pub(super) fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let mut all = Vec::new();
    let (mut depth, mut start) = (0i32, 0);
    for (index, token) in tokens.iter().enumerate() {
        match token.name {
            token::OPEN | token::BRACE | token::BRACKET => depth += 1,
            token::CLOSE | token::UNBRACE | token::UNBRACKET => depth -= 1,
            token::COMMA if depth == 0 => {
                all.push(tokens.get(start..index).unwrap_or_default());
                start = index + 1;
            }
            _ => {}
        }
    }
    all.push(tokens.get(start..).unwrap_or_default());
    all
}
