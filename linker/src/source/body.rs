//! A function's body as a syntax tree.

use std::cell::RefCell;
use std::collections::HashSet;

use tree_sitter::{Node, Parser, Tree};

use super::token::{Kind, Names, Token};

/// Expanded and parsed.
pub(super) struct Body {
    pub(super) text: String,
    pub(super) tree: Tree,
    /// Where each token stands in the text, and whether it is doubtful.
    places: Vec<(usize, bool)>,
    /// Names that are declared in the body.
    pub(super) locals: HashSet<String>,
    /// Names that are written to or whose address is taken.
    pub(super) written: HashSet<String>,
    /// Names that are returned.
    pub(super) returned: HashSet<String>,
}

impl Body {
    /// Parses tokens; None if the parser gives up.
    pub(super) fn parse(
        head: &str,
        tokens: &[Token],
        names: &RefCell<Names>,
        parser: &mut Parser,
    ) -> Option<Body> {
        let names = names.borrow();
        let mut text = String::with_capacity(tokens.len() * 6);
        text.push_str(head);
        let mut places = Vec::with_capacity(tokens.len());
        for token in tokens {
            places.push((text.len(), token.doubt));
            text.push_str(names.text(token.name));
            text.push(match token.kind {
                Kind::Sign if token.name == super::token::END => '\n',
                _ => ' ',
            });
        }
        let tree = parser.parse(&text, None)?;
        let mut body = Body {
            text,
            places,
            locals: HashSet::new(),
            written: HashSet::new(),
            returned: HashSet::new(),
            tree,
        };
        body.note_names();
        Some(body)
    }

    pub(super) fn text_of(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Whether what starts there depends on the configuration.
    pub(super) fn is_doubtful(&self, node: Node<'_>) -> bool {
        let start = node.start_byte();
        let at = self.places.partition_point(|&(place, _)| place <= start);
        at.checked_sub(1)
            .and_then(|at| self.places.get(at))
            .is_some_and(|&(_, doubt)| doubt)
    }

    fn note_names(&mut self) {
        let (mut locals, mut written, mut returned) =
            (HashSet::new(), HashSet::new(), HashSet::new());
        let mut cursor = self.tree.walk();
        // Depth first, without recursion: a body may be nested at will.
        'walk: loop {
            let node = cursor.node();
            let field = |name| node.child_by_field_name(name);
            let name = |node: Option<Node<'_>>| {
                let node = node.filter(|node| node.kind() == "identifier")?;
                Some(self.text_of(node).to_owned())
            };
            match node.kind() {
                "declaration" => {
                    let mut inner = node.walk();
                    for child in node.children_by_field_name("declarator", &mut inner) {
                        locals.extend(declared(child, self));
                    }
                }
                "assignment_expression" => written.extend(name(field("left"))),
                "update_expression" => written.extend(name(field("argument"))),
                "pointer_expression" if self.text_of(node).starts_with('&') => {
                    written.extend(name(field("argument")));
                }
                "return_statement" => returned.extend(name(node.named_child(0))),
                _ => {}
            }
            if cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    break 'walk;
                }
            }
        }
        drop(cursor);
        self.locals = locals;
        self.written = written;
        self.returned = returned;
    }
}

/// The name that a declarator declares.
pub(super) fn declared(declarator: Node<'_>, body: &Body) -> Option<String> {
    let mut node = declarator;
    for _ in 0..20 {
        if node.kind() == "identifier" {
            return Some(body.text_of(node).to_owned());
        }
        node = node
            .child_by_field_name("declarator")
            .or_else(|| node.named_child(0))?;
    }
    None
}
