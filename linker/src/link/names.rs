//! Symbols: which definition a name has in one driver, and which members of its
//! library that takes.

use std::collections::HashMap;

use super::Error;
use crate::object::{Binding, Definition, Driver, Member, SectionKind};

/// A section of a driver's member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SectionId {
    pub(super) driver: usize,
    pub(super) member: usize,
    pub(super) section: usize,
}

/// What a relocation's symbol turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Target {
    /// In a driver. `function` when the linker may know the instruction set.
    Section {
        id: SectionId,
        offset: u32,
        function: bool,
        thumb: bool,
    },
    /// A fixed value.
    Absolute(u32),
    /// Index of a name that the kernel defines, in [`KernelNames`].
    Kernel(usize),
    /// The start of the table of addresses.
    GotBase,
    /// A weak symbol that nobody defines.
    Nothing,
}

/// The names of one driver: every driver has its own.
#[derive(Debug)]
pub(super) struct Space<'a> {
    index: usize,
    driver: &'a Driver,
    loaded: Vec<bool>,
    winners: HashMap<&'a str, Winner>,
    groups: HashMap<&'a str, (usize, usize)>,
    /// How often a definition took the place of a weaker one.
    replaced: usize,
}

#[derive(Debug, Clone, Copy)]
struct Winner {
    member: usize,
    symbol: usize,
    weak: bool,
}

impl<'a> Space<'a> {
    /// The names of a driver of which only the members that hold notes are in.
    pub(super) fn new(index: usize, driver: &'a Driver) -> Result<Self, Error> {
        let mut space = Self {
            index,
            driver,
            loaded: vec![false; driver.members().len()],
            winners: HashMap::new(),
            groups: HashMap::new(),
            replaced: 0,
        };
        for (index, member) in driver.members().iter().enumerate() {
            if !driver.is_library() || !member.notes().is_empty() {
                space.load(index)?;
            }
        }
        Ok(space)
    }

    pub(super) fn replaced(&self) -> usize {
        self.replaced
    }

