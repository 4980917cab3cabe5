//! The source's side: what each function may and must show in a binary.
//!
//! A compiler puts functions into their callers, mostly static ones and small
//! ones of the same file. So every function also has, as facts that *may* show,
//! those of the functions of its own file that it calls.

use std::collections::HashMap;

use crate::identify::{assembly, vectors};
use crate::kernel::Version;
use crate::signatures::{Argument, Linkage, SourceFacts, SourceFunction, WarnKind};

/// Levels of functions within functions that are looked through.
const MAX_DEPTH: usize = 4;
/// Facts of one kind that a function may collect.
const MAX_FACTS: usize = 1500;

/// References that stand behind the configuration: from, to.
const REFERENCES: [(&str, &str); 3] = [
    ("set_handle_irq", "handle_arch_irq"),
    ("setup_arch", "handle_arch_irq"),
    ("generic_handle_arch_irq", "handle_arch_irq"),
];
/// A variable that lies where another does, and is what the symbol table calls it:
/// the lower half of the count of ticks (arch/arm/kernel/vmlinux.lds.S).
const SAME_PLACE: (&str, &str) = ("jiffies_64", "jiffies");
/// Functions that no kernel has: `FORTIFY_SOURCE` calls them where the compiler
/// can tell that something is wrong (include/linux/string.h, 4.13 and later).
const NEVER_LINKED: [&str; 4] = [
    "__read_overflow",
    "__read_overflow2",
    "__read_overflow3",
    "__write_overflow",
];
/// A global function that a compiler may put into another all the same.
const SMALL_BLOCKS: u32 = 4;
const SMALL_CALLS: usize = 3;

/// A function or variable of the source: an index into [`Source::names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::identify) struct Named(pub u32);

/// How sure it is that a fact of the source shows in the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::identify) enum Fact {
    /// Only when a function of the same file was put into this one.
    Inherited,
    /// Depends on the configuration or on the compiler.
    May,
    /// In every kernel of this source.
    Must,
}

/// A fact about another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::identify) struct Link {
    pub to: Named,
    pub fact: Fact,
    /// The function of the same file that it is inherited from.
    pub via: Option<Named>,
}

/// A place that warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::identify) struct Warned {
    /// Index into [`Source::files`].
    pub file: u32,
    pub line: u32,
    pub end_line: u32,
    /// Whether the compiled code holds the line as a number, which `BUG` does
    /// not in later kernels.
    pub inline: bool,
    pub fact: Fact,
    pub via: Option<Named>,
}

/// A text, or the address of something with a name, that a caller passes.
#[derive(Debug, Clone, Copy)]
pub(in crate::identify) struct Given {
    pub caller: Named,
    pub text: Option<u32>,
    pub address: Option<Named>,
}

/// A function or variable.
#[derive(Debug, Default)]
pub(in crate::identify) struct SourceNode {
    pub name: String,
    /// Whether its own facts are known, not only that others use it.
    pub known: bool,
    /// Index into [`Source::files`].
    pub file: Option<u32>,
    pub order: u32,
    pub global: bool,
    pub init: bool,
    /// A part of the configuration that may be absent.
    pub conditional: bool,
    pub data: bool,
    pub parameters: u8,
    pub blocks: u32,
    /// With everything in it that may be put into it.
    pub most_blocks: u32,
    /// Calls through a pointer, at least.
    pub indirect: u32,
    /// Sorted by text; index into [`Source::texts`].
    pub texts: Vec<(u32, Fact, Option<Named>)>,
    pub warns: Vec<Warned>,
    /// Sorted by node.
    pub calls: Vec<Link>,
    /// How many of them are in every kernel.
    pub must_call: usize,
    /// Names called, in the order of the source.
    pub order_of_calls: Vec<(Named, bool)>,
    pub refers: Vec<Link>,
    /// Sorted; who may call it.
    pub callers: Vec<Link>,
    /// Sorted; who may refer to it.
    pub referrers: Vec<Link>,
    /// Sorted values.
    pub constants: Vec<(u32, Fact, Option<Named>)>,
    pub returns: Vec<u32>,
    /// What callers pass to it.
    pub given: Vec<Given>,
    /// The release whose source it is.
    pub version: Option<Version>,
}

impl SourceNode {
    /// Whether a compiler may put it in place of its calls.
    pub(in crate::identify) fn may_be_inlined(&self) -> bool {
        let small = self.blocks <= SMALL_BLOCKS && self.order_of_calls.len() <= SMALL_CALLS;
        !self.global || small
    }
}

