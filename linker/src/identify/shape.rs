//! Tables of known form: the vector page, and structs of functions whose
//! initialiser the source shows.
//!
//! Such a struct is known by the texts in it (`.name = "dummy"`), and its
//! functions by the struct.

use std::{collections::HashMap, sync::Arc};

use super::{
    Strategy::Shape,
    by_name::ByName,
    graph::{Binary, BinaryNode, Fact, Named, Node, Source},
    matcher::Matcher,
    seen::Seen,
    tally::Tally,
    vectors,
    votes::Votes,
};
use crate::{
    kernel::{Kernel, Version},
    machine::{self, isa::may_be_function},
    signatures::{Argument, Initialiser, SourceFacts},
};

/// Bits for what the vector page leads to.
const ENTRY: f32 = 9.0;
/// The same for what stands in the table of handlers itself.
const HANDLER: f32 = 18.0;
/// Bits against what this calls in turn, and does nothing else: the version of the
/// source may have both in one, and then all it does speaks for the wrong one.
const HANDED_ON: f32 = 80.0;
/// Since then the loops of the vectors call `asm_do_IRQ`.
const ENTERED: Version = Version(2, 6, 20);
/// Bits for a struct with the text that it must have.
const NAMED: f32 = 8.0;
/// Bits against one that lacks what its initialiser names.
const LACKS: f32 = 2.0;
/// Bits against a function of a console when it stands in structs, but in none
/// with that console's name.
const OF_ANOTHER: f32 = 9.0;
/// A name stands in the struct itself, this many bytes before the last function at
/// most (include/linux/console.h: name, write, read, device, unblank, setup, in
/// later versions some more between them).
const CONSOLE: u32 = 64;
/// Words of a struct that are looked at.
const WORDS: u32 = 48;
/// Words that may stand before the one with the text.
const BEFORE: u32 = 24;

/// A struct of the source.
#[derive(Debug)]
struct Table {
    functions: Vec<Named>,
    texts: Vec<String>,
}

/// Where the vector page leads for a name.
#[derive(Debug)]
struct Lead {
    /// Any of these.
    nodes: Vec<Node>,
    bits: f32,
    why: String,
}

impl Lead {
    /// Whether it leads there and nowhere else.
    fn is_sure(&self, node: Node) -> bool {
        self.bits >= HANDLER && self.nodes == [node]
    }

    /// Whether it leads to a function that does nothing but jump to this one.
    fn is_sure_to_hand_on_to(&self, binary: &Binary, node: Node) -> bool {
        let [only] = self.nodes[..] else {
            return false;
        };
        self.is_sure(only) && does_nothing_but_jump(binary.node(only), node)
    }
}

/// Whether a function jumps to another, and does nothing else.
fn does_nothing_but_jump(it: &BinaryNode, to: Node) -> bool {
    let jumps = it.calls == [to] && it.all_calls == 1 && it.jumps;
    jumps && it.texts.is_empty() && it.refers.is_empty()
}

/// What the tables of the kernel show.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// By what the vector page leads to.
    entry: ByName<Lead>,
    tables: HashMap<Named, Table>,
    /// The name of the console whose functions they are: it stands in the struct
    /// itself, as characters.
    consoles: HashMap<Named, String>,
    /// The name of the console that a function registers: that of its own file.
    console_users: HashMap<Named, String>,
    /// In which tables a function stands, by [`Named`].
    members: Vec<Vec<Named>>,
    /// Functions whose addresses stand from an address on.
    functions: Seen<u32, Arc<[Node]>>,
}

