//! The binary's side: what each function of the kernel shows.

use std::collections::HashMap;

use rayon::prelude::*;

use super::Source;
use crate::code::{CallKind, Code, FunctionId, Target};

/// Characters of a text that cannot be data by chance.
const MIN_TEXT: usize = 6;

/// A function or variable of the binary: an index into [`Binary::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::identify) struct Node(pub u32);

impl Node {
    pub(in crate::identify) fn of(id: FunctionId) -> Self {
        Self(id.index() as u32)
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::identify) enum Place {
    Function(FunctionId),
    Data(u32),
}

/// A function or variable. Lists are sorted and without repetition.
#[derive(Debug)]
pub(in crate::identify) struct BinaryNode {
    pub place: Place,
    pub address: u32,
    /// Texts that the source knows: index into `Source::texts`.
    pub texts: Vec<u32>,
    /// Paths of source files that it refers to: index into `Source::files`.
    pub files: Vec<u32>,
    /// Texts that no function of the source is known to have.
    pub foreign_texts: u32,
    pub calls: Vec<Node>,
    /// Every call, by address.
    pub order_of_calls: Vec<Node>,
    pub callers: Vec<Node>,
    pub refers: Vec<Node>,
    pub referrers: Vec<Node>,
    pub constants: Vec<u32>,
    /// Bits that speak for one out of the functions with each of them.
    pub rarities: Vec<f32>,
    pub returns: Vec<u32>,
    /// Calls through a register or a word in memory.
    pub indirect: u32,
    /// Calls of any kind.
    pub all_calls: u32,
    /// Not all of them are plain calls of a function.
    pub jumps: bool,
}

/// All that is known of one binary.
pub(in crate::identify) struct Binary<'a> {
    pub code: &'a Code,
    pub nodes: Vec<BinaryNode>,
    /// How many of the nodes are functions; they come first.
    pub functions: usize,
    data: HashMap<u32, Node>,
    /// By index into `Source::texts`.
    pub text_users: Vec<Vec<Node>>,
    /// By index into `Source::files`.
    pub file_users: Vec<Vec<Node>>,
    /// Functions that use a constant.
    pub constant_users: HashMap<u32, Vec<Node>>,
    pub return_users: HashMap<u32, u32>,
    /// Bits that speak for one out of so many functions.
    rarities: Vec<f32>,
}

/// Numbers of functions of which [`Binary::rarity`] is kept.
const RARITIES: usize = 1024;

/// What the addresses that code refers to hold.
struct Held {
    /// Sorted.
    addresses: Vec<u32>,
    holds: Vec<Referred>,
}

impl Held {
    fn at(&self, address: u32) -> Option<Referred> {
        let index = self.addresses.binary_search(&address).ok()?;
        self.holds.get(index).copied()
    }
}

/// What a function shows, and the variables that it refers to, in the order of its code.
fn read(code: &Code, id: FunctionId, held: &Held) -> (BinaryNode, Vec<u32>) {
    let function = code.function(id);
    let own = Node::of(id);
    let mut node = BinaryNode::new(Place::Function(id), function.start);
    let mut variables = Vec::new();
    node.all_calls = function.calls.len() as u32;
    for call in &function.calls {
        node.jumps |= call.kind != CallKind::Direct;
        if call.kind == CallKind::Indirect {
            node.indirect += 1;
        }
        if let Target::Function(target) = call.target
            && target != id
        {
            node.order_of_calls.push(Node::of(target));
        }
    }
    node.calls = node.order_of_calls.clone();
    for reference in &function.references {
        match held.at(reference.address) {
            Some(Referred::Text(text)) => node.texts.push(text),
            Some(Referred::File(file)) => node.files.push(file),
            Some(Referred::ForeignText) => node.foreign_texts += 1,
            Some(Referred::Function(to)) if to != own => node.refers.push(to),
            Some(Referred::Data) => variables.push(reference.address),
            Some(Referred::Function(_)) | None => {}
        }
    }
    let constants = function.constants.iter();
    node.constants.extend(constants.map(|it| it.value));
    node.returns.extend(&function.returns);
    sort(&mut node.texts);
    sort(&mut node.files);
    sort(&mut node.calls);
    sort(&mut node.constants);
    node.rarities.reserve_exact(node.constants.len());
    sort(&mut node.returns);
    (node, variables)
}

/// What an address that code refers to holds.
#[derive(Clone, Copy)]
enum Referred {
    Text(u32),
    File(u32),
    ForeignText,
    Function(Node),
    Data,
}

impl<'a> Binary<'a> {
    /// The graph of this code, with regard to that source.
    pub(in crate::identify) fn of(code: &'a Code, source: &Source) -> Self {
        let functions = code.functions();
        let mut binary = Binary {
            code,
            nodes: Vec::new(),
            functions: functions.len(),
            data: HashMap::new(),
            text_users: vec![Vec::new(); source.texts.len()],
            file_users: vec![Vec::new(); source.files.len()],
            constant_users: HashMap::new(),
            return_users: HashMap::new(),
            rarities: Vec::new(),
        };
        let rarities = (0..RARITIES).map(|users| binary.rarity(users));
        binary.rarities = rarities.collect();
        let addresses: Vec<u32> = code.used_addresses().collect();
        let holds = addresses.par_iter().map(|&at| referred(code, source, at));
        let held = Held {
            holds: holds.collect(),
            addresses,
        };
        let ids: Vec<FunctionId> = code.ids().collect();
        let read = ids.par_iter().map(|&id| read(code, id, &held));
        let mut variables = Vec::new();
        read.unzip_into_vecs(&mut binary.nodes, &mut variables);
        for (index, variables) in variables.iter().enumerate() {
            binary.enter(index, variables);
        }
        binary.reverse();
        binary.weigh();
        binary
    }

