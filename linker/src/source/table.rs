//! What names stand for: macros, enumerators, inline functions, prototypes.
//!
//! What a header defines in a part that depends on the configuration is one
//! *alternative* of several; a later definition that does not replaces them.

use std::collections::HashMap;
use std::rc::Rc;

use super::token::{Name, Token};

/// Alternatives of one name that are kept. Further ones add nothing but doubt,
/// which two have already.
const ALTERNATIVES: usize = 4;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Macro {
    /// None for a macro without parentheses.
    pub(super) parameters: Option<Vec<Name>>,
    /// The name of what `...` takes.
    pub(super) rest: Option<Name>,
    pub(super) body: Vec<Token>,
}

/// A function with its body.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: Name,
    /// Below the top of the tree.
    pub(super) file: Rc<str>,
    pub(super) line: u32,
    /// Tokens before the name.
    pub(super) head: Vec<Token>,
    /// Tokens between the parentheses behind the name.
    pub(super) parameters: Vec<Token>,
    /// From brace to brace.
    pub(super) body: Vec<Token>,
    pub(super) doubt: bool,
}

/// What one name may stand for.
#[derive(Debug)]
pub(super) struct Alternatives<T> {
    pub(super) all: Vec<Rc<T>>,
    /// One of them holds in every configuration.
    pub(super) sure: bool,
}

impl<T> Default for Alternatives<T> {
    fn default() -> Self {
        Alternatives {
            all: Vec::new(),
            sure: false,
        }
    }
}

impl<T> Alternatives<T> {
    fn add(&mut self, one: Rc<T>, doubt: bool) {
        if !doubt {
            self.all.clear();
            self.sure = true;
        }
        if self.all.len() < ALTERNATIVES {
            self.all.push(one);
        }
    }
}

/// What a name stood for in a part of a file.
#[derive(Debug)]
struct Ended {
    file: Rc<str>,
    /// The line of the `#undef`.
    line: u32,
    alternatives: Alternatives<Macro>,
}

/// What is known of a function or variable that is declared but not defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    Function,
    Variable,
}

/// The names of the headers, or of one file on top of them.
#[derive(Debug, Default)]
pub(super) struct Table {
    macros: HashMap<Name, Alternatives<Macro>>,
    /// What names stood for in a file up to where it says `#undef`, in its order.
    ended: HashMap<Name, Vec<Ended>>,
    /// None if the value is not known.
    pub(super) enumerators: HashMap<Name, Option<i64>>,
    pub(super) inlines: HashMap<Name, Alternatives<Definition>>,
    pub(super) declared: HashMap<Name, Declared>,
}

impl Table {
    pub(super) fn define(&mut self, name: Name, one: Macro, doubt: bool) {
        let alternatives = self.macros.entry(name).or_default();
        if doubt && alternatives.all.iter().any(|other| same(other, &one)) {
            return;
        }
        alternatives.add(Rc::new(one), doubt);
    }

    pub(super) fn undefine(&mut self, name: Name) {
        self.macros.insert(name, Alternatives::default());
    }

    /// The same by an `#undef` in a line of a file: a function before it is still
    /// written with the macro.
    pub(super) fn end(&mut self, name: Name, file: &str, line: u32) {
        let known = self.macros.insert(name, Alternatives::default());
        if let Some(alternatives) = known.filter(|known| !known.all.is_empty()) {
            self.ended.entry(name).or_default().push(Ended {
                file: file.into(),
                line,
                alternatives,
            });
        }
    }

    fn macros_at(&self, name: Name, file: &str, line: u32) -> Option<&Alternatives<Macro>> {
        let mut ended = self.ended.get(&name).into_iter().flatten();
        let before = ended.find(|it| it.line > line && *it.file == *file);
        before
            .map(|it| &it.alternatives)
            .or_else(|| self.macros.get(&name))
    }

    pub(super) fn add_inline(&mut self, one: Definition) {
        let (name, doubt) = (one.name, one.doubt);
        self.inlines
            .entry(name)
            .or_default()
            .add(Rc::new(one), doubt);
    }
}

fn same(one: &Macro, other: &Macro) -> bool {
    let names = |of: &Macro| of.body.iter().map(|token| token.name).collect::<Vec<_>>();
    one.parameters == other.parameters && names(one) == names(other)
}

/// A file's own names on top of the headers'.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) layers: [Option<&'a Table>; 3],
}

impl<'a> Scope<'a> {
    fn layers(self) -> impl Iterator<Item = &'a Table> {
        self.layers.into_iter().flatten()
    }

    /// The macro of a name; none if the name was undefined.
    pub(super) fn macros(self, name: Name) -> Option<&'a Alternatives<Macro>> {
        self.layers()
            .find_map(|table| table.macros.get(&name))
            .filter(|alternatives| !alternatives.all.is_empty())
    }

    /// The same in a line of a file, of which all has been read.
    pub(super) fn macros_at(
        self,
        name: Name,
        file: &str,
        line: u32,
    ) -> Option<&'a Alternatives<Macro>> {
        self.layers()
            .find_map(|table| table.macros_at(name, file, line))
            .filter(|alternatives| !alternatives.all.is_empty())
    }

    pub(super) fn enumerator(self, name: Name) -> Option<Option<i64>> {
        self.layers()
            .find_map(|table| table.enumerators.get(&name).copied())
    }

    pub(super) fn inlines(self, name: Name) -> Option<&'a Alternatives<Definition>> {
        self.layers().find_map(|table| table.inlines.get(&name))
    }

    pub(super) fn declared(self, name: Name) -> Option<Declared> {
        self.layers()
            .find_map(|table| table.declared.get(&name).copied())
    }
}
