//! What a function does, statement by statement: the syntax tree is followed
//! as far as the source alone tells, inline functions are entered, branches that
//! are settled when the kernel is built are left out or doubted.

use std::collections::HashMap;
use std::rc::Rc;

use tree_sitter::Node;

use super::body::Body;
use super::expression::{named, operator_sign};
use super::facts::Facts;
use super::unit::Unit;
use super::value::Value;

/// Inline functions within inline functions.
pub(super) const MAX_INLINES: usize = 8;
/// Nodes visited for one function.
const MAX_NODES: u32 = 300_000;
/// Nodes within nodes.
const MAX_DEPTH: u32 = 400;

/// A function or an inline function in it.
pub(super) struct Frame {
    pub(super) body: Rc<Body>,
    pub(super) name: Rc<str>,
    pub(super) values: HashMap<String, Value>,
    /// It as a whole depends on the configuration.
    doubt: bool,
    /// Branches within which the walk is that are taken at run time.
    open: u32,
    /// A return that is always reached was met.
    ended: bool,
    /// A return was met that is always reached in some configurations.
    maybe_ended: bool,
    /// What the return statements so far give.
    pub(super) result: Option<Value>,
}

pub(super) struct Walk<'a, 'b> {
    pub(super) unit: &'b Unit<'a>,
    pub(super) facts: Facts,
    pub(super) frames: Vec<Frame>,
    /// What is being walked depends on the configuration.
    pub(super) doubt: bool,
    nodes: u32,
    depth: u32,
}

/// Whether a label stands in a statement, through which it can be reached
/// although what is before it ends.
fn has_label(node: Node<'_>) -> bool {
    let mut cursor = node.walk();
    loop {
        if cursor.node().kind() == "labeled_statement" {
            return true;
        }
        if cursor.goto_first_child() {
            continue;
        }
        loop {
            if cursor.node().id() == node.id() {
                return false;
            }
            if cursor.goto_next_sibling() {
                break;
            }
            if !cursor.goto_parent() {
                return false;
            }
        }
    }
}

impl<'a, 'b> Walk<'a, 'b> {
    pub(super) fn new(unit: &'b Unit<'a>) -> Self {
        Walk {
            unit,
            facts: Facts {
                blocks: 1,
                ..Facts::default()
            },
            frames: Vec::new(),
            doubt: false,
            nodes: 0,
            depth: 0,
        }
    }

    /// Walks a body with values for its parameters; gives what it returns.
    pub(super) fn enter(
        &mut self,
        name: &Rc<str>,
        body: &Rc<Body>,
        parameters: Vec<(String, Value)>,
    ) -> Value {
        let written = |name: &String| body.written.contains(name);
        let values = parameters
            .into_iter()
            .map(|(name, value)| {
                let value = if written(&name) {
                    self.used(&value);
                    Value::Other
                } else {
                    value
                };
                (name, value)
            })
            .collect();
        self.frames.push(Frame {
            body: body.clone(),
            name: name.clone(),
            values,
            doubt: self.doubt,
            open: 0,
            ended: false,
            maybe_ended: false,
            result: None,
        });
        let before = self.doubt;
        self.statement(body.tree.root_node());
        self.doubt = before;
        let frame = self.frames.pop();
        frame.and_then(|frame| frame.result).unwrap_or(Value::Other)
    }

    /// The value of an expression outside of any function.
    pub(super) fn constant(&mut self, body: &Rc<Body>, node: Node<'_>) -> Value {
        self.frames.push(Frame {
            body: body.clone(),
            name: "".into(),
            values: HashMap::new(),
            doubt: false,
            open: 0,
            ended: false,
            maybe_ended: false,
            result: None,
        });
        let value = self.value(node);
        self.frames.pop();
        value
    }

    pub(super) fn frame(&self) -> Option<&Frame> {
        self.frames.last()
    }

    pub(super) fn text(&self, node: Node<'_>) -> String {
        let frame = self.frames.last();
        frame.map_or(String::new(), |frame| frame.body.text_of(node).to_owned())
    }

    pub(super) fn doubtful(&self, node: Node<'_>) -> bool {
        self.doubt
            || self
                .frames
                .last()
                .is_some_and(|frame| frame.body.is_doubtful(node))
    }

    /// Runs something that depends on the configuration.
    pub(super) fn doubted<T>(&mut self, doubt: bool, run: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.doubt;
        self.doubt |= doubt;
        let result = run(self);
        self.doubt = before;
        result
    }

