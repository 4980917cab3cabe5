//! The jumps within a function, and what is known where paths meet.
//!
//! A look over the code in the order of addresses sees most paths before the place
//! where they meet: what is known there is what is known on all of them. Only a
//! jump back comes from further on; before its target is looked at, everything that
//! the code between the two writes is forgotten.

use super::Context;
use crate::code::{
    decode::Op,
    map::{CODE, JUMPED},
    sweep::Found,
};

/// What is known on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// Constants in registers, for those with a bit in `known`.
    pub registers: [u32; 16],
    pub known: u16,
    /// Arguments that were not written yet.
    pub unwritten: u8,
}

impl State {
    pub(super) const ENTRY: State = State {
        registers: [0; 16],
        known: 0,
        unwritten: 0xf,
    };

    pub(super) fn get(&self, register: u8) -> Option<u32> {
        let register = usize::from(register & 15);
        (self.known >> register & 1 == 1).then(|| self.registers[register])
    }

    pub(super) fn set(&mut self, register: u8, value: u32) {
        let register = usize::from(register & 15);
        self.registers[register] = value;
        self.known |= 1 << register;
    }

    /// Nothing is known any more of these registers.
    pub(super) fn forget(&mut self, registers: u16) {
        self.known &= !registers;
    }

    /// What is known on this path and on another.
    fn meet(&mut self, other: &State) {
        self.unwritten |= other.unwritten;
        self.known &= other.known;
        for register in 0..16 {
            if self.registers[register] != other.registers[register] {
                self.known &= !(1 << register);
            }
        }
    }
}

/// A jump within the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Jump {
    pub target: u32,
    pub from: u32,
}

/// The places of a function where paths meet.
pub(super) struct Meetings {
    /// Sorted.
    pub jumps: Vec<Jump>,
    /// Targets of jumps, sorted, and what is known there so far.
    places: Vec<(u32, Option<State>)>,
}

impl Meetings {
    pub(super) fn of(context: &Context, found: &Found) -> Self {
        let mut jumps = Vec::new();
        let step = if found.thumb { 2 } else { 4 };
        let mut at = found.start;
        while at < found.end {
            if !context.map.has(at, CODE) {
                at += step;
                continue;
            }
            if context.map.may_branch(at, found.thumb)
                && let Some(insn) = context.map.insn(at, found.thumb)
                && let Op::Branch(target) = insn.op
                && (found.start..found.end).contains(&target)
            {
                jumps.push(Jump { target, from: at });
            }
            at += context.map.size(at, found.thumb);
        }
        jumps.sort_unstable();
        let mut places: Vec<(u32, Option<State>)> =
            jumps.iter().map(|jump| (jump.target, None)).collect();
        places.dedup_by_key(|place| place.0);
        Self { jumps, places }
    }

    /// A path goes from here to a target.
    pub(super) fn send(&mut self, target: u32, state: &State) {
        if let Ok(index) = self.places.binary_search_by_key(&target, |place| place.0)
            && let Some((_, place)) = self.places.get_mut(index)
        {
            match place {
                Some(known) => known.meet(state),
                None => *place = Some(*state),
            }
        }
    }

    /// What is known at an address, `fallen` being what is known when control comes
    /// from the instruction before it.
    pub(super) fn arrive(
        &self,
        context: &Context,
        found: &Found,
        at: u32,
        fallen: Option<State>,
    ) -> State {
        if !context.map.has(at, JUMPED) {
            return fallen.unwrap_or(State {
                unwritten: 0,
                ..State::ENTRY
            });
        }
        let index = self.places.binary_search_by_key(&at, |place| place.0);
        let sent = index.ok().and_then(|index| self.places.get(index)?.1);
        let mut state = match (fallen, sent) {
            (Some(mut fallen), Some(sent)) => {
                fallen.meet(&sent);
                fallen
            }
            (Some(state), None) | (None, Some(state)) => state,
            // The target of a table.
            (None, None) => {
                return State {
                    unwritten: 0,
                    ..State::ENTRY
                };
            }
        };
        state.forget(self.written_by_loops(context, found, at));
        state
    }

    /// Registers that are written between a place and jumps back to it.
    fn written_by_loops(&self, context: &Context, found: &Found, head: u32) -> u16 {
        let first = self.jumps.partition_point(|jump| jump.target < head);
        let jumps = self.jumps[first..].iter();
        let last = jumps
            .take_while(|jump| jump.target == head)
            .map(|jump| jump.from)
            .filter(|&from| from >= head)
            .max();
        let Some(last) = last else { return 0 };
        if last - head > LONGEST_LOOP {
            return 0xffff;
        }
        let step = if found.thumb { 2 } else { 4 };
        let mut written = 0;
        let mut at = head;
        while at <= last {
            let insn = context.map.insn(at, found.thumb);
            let Some(insn) = insn.filter(|_| context.map.has(at, CODE)) else {
                at += step;
                continue;
            };
            written |= insn.writes;
            if insn.op.calls() {
                written |= super::reader::CLOBBERED;
            }
            at += u32::from(insn.size);
        }
        written
    }
}

/// Loops longer than this, in bytes, are taken to write everything: what is known
/// is worth no time that grows with the square of a function's length.
const LONGEST_LOOP: u32 = 1024;
