//! One function, followed from its start to where it ends.
//!
//! The functions of a kernel lie one behind the other, so that a walk knows two
//! borders: its start, and the next address that is known to start another
//! function. Every jump within the borders belongs to the function, with one
//! doubt: a jump forward over something that nothing has reached. It may be the
//! function's own (the body of a loop whose test stands at its end) or a tail
//! call of a function further on that nobody calls otherwise. Such jumps wait
//! until everything else is done, and are then decided by what they jump over
//! and by the stack: a function makes a tail call when its frame is gone.

mod tables;

use std::{cmp::Ordering, collections::BinaryHeap};

use super::{
    decode::{ALWAYS, Insn, LR, Op, PC},
    map::{CALLED, CODE, EDGE, FALLEN, FIXUP, JUMPED, LITERAL, Map},
};

/// Entries of jump tables that are followed in the shortest piece of code.
const ENTRIES: usize = 1 << 14;
/// Instructions of a walk that only asks a question.
const PROBE: u32 = 200;

/// What a walk found.
#[derive(Debug, Default, Clone)]
pub(super) struct Walk {
    /// Behind the last instruction that was reached, or table behind it.
    pub end: u32,
    /// Addresses outside the borders to which it jumps.
    pub tails: Vec<u32>,
    /// Those of them to which it jumps when its frame is gone.
    pub tail_calls: Vec<u32>,
    /// A path comes back, or goes where it cannot be followed.
    pub returns: bool,
    /// It runs into the function behind it, and not from a call.
    pub falls_out: bool,
}

/// The state on a path.
#[derive(Debug, Clone, Copy)]
struct State {
    /// Bytes that the stack has grown by.
    depth: i32,
    /// The same when this condition holds.
    under: Option<(u8, i32)>,
    /// The link register holds the address two instructions on.
    linked: bool,
    /// Conditional instructions left of an `it`, and the condition.
    it: (u32, u8),
}

impl State {
    const ENTRY: State = State {
        depth: 0,
        under: None,
        linked: false,
        it: (0, ALWAYS),
    };

    /// The stack is as it was at the start of the function, on a path where this
    /// condition holds.
    fn frameless(&self, cond: u8) -> bool {
        match self.under {
            Some((under, depth)) if under == cond => depth <= 0,
            _ => self.depth <= 0,
        }
    }
}

/// A jump that was not followed yet. In a heap the one with the lowest target comes
/// first.
#[derive(Debug, Clone, Copy)]
struct Jump {
    target: u32,
    state: State,
    cond: u8,
}

impl Ord for Jump {
    fn cmp(&self, other: &Self) -> Ordering {
        other.target.cmp(&self.target)
    }
}

impl PartialOrd for Jump {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Jump {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

impl Eq for Jump {}

/// A walker; its buffers are used again for every function.
pub(super) struct Walker<'m, 'k> {
    pub map: &'m mut Map<'k>,
    /// Starts of functions that never return, sorted.
    no_return: &'m [u32],
    thumb: bool,
    start: u32,
    limit: u32,
    waiting: Vec<(u32, State)>,
    deferred: BinaryHeap<Jump>,
    /// Entries of jump tables that may still be followed, so that tables that many
    /// jumps share cost no more than the code is long.
    entries: usize,
    walk: Walk,
}

impl<'m, 'k> Walker<'m, 'k> {
    pub(super) fn new(map: &'m mut Map<'k>, no_return: &'m [u32]) -> Self {
        let entries = map.units().max(ENTRIES);
        Self {
            map,
            no_return,
            thumb: false,
            start: 0,
            limit: 0,
            waiting: Vec::new(),
            deferred: BinaryHeap::new(),
            entries,
            walk: Walk::default(),
        }
    }

    /// Follows the function at `start` from `entry` on, which is the start or a piece
    /// of it that nothing was seen to reach; nothing at or behind `limit` is its.
    pub(super) fn walk(&mut self, start: u32, entry: u32, limit: u32, thumb: bool) -> Walk {
        self.thumb = thumb;
        self.start = start;
        self.limit = limit;
        self.walk = Walk {
            end: entry,
            ..Walk::default()
        };
        self.deferred.clear();
        self.waiting.clear();
        let mut state = State::ENTRY;
        if entry != start {
            // Whatever the frame is there, it is not gone.
            state.depth = i32::MAX / 2;
        }
        self.waiting.push((entry, state));
        loop {
            while let Some((at, state)) = self.waiting.pop() {
                self.run(at, state);
            }
            if !self.settle() {
                break;
            }
        }
        std::mem::take(&mut self.walk)
    }

