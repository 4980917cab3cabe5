//! The form of the files of `linker/data/signatures`: lines of words, the first
//! of which says what the line is.
//!
//! ```text
//! signatures 1
//! version 3.18.20
//! after 3.14.1                        what is written `=` is in that file
//! file kernel/irq/chip.c
//! fn irq_set_chip g-x- 2 34 7 0 1     name, linkage init exported conditional,
//!                                     parameters, line, blocks, loops, indirect calls
//! t "text"                            `t?`: conditional, as below
//! = irq_set_irq_type 55               name, line: else as in the other file
//! w warn 11 13                        kind, line, last line, counted from the function's;
//!                                     of a header, whose name follows, from its start
//! c irq_get_desc_lock p0 - 1          name, arguments; `~`: a function of the same file
//! d irq_mark_irq                      conditional calls
//! a no_irq_chip                       addresses of functions and variables
//! k &4 |200 =16?                      constants, hexadecimal
//! r -22 0                             what it returns
//! =v no_irq_chip                      a variable that is as in the other file
//! var dummy_irq_chip g- irq_chip      name, linkage conditional, tag
//! m name "dummy"                      member, value
//! ```

use std::collections::HashMap;

use super::{
    Argument, Era, Initialiser, Linkage, Operator, SourceCall, SourceConstant, SourceFunction,
    Text, Warn, WarnKind,
};
use crate::kernel::Version;

pub(super) const FIRST: &str = "signatures 1";

/// Why a text is not a file of signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not such a file, or of another version of the form.
    #[error("not a file of signatures: its first line is not \"{FIRST}\"")]
    Form,
    /// A line that does not say what its first word announces.
    #[error("line {line}: {what} expected")]
    Line {
        /// From 1.
        line: usize,
        /// What should stand there.
        what: &'static str,
    },
    /// The file says what differs from another, which is not there.
    #[error("the file holds what differs from that of {}.{}.{}, which is not there", .0.0, .0.1, .0.2)]
    Base(Version),
}

/// Reads the facts of one source tree.
///
/// # Errors
/// [`Error`] names the first line that is not of the form; a file that says what
/// differs from another is refused.
pub fn read(text: &str) -> Result<Era, Error> {
    read_after(text, |_| None)
}

/// Reads the facts of one source tree, with a way to the file that it may refer to.
///
/// # Errors
/// As [`read`], and [`Error::Base`] if there is no such file.
pub(super) fn read_after<'a>(
    text: &str,
    other: impl FnOnce(Version) -> Option<&'a Era>,
) -> Result<Era, Error> {
    let mut lines = text.lines().enumerate();
    if lines.next().map(|(_, line)| line) != Some(FIRST) {
        return Err(Error::Form);
    }
    let mut reader = Reader::new(Version(0, 0, 0));
    let mut other = Some(other);
    for (index, line) in lines {
        let mut words = Words(line);
        if let Some(rest) = line.strip_prefix("after ") {
            let base = version(rest).ok_or(Error::Line {
                line: index + 1,
                what: "a release",
            })?;
            let era = other.take().and_then(|other| other(base));
            reader.base(era.ok_or(Error::Base(base))?);
            continue;
        }
        let read = reader.line(&mut words);
        read.map_err(|what| Error::Line {
            line: index + 1,
            what,
        })?;
    }
    Ok(reader.era)
}

