//! Calls: of functions, of inline functions, and of what stands for macros.

use std::rc::Rc;

use tree_sitter::Node;

use super::expression::named;
use super::unit::Callee;
use super::value::Value;
use super::walk::{MAX_INLINES, Walk};
use crate::signatures::WarnKind;

/// Functions that the compiler knows and may do itself, or in another way.
const COMPILERS: [&str; 24] = [
    "memcpy", "memset", "memmove", "memcmp", "memchr", "strlen", "strcpy", "strncpy", "strcmp",
    "strncmp", "strcat", "strncat", "strchr", "strrchr", "strnlen", "strstr", "sprintf",
    "snprintf", "abs", "ffs", "fls", "strpbrk", "strspn", "strcspn",
];

impl Walk<'_, '_> {
    pub(super) fn call(&mut self, node: Node<'_>) -> Value {
        let field = |name| node.child_by_field_name(name);
        let Some(function) = field("function") else {
            return Value::Other;
        };
        let arguments: Vec<_> = field("arguments").into_iter().flat_map(named).collect();
        let name = self.callee_name(function);
        let Some(name) = name else {
            if let [operand] = *arguments
                && self.is_cast(function)
            {
                return self.value(operand);
            }
            let value = self.value(function);
            self.used(&value);
            for argument in arguments {
                let value = self.value(argument);
                self.used(&value);
            }
            if !self.doubtful(node) {
                self.facts.indirect_calls = self.facts.indirect_calls.saturating_add(1);
            }
            return Value::Other;
        };
        let doubt = self.doubtful(node);
        if let Some(name) = name.strip_prefix("__ecmo_") {
            return self.doubted(doubt, |walk| walk.own(name, &arguments));
        }
        if let Some(name) = name.strip_prefix("__builtin_") {
            return self.doubted(doubt, |walk| walk.builtin(name, &arguments));
        }
        let values: Vec<Value> = arguments.iter().map(|node| self.value(*node)).collect();
        self.doubted(doubt, |walk| walk.call_named(&name, values))
    }

    /// `(type)(x)`: without the type's declaration it looks like a call.
    fn is_cast(&self, function: Node<'_>) -> bool {
        let inner = named(function).next();
        let name = inner
            .filter(|node| node.kind() == "identifier")
            .map(|node| self.text(node));
        function.kind() == "parenthesized_expression"
            && name.is_some_and(|name| {
                let local = self.frame().is_some_and(|frame| {
                    frame.body.locals.contains(&name) || frame.values.contains_key(&name)
                });
                !local && matches!(self.unit.callee(&name), Callee::Unknown)
            })
    }

    /// The name that is called; None for a pointer.
    fn callee_name(&self, function: Node<'_>) -> Option<String> {
        let mut node = function;
        if node.kind() == "parenthesized_expression" && !self.is_cast(function) {
            node = named(node).next()?;
        }
        if node.kind() != "identifier" {
            return None;
        }
        let name = self.text(node);
        let frame = self.frame()?;
        let local = frame.body.locals.contains(&name) || frame.values.contains_key(&name);
        (!local).then_some(name)
    }

    fn call_named(&mut self, name: &str, values: Vec<Value>) -> Value {
        let callee = self.unit.callee(name);
        let inlines = match callee {
            Callee::Inline(inlines) if self.frames.len() <= MAX_INLINES => inlines,
            Callee::Inline(_) => {
                values.iter().for_each(|value| self.used(value));
                return Value::Other;
            }
            Callee::Unknown | Callee::Nothing => {
                self.doubted(true, |walk| {
                    values.iter().for_each(|value| walk.used(value))
                });
                if matches!(callee, Callee::Unknown) {
                    self.real(name, true, false, &values);
                }
                return Value::Other;
            }
            Callee::Function { local } => {
                values.iter().for_each(|value| self.used(value));
                self.real(name, COMPILERS.contains(&name), local, &values);
                return Value::Other;
            }
        };
        if self.frames.iter().any(|frame| &*frame.name == name) {
            return Value::Other;
        }
        let single = inlines.all.len() == 1 && !inlines.function;
        if inlines.function {
            self.doubted(true, |walk| walk.real(name, true, false, &values));
        }
        let mut result = Value::Other;
        let shared: Rc<str> = name.into();
        for inline in &inlines.all {
            let Some(parsed) = self.unit.parsed(inline) else {
                continue;
            };
            let mut given = values.iter().cloned();
            let parameters = parsed
                .parameters
                .iter()
                .map(|name| (name.clone(), given.next().unwrap_or(Value::Other)))
                .collect();
            let doubt = !single || inline.doubt;
            result = self.doubted(doubt, |walk| walk.enter(&shared, &parsed.body, parameters));
        }
        match (single, result) {
            (true, result) => result,
            (false, Value::Known(_) | Value::Fixed | Value::Config) => Value::Config,
            (false, result) => {
                self.doubted(true, |walk| walk.used(&result));
                Value::Other
            }
        }
    }