    /// Decides about the deferred jump with the lowest target; false when there is
    /// none.
    fn settle(&mut self) -> bool {
        let Some(jump) = self.deferred.pop() else {
            return false;
        };
        if self.map.has(jump.target, CODE) || self.inside(&jump) {
            self.map.set(jump.target, JUMPED);
            if !self.map.has(jump.target, CODE) {
                self.waiting.push((jump.target, jump.state));
            }
        } else {
            self.leave(jump.target, jump.state.frameless(jump.cond));
        }
        true
    }

    /// Whether a jump over what nothing has reached stays in the function.
    fn inside(&self, jump: &Jump) -> bool {
        let border = self.skip_data(self.walk.end);
        // Thumb has no conditional jump that the compiler uses for a tail call.
        if self.thumb && jump.cond != ALWAYS {
            return true;
        }
        if jump.target <= border {
            return border == self.walk.end
                || !jump.state.frameless(jump.cond)
                || jump.cond != ALWAYS
                || self.walk.end.wrapping_sub(self.start) > 1024;
        }
        if !jump.state.frameless(jump.cond) {
            return true;
        }
        self.comes_back(jump.target, border)
    }

    /// Whether code from `from` on jumps into `border..from` within a few
    /// instructions.
    fn comes_back(&self, from: u32, border: u32) -> bool {
        let mut at = from;
        for _ in 0..PROBE {
            if at >= self.limit || self.map.has(at, LITERAL) {
                return false;
            }
            let Some(insn) = self.map.insn(at, self.thumb) else {
                return false;
            };
            match insn.op {
                Op::Branch(target) if (border..from).contains(&target) => return true,
                Op::Undefined => return false,
                _ if ends(&insn) => return false,
                _ => {}
            }
            at = at.wrapping_add(u32::from(insn.size));
        }
        false
    }

    /// The first address at or behind this one that is not known to be data, nor
    /// padding.
    fn skip_data(&self, from: u32) -> u32 {
        let mut at = from;
        while at < self.limit {
            let idle = |insn: Insn| insn.op == Op::Nop;
            let size = match self.thumb {
                true => 2,
                false => 4,
            };
            if !self.map.has(at, LITERAL) && !self.map.insn(at, self.thumb).is_some_and(idle) {
                break;
            }
            at += size;
        }
        at
    }

    /// A jump out of the function.
    fn leave(&mut self, target: u32, frameless: bool) {
        if !self.map.has(target, FIXUP) {
            self.walk.tails.push(target);
            if frameless {
                self.walk.tail_calls.push(target);
            }
        }
    }

    /// A jump to an address.
    fn jump(&mut self, from: u32, target: u32, state: State, cond: u8) {
        if !(self.start..self.limit).contains(&target) {
            self.leave(target, state.frameless(cond));
            return;
        }
        if self.map.has(target, CODE) {
            self.map.set(target, JUMPED);
            return;
        }
        let jump = Jump {
            target,
            state,
            cond,
        };
        if target < self.walk.end.max(from) {
            self.map.set(target, JUMPED);
            self.waiting.push((target, state));
        } else {
            self.deferred.push(jump);
        }
    }