    /// All that it holds itself.
    pub(in crate::identify) fn into_lists(self) -> impl Send + use<> {
        let users = (self.text_users, self.file_users, self.constant_users);
        (self.nodes, self.data, users)
    }

    /// Bits that speak for one out of `users` functions.
    pub(in crate::identify) fn rarity(&self, users: usize) -> f32 {
        if let Some(&bits) = self.rarities.get(users) {
            return bits;
        }
        (self.functions.max(1) as f32 / users.max(1) as f32)
            .log2()
            .max(0.0)
    }

    pub(in crate::identify) fn node(&self, node: Node) -> &BinaryNode {
        &self.nodes[node.0 as usize]
    }

    pub(in crate::identify) fn is_function(&self, node: Node) -> bool {
        (node.0 as usize) < self.functions
    }

    /// The node at an address, bit 0 ignored.
    pub(in crate::identify) fn at(&self, address: u32) -> Option<Node> {
        match self.code.at(address) {
            Some(id) => Some(Node::of(id)),
            None => self.data.get(&address).copied(),
        }
    }

    /// Gives the variables that a function refers to their nodes, and all that it shows
    /// its users.
    fn enter(&mut self, index: usize, variables: &[u32]) {
        let own = Node(index as u32);
        let mut node =
            std::mem::replace(&mut self.nodes[index], BinaryNode::new(Place::Data(0), 0));
        for &address in variables {
            let next = Node(self.nodes.len() as u32);
            let to = *self.data.entry(address).or_insert(next);
            if to == next {
                let data = BinaryNode::new(Place::Data(address), address);
                self.nodes.push(data);
            }
            node.refers.push(to);
        }
        sort(&mut node.refers);
        for &text in &node.texts {
            self.text_users[text as usize].push(own);
        }
        for &file in &node.files {
            self.file_users[file as usize].push(own);
        }
        for &constant in &node.returns {
            *self.return_users.entry(constant).or_default() += 1;
        }
        self.nodes[index] = node;
    }

    /// Who uses a constant, and with that how rare the constants of each function are.
    fn weigh(&mut self) {
        let functions = (0..self.functions as u32).into_par_iter().map(Node);
        let mut uses: Vec<(u32, Node)> = functions
            .flat_map_iter(|user| self.node(user).constants.iter().map(move |&it| (it, user)))
            .collect();
        uses.par_sort_unstable();
        for same in uses.chunk_by(|a, b| a.0 == b.0) {
            let bits = self.rarity(same.len());
            // The constants of a node are sorted as well.
            for (_, user) in same {
                self.nodes[user.0 as usize].rarities.push(bits);
            }
            let users = same.iter().map(|it| it.1).collect();
            self.constant_users.insert(same[0].0, users);
        }
    }

    /// Addresses of the words in data that hold the address of a function.
    pub(in crate::identify) fn pointers_to(&self, node: Node) -> &[u32] {
        match self.node(node).place {
            Place::Function(id) => self.code.pointers_of(id),
            Place::Data(_) => &[],
        }
    }

    fn reverse(&mut self) {
        let mut counts = vec![(0, 0); self.nodes.len()];
        for node in &self.nodes {
            for to in &node.calls {
                counts[to.0 as usize].0 += 1;
            }
            for to in &node.refers {
                counts[to.0 as usize].1 += 1;
            }
        }
        for (node, (callers, referrers)) in self.nodes.iter_mut().zip(counts) {
            node.callers.reserve_exact(callers);
            node.referrers.reserve_exact(referrers);
        }
        for index in 0..self.functions {
            let own = Node(index as u32);
            let calls = std::mem::take(&mut self.nodes[index].calls);
            for to in &calls {
                self.nodes[to.0 as usize].callers.push(own);
            }
            self.nodes[index].calls = calls;
            let refers = std::mem::take(&mut self.nodes[index].refers);
            for to in &refers {
                self.nodes[to.0 as usize].referrers.push(own);
            }
            self.nodes[index].refers = refers;
        }
    }
}

impl BinaryNode {
    pub(in crate::identify) fn new(place: Place, address: u32) -> Self {
        Self {
            place,
            address,
            texts: Vec::new(),
            files: Vec::new(),
            foreign_texts: 0,
            calls: Vec::new(),
            order_of_calls: Vec::new(),
            callers: Vec::new(),
            refers: Vec::new(),
            referrers: Vec::new(),
            constants: Vec::new(),
            rarities: Vec::new(),
            returns: Vec::new(),
            indirect: 0,
            all_calls: 0,
            jumps: false,
        }
    }
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
}

fn referred(code: &Code, source: &Source, address: u32) -> Referred {
    if let Some(id) = code.at(address) {
        return Referred::Function(Node::of(id));
    }
    let Some(text) = code.text_at(address) else {
        return Referred::Data;
    };
    if let Some(id) = source.text(text) {
        return Referred::Text(id);
    }
    match source.file(text) {
        Some(id) => Referred::File(id),
        None if text.len() >= MIN_TEXT => Referred::ForeignText,
        None => Referred::Data,
    }
}
