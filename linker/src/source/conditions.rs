//! Constant expressions of tokens: `#if`, and the values of enumerators.

use super::config;
use super::expand::{Expander, group};
use super::token::{self, Kind, Names, Token};

/// The value of a `#if`; None if it depends on the configuration.
pub(super) fn condition(tokens: &[Token], expander: &Expander<'_>) -> Option<bool> {
    let mut settled = Vec::with_capacity(tokens.len());
    let mut at = 0;
    // `defined X` comes before expansion, which would replace X.
    while let Some(&token) = tokens.get(at) {
        at += 1;
        if token.name != token::DEFINED {
            settled.push(token);
            continue;
        }
        let name = match group(tokens, at) {
            Some(end) => {
                let inner = tokens.get(at + 1);
                at = end;
                inner
            }
            None => {
                at += 1;
                tokens.get(at - 1)
            }
        };
        let value = name.and_then(|name| is_defined(*name, expander));
        let name = match value {
            Some(true) => token::ONE,
            Some(false) => token::ZERO,
            None => token::CONFIG_VALUE,
        };
        let kind = match value {
            Some(_) => Kind::Number,
            None => Kind::Word,
        };
        settled.push(Token {
            kind,
            name,
            ..token
        });
    }
    value(&settled, expander).map(|value| value != 0)
}

/// Whether a macro is defined; None if that depends on the configuration.
pub(super) fn is_defined(token: Token, expander: &Expander<'_>) -> Option<bool> {
    if let Some(alternatives) = expander.scope.macros(token.name) {
        return alternatives.sure.then_some(true);
    }
    let names = expander.names.borrow();
    let text = names.text(token.name);
    if text.starts_with("CONFIG_") {
        return config::option(text);
    }
    if config::COMPILER.contains(&text) {
        return None;
    }
    Some(false)
}

/// The value of a constant expression; None if it has none that is known.
pub(super) fn value(tokens: &[Token], expander: &Expander<'_>) -> Option<i64> {
    let tokens = expander.expand(tokens);
    let names = expander.names.borrow();
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        names: &names,
        expander,
        depth: 0,
    };
    parser.ternary()
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    names: &'a Names,
    expander: &'a Expander<'a>,
    depth: u32,
}

impl Parser<'_> {
    fn sign(&self) -> &str {
        self.tokens
            .get(self.at)
            .filter(|token| token.kind == Kind::Sign)
            .map_or("", |token| self.names.text(token.name))
    }

    fn ternary(&mut self) -> Option<i64> {
        let condition = self.binary(0);
        if self.sign() != "?" {
            return condition;
        }
        self.at += 1;
        let yes = self.ternary();
        if self.sign() == ":" {
            self.at += 1;
        }
        let no = self.ternary();
        if condition? != 0 { yes } else { no }
    }

    fn binary(&mut self, least: u8) -> Option<i64> {
        let mut left = self.unary();
        loop {
            let sign = self.sign().to_owned();
            let Some(level) = level(&sign).filter(|&level| level >= least) else {
                return left;
            };
            self.at += 1;
            let right = self.binary(level + 1);
            left = binary(&sign, left, right);
        }
    }

    fn unary(&mut self) -> Option<i64> {
        self.depth += 1;
        let value = match self.depth > 200 {
            true => None,
            false => self.operand(),
        };
        self.depth -= 1;
        value
    }

    fn operand(&mut self) -> Option<i64> {
        let token = *self.tokens.get(self.at)?;
        self.at += 1;
        let text = self.names.text(token.name);
        match token.kind {
            Kind::Number => number(text),
            Kind::Char => character(text),
            Kind::Text => None,
            Kind::Word => self.word(token),
            Kind::Sign => match text {
                "!" => self.unary().map(|value| i64::from(value == 0)),
                "-" => self.unary().map(i64::wrapping_neg),
                "+" => self.unary(),
                "~" => self.unary().map(|value| !value),
                "(" => {
                    // A cast is an operand that another follows.
                    let cast = self.tokens.get(self.at).is_some_and(|next| {
                        next.kind == Kind::Word
                            && self.expander.scope.enumerator(next.name).is_none()
                            && TYPES.contains(&self.names.text(next.name))
                    });
                    let end = group(self.tokens, self.at - 1)?;
                    if cast {
                        self.at = end;
                        return self.unary();
                    }
                    let value = self.ternary();
                    self.at = end;
                    value
                }
                _ => None,
            },
        }
    }

    fn word(&mut self, token: Token) -> Option<i64> {
        if let Some(end) = group(self.tokens, self.at) {
            // The call of something that is no macro.
            self.at = end;
            return None;
        }
        if let Some(value) = self.expander.scope.enumerator(token.name) {
            return value;
        }
        let text = self.names.text(token.name);
        let unknown = text.starts_with("CONFIG_")
            || text.starts_with("__ecmo")
            || config::COMPILER.contains(&text)
            || self.expander.scope.macros(token.name).is_some();
        (!unknown).then_some(0)
    }
}

