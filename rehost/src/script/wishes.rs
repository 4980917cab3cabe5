//! What a script has asked for: which of its functions are called when.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use emu::machine::Registers;
use emu::machine::answers::Asked;
use emu::machine::debug::Watchpoint;
use mlua::{Error as LuaError, Function, Lua, MultiValue};

use super::machine::Machine;
use crate::names::Names;
use crate::session::moment::Moment;

/// What a function can wait for, beside places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A guest was started, or started once more.
    Start,
    /// A milestone was passed.
    Milestone,
    /// The console has shown something.
    Output,
    /// An exception was taken.
    Exception,
    /// A block of code is about to run.
    Block,
    /// An instruction is about to run.
    Instruction,
    /// The guest does not leave a function.
    Stuck,
    /// The run is over.
    Finish,
}

impl Event {
    /// All of them with their names.
    pub const ALL: [(&str, Event); 8] = [
        ("start", Event::Start),
        ("milestone", Event::Milestone),
        ("output", Event::Output),
        ("exception", Event::Exception),
        ("block", Event::Block),
        ("instruction", Event::Instruction),
        ("stuck", Event::Stuck),
        ("finish", Event::Finish),
    ];
}

/// Where a breakpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Address(u32),
    /// A symbol and a distance, looked up when there is a kernel; and the line of the
    /// script that says so.
    Symbol(String, u32, String),
    /// Where a function returns to, when the stack pointer is this again; once.
    Return(u32, u32),
}

/// Addresses for which the script answers.
#[derive(Debug, Clone)]
pub(super) struct Region {
    pub(super) base: u32,
    pub(super) size: u32,
    pub(super) read: Option<Function>,
    pub(super) write: Option<Function>,
}

impl Region {
    pub(super) fn addresses(&self) -> RangeInclusive<u32> {
        self.base..=self.base + (self.size - 1)
    }

    pub(super) fn answer(&self, asked: &Asked) -> mlua::Result<u32> {
        let offset = asked.address - self.base;
        match (asked.value, &self.read, &self.write) {
            (None, Some(read), _) => {
                let value: i64 = read.call((offset, asked.size, asked.pc))?;
                Ok(value as u32)
            }
            (Some(value), _, Some(write)) => {
                write.call::<()>((offset, value, asked.size, asked.pc))?;
                Ok(0)
            }
            _ => Ok(0),
        }
    }
}

struct Expected {
    pattern: String,
    function: Function,
    /// How much of the console was searched.
    from: usize,
}

/// Everything that a script has asked for.
#[derive(Default)]
pub struct Wishes {
    last: u32,
    breaks: BTreeMap<u32, (Place, Function)>,
    watches: BTreeMap<u32, (Watchpoint, Function)>,
    regions: BTreeMap<u32, Region>,
    events: BTreeMap<u32, (Event, Function)>,
    expected: BTreeMap<u32, Expected>,
    /// The machine does not have all of it.
    pub(super) stale: bool,
    pub(super) moments: Vec<Moment>,
    /// The guest was taken back to one of them.
    pub(super) back: bool,
    pub(super) stop: bool,
    /// The first failure of a function.
    pub(super) failed: Option<String>,
    pub(super) machine: Machine,
    pub(super) names: Names,
}

impl Wishes {
    fn id(&mut self) -> u32 {
        self.stale = true;
        self.last += 1;
        self.last
    }

    pub(super) fn add_break(&mut self, place: Place, function: Function) -> u32 {
        let id = self.id();
        self.breaks.insert(id, (place, function));
        id
    }

    pub(super) fn add_watch(&mut self, watchpoint: Watchpoint, function: Function) -> u32 {
        let id = self.id();
        self.watches.insert(id, (watchpoint, function));
        id
    }

    pub(super) fn add_region(&mut self, region: Region) -> u32 {
        let id = self.id();
        self.regions.insert(id, region);
        id
    }

    pub(super) fn add_event(&mut self, event: Event, function: Function) -> u32 {
        let id = self.id();
        self.events.insert(id, (event, function));
        id
    }

    pub(super) fn expect(&mut self, pattern: String, function: Function, from: usize) -> u32 {
        let id = self.id();
        let expected = Expected {
            pattern,
            function,
            from,
        };
        self.expected.insert(id, expected);
        id
    }

    /// Takes a wish back; false when there is none of this number.
    pub(super) fn remove(&mut self, id: u32) -> bool {
        self.stale = true;
        self.breaks.remove(&id).is_some()
            | self.watches.remove(&id).is_some()
            | self.regions.remove(&id).is_some()
            | self.events.remove(&id).is_some()
            | self.expected.remove(&id).is_some()
    }