    fn real(&mut self, name: &str, doubt: bool, local: bool, values: &[Value]) {
        let arguments = values.iter().map(Value::argument).collect();
        self.facts.call(name, self.doubt || doubt, local, arguments);
    }

    /// What our own macros stand for.
    fn own(&mut self, name: &str, arguments: &[Node<'_>]) -> Value {
        match name {
            "alternative" => {
                let mut settled = true;
                self.doubted(true, |walk| {
                    for argument in arguments {
                        let value = walk.value(*argument);
                        settled &= value.known().is_some() || value.is_settled_unknown();
                        walk.used(&value);
                    }
                });
                if settled { Value::Config } else { Value::Other }
            }
            "maybe" => {
                self.doubted(true, |walk| walk.all(arguments));
                Value::Other
            }
            "warn" | "warn_once" => self.warn(WarnKind::Warn, name.ends_with("once"), arguments),
            "warnf" | "warnf_once" => {
                self.warn(WarnKind::WarnFormat, name.ends_with("once"), arguments)
            }
            "bug" => self.warn(WarnKind::Bug, false, arguments),
            _ => {
                self.all(arguments);
                Value::Other
            }
        }
    }

    fn all(&mut self, arguments: &[Node<'_>]) {
        for argument in arguments {
            let value = self.value(*argument);
            self.used(&value);
        }
    }

    /// File, first and last line, condition, format and what goes into it.
    fn warn(&mut self, kind: WarnKind, once: bool, arguments: &[Node<'_>]) -> Value {
        let mut values = arguments.iter();
        let mut next = |walk: &mut Self| values.next().map(|node| walk.value(*node));
        let file = next(self);
        let (line, end) = (next(self), next(self));
        let condition = next(self).unwrap_or(Value::Known(1));
        if condition.truth() == Some(false) {
            return Value::Known(0);
        }
        self.used(&condition);
        let lines = |value: Option<Value>| {
            let number = value.and_then(|value| value.known());
            number
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(0)
        };
        let doubt = self.doubt || condition.is_settled_unknown();
        if let Some(Value::Text { text, .. }) = file {
            self.facts
                .warn(kind, once, &text, (lines(line), lines(end)), doubt);
        }
        if !doubt && condition.truth().is_none() {
            self.facts.blocks = self.facts.blocks.saturating_add(1);
        }
        self.doubted(doubt, |walk| {
            while let Some(value) = next(walk) {
                walk.used(&value);
            }
        });
        match condition {
            condition @ (Value::Fixed | Value::Config | Value::Known(_)) => condition,
            _ => Value::Other,
        }
    }

    fn builtin(&mut self, name: &str, arguments: &[Node<'_>]) -> Value {
        let first = arguments.first().map(|node| self.value(*node));
        match name {
            "expect" => first.unwrap_or(Value::Other),
            "constant_p" => match first {
                Some(Value::Known(_) | Value::Fixed | Value::Text { .. }) => Value::Known(1),
                Some(Value::Config) => Value::Config,
                // Of a parameter in an inline function the compiler may know more.
                Some(_) => Value::Known(0),
                None => Value::Other,
            },
            "choose_expr" => {
                let chosen = match first.and_then(|value| value.truth()) {
                    Some(true) => arguments.get(1),
                    Some(false) => arguments.get(2),
                    None => return Value::Other,
                };
                chosen.map_or(Value::Other, |node| self.value(*node))
            }
            "types_compatible_p" | "offsetof" | "object_size" => Value::Fixed,
            _ => {
                if let Some(value) = first {
                    self.used(&value);
                }
                self.all(arguments.get(1..).unwrap_or_default());
                if COMPILERS.contains(&name) {
                    self.facts.call(name, true, false, Vec::new());
                }
                Value::Other
            }
        }
    }
}