    /// Follows one path as long as control goes from one instruction to the next.
    fn run(&mut self, mut at: u32, mut state: State) {
        let mut called = None;
        loop {
            if at >= self.limit {
                self.walk.falls_out |= called.is_none();
                self.leave(self.limit, false);
                return;
            }
            if self.map.has(at, CODE) {
                return;
            }
            if self.map.has(at, LITERAL) {
                // In Thumb code the scan for literals may have gone astray.
                if !self.thumb || called.is_some() || !self.map.has(at, FALLEN) {
                    return;
                }
                self.map.unset(at, LITERAL);
            }
            let Some(mut insn) = self.map.insn(at, self.thumb) else {
                return;
            };
            if insn.op == Op::Undefined {
                self.walk.returns |= called.is_none();
                return;
            }
            if state.it.0 > 0 {
                if insn.cond == ALWAYS {
                    insn.cond = state.it.1;
                }
                state.it.0 -= 1;
            }
            self.map.set(at, CODE);
            if self.map.has(at, EDGE) {
                self.edges(at, &state);
            }
            let next = at.wrapping_add(u32::from(insn.size));
            self.walk.end = self.walk.end.max(next);
            called = None;
            if !self.step(at, next, &insn, &mut state, &mut called) {
                return;
            }
            if next < self.limit {
                self.map.set(next, FALLEN);
            }
            at = next;
        }
    }

    /// Jumps that a table in data tells of. They never leave the function, whatever
    /// lies between.
    fn edges(&mut self, at: u32, state: &State) {
        let mut index = self.map.edges.partition_point(|edge| edge.0 < at);
        while let Some(&(from, target)) = self.map.edges.get(index)
            && from == at
        {
            if (self.start..self.limit).contains(&target) {
                self.map.set(target, JUMPED);
                self.waiting.push((target, *state));
            }
            index += 1;
        }
    }

    /// Whether control goes on behind the instruction.
    fn step(
        &mut self,
        at: u32,
        next: u32,
        insn: &Insn,
        state: &mut State,
        called: &mut Option<u32>,
    ) -> bool {
        let linked = std::mem::take(&mut state.linked);
        match insn.op {
            Op::Branch(target) => {
                self.jump(at, target, *state, insn.cond);
                return insn.conditional();
            }
            Op::Call { target, .. } => {
                if !self.map.has(target, LITERAL) {
                    self.map.set(target, CALLED);
                }
                if !insn.conditional() {
                    if self.no_return.binary_search(&target).is_ok() {
                        return false;
                    }
                    *called = Some(target);
                }
            }
            Op::JumpRegister(LR) | Op::Return => {
                self.walk.returns |= !(linked && insn.op != Op::Return);
                return insn.conditional() || linked && insn.op == Op::Return;
            }
            Op::JumpRegister(_) | Op::JumpMemory(..) | Op::JumpTable { .. } if linked => {}
            Op::JumpRegister(_)
            | Op::JumpMemory(..)
            | Op::JumpOther
            | Op::JumpTable { .. }
            | Op::JumpSum { .. }
            | Op::TableBranch { .. } => {
                if !self.table(at, next, insn, state) {
                    self.walk.returns = true;
                }
                return insn.conditional();
            }
            Op::Trap => return insn.conditional(),
            Op::IfThen(it) => {
                state.it = (super::decode::it_length(it), it >> 4);
            }
            Op::Copy(LR, PC) => state.linked = true,
            Op::Push(_, bytes) => self.grow(state, insn.cond, i32::from(bytes)),
            Op::Pop(_, bytes) => self.grow(state, insn.cond, -i32::from(bytes)),
            Op::Stack(bytes) => self.grow(state, insn.cond, bytes),
            Op::Unframe => {
                if insn.conditional() {
                    state.under = Some((insn.cond, 0));
                } else {
                    state.depth = 0;
                    state.under = None;
                }
            }
            _ => {}
        }
        if insn.flags && !insn.conditional() {
            state.under = None;
        }
        true
    }

    fn grow(&self, state: &mut State, cond: u8, bytes: i32) {
        if cond == ALWAYS {
            state.depth = state.depth.saturating_add(bytes);
            return;
        }
        let depth = match state.under {
            Some((under, depth)) if under == cond => depth,
            _ => state.depth,
        };
        state.under = Some((cond, depth.saturating_add(bytes)));
    }
}

/// Control does not go on behind it.
pub(super) fn ends(insn: &Insn) -> bool {
    !insn.conditional()
        && matches!(
            insn.op,
            Op::Branch(_)
                | Op::JumpRegister(_)
                | Op::Return
                | Op::JumpMemory(..)
                | Op::JumpTable { .. }
                | Op::JumpSum { .. }
                | Op::JumpOther
                | Op::TableBranch { .. }
                | Op::Trap
        )
}
