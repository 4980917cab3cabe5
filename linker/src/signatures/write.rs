//! Writing the files of signatures; [`text`](super::text) says what they look
//! like.

use std::fmt::{self, Display, Write};

use super::text::{FIRST, OPERATORS, Reader, Words};
use super::{
    Argument, Era, Initialiser, Linkage, SourceCall, SourceConstant, SourceFunction, WarnKind,
};
use crate::kernel::Version;

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
    let mut reader = Reader::new(era.version);
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
        let same = reader
            .same_variable(&variable.name)
            .is_ok_and(|same| same == *variable);
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