    /// A function has failed: says so.
    pub(super) fn fail(&mut self, why: String) {
        eprint!("[script: {why}]\r\n");
        self.failed.get_or_insert(why);
    }

    /// What is called for an event.
    pub(super) fn waiting_for(&self, event: Event) -> Vec<(u32, Function)> {
        let all = self.events.iter().filter(|it| it.1.0 == event);
        all.map(|(id, (_, function))| (*id, function.clone()))
            .collect()
    }

    /// Whether anything is called for an event.
    pub(super) fn has(&self, event: Event) -> bool {
        self.events.values().any(|it| it.0 == event)
    }

    fn address(&self, place: &Place) -> Result<u32, String> {
        match place {
            Place::Address(va) | Place::Return(va, _) => Ok(*va & !1),
            Place::Symbol(name, distance, line) => {
                let found = self.names.address(name);
                let found = found.map(|va| (va & !1).wrapping_add(*distance));
                found.ok_or_else(|| format!("{line}: this kernel has no symbol {name:?}"))
            }
        }
    }

    /// Addresses of all breakpoints. One for which there is no symbol is given up.
    pub(super) fn breakpoints(&mut self) -> BTreeSet<u32> {
        let all = self.breaks.iter();
        let all: Vec<_> = all.map(|(id, it)| (*id, self.address(&it.0))).collect();
        let mut addresses = BTreeSet::new();
        for (id, address) in all {
            match address {
                Ok(va) => {
                    addresses.insert(va);
                }
                Err(why) => {
                    self.breaks.remove(&id);
                    self.fail(why);
                }
            }
        }
        addresses
    }

    /// What is called at the breakpoint where the guest stands.
    pub(super) fn breaking_at(&mut self, registers: &Registers) -> Vec<(u32, Function)> {
        let here = |place: &Place| {
            let same = self.address(place).is_ok_and(|va| va == registers.r[15]);
            same && !matches!(place, Place::Return(_, sp) if *sp != registers.r[13])
        };
        let all: Vec<(u32, Function)> = self
            .breaks
            .iter()
            .filter(|it| here(&it.1.0))
            .map(|(id, it)| (*id, it.1.clone()))
            .collect();
        for (id, _) in &all {
            if matches!(self.breaks.get(id), Some((Place::Return(..), _))) {
                self.remove(*id);
            }
        }
        all
    }

    /// All watchpoints.
    pub(super) fn watchpoints(&self) -> BTreeSet<Watchpoint> {
        self.watches.values().map(|it| it.0).collect()
    }

    /// What is called at a watchpoint.
    pub(super) fn watching(&self, watchpoint: &Watchpoint) -> Vec<(u32, Function)> {
        let all = self.watches.iter().filter(|it| it.1.0 == *watchpoint);
        all.map(|(id, it)| (*id, it.1.clone())).collect()
    }

    /// Everything that the script answers for.
    pub(super) fn regions(&self) -> Vec<Region> {
        self.regions.values().cloned().collect()
    }

    /// The next text that is waited for and has come, with what its pattern captures.
    pub(super) fn expected(
        &mut self,
        lua: &Lua,
        console: &[u8],
    ) -> Option<mlua::Result<(Function, MultiValue)>> {
        for expected in self.expected.values_mut() {
            let text = console.get(expected.from..).unwrap_or_default();
            match find(lua, text, &expected.pattern) {
                Ok(None) => {}
                Ok(Some((end, captures))) => {
                    expected.from += end.max(1);
                    return Some(Ok((expected.function.clone(), captures)));
                }
                Err(error) => {
                    expected.from = console.len();
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// Whether a text is waited for: such a script ends the run itself.
    pub(super) fn expects(&self) -> bool {
        !self.expected.is_empty()
    }

    /// The console has lost its front, or is that of an earlier moment: of what is on it
    /// now, so much may have been looked at.
    pub(super) fn expect_from(&mut self, console: usize) {
        for expected in self.expected.values_mut() {
            expected.from = expected.from.min(console);
        }
    }
}

/// Where a Lua pattern ends in a text, and what it captures.
fn find(lua: &Lua, text: &[u8], pattern: &str) -> mlua::Result<Option<(usize, MultiValue)>> {
    let string: mlua::Table = lua.globals().get("string")?;
    let find: Function = string.get("find")?;
    let mut found: MultiValue = find.call((lua.create_string(text)?, pattern))?;
    let (Some(start), Some(end)) = (found.pop_front(), found.pop_front()) else {
        return Ok(None);
    };
    if start.is_nil() {
        return Ok(None);
    }
    let end = end.as_usize();
    let end = end.ok_or_else(|| LuaError::runtime("string.find gave no number"))?;
    Ok(Some((end, found)))
}
