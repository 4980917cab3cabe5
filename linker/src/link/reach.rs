//! Reachability: which sections a function of a driver needs, through
//! relocations.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use goblin::elf::reloc::R_ARM_NONE;

use super::names::{KernelNames, SectionId, Space, Target};
use super::{Error, Provide};
use crate::object::{Driver, Member, Section};

/// A relocation whose symbol is resolved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) offset: u32,
    pub(super) kind: u32,
    pub(super) addend: Option<i32>,
    /// Index in the member's symbols, for messages.
    pub(super) symbol: usize,
    pub(super) target: Target,
}

/// The sections of all drivers and what leads from one to another.
pub(super) struct Graph<'a> {
    pub(super) drivers: &'a [Driver],
    pub(super) kernel: KernelNames<'a>,
    pub(super) spaces: Vec<Space<'a>>,
    edges: HashMap<SectionId, Rc<[Edge]>>,
}

/// What a set of sections needs.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pub(super) sections: BTreeSet<SectionId>,
    /// Numbers in [`KernelNames`].
    pub(super) kernel: BTreeSet<usize>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(drivers: &'a [Driver], provide: &'a dyn Provide) -> Result<Self, Error> {
        let spaces = drivers.iter().enumerate();
        let spaces = spaces.map(|(index, driver)| Space::new(index, driver));
        Ok(Self {
            drivers,
            kernel: KernelNames::new(provide),
            spaces: spaces.collect::<Result<_, _>>()?,
            edges: HashMap::new(),
        })
    }

    pub(super) fn member(&self, id: SectionId) -> &'a Member {
        &self.drivers[id.driver].members()[id.member]
    }

    pub(super) fn section(&self, id: SectionId) -> &'a Section {
        &self.member(id).sections()[id.section]
    }

    /// `library(member): section`, for messages.
    pub(super) fn describe(&self, id: SectionId) -> String {
        format!("{}: {}", self.member(id).name(), self.section(id).name)
    }

    /// What a symbol of a member stands for; takes members of the library in.
    pub(super) fn resolve(
        &mut self,
        driver: usize,
        member: usize,
        symbol: usize,
    ) -> Result<Target, Error> {
        self.spaces[driver].resolve(&mut self.kernel, member, symbol, true)
    }

    /// The same for debugging information: takes nothing in.
    pub(super) fn resolve_known(&mut self, id: SectionId, symbol: usize) -> Result<Target, Error> {
        self.spaces[id.driver].resolve(&mut self.kernel, id.member, symbol, false)
    }

    /// The relocations of a section.
    pub(super) fn edges(&mut self, id: SectionId) -> Result<Rc<[Edge]>, Error> {
        if let Some(known) = self.edges.get(&id) {
            return Ok(known.clone());
        }
        let section = self.section(id);
        let why = match section.refused {
            Some(why) => Some(why),
            None if !section.kind.is_loaded() => Some("not a section of code or data"),
            None => None,
        };
        if let Some(why) = why {
            return Err(Error::Unloadable {
                section: self.describe(id),
                why,
            });
        }
        let mut edges = Vec::new();
        for relocation in self.member(id).relocations(id.section)? {
            // R_ARM_NONE keeps what it names, if that is there, and asks for nothing.
            let target = if relocation.kind == R_ARM_NONE {
                match self.resolve_known(id, relocation.symbol)? {
                    Target::Section { id, .. } if !self.section(id).kind.is_loaded() => {
                        Target::Nothing
                    }
                    target => target,
                }
            } else {
                self.resolve(id.driver, id.member, relocation.symbol)?
            };
            edges.push(Edge {
                offset: relocation.offset,
                kind: relocation.kind,
                addend: relocation.addend,
                symbol: relocation.symbol,
                target,
            });
        }
        let edges: Rc<[Edge]> = edges.into();
        self.edges.insert(id, edges.clone());
        Ok(edges)
    }

    /// Everything that these sections need, themselves included.
    pub(super) fn reach(&mut self, roots: &[SectionId]) -> Result<Reached, Error> {
        loop {
            let replaced = self.replaced();
            let reached = self.walk(roots)?;
            if self.replaced() == replaced {
                return Ok(reached);
            }
            // A member that came in late defines what was taken from a weak
            // definition before: look at everything again.
            self.edges.clear();
        }
    }

    fn replaced(&self) -> usize {
        self.spaces.iter().map(Space::replaced).sum()
    }

    fn walk(&mut self, roots: &[SectionId]) -> Result<Reached, Error> {
        let mut reached = Reached::default();
        let mut work = roots.to_vec();
        while let Some(id) = work.pop() {
            if !reached.sections.insert(id) {
                continue;
            }
            for edge in self.edges(id)?.iter() {
                match edge.target {
                    Target::Section { id, .. } => work.push(id),
                    Target::Kernel(name) if edge.kind != R_ARM_NONE => {
                        reached.kernel.insert(name);
                    }
                    _ => {}
                }
            }
        }
        Ok(reached)
    }
}