const TYPES: [&str; 13] = [
    "unsigned", "int", "long", "u32", "u64", "u8", "u16", "char", "short", "size_t", "signed",
    "gfp_t", "__force",
];

pub(super) fn level(sign: &str) -> Option<u8> {
    Some(match sign {
        "||" => 0,
        "&&" => 1,
        "|" => 2,
        "^" => 3,
        "&" => 4,
        "==" | "!=" => 5,
        "<" | ">" | "<=" | ">=" => 6,
        "<<" | ">>" => 7,
        "+" | "-" => 8,
        "*" | "/" | "%" => 9,
        _ => return None,
    })
}

/// The value of an operation; `0 && x` and `1 || x` are known whatever x is.
pub(super) fn binary(sign: &str, left: Option<i64>, right: Option<i64>) -> Option<i64> {
    match (sign, left, right) {
        ("&&", Some(0), _) | ("&&", _, Some(0)) => return Some(0),
        ("||", Some(value), _) | ("||", _, Some(value)) if value != 0 => return Some(1),
        _ => {}
    }
    let (left, right) = (left?, right?);
    Some(match sign {
        "||" => i64::from(left != 0 || right != 0),
        "&&" => i64::from(left != 0 && right != 0),
        "|" => left | right,
        "^" => left ^ right,
        "&" => left & right,
        "==" => i64::from(left == right),
        "!=" => i64::from(left != right),
        "<" => i64::from(left < right),
        ">" => i64::from(left > right),
        "<=" => i64::from(left <= right),
        ">=" => i64::from(left >= right),
        "<<" => left.checked_shl(u32::try_from(right).ok()?)?,
        ">>" => left.checked_shr(u32::try_from(right).ok()?)?,
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        "/" => left.checked_div(right)?,
        "%" => left.checked_rem(right)?,
        _ => return None,
    })
}

/// `0x1fUL`, `010`, `7`.
pub(super) fn number(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(['u', 'l']);
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x', ..] => (digits.get(2..)?, 16),
        [b'0', b'b', ..] => (digits.get(2..)?, 2),
        [b'0', _, ..] => (digits.get(1..)?, 8),
        _ => (digits, 10),
    };
    u64::from_str_radix(digits, radix)
        .ok()
        .map(|value| value as i64)
}

/// `'a'`, `'\n'`.
pub(super) fn character(text: &str) -> Option<i64> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let text = unescape(inner);
    let mut unescaped = text.chars();
    let value = unescaped.next()?;
    unescaped
        .next()
        .is_none()
        .then_some(i64::from(u32::from(value)))
}

/// The text between two quotes, its escapes replaced. Bytes beyond 7 bits that
/// an escape names become the character of that number.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        let next = chars.next();
        let mut digits = |first: u32, radix: u32, most: usize| {
            let mut value = first;
            for _ in 0..most {
                let Some(digit) = chars.peek().and_then(|char| char.to_digit(radix)) else {
                    break;
                };
                value = value * radix + digit;
                chars.next();
            }
            char::from_u32(value & 0xff).unwrap_or('?')
        };
        match next {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\x08'),
            Some('a') => out.push('\x07'),
            Some('f') => out.push('\x0c'),
            Some('v') => out.push('\x0b'),
            Some('\n') => {}
            Some('x') => out.push(digits(0, 16, 2)),
            Some(other) => match other.to_digit(8) {
                Some(first) => out.push(digits(first, 8, 2)),
                None => out.push(other),
            },
            None => {}
        }
    }
    out
}