impl Shapes {
    pub(super) fn of(
        kernel: &Kernel,
        facts: &SourceFacts,
        source: &Source,
        binary: &Binary,
    ) -> Self {
        let mut shapes = Shapes {
            members: vec![Vec::new(); source.names.len()],
            ..Shapes::default()
        };
        if let Some(entry) = vectors::find(kernel, binary.code) {
            let why = format!(
                "both handlers of interrupts use it, by the table at {:#x}",
                entry.table
            );
            let variables = entry.variables.iter().filter_map(|it| binary.at(*it));
            let calls = entry.calls.iter();
            let calls = calls.filter_map(|it| binary.at(binary.code.function(*it).start));
            let stands = format!(
                "stands in the table of interrupt handlers at {:#x}",
                entry.table
            );
            for (name, id) in vectors::HANDLERS.into_iter().zip(entry.handlers) {
                let node = binary.at(binary.code.function(id).start);
                shapes.lead(name, node.into_iter().collect(), (HANDLER, &stands), source);
            }
            shapes.lead(
                "handle_arch_irq",
                variables.collect(),
                (ENTRY, &why),
                source,
            );
            let calls: Vec<Node> = calls.collect();
            shapes.lead("asm_do_IRQ", calls, (ENTRY, &why), source);
        }
        if let [first, ..] = machine::irq_loops(kernel)[..]
            && kernel.facts.version >= ENTERED
        {
            let why = format!(
                "the loop at {:#x} hands it the number that the chip tells",
                first.start
            );
            let node = binary.at(first.handler).into_iter().collect();
            shapes.lead("asm_do_IRQ", node, (HANDLER, &why), source);
        }
        for initialiser in facts.initialisers() {
            shapes.console(initialiser, source);
            let Some(named) = source.named(&initialiser.name) else {
                continue;
            };
            let mut table = Table {
                functions: Vec::new(),
                texts: Vec::new(),
            };
            for (_, value) in &initialiser.members {
                match value {
                    Argument::Address(name) => table.functions.extend(source.named(name)),
                    Argument::Text(text) => table.texts.push(text.clone()),
                    _ => {}
                }
            }
            for &function in &table.functions {
                shapes.members[function.0 as usize].push(named);
            }
            shapes.tables.insert(named, table);
        }
        shapes
    }

    /// Functions of a console's own file.
    fn console(&mut self, initialiser: &Initialiser, source: &Source) {
        let mut members = initialiser.members.iter();
        let name = members.find_map(|(member, value)| match value {
            Argument::Text(text) if member == "name" => Some(text),
            _ => None,
        });
        let Some(name) = name.filter(|_| initialiser.tag == "console") else {
            return;
        };
        let file = source.files.iter().position(|it| *it == initialiser.file);
        for user in register_consoles(source) {
            if source.node(user).file.map(|it| it as usize) == file {
                self.console_users.insert(user, name.clone());
            }
        }
        for (_, value) in &initialiser.members {
            if let Argument::Address(function) = value
                && let Some(named) = source.named(function)
                && !source.node(named).global
            {
                self.consoles.insert(named, name.clone());
            }
        }
    }

    fn lead(&mut self, name: &str, nodes: Vec<Node>, why: (f32, &str), source: &Source) {
        if let (Some(named), false) = (source.named(name), nodes.is_empty()) {
            let (bits, why) = (why.0, why.1.to_owned());
            self.entry.insert(named, Lead { nodes, bits, why });
        }
    }
}

impl Shapes {
    /// Whether the vector page leads to this place for the name.
    pub(super) fn leads_to(&self, named: Named, node: Node) -> bool {
        self.entry
            .get(&named)
            .is_some_and(|it| it.nodes.contains(&node))
    }

    /// The one place to which the vector page leads for a name, and what it hands on to,
    /// if it does nothing but jump there: a vendor may have put all that the function does
    /// into another.
    pub(super) fn handed_on(&self, binary: &Binary, named: Named) -> Option<(Node, Node)> {
        let lead = self.entry.get(&named)?;
        let [node] = lead.nodes[..] else {
            return None;
        };
        let [only] = binary.node(node).calls[..] else {
            return None;
        };
        let hands_on = lead.is_sure(node) && does_nothing_but_jump(binary.node(node), only);
        (hands_on && binary.is_function(only)).then_some((node, only))
    }
}

