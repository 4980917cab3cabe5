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
use std::fmt::{self, Display, Write};

use super::{
    Argument, Era, Initialiser, Linkage, Operator, SourceCall, SourceConstant, SourceFunction,
    Text, Warn, WarnKind,
};
use crate::kernel::Version;

const FIRST: &str = "signatures 1";

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
    let mut reader = Reader {
        era: Era {
            version: Version(0, 0, 0),
            functions: Vec::new(),
            initialisers: Vec::new(),
        },
        file: String::new(),
        order: 0,
        functions: HashMap::new(),
        initialisers: HashMap::new(),
    };
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

struct Reader<'a> {
    era: Era,
    file: String,
    order: u32,
    /// Of the other file, by file and name.
    functions: HashMap<(&'a str, &'a str), &'a SourceFunction>,
    initialisers: HashMap<(&'a str, &'a str), &'a Initialiser>,
}

impl<'a> Reader<'a> {
    fn base(&mut self, era: &'a Era) {
        let key = |function: &'a SourceFunction| (&*function.file, &*function.name);
        self.functions = era.functions.iter().map(|one| (key(one), one)).collect();
        let key = |variable: &'a Initialiser| (&*variable.file, &*variable.name);
        self.initialisers = era.initialisers.iter().map(|one| (key(one), one)).collect();
    }

    /// A function that is as in the other file, on another line.
    fn same(&self, words: &mut Words<'_>) -> Result<SourceFunction, &'static str> {
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
                let name = words.next().ok_or("a name")?;
                let known = self.initialisers.get(&(&*self.file, name));
                let mut variable = (*known.ok_or("a variable of the other file")?).clone();
                variable.version = self.era.version;
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

const OPERATORS: [(char, Operator); 8] = [
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
struct Words<'a>(&'a str);

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

impl Display for Era {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_era(out, self, None)
    }
}

/// What of an era differs from another's, in the form of a file.
#[derive(Debug)]
pub struct Differences<'a> {
    /// The era.
    pub era: &'a Era,
    /// The other, which stands in a file of its own.
    pub base: &'a Era,
}

impl Display for Differences<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_era(out, self.era, Some(self.base))
    }
}

fn write_era(out: &mut fmt::Formatter<'_>, era: &Era, base: Option<&Era>) -> fmt::Result {
    let Version(major, minor, patch) = era.version;
    writeln!(out, "{FIRST}\nversion {major}.{minor}.{patch}")?;
    let mut reader = Reader {
        era: Era {
            version: era.version,
            functions: Vec::new(),
            initialisers: Vec::new(),
        },
        file: String::new(),
        order: 0,
        functions: HashMap::new(),
        initialisers: HashMap::new(),
    };
    if let Some(base) = base {
        let Version(major, minor, patch) = base.version;
        writeln!(out, "after {major}.{minor}.{patch}")?;
        reader.base(base);
    }
    for function in &era.functions {
        if function.file != reader.file {
            reader.file.clone_from(&function.file);
            writeln!(out, "file {}", reader.file)?;
        }
        reader.order = function.order;
        // As it will be read.
        let short = format!("{} {}", function.name, function.line);
        match reader.same(&mut Words(&short)) {
            Ok(same) if same == *function => writeln!(out, "= {short}")?,
            _ => write_function(out, function)?,
        }
    }
    for variable in &era.initialisers {
        if variable.file != reader.file {
            reader.file.clone_from(&variable.file);
            writeln!(out, "file {}", reader.file)?;
        }
        let known = reader.initialisers.get(&(&*variable.file, &*variable.name));
        let same = known.is_some_and(|known| {
            let mut known = (*known).clone();
            known.version = era.version;
            known == *variable
        });
        match same {
            true => writeln!(out, "=v {}", variable.name)?,
            false => write_initialiser(out, variable)?,
        }
    }
    Ok(())
}