    pub(super) fn used(&mut self, value: &Value) {
        self.facts.used(value, self.doubt);
    }

    pub(super) fn add_blocks(&mut self, node: Node<'_>, blocks: u32) {
        if !self.doubtful(node) {
            self.facts.blocks = self.facts.blocks.saturating_add(blocks);
        }
    }

    /// Goes a level down, unless there have been enough.
    pub(super) fn deeper(&mut self) -> bool {
        self.nodes += 1;
        if self.nodes > MAX_NODES || self.depth > MAX_DEPTH {
            return false;
        }
        self.depth += 1;
        true
    }

    pub(super) fn shallower(&mut self) {
        self.depth -= 1;
    }

    /// Runs something that is done or not at run time.
    fn opened(&mut self, run: impl FnOnce(&mut Self)) {
        if let Some(frame) = self.frames.last_mut() {
            frame.open += 1;
        }
        run(self);
        if let Some(frame) = self.frames.last_mut() {
            frame.open = frame.open.saturating_sub(1);
        }
    }

    pub(super) fn statement(&mut self, node: Node<'_>) {
        let ended = self.frames.last().is_some_and(|frame| frame.ended);
        if ended && !has_label(node) {
            return;
        }
        if !self.deeper() {
            return;
        }
        let doubt = self
            .frames
            .last()
            .is_some_and(|frame| frame.body.is_doubtful(node));
        match node.kind() {
            "translation_unit"
            | "compound_statement"
            | "else_clause"
            | "ERROR"
            | "function_definition" => {
                // A list is as doubtful as each of its statements is.
                for child in named(node) {
                    self.statement(child);
                    // From here on only where a return above is not there.
                    self.doubt |= self.frames.last().is_some_and(|frame| frame.maybe_ended);
                }
            }
            _ => self.doubted(doubt, |walk| walk.simple(node)),
        }
        self.shallower();
    }

