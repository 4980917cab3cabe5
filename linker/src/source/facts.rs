//! The facts of one function, as they are gathered.

use super::value::Value;
use crate::signatures::{Argument, Operator, SourceCall, SourceConstant, Text, Warn, WarnKind};

/// What is kept of each kind for one function.
const MOST: usize = 400;

#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) strings: Vec<Text>,
    pub(super) warns: Vec<Warn>,
    pub(super) calls: Vec<SourceCall>,
    pub(super) indirect_calls: u32,
    pub(super) address_of: Vec<String>,
    pub(super) constants: Vec<SourceConstant>,
    pub(super) returns: Vec<i64>,
    pub(super) blocks: u32,
    pub(super) loops: u32,
}

impl Facts {
    pub(super) fn text(&mut self, text: &str, conditional: bool) {
        if let Some(known) = self.strings.iter_mut().find(|known| known.text == text) {
            known.conditional &= conditional;
        } else if self.strings.len() < MOST {
            self.strings.push(Text {
                text: text.to_owned(),
                conditional,
            });
        }
    }

    pub(super) fn warn(
        &mut self,
        kind: WarnKind,
        once: bool,
        file: &str,
        lines: (u32, u32),
        conditional: bool,
    ) {
        // Those of headers are in every second function, on other lines in every
        // release.
        if conditional && (file.starts_with("include/") || file.starts_with("arch/arm/include/")) {
            return;
        }
        let warn = Warn {
            kind,
            file: file.to_owned(),
            line: lines.0,
            end_line: lines.1,
            once,
            conditional,
        };
        let same = |other: &&mut Warn| other.line == warn.line && other.file == warn.file;
        if let Some(known) = self.warns.iter_mut().find(same) {
            known.conditional &= conditional;
        } else if self.warns.len() < MOST {
            self.warns.push(warn);
        }
    }

    pub(super) fn call(
        &mut self,
        name: &str,
        conditional: bool,
        local: bool,
        mut arguments: Vec<Argument>,
    ) {
        // What is passed to a call that may be absent nobody looks for.
        if conditional {
            arguments.clear();
        }
        while arguments.last() == Some(&Argument::Other) {
            arguments.pop();
        }
        let again = |known: &SourceCall| {
            known.name == name && (conditional || known.arguments == arguments)
        };
        // The same call in several branches is one to a compiler that joins
        // their ends, so that its number says nothing.
        if let Some(known) = self.calls.iter_mut().find(|known| again(known)) {
            known.conditional &= conditional;
            return;
        }
        if self.calls.len() < MOST {
            self.calls.push(SourceCall {
                name: name.to_owned(),
                conditional,
                local,
                arguments,
            });
        }
    }

    pub(super) fn constant(&mut self, operator: Operator, value: i64, conditional: bool) {
        let same = |known: &&mut SourceConstant| known.operator == operator && known.value == value;
        if let Some(known) = self.constants.iter_mut().find(same) {
            known.conditional &= conditional;
        } else if self.constants.len() < MOST {
            self.constants.push(SourceConstant {
                operator,
                value,
                conditional,
            });
        }
    }

    pub(super) fn returned(&mut self, value: i64) {
        if !self.returns.contains(&value) && self.returns.len() < MOST {
            self.returns.push(value);
        }
    }

    /// What happens to a value that the function does something with.
    pub(super) fn used(&mut self, value: &Value, conditional: bool) {
        match value {
            Value::Text { text, doubt } => self.text(text, conditional || *doubt),
            Value::Address(name) | Value::Global(name)
                if !conditional
                    && self.address_of.len() < MOST
                    && !self.address_of.iter().any(|known| **known == **name) =>
            {
                self.address_of.push(name.to_string());
            }
            _ => {}
        }
    }
}