    fn load(&mut self, index: usize) -> Result<(), Error> {
        if std::mem::replace(&mut self.loaded[index], true) {
            return Ok(());
        }
        let member = &self.driver.members()[index];
        for (group, found) in member.groups().iter().enumerate() {
            self.groups
                .entry(&found.signature)
                .or_insert((index, group));
        }
        for (symbol, found) in member.symbols().iter().enumerate() {
            if found.binding == Binding::Local || !found.definition.is_definition() {
                continue;
            }
            if let Definition::Section { section, .. } = found.definition
                && self.is_discarded(index, section)
            {
                continue;
            }
            let new = Winner {
                member: index,
                symbol,
                weak: found.binding == Binding::Weak,
            };
            let Some(&old) = self.winners.get(found.name.as_str()) else {
                self.winners.insert(&found.name, new);
                continue;
            };
            if old.weak && !new.weak {
                self.winners.insert(&found.name, new);
                self.replaced += 1;
            } else if !old.weak && !new.weak {
                return Err(Error::Duplicate {
                    symbol: found.name.clone(),
                    first: self.driver.members()[old.member].name().to_owned(),
                    second: member.name().to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Whether another member's group of the same signature was taken instead.
    pub(super) fn is_discarded(&self, member: usize, section: usize) -> bool {
        let found = &self.driver.members()[member];
        let group = found
            .sections()
            .get(section)
            .and_then(|section| section.group);
        group.is_some_and(|group| {
            let signature = found.groups()[group].signature.as_str();
            self.groups.get(signature) != Some(&(member, group))
        })
    }

    /// The definition of a name, from members that are in or, with `pull`, can be.
    fn find(&mut self, name: &str, pull: bool) -> Result<Option<Winner>, Error> {
        if let Some(&found) = self.winners.get(name) {
            return Ok(Some(found));
        }
        if pull {
            let driver = self.driver;
            for &member in driver.defining(name) {
                self.load(member)?;
                if let Some(&found) = self.winners.get(name) {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// What symbol `symbol` of member `member` stands for.
    ///
    /// With `pull`, members of the library are taken in for it; without (for
    /// debugging information), a name that is not in is [`Target::Nothing`].
    pub(super) fn resolve(
        &mut self,
        kernel: &mut KernelNames<'_>,
        member: usize,
        symbol: usize,
        pull: bool,
    ) -> Result<Target, Error> {
        let driver = self.driver;
        let found = &driver.members()[member];
        let wanted = &found.symbols()[symbol];
        if wanted.binding == Binding::Local {
            return self.target(member, symbol);
        }
        if wanted.name == "_GLOBAL_OFFSET_TABLE_" {
            return Ok(Target::GotBase);
        }
        // An undefined weak symbol takes what is there and pulls nothing.
        let weak = wanted.binding == Binding::Weak;
        if let Some(winner) = self.find(&wanted.name, pull && !weak)? {
            return self.target(winner.member, winner.symbol);
        }
        if !pull {
            return Ok(kernel
                .known(&wanted.name)
                .map_or(Target::Nothing, Target::Kernel));
        }
        let name = kernel.ask(&wanted.name);
        if weak && kernel.value(name).is_err() {
            return Ok(Target::Nothing);
        }
        Ok(Target::Kernel(name))
    }

    fn target(&self, member: usize, symbol: usize) -> Result<Target, Error> {
        let found = &self.driver.members()[member];
        let wanted = &found.symbols()[symbol];
        match wanted.definition {
            Definition::Undefined => Ok(Target::Absolute(0)),
            Definition::Absolute(value) => Ok(Target::Absolute(value)),
            Definition::Section { section, offset } => {
                let (member, section) = self.kept(found, member, section)?;
                Ok(Target::Section {
                    id: SectionId {
                        driver: self.index,
                        member,
                        section,
                    },
                    offset,
                    function: wanted.function,
                    thumb: wanted.thumb,
                })
            }
        }
    }

    /// The section that stands for this one: another when its group was
    /// discarded in favour of the same group of another member.
    fn kept(&self, found: &Member, member: usize, section: usize) -> Result<(usize, usize), Error> {
        let here = &found.sections()[section];
        if !self.is_discarded(member, section) || here.kind == SectionKind::Debug {
            return Ok((member, section));
        }
        let signature = here
            .group
            .map(|group| found.groups()[group].signature.as_str());
        let owner = signature
            .and_then(|signature| self.groups.get(signature))
            .copied();
        let twin = owner.and_then(|(owner, group)| {
            let sections = self.driver.members()[owner].sections();
            let twin = sections.iter().position(|other| {
                other.group == Some(group) && other.name == here.name && other.size == here.size
            })?;
            Some((owner, twin))
        });
        twin.ok_or_else(|| Error::Discarded {
            member: found.name().to_owned(),
            section: here.name.clone(),
        })
    }
}

/// Names that drivers use without defining them: functions and variables of the
/// kernel.
pub(super) struct KernelNames<'a> {
    provide: &'a dyn super::Provide,
    index: HashMap<String, usize>,
    names: Vec<KernelName>,
}

/// One such name.
#[derive(Debug)]
pub(super) struct KernelName {
    pub(super) name: String,
    /// A function: bit 0 of its address is the instruction set.
    pub(super) function: bool,
    pub(super) value: Result<super::Resolved, String>,
}

impl<'a> KernelNames<'a> {
    pub(super) fn new(provide: &'a dyn super::Provide) -> Self {
        Self {
            provide,
            index: HashMap::new(),
            names: Vec::new(),
        }
    }

    /// The number of a name, which is looked up when it is new.
    fn ask(&mut self, name: &str) -> usize {
        if let Some(&known) = self.index.get(name) {
            return known;
        }
        // An object does not say whether it means a function or a variable.
        let as_function = self.provide.function(name);
        let function = as_function.is_ok();
        let value = as_function.or_else(|why| {
            self.provide.data(name).map_err(|also| {
                if why == also {
                    why
                } else {
                    format!("{why}; {also}")
                }
            })
        });
        self.names.push(KernelName {
            name: name.to_owned(),
            function,
            value,
        });
        self.index.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }

    fn known(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub(super) fn get(&self, index: usize) -> &KernelName {
        &self.names[index]
    }

    /// Its address, or why there is none.
    pub(super) fn value(&self, index: usize) -> Result<u32, &str> {
        let value = &self.names[index].value;
        value
            .as_ref()
            .map(|found| found.value)
            .map_err(String::as_str)
    }
}