/// Functions that register a console.
fn register_consoles(source: &Source) -> impl Iterator<Item = Named> + '_ {
    let register = source.named("register_console");
    let callers = register.map_or(&[][..], |it| &source.node(it).callers);
    let own = callers.iter().filter(|it| it.fact != Fact::Inherited);
    own.map(|it| it.to)
}

/// What the tables lead to.
pub(super) fn candidates(matcher: &Matcher, named: Named, votes: &mut Votes) {
    if let Some(lead) = matcher.shapes.entry.get(&named) {
        votes.extend(&lead.nodes, 1);
    }
    for table in &matcher.shapes.members[named.0 as usize] {
        if let Some(node) = matcher.node_of(*table) {
            let nodes = functions_at(matcher, matcher.binary.node(node).address);
            votes.extend(&nodes, nodes.len());
        }
    }
}

/// Whether the tables agree.
pub(super) fn score(matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
    if let Some(lead) = matcher.shapes.entry.get(&named) {
        if lead.nodes.contains(&node) {
            tally.add(Shape, lead.bits, || lead.why.clone());
        } else if lead.is_sure_to_hand_on_to(matcher.binary, node) {
            tally.add(Shape, -HANDED_ON, || {
                "what interrupts lead to does nothing but call it".to_owned()
            });
        } else {
            tally.add(Shape, -lead.bits / 2.0, || {
                "not where interrupts lead".to_owned()
            });
        }
    } else if matcher.shapes.entry.iter().any(|it| it.1.is_sure(node)) {
        tally.add(Shape, -ENTRY, || "where interrupts lead".to_owned());
    }
    if let Some(name) = matcher.shapes.consoles.get(&named) {
        of_console(matcher, name, node, tally);
    }
    if let Some(name) = matcher.shapes.console_users.get(&named) {
        uses_console(matcher, name, node, tally);
    }
    for table in &matcher.shapes.members[named.0 as usize] {
        let Some(place) = matcher.node_of(*table) else {
            continue;
        };
        let all = functions_at(matcher, matcher.binary.node(place).address);
        let name = &matcher.source.node(*table).name;
        if all.contains(&node) {
            let bits = matcher.rarity(all.len()) * 0.6;
            tally.add(Shape, bits, || format!("a function in {name}"));
        } else if matcher.binary.is_function(node) {
            tally.add(Shape, -LACKS, || format!("no function in {name}"));
        }
    }
    if !matcher.binary.is_function(node)
        && let Some(table) = matcher.shapes.tables.get(&named)
    {
        contents(matcher, table, node, tally);
    }
}

/// Whether a function stands in the console of this name, and not in another's.
fn of_console(matcher: &Matcher, name: &str, node: Node, tally: &mut Tally) {
    let pointers = matcher.binary.pointers_to(node);
    if pointers.is_empty() {
        return;
    }
    // That it does is no proof: drivers of other UARTs call theirs so as well.
    if !stands_in_console(matcher.kernel, pointers, name) {
        tally.add(Shape, -OF_ANOTHER, || {
            format!("stands in structs, none of them the console {name:?}")
        });
    }
}

/// Whether a function that registers a console refers to one of another name.
fn uses_console(matcher: &Matcher, name: &str, node: Node, tally: &mut Tally) {
    let refers = matcher.binary.node(node).refers.iter();
    let addresses = refers.map(|it| matcher.binary.node(*it).address);
    let consoles: Vec<&str> = addresses
        .filter_map(|it| console_at(matcher.kernel, it))
        .collect();
    if let (Some(other), false) = (consoles.first(), consoles.contains(&name)) {
        tally.add(Shape, -OF_ANOTHER, || {
            format!("refers to the console {other:?}, not {name:?}")
        });
    }
}