    fn simple(&mut self, node: Node<'_>) {
        match node.kind() {
            "primitive_type"
            | "function_declarator"
            | "parameter_list"
            | "comment"
            | "break_statement"
            | "continue_statement"
            | "goto_statement"
            | "type_definition"
            | "struct_specifier"
            | "statement_identifier" => {}
            "labeled_statement" => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.ended = false;
                }
                self.add_blocks(node, 1);
                for child in named(node) {
                    self.statement(child);
                }
            }
            "if_statement" => self.branch(node),
            "while_statement" | "do_statement" | "for_statement" => self.repeat(node),
            "switch_statement" => self.switch(node),
            "case_statement" => self.case(node),
            "return_statement" => {
                let value = node.named_child(0).map(|child| self.value(child));
                self.returns(value);
            }
            "declaration" => {
                let mut cursor = node.walk();
                let declarators: Vec<_> = node
                    .children_by_field_name("declarator", &mut cursor)
                    .collect();
                for declarator in declarators {
                    self.declarator(declarator);
                }
            }
            "expression_statement" => {
                for child in named(node) {
                    let value = self.value(child);
                    self.used(&value);
                }
            }
            _ => {
                let value = self.value(node);
                self.used(&value);
            }
        }
    }

    fn branch(&mut self, node: Node<'_>) {
        let field = |name| node.child_by_field_name(name);
        let condition = field("condition").map_or(Value::Other, |node| self.value(node));
        let (yes, no) = (field("consequence"), field("alternative"));
        match condition.truth() {
            Some(true) => yes.into_iter().for_each(|node| self.statement(node)),
            Some(false) => no.into_iter().for_each(|node| self.statement(node)),
            None => {
                let doubt = condition.is_settled_unknown();
                self.used(&condition);
                if !doubt {
                    self.add_blocks(node, if no.is_some() { 3 } else { 2 });
                }
                let both = |walk: &mut Self| {
                    yes.into_iter().for_each(|node| walk.statement(node));
                    no.into_iter().for_each(|node| walk.statement(node));
                };
                match doubt {
                    true => self.doubted(true, both),
                    false => self.opened(both),
                }
            }
        }
    }

    fn repeat(&mut self, node: Node<'_>) {
        let field = |name| node.child_by_field_name(name);
        if let Some(first) = field("initializer") {
            self.statement(first);
        }
        let condition = field("condition").map(|node| self.value(node));
        let truth = condition.as_ref().map_or(Some(true), Value::truth);
        let body = field("body");
        if truth == Some(false) {
            // `do { } while (0)` groups statements; the others do nothing.
            if node.kind() == "do_statement" {
                body.into_iter().for_each(|node| self.statement(node));
            }
            return;
        }
        let doubt = condition.as_ref().is_some_and(Value::is_settled_unknown);
        if let Some(condition) = &condition {
            self.used(condition);
        }
        self.doubted(doubt, |walk| {
            if !walk.doubtful(node) {
                walk.facts.loops = walk.facts.loops.saturating_add(1);
            }
            walk.add_blocks(node, 2);
            walk.opened(|walk| body.into_iter().for_each(|node| walk.statement(node)));
            if let Some(update) = field("update") {
                let value = walk.value(update);
                walk.used(&value);
            }
        });
    }

    fn switch(&mut self, node: Node<'_>) {
        let field = |name| node.child_by_field_name(name);
        let value = field("condition").map_or(Value::Other, |node| self.value(node));
        let Some(body) = field("body") else {
            return;
        };
        let Some(known) = value.known() else {
            self.used(&value);
            self.add_blocks(node, 1);
            self.doubted(value.is_settled_unknown(), |walk| {
                walk.opened(|walk| walk.statement(body));
            });
            return;
        };
        let cases = || named(body).filter(|node| node.kind() == "case_statement");
        let chosen = cases().find(|case| {
            let value = case.child_by_field_name("value");
            value.is_some_and(|node| self.value(node) == Value::Known(known))
        });
        let default = || cases().find(|case| case.child_by_field_name("value").is_none());
        if let Some(case) = chosen.or_else(default) {
            self.case_body(case);
        }
    }

    fn case(&mut self, node: Node<'_>) {
        self.add_blocks(node, 1);
        if let Some(value) = node.child_by_field_name("value")
            && let Some(value) = self.value(value).known()
        {
            self.compared(value);
        }
        self.case_body(node);
    }

    fn case_body(&mut self, node: Node<'_>) {
        let value = node.child_by_field_name("value").map(|node| node.id());
        for child in named(node) {
            if Some(child.id()) != value {
                self.statement(child);
            }
        }
    }

    fn returns(&mut self, value: Option<Value>) {
        let value = value.unwrap_or(Value::Other);
        let doubt = self.doubt;
        if let Some(frame) = self.frames.last_mut().filter(|frame| frame.open == 0) {
            match doubt == frame.doubt {
                true => frame.ended = true,
                false => frame.maybe_ended = true,
            }
        }
        let outermost = self.frames.len() == 1;
        if outermost {
            self.used(&value);
            if let Value::Known(value) = value
                && !doubt
            {
                self.facts.returned(value);
            }
            return;
        }
        if let Some(frame) = self.frames.last_mut() {
            let result = match &frame.result {
                None if doubt == frame.doubt => value,
                Some(before) if *before == value => value,
                _ => {
                    // One of several: whatever is done with the result is done
                    // with each of them, or through a table of them.
                    self.facts.used(&value, true);
                    Value::Other
                }
            };
            frame.result = Some(result);
        }
    }

    fn declarator(&mut self, node: Node<'_>) {
        if node.kind() != "init_declarator" {
            return;
        }
        let field = |name| node.child_by_field_name(name);
        let value = field("value").map_or(Value::Other, |node| self.value(node));
        let frame = self.frames.last();
        let name = frame.and_then(|frame| super::body::declared(node, &frame.body));
        let Some(name) = name else {
            return;
        };
        let written = frame.is_some_and(|frame| frame.body.written.contains(&name));
        let doubt = self.doubtful(node);
        if written || doubt {
            self.used(&value);
            self.assigned(&name, &value);
        } else if let Some(frame) = self.frames.last_mut() {
            frame.values.insert(name, value);
        }
    }

    /// A local variable gets a value: it is returned if the variable is. Zero
    /// mostly waits for another value.
    pub(super) fn assigned(&mut self, name: &str, value: &Value) {
        let returned = self.frames.len() == 1
            && self
                .frames
                .last()
                .is_some_and(|frame| frame.body.returned.contains(name));
        if let Value::Known(value) = value
            && *value != 0
            && returned
            && !self.doubt
        {
            self.facts.returned(*value);
        }
    }

    /// The sign of an operation.
    pub(super) fn sign(&self, node: Node<'_>) -> String {
        operator_sign(node).map_or(String::new(), |node| self.text(node))
    }
}
