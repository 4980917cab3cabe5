//! Words of C source: names, numbers, texts and signs, each with its line.

use std::collections::HashMap;
use std::rc::Rc;

/// The text of a token, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name(u32);

/// Names whose number is known beforehand.
macro_rules! fixed {
    ($($name:ident $text:literal)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Fixed { $($name),* }
        $(pub(super) const $name: Name = Name(Fixed::$name as u32);)*
        const FIXED: &[&str] = &[$($text),*];
    };
}

fixed! {
    OPEN "(" CLOSE ")" BRACE "{" UNBRACE "}" BRACKET "[" UNBRACKET "]" COMMA "," END ";"
    HASH "#" PASTE "##" EQUALS "=" DOTS "..." STAR "*"
    DEFINED "defined" STATIC "static" EXTERN "extern" TYPEDEF "typedef"
    ENUM "enum" STRUCT "struct" VOID "void" INT "int"
    LINE "__LINE__" END_LINE "__ECMO_END_LINE__" FILE "__FILE__" VA_ARGS "__VA_ARGS__"
    ALTERNATIVE "__ecmo_alternative" FIXED_VALUE "__ecmo_fixed" CONFIG_VALUE "__ecmo_config"
    ONE "1" ZERO "0" FOR "for" IF "if" WHILE "while" SWITCH "switch" CASE "case" RETURN "return"
    ELSE "else"
}

/// The texts of all tokens.
#[derive(Debug)]
pub(super) struct Names {
    numbers: HashMap<Rc<str>, Name>,
    texts: Vec<Rc<str>>,
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Names {
            numbers: HashMap::new(),
            texts: Vec::new(),
        };
        for text in FIXED {
            names.name(text);
        }
        names
    }
}

impl Names {
    pub(super) fn name(&mut self, text: &str) -> Name {
        if let Some(&name) = self.numbers.get(text) {
            return name;
        }
        let name = Name(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Rc<str> = text.into();
        self.texts.push(text.clone());
        self.numbers.insert(text, name);
        name
    }

    /// The number of a text that has one.
    pub(super) fn known(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied()
    }

    pub(super) fn text(&self, name: Name) -> &str {
        self.texts.get(name.0 as usize).map_or("", |text| text)
    }

    /// As [`Names::text`], to keep.
    pub(super) fn shared(&self, name: Name) -> Rc<str> {
        self.texts.get(name.0 as usize).cloned().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    Text,
    Char,
    Sign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) name: Name,
    /// Line of the file, from 1.
    pub(super) line: u32,
    /// White space stands before it: tells `#define A(x)` from `#define A (x)`.
    pub(super) space: bool,
    /// Whether it is there depends on the configuration.
    pub(super) doubt: bool,
}

/// A file taken apart.
#[derive(Debug, Default)]
pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    /// Parts of `tokens`: a directive's line without its `#`, or what stands
    /// between two directives.
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) directive: bool,
}

/// Signs of more than one character, the longest first.
const SIGNS: [&str; 24] = [
    "...", "<<=", ">>=", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=",
    "-=", "*=", "/=", "%=", "&=", "|=", "^=", "##", "::",
];

/// Takes a file apart. Anything is accepted; bytes that are not C become signs.
pub(super) fn lex(text: &str, names: &mut Names) -> Lexed {
    Lexer {
        text: text.as_bytes(),
        source: text,
        at: 0,
        line: 1,
        out: Lexed::default(),
        part: 0,
        directive: false,
        fresh: true,
        space: false,
    }
    .run(names)
}

