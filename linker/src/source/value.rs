//! What an expression is known to be.

use std::rc::Rc;

use crate::signatures::Argument;

/// The most that is known of an expression's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Known(i64),
    /// Known to the compiler, but not to us: a size, an offset.
    Fixed,
    /// Depends on the configuration.
    Config,
    /// A parameter of the function whose facts are taken.
    Parameter(u8),
    Text {
        text: Rc<str>,
        doubt: bool,
    },
    /// Of a function or variable.
    Address(Rc<str>),
    /// What a global variable holds.
    Global(Rc<str>),
    Other,
}

impl Value {
    /// Whether a branch on it is taken; None if that shows at run time only.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Value::Known(value) => Some(*value != 0),
            Value::Text { .. } => Some(true),
            _ => None,
        }
    }

    /// A branch on it is settled when the kernel is built.
    pub(super) fn is_settled_unknown(&self) -> bool {
        matches!(self, Value::Fixed | Value::Config)
    }

    pub(super) fn known(&self) -> Option<i64> {
        match self {
            Value::Known(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn argument(&self) -> Argument {
        match self {
            Value::Known(value) => Argument::Constant(*value),
            Value::Parameter(number) => Argument::Parameter(*number),
            Value::Text { text, .. } => Argument::Text(text.to_string()),
            Value::Address(name) => Argument::Address(name.to_string()),
            Value::Fixed | Value::Config | Value::Global(_) | Value::Other => Argument::Other,
        }
    }
}
