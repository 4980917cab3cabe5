//! What expressions do, and what is known of their values.

use tree_sitter::Node;

use super::conditions::{self, unescape};
use super::value::Value;
use super::walk::Walk;
use crate::signatures::Operator;

/// The named children of a node, comments left out.
pub(super) fn named(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let count = u32::try_from(node.named_child_count()).unwrap_or(0);
    (0..count)
        .filter_map(move |index| node.named_child(index))
        .filter(|child| child.kind() != "comment")
}

/// The node of an operation's sign.
pub(super) fn operator_sign(node: Node<'_>) -> Option<Node<'_>> {
    node.child_by_field_name("operator")
}

impl Walk<'_, '_> {
    /// What an expression does, and its value. What is done with the value is
    /// the caller's to say.
    pub(super) fn value(&mut self, node: Node<'_>) -> Value {
        if !self.deeper() {
            return Value::Other;
        }
        let value = self.value_inner(node);
        self.shallower();
        value
    }

    fn value_inner(&mut self, node: Node<'_>) -> Value {
        let field = |name| node.child_by_field_name(name);
        match node.kind() {
            "number_literal" => {
                let text = self.text(node);
                conditions::number(&text).map_or(Value::Other, Value::Known)
            }
            "char_literal" => {
                let text = self.text(node);
                conditions::character(&text).map_or(Value::Other, Value::Known)
            }
            "true" => Value::Known(1),
            "false" | "null" => Value::Known(0),
            "string_literal" | "concatenated_string" => self.literal(node),
            "identifier" => self.identifier(node),
            "parenthesized_expression" => self.parentheses(node),
            "compound_statement" => self.statement_expression(node),
            "comma_expression" => {
                if let Some(left) = field("left") {
                    let value = self.value(left);
                    self.used(&value);
                }
                field("right").map_or(Value::Other, |node| self.value(node))
            }
            "cast_expression" => field("value").map_or(Value::Other, |node| self.value(node)),
            "binary_expression" => self.binary(node),
            "unary_expression" => self.unary(node),
            "conditional_expression" => self.conditional(node),
            "assignment_expression" => self.assignment(node),
            "call_expression" => self.call(node),
            "pointer_expression" => self.pointer(node),
            "sizeof_expression" | "alignof_expression" | "offsetof_expression" => Value::Fixed,
            "gnu_asm_expression" | "type_descriptor" => Value::Other,
            "field_expression" => {
                if let Some(argument) = field("argument") {
                    let value = self.value(argument);
                    self.used(&value);
                }
                Value::Other
            }
            "initializer_pair" => {
                if let Some(given) = field("value") {
                    let value = self.value(given);
                    self.used(&value);
                }
                Value::Other
            }
            "declaration"
            | "expression_statement"
            | "if_statement"
            | "for_statement"
            | "while_statement"
            | "do_statement"
            | "switch_statement"
            | "return_statement"
            | "labeled_statement"
            | "case_statement" => {
                self.statement(node);
                Value::Other
            }
            _ => {
                for child in named(node) {
                    let value = self.value(child);
                    self.used(&value);
                }
                Value::Other
            }
        }
    }

    /// A literal, or several side by side.
    fn literal(&mut self, node: Node<'_>) -> Value {
        let mut text = String::new();
        let mut doubt = self.doubtful(node);
        if node.kind() == "string_literal" {
            text = unquoted(&self.text(node));
        } else {
            for part in named(node) {
                match part.kind() {
                    "string_literal" => text.push_str(&unquoted(&self.text(part))),
                    // A macro that is not known, such as one that the build gives.
                    _ => return Value::Other,
                }
                doubt |= self.doubtful(part);
            }
        }
        Value::Text {
            text: text.into(),
            doubt,
        }
    }

    fn identifier(&mut self, node: Node<'_>) -> Value {
        let text = self.text(node);
        let Some(frame) = self.frame() else {
            return Value::Other;
        };
        if let Some(value) = frame.values.get(&text) {
            return value.clone();
        }
        if frame.body.locals.contains(&text) {
            return Value::Other;
        }
        if matches!(&*text, "__func__" | "__FUNCTION__" | "__PRETTY_FUNCTION__") {
            let name = frame.name.clone();
            let doubt = self.doubtful(node);
            return Value::Text { text: name, doubt };
        }
        self.unit.named_value(&text)
    }

    fn parentheses(&mut self, node: Node<'_>) -> Value {
        let mut last = Value::Other;
        for child in named(node) {
            last = self.value(child);
        }
        last
    }

    /// `({ ...; x; })`.
    fn statement_expression(&mut self, node: Node<'_>) -> Value {
        let children: Vec<_> = named(node).collect();
        let Some((last, others)) = children.split_last() else {
            return Value::Other;
        };
        for child in others {
            self.statement(*child);
        }
        match last.kind() {
            "expression_statement" => match named(*last).next() {
                Some(inner) => self.value(inner),
                None => Value::Other,
            },
            _ => {
                self.statement(*last);
                Value::Other
            }
        }
    }

    fn binary(&mut self, node: Node<'_>) -> Value {
        let field = |name| node.child_by_field_name(name);
        let (Some(left), Some(right)) = (field("left"), field("right")) else {
            return Value::Other;
        };
        let sign = self.sign(node);
        if sign == "&&" || sign == "||" {
            return self.logical(node, &sign, left, right);
        }
        let (one, other) = (self.value(left), self.value(right));
        if let (Value::Known(one), Value::Known(other)) = (&one, &other) {
            let value = conditions::binary(&sign, Some(*one), Some(*other));
            return value.map_or(Value::Other, Value::Known);
        }
        let constant =
            |value: &Value| matches!(value, Value::Known(_) | Value::Fixed | Value::Config);
        if constant(&one) && constant(&other) {
            let config = one == Value::Config || other == Value::Config;
            return if config { Value::Config } else { Value::Fixed };
        }
        self.used(&one);
        self.used(&other);
        let doubt = self.doubtful(node);
        match (one, other) {
            (_, Value::Known(value)) => self.operated(&sign, value, doubt),
            (Value::Known(value), _) if sign != "-" => self.operated(&sign, value, doubt),
            _ => {}
        }
        Value::Other
    }

    /// Notes a constant in an operation. Zero and one say nothing.
    fn operated(&mut self, sign: &str, value: i64, doubt: bool) {
        let negative = value < 0 || (value > 0xffff_0000 && value <= 0xffff_ffff);
        let (operator, value) = match sign {
            "&" if negative => (Operator::Clear, i64::from(!(value as u32))),
            "&" => (Operator::And, value),
            "|" => (Operator::Or, value),
            "^" => (Operator::Xor, value),
            "+" => (Operator::Add, value),
            "-" => (Operator::Add, value.wrapping_neg()),
            "*" | "/" | "%" => (Operator::Scale, value),
            "==" | "!=" | "<" | ">" | "<=" | ">=" => (Operator::Compare, value),
            _ => return,
        };
        let trivial = match operator {
            Operator::And | Operator::Clear | Operator::Or => value == 0,
            _ => (-1..=1).contains(&value),
        };
        if !trivial {
            self.facts.constant(operator, value, doubt);
        }
    }

    /// A `case`.
    pub(super) fn compared(&mut self, value: i64) {
        let doubt = self.doubt;
        self.operated("==", value, doubt);
    }

    fn logical(&mut self, node: Node<'_>, sign: &str, left: Node<'_>, right: Node<'_>) -> Value {
        let one = self.value(left);
        let decides = sign == "||";
        if one.truth() == Some(decides) {
            return Value::Known(i64::from(decides));
        }
        let doubt = one.is_settled_unknown();
        let other = self.doubted(doubt, |walk| walk.value(right));
        if one.truth().is_some() {
            return match other.truth() {
                Some(truth) => Value::Known(i64::from(truth)),
                None => other,
            };
        }
        if other.truth() == Some(decides) && !matches!(one, Value::Other) {
            return Value::Known(i64::from(decides));
        }
        self.used(&one);
        self.used(&other);
        if !doubt && other.truth().is_none() && !other.is_settled_unknown() {
            self.add_blocks(node, 1);
        }
        match (doubt || other.is_settled_unknown(), sign) {
            // Whether what hangs on it is there at all is open.
            (true, "&&") => Value::Config,
            (true, _) if doubt && other.is_settled_unknown() => Value::Config,
            _ => Value::Other,
        }
    }

    fn unary(&mut self, node: Node<'_>) -> Value {
        let Some(argument) = node.child_by_field_name("argument") else {
            return Value::Other;
        };
        let sign = self.sign(node);
        let value = self.value(argument);
        match (&*sign, value) {
            ("!", value) if value.truth().is_some() => {
                Value::Known(i64::from(value.truth() == Some(false)))
            }
            ("-", Value::Known(value)) => Value::Known(value.wrapping_neg()),
            ("~", Value::Known(value)) => Value::Known(!value),
            ("+", value) => value,
            (_, value @ (Value::Fixed | Value::Config)) => value,
            (_, value) => {
                self.used(&value);
                Value::Other
            }
        }
    }

    fn conditional(&mut self, node: Node<'_>) -> Value {
        let field = |name| node.child_by_field_name(name);
        let condition = field("condition").map_or(Value::Other, |node| self.value(node));
        let (yes, no) = (field("consequence"), field("alternative"));
        let of = |walk: &mut Self, node: Option<Node<'_>>| match node {
            Some(node) => walk.value(node),
            // `a ?: b`
            None => condition.clone(),
        };
        match condition.truth() {
            Some(true) => of(self, yes),
            Some(false) => of(self, no),
            None => {
                let doubt = condition.is_settled_unknown();
                self.used(&condition);
                if !doubt {
                    self.add_blocks(node, 2);
                }
                self.doubted(doubt, |walk| {
                    let (one, other) = (of(walk, yes), of(walk, no));
                    if one == other {
                        return one;
                    }
                    walk.used(&one);
                    walk.used(&other);
                    match doubt {
                        true if one.known().is_some() && other.known().is_some() => Value::Config,
                        _ => Value::Other,
                    }
                })
            }
        }
    }

    fn assignment(&mut self, node: Node<'_>) -> Value {
        let field = |name| node.child_by_field_name(name);
        let (Some(left), Some(right)) = (field("left"), field("right")) else {
            return Value::Other;
        };
        let sign = self.sign(node);
        let value = self.value(right);
        self.used(&value);
        let doubt = self.doubtful(node);
        let name = (left.kind() == "identifier").then(|| self.text(left));
        let local = name.as_ref().is_some_and(|name| {
            self.frame().is_some_and(|frame| {
                frame.body.locals.contains(name) || frame.values.contains_key(name)
            })
        });
        match (sign.strip_suffix('='), &value) {
            (Some(""), Value::Known(constant)) if !local && !(0..=1).contains(constant) => {
                self.facts.constant(Operator::Store, *constant, doubt);
            }
            (Some(""), value) if local => {
                let name = name.unwrap_or_default();
                self.doubted(doubt, |walk| walk.assigned(&name, value));
            }
            (Some(operator), Value::Known(constant)) => self.operated(operator, *constant, doubt),
            _ => {}
        }
        if !local {
            let place = self.value(left);
            self.used(&place);
        }
        Value::Other
    }

    fn pointer(&mut self, node: Node<'_>) -> Value {
        let Some(argument) = node.child_by_field_name("argument") else {
            return Value::Other;
        };
        let sign = self.sign(node);
        let value = self.value(argument);
        match (&*sign, value) {
            ("&", Value::Global(name)) => Value::Address(name),
            (_, value) => {
                self.used(&value);
                Value::Other
            }
        }
    }
}

/// What is between a literal's quotes. A prefix, as in `u8"x"`, goes too.
fn unquoted(text: &str) -> String {
    let inner = text.find('"').and_then(|at| text.get(at + 1..));
    let inner = inner.map(|inner| inner.strip_suffix('"').unwrap_or(inner));
    unescape(inner.unwrap_or_default())
}