fn write_function(out: &mut fmt::Formatter<'_>, function: &SourceFunction) -> fmt::Result {
    let flag = |set, letter| if set { letter } else { '-' };
    writeln!(
        out,
        "fn {} {}{}{}{} {} {} {} {} {}",
        function.name,
        flag(function.linkage == Linkage::Static, 's'),
        flag(function.init, 'i'),
        flag(function.exported, 'x'),
        flag(function.conditional, '?'),
        function.parameters,
        function.line,
        function.blocks,
        function.loops,
        function.indirect_calls,
    )?;
    for text in &function.strings {
        writeln!(out, "t{} {}", mark(text.conditional), Quoted(&text.text))?;
    }
    for warn in &function.warns {
        let kind = match (warn.kind, warn.once) {
            (WarnKind::Warn, false) => "warn",
            (WarnKind::Warn, true) => "once",
            (WarnKind::WarnFormat, false) => "warnf",
            (WarnKind::WarnFormat, true) => "oncef",
            (WarnKind::Bug, _) => "bug",
        };
        let from = match warn.file == function.file {
            true => function.line,
            false => 0,
        };
        let doubt = mark(warn.conditional);
        let (line, end) = (
            warn.line.wrapping_sub(from),
            warn.end_line.wrapping_sub(from),
        );
        write!(out, "w{doubt} {kind} {line} {end}")?;
        if warn.file != function.file {
            write!(out, " {}", warn.file)?;
        }
        out.write_char('\n')?;
    }
    let (doubted, sure): (Vec<_>, Vec<_>) =
        function.calls.iter().partition(|call| call.conditional);
    for call in sure {
        write!(out, "c {}", Called(call))?;
        for argument in &call.arguments {
            write!(out, " {argument}")?;
        }
        out.write_char('\n')?;
    }
    let doubted: Vec<_> = doubted.into_iter().map(Called).collect();
    write_all(out, "d", &doubted)?;
    write_all(out, "a", &function.address_of)?;
    write_all(out, "k", &function.constants)?;
    write_all(out, "r", &function.returns)
}

fn write_all<T: Display>(out: &mut fmt::Formatter<'_>, kind: &str, all: &[T]) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    out.write_str(kind)?;
    for one in all {
        write!(out, " {one}")?;
    }
    out.write_char('\n')
}

fn write_initialiser(out: &mut fmt::Formatter<'_>, variable: &Initialiser) -> fmt::Result {
    let linkage = match variable.linkage {
        Linkage::Static => 's',
        Linkage::Global => '-',
    };
    let doubt = if variable.conditional { '?' } else { '-' };
    writeln!(
        out,
        "var {} {linkage}{doubt} {}",
        variable.name, variable.tag
    )?;
    for (name, value) in &variable.members {
        writeln!(out, "m {name} {value}")?;
    }
    Ok(())
}

struct Called<'a>(&'a SourceCall);

impl Display for Called<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = if self.0.local { "~" } else { "" };
        write!(out, "{}{local}", self.0.name)
    }
}

fn mark(conditional: bool) -> &'static str {
    if conditional { "?" } else { "" }
}

impl Display for Argument {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Constant(value) => write!(out, "{value}"),
            Argument::Parameter(number) => write!(out, "p{number}"),
            Argument::Text(text) => Quoted(text).fmt(out),
            Argument::Address(name) => write!(out, "&{name}"),
            Argument::Other => out.write_char('-'),
        }
    }
}

impl Display for SourceConstant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = OPERATORS
            .iter()
            .find(|(_, operator)| *operator == self.operator)
            .map_or('=', |(sign, _)| *sign);
        let minus = if self.value < 0 { "-" } else { "" };
        let (value, doubt) = (self.value.unsigned_abs(), mark(self.conditional));
        write!(out, "{sign}{minus}{value:x}{doubt}")
    }
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_char('"')?;
        for char in self.0.chars() {
            match char {
                '\n' => out.write_str("\\n")?,
                '\t' => out.write_str("\\t")?,
                '"' | '\\' => write!(out, "\\{char}")?,
                '\0'..' ' | '\x7f' => write!(out, "\\x{:02x}", u32::from(char))?,
                _ => out.write_char(char)?,
            }
        }
        out.write_char('"')
    }
}