struct Lexer<'a> {
    text: &'a [u8],
    source: &'a str,
    at: usize,
    line: u32,
    out: Lexed,
    /// Where the current part starts.
    part: usize,
    directive: bool,
    /// No token yet on this line.
    fresh: bool,
    space: bool,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn run(mut self, names: &mut Names) -> Lexed {
        while self.at < self.text.len() {
            let byte = self.peek(0);
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.fresh = true;
                    self.space = true;
                    if self.directive {
                        self.end_part(false);
                    }
                }
                b'\\' if self.peek(1) == b'\n' => self.skip_line(2),
                b'\\' if self.peek(1) == b'\r' && self.peek(2) == b'\n' => self.skip_line(3),
                b' ' | b'\t' | b'\r' | b'\x0c' => {
                    self.at += 1;
                    self.space = true;
                }
                b'/' if self.peek(1) == b'*' => self.comment(),
                b'/' if self.peek(1) == b'/' => {
                    while self.at < self.text.len() && self.peek(0) != b'\n' {
                        self.at += 1;
                    }
                }
                b'#' if self.fresh && !self.directive => {
                    self.at += 1;
                    self.end_part(true);
                    self.fresh = false;
                }
                _ => self.token(byte, names),
            }
        }
        self.end_part(false);
        self.out
    }

    fn skip_line(&mut self, bytes: usize) {
        self.at += bytes;
        self.line += 1;
        self.space = true;
    }

    fn comment(&mut self) {
        self.at += 2;
        while self.at < self.text.len() && !(self.peek(0) == b'*' && self.peek(1) == b'/') {
            if self.peek(0) == b'\n' {
                self.line += 1;
            }
            self.at += 1;
        }
        self.at += 2;
        self.space = true;
    }

    fn end_part(&mut self, directive: bool) {
        let end = self.out.tokens.len();
        if end > self.part || self.directive {
            self.out.parts.push(Part {
                start: self.part,
                end,
                directive: self.directive,
            });
        }
        self.part = end;
        self.directive = directive;
    }

    fn token(&mut self, byte: u8, names: &mut Names) {
        let start = self.at;
        let (kind, line) = (self.kind(byte), self.line);
        match kind {
            Kind::Word => self.while_word(false),
            Kind::Number => self.while_word(true),
            Kind::Text | Kind::Char => self.quoted(),
            Kind::Sign => {
                let rest = self.source.as_bytes().get(start..).unwrap_or_default();
                let long = SIGNS.iter().find(|sign| rest.starts_with(sign.as_bytes()));
                self.at += long.map_or(1, |sign| sign.len());
                while !self.source.is_char_boundary(self.at) {
                    self.at += 1;
                }
            }
        }
        let text = self.source.get(start..self.at).unwrap_or(" ");
        self.out.tokens.push(Token {
            kind,
            name: names.name(text),
            line,
            space: self.space,
            doubt: false,
        });
        self.space = false;
        self.fresh = false;
    }

    fn kind(&self, byte: u8) -> Kind {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => Kind::Word,
            b'0'..=b'9' => Kind::Number,
            b'.' if self.peek(1).is_ascii_digit() => Kind::Number,
            b'"' => Kind::Text,
            b'\'' => Kind::Char,
            _ => Kind::Sign,
        }
    }

    fn while_word(&mut self, number: bool) {
        loop {
            match self.peek(0) {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' => self.at += 1,
                b'.' if number => self.at += 1,
                _ => return,
            }
        }
    }

    /// A text or character; one that its line does not end ends with the line.
    fn quoted(&mut self) {
        let quote = self.peek(0);
        self.at += 1;
        while self.at < self.text.len() {
            match self.peek(0) {
                b'\n' => return,
                b'\\' => {
                    if self.peek(1) == b'\n' {
                        self.line += 1;
                    }
                    self.at = (self.at + 2).min(self.text.len());
                    while !self.source.is_char_boundary(self.at) {
                        self.at += 1;
                    }
                }
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut names = Names::default();
        let lexed = lex(text, &mut names);
        let mut out = Vec::new();
        for part in &lexed.parts {
            let tokens = &lexed.tokens[part.start..part.end];
            let texts: Vec<_> = tokens.iter().map(|token| names.text(token.name)).collect();
            let sign = if part.directive { "#" } else { "" };
            out.push(format!("{sign}{}", texts.join(" ")));
        }
        out
    }

    #[test]
    fn directives_are_parts_of_their_own() {
        let text =
            "int a; /* x\n*/ b\n#define F(x) \\\n  (x) // no\n#endif\nc->d \"e\\\"f\" 'g' 0x1fUL";
        assert_eq!(
            words(text),
            [
                "int a ; b",
                "#define F ( x ) ( x )",
                "#endif",
                "c -> d \"e\\\"f\" 'g' 0x1fUL"
            ]
        );
    }

    #[test]
    fn anything_ends() {
        for text in ["\"", "'\\", "/*", "é\\é\"é", "#", "\\", "a\\\n"] {
            words(text);
        }
    }
}