/// The name of the console that lies there: `char name[16]`, 8 before 2.6.18, and
/// behind it the function that writes.
fn console_at(kernel: &Kernel, va: u32) -> Option<&str> {
    let start = kernel.offset(va)?;
    let name = crate::bytes::c_str(&kernel.bytes, start, 16)?;
    let size = if name.len() < 8 { 8 } else { 16 };
    let rest = kernel.bytes.get(start + name.len()..start + size)?;
    let writes = [8, 16].into_iter().any(|behind| {
        let word = kernel.word(va.wrapping_add(behind));
        word.is_some_and(|word| may_be_function(kernel, word))
    });
    let printable = name.len() > 2 && name.bytes().all(|it| it.is_ascii_graphic());
    (printable && rest.iter().all(|it| *it == 0) && writes).then_some(name)
}

/// Whether one of these words lies in a struct that has this name in front.
fn stands_in_console(kernel: &Kernel, words: &[u32], name: &str) -> bool {
    let named = |start: u32| {
        let at = kernel.offset(start);
        at.and_then(|at| crate::bytes::c_str(&kernel.bytes, at, 16)) == Some(name)
    };
    words.iter().any(|&word| {
        let starts = (4..=CONSOLE).step_by(4);
        starts.map(|it| word.wrapping_sub(it)).any(named)
    })
}

/// A struct's texts and functions.
fn contents(matcher: &Matcher, table: &Table, node: Node, tally: &mut Tally) {
    let start = matcher.binary.node(node).address;
    let words = || (0..WORDS).filter_map(|it| matcher.kernel.word(start.wrapping_add(4 * it)));
    for text in &table.texts {
        let found = words()
            .take(BEFORE as usize)
            .any(|word| matcher.binary.code.text_at(word) == Some(text.as_str()));
        match found {
            true => tally.add(Shape, NAMED, || format!("holds {text:?}")),
            false => tally.add(Shape, -LACKS, || format!("does not hold {text:?}")),
        }
    }
    let all = functions_at(matcher, start);
    for &function in &table.functions {
        if let Some(known) = matcher.node_of(function) {
            let name = &matcher.source.node(function).name;
            match all.contains(&known) {
                true => tally.add(Shape, NAMED, || format!("holds {name}")),
                false => tally.add(Shape, -LACKS, || format!("does not hold {name}")),
            }
        }
    }
}