pub(super) struct Reader<'a> {
    era: Era,
    pub(super) file: String,
    pub(super) order: u32,
    /// Of the other file, by file and name.
    functions: HashMap<(&'a str, &'a str), &'a SourceFunction>,
    initialisers: HashMap<(&'a str, &'a str), &'a Initialiser>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(version: Version) -> Self {
        Reader {
            era: Era {
                version,
                functions: Vec::new(),
                initialisers: Vec::new(),
            },
            file: String::new(),
            order: 0,
            functions: HashMap::new(),
            initialisers: HashMap::new(),
        }
    }

    pub(super) fn base(&mut self, era: &'a Era) {
        let key = |function: &'a SourceFunction| (&*function.file, &*function.name);
        self.functions = era.functions.iter().map(|one| (key(one), one)).collect();
        let key = |variable: &'a Initialiser| (&*variable.file, &*variable.name);
        self.initialisers = era.initialisers.iter().map(|one| (key(one), one)).collect();
    }

    /// A function that is as in the other file, on another line.
    pub(super) fn same(&self, words: &mut Words<'_>) -> Result<SourceFunction, &'static str> {
        let name = words.next().ok_or("a name")?;
        let line: u32 = words.number().ok_or("a line")?;
        let known = self.functions.get(&(&*self.file, name));
        let mut function = (*known.ok_or("a function of the other file")?).clone();
        for warn in &mut function.warns {
            if warn.file == function.file {
                let moved = |at: u32| at.wrapping_sub(function.line).wrapping_add(line);
                (warn.line, warn.end_line) = (moved(warn.line), moved(warn.end_line));
            }
        }
        function.line = line;
        function.order = self.order;
        function.version = self.era.version;
        Ok(function)
    }

    /// A variable that is as in the other file.
    pub(super) fn same_variable(&self, name: &str) -> Result<Initialiser, &'static str> {
        let known = self.initialisers.get(&(&*self.file, name));
        let mut variable = (*known.ok_or("a variable of the other file")?).clone();
        variable.version = self.era.version;
        Ok(variable)
    }

    fn line(&mut self, words: &mut Words<'_>) -> Result<(), &'static str> {
        let Some(kind) = words.next() else {
            return Ok(());
        };
        let (kind, conditional) = doubt(kind);
        match kind {
            "version" => {
                self.era.version = words.next().and_then(version).ok_or("a release")?;
            }
            "file" => {
                self.file = words.next().ok_or("a file")?.to_owned();
                self.order = 0;
            }
            "fn" => {
                let function = self.function(words)?;
                self.era.functions.push(function);
                self.order = self.order.saturating_add(1);
            }
            "=" => {
                let function = self.same(words)?;
                self.era.functions.push(function);
                self.order = self.order.saturating_add(1);
            }
            "=v" => {
                let variable = self.same_variable(words.next().ok_or("a name")?)?;
                self.era.initialisers.push(variable);
            }
            "var" => {
                let initialiser = self.initialiser(words)?;
                self.era.initialisers.push(initialiser);
            }
            "m" => {
                let last = self.era.initialisers.last_mut().ok_or("a variable")?;
                let name = words.next().ok_or("a member")?.to_owned();
                last.members.push((name, words.argument()?));
            }
            _ => {
                let last = self.era.functions.last_mut().ok_or("a function")?;
                fact(last, kind, conditional, words)?;
            }
        }
        Ok(())
    }

    fn function(&self, words: &mut Words<'_>) -> Result<SourceFunction, &'static str> {
        let name = words.next().ok_or("a name")?.to_owned();
        let flags = words.next().ok_or("flags")?;
        Ok(SourceFunction {
            name,
            file: self.file.clone(),
            order: self.order,
            linkage: linkage(flags),
            init: flags.contains('i'),
            exported: flags.contains('x'),
            conditional: flags.contains('?'),
            parameters: words.number().ok_or("a number of parameters")?,
            line: words.number().ok_or("a line")?,
            blocks: words.number().ok_or("a number of blocks")?,
            loops: words.number().ok_or("a number of loops")?,
            indirect_calls: words.number().ok_or("a number of indirect calls")?,
            strings: Vec::new(),
            warns: Vec::new(),
            calls: Vec::new(),
            address_of: Vec::new(),
            constants: Vec::new(),
            returns: Vec::new(),
            version: self.era.version,
        })
    }

    fn initialiser(&self, words: &mut Words<'_>) -> Result<Initialiser, &'static str> {
        let name = words.next().ok_or("a name")?.to_owned();
        let flags = words.next().ok_or("flags")?;
        Ok(Initialiser {
            name,
            tag: words.next().ok_or("a tag")?.to_owned(),
            file: self.file.clone(),
            linkage: linkage(flags),
            conditional: flags.contains('?'),
            members: Vec::new(),
            version: self.era.version,
        })
    }
}

/// Adds what a line says to the function that it follows.
fn fact(
    function: &mut SourceFunction,
    kind: &str,
    conditional: bool,
    words: &mut Words<'_>,
) -> Result<(), &'static str> {
    match kind {
        "t" => {
            let text = words.text().ok_or("a text")?;
            function.strings.push(Text { text, conditional });
        }
        "w" => {
            let (kind, once) = match words.next() {
                Some("warn") => (WarnKind::Warn, false),
                Some("once") => (WarnKind::Warn, true),
                Some("warnf") => (WarnKind::WarnFormat, false),
                Some("oncef") => (WarnKind::WarnFormat, true),
                Some("bug") => (WarnKind::Bug, false),
                _ => return Err("a kind of warning"),
            };
            let line: u32 = words.number().ok_or("a line")?;
            let end: u32 = words.number().ok_or("a line")?;
            let (file, from) = match words.next() {
                Some(header) => (header, 0),
                None => (&*function.file, function.line),
            };
            let (file, line) = (file.to_owned(), from.wrapping_add(line));
            let end_line = from.wrapping_add(end);
            function.warns.push(Warn {
                kind,
                file,
                line,
                end_line,
                once,
                conditional,
            });
        }
        "c" => {
            let mut call = call(words.next().ok_or("a name")?, false);
            while !words.0.is_empty() {
                call.arguments.push(words.argument()?);
            }
            function.calls.push(call);
        }
        "d" => {
            while let Some(word) = words.next() {
                function.calls.push(call(word, true));
            }
        }
        "a" => {
            while let Some(name) = words.next() {
                function.address_of.push(name.to_owned());
            }
        }
        "k" => {
            while let Some(word) = words.next() {
                function.constants.push(constant(word).ok_or("a constant")?);
            }
        }
        "r" => {
            while let Some(word) = words.next() {
                let value = word.parse().map_err(|_| "a number")?;
                function.returns.push(value);
            }
        }
        _ => return Err("a kind of line"),
    }
    Ok(())
}

fn call(word: &str, conditional: bool) -> SourceCall {
    let name = word.strip_suffix('~');
    SourceCall {
        name: name.unwrap_or(word).to_owned(),
        conditional,
        local: name.is_some(),
        arguments: Vec::new(),
    }
}

fn doubt(word: &str) -> (&str, bool) {
    match word.strip_suffix('?') {
        Some(word) => (word, true),
        None => (word, false),
    }
}

fn linkage(flags: &str) -> Linkage {
    match flags.contains('s') {
        true => Linkage::Static,
        false => Linkage::Global,
    }
}

/// `3.18.20`.
pub(super) fn version(word: &str) -> Option<Version> {
    let mut numbers = word.split('.').map(|number| number.parse().ok());
    let version = Version(numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(version)
}

pub(super) const OPERATORS: [(char, Operator); 8] = [
    ('&', Operator::And),
    ('!', Operator::Clear),
    ('|', Operator::Or),
    ('^', Operator::Xor),
    ('=', Operator::Compare),
    ('+', Operator::Add),
    ('*', Operator::Scale),
    ('<', Operator::Store),
];

fn constant(word: &str) -> Option<SourceConstant> {
    let (word, conditional) = doubt(word);
    let mut chars = word.chars();
    let sign = chars.next()?;
    let (_, operator) = OPERATORS.iter().find(|(other, _)| *other == sign)?;
    Some(SourceConstant {
        operator: *operator,
        value: i64::from_str_radix(chars.as_str(), 16).ok()?,
        conditional,
    })
}

/// What is left of a line.
pub(super) struct Words<'a>(pub(super) &'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest;
        Some(word)
    }

    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.next()?.parse().ok()
    }

    /// A text in quotes.
    fn text(&mut self) -> Option<String> {
        let rest = self.0.strip_prefix('"')?;
        let mut text = String::new();
        let mut chars = rest.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => match chars.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'x' => {
                        let digits = chars.as_str().get(..2)?;
                        text.push(char::from(u8::from_str_radix(digits, 16).ok()?));
                        chars = chars.as_str().get(2..)?.chars();
                    }
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
        let rest = chars.as_str();
        self.0 = rest.strip_prefix(' ').unwrap_or(rest);
        Some(text)
    }

    fn argument(&mut self) -> Result<Argument, &'static str> {
        if self.0.starts_with('"') {
            return self.text().map(Argument::Text).ok_or("a text");
        }
        let word = self.next().ok_or("an argument")?;
        if word == "-" {
            return Ok(Argument::Other);
        }
        if let Some(name) = word.strip_prefix('&') {
            return Ok(Argument::Address(name.to_owned()));
        }
        if let Some(number) = word.strip_prefix('p') {
            let number = number.parse().map_err(|_| "a parameter's number")?;
            return Ok(Argument::Parameter(number));
        }
        let number = word.parse().map_err(|_| "an argument")?;
        Ok(Argument::Constant(number))
    }
}