/// All that is known of the source of one kernel.
#[derive(Debug, Default)]
pub(in crate::identify) struct Source {
    pub names: Vec<SourceNode>,
    pub files: Vec<String>,
    /// Without the level that `printk` formats begin with.
    pub texts: Vec<String>,
    /// By name, the file; what is asked most often, in one piece.
    file_of: Vec<Option<u32>>,
    /// By file, the names in it, in their order.
    in_file: Vec<Vec<Named>>,
    by_name: HashMap<String, Vec<Named>>,
    by_text: HashMap<String, u32>,
    by_file: HashMap<String, u32>,
}

/// A text without its `printk` level: `<3>` before 3.6, `\x01` and a digit since.
pub(in crate::identify) fn plain(text: &str) -> &str {
    let bytes = text.as_bytes();
    match bytes {
        [1, _, ..] if text.is_char_boundary(2) => &text[2..],
        [b'<', level, b'>', ..] if level.is_ascii_digit() || matches!(level, b'c' | b'd') => {
            &text[3..]
        }
        _ => text,
    }
}

impl Source {
    /// The graph of these facts.
    pub(in crate::identify) fn of(facts: &SourceFacts) -> Self {
        let mut source = Source::default();
        let functions: Vec<&SourceFunction> = facts.functions().iter().collect();
        let ids: Vec<Named> = functions.iter().map(|it| source.declare(it)).collect();
        for (function, &id) in functions.iter().zip(&ids) {
            source.fill(function, id);
        }
        for name in assembly::names().chain(vectors::HANDLERS) {
            source.callee(name, None);
        }
        for (from, to) in REFERENCES {
            source.add_reference(from, to);
        }
        for node in &mut source.names {
            tidy(node);
        }
        source.inherit();
        for node in &mut source.names {
            let must = node.calls.iter().filter(|it| it.fact == Fact::Must);
            node.must_call = must.count();
        }
        source.reverse();
        source.file_of = source.names.iter().map(|node| node.file).collect();
        source.in_file = vec![Vec::new(); source.files.len()];
        for (named, file) in source.ids().zip(&source.file_of) {
            if let Some(file) = file {
                source.in_file[*file as usize].push(named);
            }
        }
        source
    }

    /// Index into [`Source::files`].
    pub(in crate::identify) fn file_of(&self, id: Named) -> Option<u32> {
        self.file_of[id.0 as usize]
    }

    /// The functions and variables of a file; none of no file.
    pub(in crate::identify) fn in_file(&self, file: Option<u32>) -> impl Iterator<Item = Named> {
        let all = file.and_then(|file| self.in_file.get(file as usize));
        all.into_iter().flatten().copied()
    }

    pub(in crate::identify) fn node(&self, id: Named) -> &SourceNode {
        &self.names[id.0 as usize]
    }

    /// The node that other files mean by a name, else the only one of the name.
    pub(in crate::identify) fn named(&self, name: &str) -> Option<Named> {
        let all = self.by_name.get(name)?;
        let global = all.iter().find(|id| self.node(**id).global);
        global.copied().or(match all[..] {
            [only] => Some(only),
            _ => None,
        })
    }

    /// The identity of a text, however it is prefixed.
    pub(in crate::identify) fn text(&self, text: &str) -> Option<u32> {
        self.by_text.get(plain(text)).copied()
    }

    /// The file that a path in the binary means: a tree that was built from
    /// elsewhere has a path before that of the file.
    pub(in crate::identify) fn file(&self, path: &str) -> Option<u32> {
        let mut rest = path;
        loop {
            if let Some(&id) = self.by_file.get(rest) {
                return Some(id);
            }
            rest = &rest[rest.find('/')? + 1..];
        }
    }

    pub(in crate::identify) fn ids(&self) -> impl Iterator<Item = Named> + use<> {
        (0..self.names.len() as u32).map(Named)
    }

    fn add(&mut self, node: SourceNode) -> Named {
        let id = Named(self.names.len() as u32);
        self.by_name.entry(node.name.clone()).or_default().push(id);
        self.names.push(node);
        id
    }

    fn file_id(&mut self, file: &str) -> u32 {
        if let Some(&id) = self.by_file.get(file) {
            return id;
        }
        let id = self.files.len() as u32;
        self.files.push(file.to_owned());
        self.by_file.insert(file.to_owned(), id);
        id
    }

    fn text_id(&mut self, text: &str) -> Option<u32> {
        let text = plain(text);
        if text.is_empty() {
            return None;
        }
        if let Some(&id) = self.by_text.get(text) {
            return Some(id);
        }
        let id = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.by_text.insert(text.to_owned(), id);
        Some(id)
    }