/// Functions whose addresses stand from there on.
fn functions_at(matcher: &Matcher, start: u32) -> Arc<[Node]> {
    matcher.shapes.functions.get_or(start, || {
        let mut all: Vec<Node> = (0..WORDS)
            .filter_map(|it| matcher.kernel.word(start.wrapping_add(4 * it)))
            .filter_map(|word| matcher.binary.at(word))
            .filter(|&it| matcher.binary.is_function(it))
            .collect();
        all.sort_unstable();
        all.dedup();
        all.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identify::{Strategy, graph::Place, testing},
        machine::testing::{BASE, Image},
    };

    #[test]
    fn a_console_has_its_own_name() {
        let mut image = Image::new(0x1000, Version(3, 0, 0));
        image.text(BASE + 0x100, "ttySAC");
        image.text(BASE + 0x200, "ttyS");
        let kernel = image.kernel();
        let stands = |words: &[u32]| stands_in_console(&kernel, words, "ttyS");
        assert!(stands(&[BASE + 0x220]));
        assert!(stands(&[BASE + 0x120, BASE + 0x240]));
        // Another console's, too far behind, in front, at the image's end.
        assert!(!stands(&[BASE + 0x120]));
        assert!(!stands(&[BASE + 0x244, BASE + 0x1fc, BASE, u32::MAX]));
        assert!(!stands(&[]));
    }

    #[test]
    fn what_a_loop_calls_is_sure_and_what_both_handlers_call_is_not() {
        let lead = |bits, nodes: &[u32]| Lead {
            nodes: nodes.iter().map(|it| Node(*it)).collect(),
            bits,
            why: String::new(),
        };
        assert!(lead(HANDLER, &[3]).is_sure(Node(3)));
        assert!(!lead(HANDLER, &[3]).is_sure(Node(4)));
        assert!(!lead(HANDLER, &[3, 4]).is_sure(Node(3)));
        assert!(!lead(ENTRY, &[3]).is_sure(Node(3)));
    }

    #[test]
    fn a_jump_alone_hands_on() {
        let place = Place::Data(BASE);
        let mut jump = BinaryNode::new(place, BASE);
        (jump.calls, jump.all_calls, jump.jumps) = (vec![Node(7)], 1, true);
        assert!(does_nothing_but_jump(&jump, Node(7)));
        assert!(!does_nothing_but_jump(&jump, Node(8)));
        // It calls another through a pointer before.
        jump.all_calls = 2;
        assert!(!does_nothing_but_jump(&jump, Node(7)));
        // It comes back from what it calls.
        (jump.all_calls, jump.jumps) = (1, false);
        assert!(!does_nothing_but_jump(&jump, Node(7)));
    }

    #[test]
    fn what_interrupts_lead_to_is_known_by_what_it_hands_on_to() {
        const TEXT: u32 = BASE + 0x3_0000;
        const SOURCE: &str = "signatures 1\nversion 3.0.27\nfile a.c\n\
            fn asm_do_IRQ --x- 1 10 1 0 0\nt \"Bad IRQ%u\\n\"\n";
        let mut image = Image::new(0x4_0000, Version(3, 0, 27));
        for index in 0..120 {
            let at = BASE + 16 * index;
            image.words(at, &[0xe92d_4010, 0xe1a0_4000, 0xe080_0004, 0xe8bd_8010]);
        }
        // push {r4, lr}; mov r4, r0; ldr r0, [pc, #0]; pop {r4, pc}; the text's address
        let (body, entry, caller) = (BASE + 0x780, BASE + 0x794, BASE + 0x798);
        let words = [0xe92d_4010, 0xe1a0_4000, 0xe59f_0000, 0xe8bd_8010, TEXT];
        image.words(body, &words).text(TEXT, "Bad IRQ%u\n");
        // b body; and one that calls both: push {lr}; bl body; bl entry; pop {pc}
        image.words(entry, &[0xeaff_fff9]);
        let words = [0xe92d_4000, 0xebff_fff7, 0xebff_fffb, 0xe8bd_8000];
        image.words(caller, &words);
        testing::with_matcher(&image.kernel(), SOURCE, |matcher| {
            let named = testing::named(matcher, "asm_do_IRQ");
            let node = testing::place(matcher, entry);
            let bits = |matcher: &Matcher| {
                let tally = matcher.score(named, node, Tally::default());
                tally.of(Strategy::Lexical)
            };
            assert!(bits(matcher) < 0.0);
            let lead = Lead {
                nodes: vec![node],
                bits: HANDLER,
                why: String::new(),
            };
            matcher.shapes.entry.insert(named, lead);
            assert!(bits(matcher) > 5.0);
        });
    }

    #[test]
    fn a_console_lies_where_a_name_and_its_function_are() {
        let mut image = Image::new(0x1000, Version(3, 10, 0));
        image
            .text(BASE + 0x100, "ttySAC")
            .words(BASE + 0x110, &[BASE + 0x800, 0])
            .words(BASE + 0x800, &[0xe92d_4010, 0xe8bd_8010])
            .text(BASE + 0x200, "ttyS%d")
            .text(BASE + 0x300, "ttyS")
            .put(BASE + 0x305, b"more")
            .words(BASE + 0x310, &[BASE + 0x800]);
        let kernel = image.kernel();
        assert_eq!(console_at(&kernel, BASE + 0x100), Some("ttySAC"));
        // A text without a function behind it, and one with another text behind it.
        assert_eq!(console_at(&kernel, BASE + 0x200), None);
        assert_eq!(console_at(&kernel, BASE + 0x300), None);
    }
}
