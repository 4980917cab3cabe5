//! What a function may return, searched backwards from each return.

use super::{Context, flow::Jump};
use crate::code::{
    decode::Op,
    map::{CODE, FALLEN, JUMPED},
    sweep::Found,
};

/// Instructions that the search for one return may look at.
const STEPS: usize = 96;
/// Constants that are kept of one function.
const MOST: usize = 64;

/// A place and the register whose value is asked for there.
type Question = (u32, u8);

/// The search; its buffers are used again for every return.
pub(super) struct Search<'a> {
    context: &'a Context<'a>,
    found: &'a Found,
    jumps: &'a [Jump],
    waiting: Vec<Question>,
    seen: Vec<Question>,
    values: Vec<u32>,
}

impl<'a> Search<'a> {
    pub(super) fn new(context: &'a Context<'a>, found: &'a Found, jumps: &'a [Jump]) -> Self {
        Self {
            context,
            found,
            jumps,
            waiting: Vec::new(),
            seen: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Adds what r0 may be when control leaves at `at`.
    pub(super) fn from(&mut self, at: u32) {
        self.seen.clear();
        self.waiting.clear();
        self.waiting.push((at, 0));
        let mut steps = STEPS;
        while let Some((at, register)) = self.waiting.pop() {
            self.back(at, register, &mut steps);
            if steps == 0 || self.values.len() >= MOST {
                break;
            }
        }
    }

    /// All that was found, sorted.
    pub(super) fn values(mut self) -> Vec<u32> {
        self.values.sort_unstable();
        self.values.dedup();
        self.values
    }

    /// Goes back from (but without) the instruction at `at` to where the register
    /// gets its value, and leaves a question wherever a jump comes in.
    fn back(&mut self, mut at: u32, mut register: u8, steps: &mut usize) {
        loop {
            if *steps == 0 || self.seen.contains(&(at, register)) {
                return;
            }
            *steps -= 1;
            if self.context.map.has(at, JUMPED) {
                self.seen.push((at, register));
                let first = self.jumps.partition_point(|jump| jump.target < at);
                let jumps = self.jumps.get(first..).unwrap_or_default();
                let sources = jumps.iter().take_while(|jump| jump.target == at);
                let sources = sources.take(STEPS);
                self.waiting
                    .extend(sources.map(|jump| (jump.from, register)));
            }
            if !self.context.map.has(at, FALLEN) {
                return;
            }
            let Some(before) = self.before(at) else {
                return;
            };
            at = before;
            let Some(insn) = self.context.map.insn(at, self.found.thumb) else {
                return;
            };
            if insn.op.calls() {
                let saved = (4..=11).contains(&register) || self.is_tracer(&insn.op);
                if saved {
                    continue;
                }
                return;
            }
            if insn.writes & 1 << register == 0 {
                continue;
            }
            match insn.op {
                Op::Mov(_, value) => self.values.push(value),
                Op::LoadLiteral {
                    address, size: 4, ..
                } => self.values.extend(self.context.map.word(address)),
                Op::Copy(_, from) => {
                    if insn.conditional() {
                        self.waiting.push((at, from));
                    } else {
                        register = from;
                    }
                    continue;
                }
                _ => {}
            }
            if !insn.conditional() {
                return;
            }
        }
    }

    fn is_tracer(&self, op: &Op) -> bool {
        matches!(op, Op::Call { target, .. } if Some(*target) == self.context.tracer)
    }

    /// The instruction from which control runs to `at`.
    fn before(&self, at: u32) -> Option<u32> {
        if !self.found.thumb {
            return at.checked_sub(4).filter(|&at| at >= self.found.start);
        }
        let near = at.checked_sub(2)?;
        let far = at.checked_sub(4)?;
        let map = self.context.map;
        [near, far]
            .into_iter()
            .filter(|&place| place >= self.found.start && map.has(place, CODE))
            .find(|&place| {
                map.insn(place, true)
                    .is_some_and(|insn| place.wrapping_add(u32::from(insn.size)) == at)
            })
    }
}