    /// A node for the function; one that has several bodies, of which the
    /// configuration chooses, has one node.
    fn declare(&mut self, function: &SourceFunction) -> Named {
        let file = self.file_id(&function.file);
        let global = function.linkage == Linkage::Global;
        let same = self.by_name.get(&function.name).and_then(|all| {
            all.iter().copied().find(|&id| {
                let node = self.node(id);
                (node.global && global) || node.file == Some(file)
            })
        });
        same.unwrap_or_else(|| {
            self.add(SourceNode {
                name: function.name.clone(),
                file: Some(file),
                order: function.order,
                global,
                init: function.init,
                conditional: function.conditional,
                parameters: function.parameters,
                blocks: function.blocks,
                indirect: function.indirect_calls,
                version: Some(function.version),
                ..SourceNode::default()
            })
        })
    }

    fn callee(&mut self, name: &str, file: Option<u32>) -> Named {
        let own = self.by_name.get(name).and_then(|all| {
            let own = |id: &&Named| self.names[id.0 as usize].file == file;
            let global = |id: &&Named| self.names[id.0 as usize].global;
            all.iter().find(own).or(all.iter().find(global)).copied()
        });
        own.unwrap_or_else(|| {
            self.add(SourceNode {
                name: name.to_owned(),
                global: true,
                ..SourceNode::default()
            })
        })
    }

    fn fill(&mut self, function: &SourceFunction, id: Named) {
        let mut node = std::mem::take(&mut self.names[id.0 as usize]);
        // Of two bodies neither's facts are certain.
        let several = node.known;
        let fact = |conditional: bool| match conditional || several {
            true => Fact::May,
            false => Fact::Must,
        };
        if several {
            weaken(&mut node);
        }
        node.known = true;
        // Put back what look-ups by name need while callees are added.
        self.names[id.0 as usize] = SourceNode {
            name: node.name.clone(),
            file: node.file,
            global: node.global,
            ..SourceNode::default()
        };
        for text in &function.strings {
            if let Some(text_id) = self.text_id(&text.text) {
                node.texts.push((text_id, fact(text.conditional), None));
            }
        }
        for warn in &function.warns {
            let file = self.file_id(&warn.file);
            node.warns.push(Warned {
                file,
                line: warn.line,
                end_line: warn.end_line,
                inline: warn.kind != WarnKind::Bug,
                fact: fact(warn.conditional),
                via: None,
            });
        }
        for call in &function.calls {
            if NEVER_LINKED.contains(&call.name.as_str()) {
                continue;
            }
            let to = self.callee(&call.name, node.file);
            let must = !call.conditional && !call.local;
            node.calls.push(Link {
                to,
                fact: fact(!must),
                via: None,
            });
            node.order_of_calls.push((to, must));
            for argument in &call.arguments {
                let (text, address) = match argument {
                    Argument::Address(name) => (None, Some(self.refer(&mut node, name))),
                    Argument::Text(text) => (self.text_id(text), None),
                    _ => continue,
                };
                // A function that calls itself is not filled in yet.
                if to != id && (text.is_some() || address.is_some()) {
                    self.names[to.0 as usize].given.push(Given {
                        caller: id,
                        text,
                        address,
                    });
                }
            }
        }
        for name in &function.address_of {
            self.refer(&mut node, name);
        }
        for constant in &function.constants {
            let value = constant.value as u32;
            node.constants
                .push((value, fact(constant.conditional), None));
        }
        node.returns
            .extend(function.returns.iter().map(|&value| value as u32));
        self.names[id.0 as usize] = node;
    }

    fn add_reference(&mut self, from: &str, to: &str) {
        let Some(from) = self.named(from) else {
            return;
        };
        let mut node = std::mem::take(&mut self.names[from.0 as usize]);
        self.refer(&mut node, to);
        self.names[from.0 as usize] = node;
    }

    fn refer(&mut self, node: &mut SourceNode, name: &str) -> Named {
        let name = match name == SAME_PLACE.0 {
            true => SAME_PLACE.1,
            false => name,
        };
        let to = match self.by_name.contains_key(name) {
            true => self.callee(name, node.file),
            false => self.add(SourceNode {
                name: name.to_owned(),
                global: true,
                data: true,
                ..SourceNode::default()
            }),
        };
        node.refers.push(Link {
            to,
            fact: Fact::May,
            via: None,
        });
        to
    }

    /// Gives every function what the functions of its file show that it calls.
    fn inherit(&mut self) {
        let local = |node: &SourceNode, to: Named| {
            let callee = &self.names[to.0 as usize];
            callee.known && callee.file == node.file && callee.may_be_inlined()
        };
        // Each with the one that this function itself calls.
        let reached: Vec<Vec<(Named, Named)>> = self
            .names
            .iter()
            .map(|node| {
                let mut all: Vec<(Named, Named)> = Vec::new();
                let own = node.calls.iter().map(|link| link.to);
                let mut level: Vec<(Named, Named)> = own
                    .filter(|&to| local(node, to))
                    .map(|to| (to, to))
                    .collect();
                for _ in 0..MAX_DEPTH {
                    let mut next = Vec::new();
                    for (id, via) in level {
                        if all.iter().any(|it| it.0 == id) || all.len() > 64 {
                            continue;
                        }
                        all.push((id, via));
                        let callees = self.names[id.0 as usize].calls.iter();
                        let callees = callees.map(|it| it.to).filter(|&to| local(node, to));
                        next.extend(callees.map(|to| (to, via)));
                    }
                    level = next;
                }
                all
            })
            .collect();
        let inherited: Vec<_> = reached
            .iter()
            .map(|reached| {
                let mut texts = Vec::new();
                let mut warns = Vec::new();
                let mut calls = Vec::new();
                let mut refers = Vec::new();
                let mut constants = Vec::new();
                for &(id, via) in reached {
                    let node = &self.names[id.0 as usize];
                    let (fact, via) = (Fact::Inherited, Some(via));
                    let link = |link: &Link| Link { fact, via, ..*link };
                    texts.extend(node.texts.iter().map(|it| (it.0, fact, via)));
                    warns.extend(node.warns.iter().map(|it| Warned { fact, via, ..*it }));
                    calls.extend(node.calls.iter().map(link));
                    refers.extend(node.refers.iter().map(link));
                    constants.extend(node.constants.iter().map(|it| (it.0, fact, via)));
                    if calls.len() > MAX_FACTS {
                        break;
                    }
                }
                (texts, warns, calls, refers, constants)
            })
            .collect();
        // What stands in the same file may have been put in place of its call.
        for index in 0..self.names.len() {
            let mut node = std::mem::take(&mut self.names[index]);
            for link in &mut node.calls {
                let callee = &self.names[link.to.0 as usize];
                if callee.known && callee.file == node.file {
                    link.fact = link.fact.min(Fact::May);
                }
            }
            self.names[index] = node;
        }
        for (node, (texts, warns, calls, refers, constants)) in self.names.iter_mut().zip(inherited)
        {
            node.texts.extend(texts);
            node.warns.extend(warns);
            node.calls.extend(calls);
            node.refers.extend(refers);
            node.constants.extend(constants);
            tidy(node);
        }
    }

    fn reverse(&mut self) {
        for index in 0..self.names.len() {
            let id = Named(index as u32);
            let calls = std::mem::take(&mut self.names[index].calls);
            for &Link { to, fact, via } in &calls {
                let callers = &mut self.names[to.0 as usize].callers;
                callers.push(Link { to: id, fact, via });
            }
            self.names[index].calls = calls;
            let refers = std::mem::take(&mut self.names[index].refers);
            for &Link { to, fact, via } in &refers {
                let referrers = &mut self.names[to.0 as usize].referrers;
                referrers.push(Link { to: id, fact, via });
            }
            self.names[index].refers = refers;
        }
    }
}

/// Nothing of it is certain any more.
fn weaken(node: &mut SourceNode) {
    let weak = |fact: &mut Fact| *fact = (*fact).min(Fact::May);
    node.texts.iter_mut().for_each(|it| weak(&mut it.1));
    node.warns.iter_mut().for_each(|it| weak(&mut it.fact));
    node.calls.iter_mut().for_each(|it| weak(&mut it.fact));
    node.constants.iter_mut().for_each(|it| weak(&mut it.1));
    node.order_of_calls.iter_mut().for_each(|it| it.1 = false);
}

/// Sorts facts; of several about one thing the surest stays.
fn tidy(node: &mut SourceNode) {
    let best = |a: Fact, b: Fact| b.cmp(&a);
    node.texts
        .sort_by(|a, b| a.0.cmp(&b.0).then(best(a.1, b.1)));
    node.texts.dedup_by_key(|it| it.0);
    node.calls
        .sort_by(|a, b| a.to.cmp(&b.to).then(best(a.fact, b.fact)));
    node.calls.dedup_by_key(|it| it.to);
    node.refers
        .sort_by(|a, b| a.to.cmp(&b.to).then(best(a.fact, b.fact)));
    node.refers.dedup_by_key(|it| it.to);
    node.constants
        .sort_by(|a, b| a.0.cmp(&b.0).then(best(a.1, b.1)));
    node.constants.dedup_by_key(|it| it.0);
    node.returns.sort_unstable();
    node.returns.dedup();
}

/// Looks up a sorted list of links.
pub(in crate::identify) fn linked(links: &[Link], to: Named) -> Option<&Link> {
    let index = links.binary_search_by_key(&to, |link| link.to).ok()?;
    links.get(index)
}
