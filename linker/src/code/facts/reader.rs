//! One look over the instructions of a function, in the order of their addresses,
//! with what is known of each register.

use super::{
    Context, blank, find,
    flow::{Meetings, State},
    returns::Search,
};
use crate::code::{
    Call, CallKind, Constant, Function, FunctionId, Reference, Target,
    decode::{ALWAYS, Insn, LR, Op, PC, Use},
    map::{CODE, FALLEN, JUMPED},
    sweep::Found,
    walk::ends,
};

/// Registers that a call leaves with anything (AAPCS: r0 to r3, ip, lr).
pub(super) const CLOBBERED: u16 = 0x500f;
/// Instructions between the halves of a constant.
const APART: usize = 8;

/// A call to which a function hands on arguments of its own untouched: the callee, and
/// a bit for each argument.
pub(super) type Handed = (FunctionId, u8);

/// Everything that is known of a function, and what it hands on.
pub(super) fn read(context: &Context, found: &Found) -> (Function, Vec<Handed>) {
    let mut reader = Reader {
        context,
        found,
        meetings: Meetings::of(context, found),
        state: State::ENTRY,
        linked: false,
        conditional: [0; 16],
        exits: Vec::new(),
        handed: Vec::new(),
        function: blank(found),
    };
    reader.run();
    let mut search = Search::new(context, found, &reader.meetings.jumps);
    for &exit in &reader.exits {
        search.from(exit);
    }
    reader.function.returns = search.values();
    (reader.function, reader.handed)
}

struct Reader<'a> {
    context: &'a Context<'a>,
    found: &'a Found,
    meetings: Meetings,
    state: State,
    /// The link register holds the address behind the next instruction.
    linked: bool,
    /// Arguments that were written since the flags were set, by condition.
    conditional: [u8; 16],
    /// Where it returns.
    exits: Vec<u32>,
    handed: Vec<Handed>,
    function: Function,
}

impl Reader<'_> {
    fn run(&mut self) {
        let map = self.context.map;
        let step = if self.found.thumb { 2 } else { 4 };
        let mut at = self.found.start;
        let mut fallen = Some(State::ENTRY);
        let mut leader = true;
        while at < self.found.end {
            if !map.has(at, CODE) {
                at += step;
                leader = true;
                fallen = None;
                continue;
            }
            let Some(insn) = map.insn(at, self.found.thumb) else {
                break;
            };
            let jumped = map.has(at, JUMPED);
            if jumped || leader {
                self.function.blocks += 1;
            }
            if jumped {
                self.conditional = [0; 16];
            }
            if at != self.found.start || jumped {
                let before = fallen.filter(|_| map.has(at, FALLEN) || at == self.found.start);
                self.state = self.meetings.arrive(self.context, self.found, at, before);
            }
            self.arguments(&insn);
            self.instruction(at, &insn);
            let ended = ends(&insn) && !self.linked_jump(&insn);
            leader = ended || matches!(insn.op, Op::Branch(_));
            fallen = (!ended).then_some(self.state);
            self.linked = insn.op == Op::Copy(LR, PC);
            at += u32::from(insn.size);
        }
    }

    /// A jump behind which control goes on, since the link register says so.
    fn linked_jump(&self, insn: &Insn) -> bool {
        self.linked
            && matches!(
                insn.op,
                Op::JumpRegister(_) | Op::JumpMemory(..) | Op::JumpTable { .. } | Op::JumpOther
            )
    }

    /// Arguments are what is read before it is written. What is saved on the stack
    /// is saved to align it or to have room as often as not.
    fn arguments(&mut self, insn: &Insn) {
        if !matches!(insn.op, Op::Push(..)) {
            let unwritten = self.state.unwritten & !self.under(insn.cond);
            let read = insn.reads & u16::from(unwritten);
            let count = 16 - read.leading_zeros() as u8;
            self.function.arguments = self.function.arguments.max(count);
        }
    }

    fn instruction(&mut self, at: u32, insn: &Insn) {
        let linked = self.linked_jump(insn);
        let mut calls = linked || insn.op.calls();
        match insn.op {
            Op::Branch(target) => {
                if (self.found.start..self.found.end).contains(&target) {
                    let unwritten = self.state.unwritten & !self.under(insn.cond);
                    let state = State {
                        unwritten,
                        ..self.state
                    };
                    self.meetings.send(target, &state);
                } else {
                    self.call(at, target, CallKind::Tail);
                }
            }
            Op::Call { target, .. } if Some(target) == self.context.tracer => calls = false,
            Op::Call { target, .. } => self.call(at, target, CallKind::Direct),
            Op::CallRegister(register) => self.call_value(at, self.state.get(register)),
            Op::Return | Op::JumpRegister(LR) if !linked => self.exits.push(at),
            Op::JumpRegister(register) => self.call_value(at, self.state.get(register)),
            Op::JumpMemory(rn, offset) => {
                // A variable may hold another value later; a pool does not.
                let place = (rn == PC).then(|| self.pc(at).wrapping_add_signed(offset));
                let value = place.and_then(|place| self.context.map.word(place));
                self.call_value(at, value);
            }
            Op::Compare(use_, _, value) => self.constant(at, use_, value),
            _ => {}
        }
        let set = self.result(at, insn);
        self.state.forget(insn.writes);
        self.written(insn);
        if calls {
            self.state.forget(CLOBBERED);
            self.state.unwritten = 0;
        }
        if let Some((register, value)) = set
            && insn.cond == ALWAYS
        {
            self.state.set(register, value);
        }
    }

    /// Keeps account of arguments that are written: by an instruction that is
    /// always carried out, by two of opposite conditions, or by one of the condition
    /// under which control comes here.
    fn written(&mut self, insn: &Insn) {
        let written = insn.writes as u8;
        if insn.cond == ALWAYS {
            self.state.unwritten &= !written;
        } else if matches!(insn.op, Op::Branch(_)) {
            self.state.unwritten &= !self.under(insn.cond ^ 1);
        } else {
            self.conditional[usize::from(insn.cond & 15)] |= written;
            self.state.unwritten &= !(self.under(insn.cond) & self.under(insn.cond ^ 1));
        }
        if insn.flags {
            self.conditional = [0; 16];
        }
    }

    /// Registers that were written under a condition since the flags were set.
    fn under(&self, cond: u8) -> u8 {
        self.conditional[usize::from(cond & 15)]
    }

    /// What the program counter reads as.
    fn pc(&self, at: u32) -> u32 {
        match self.found.thumb {
            true => at.wrapping_add(4),
            false => at.wrapping_add(8),
        }
    }

    fn value(&self, at: u32, register: u8) -> Option<u32> {
        match register {
            PC => Some(self.pc(at)),
            register => self.state.get(register),
        }
    }

    /// The constant that the instruction makes, and the register that holds it.
    /// What is formed is written down.
    fn result(&mut self, at: u32, insn: &Insn) -> Option<(u8, u32)> {
        match insn.op {
            Op::LoadLiteral {
                rt,
                address,
                size: 4,
            } => {
                let value = self.context.map.word(address)?;
                self.formed(at, value);
                Some((rt, value))
            }
            Op::Mov(rd, value) => {
                if !self.followed_by_movt(at, insn, rd) {
                    self.formed(at, value);
                }
                Some((rd, value))
            }
            Op::Movt(rd, high) => {
                let value = self.state.get(rd)? & 0xffff | high << 16;
                self.formed(at, value);
                Some((rd, value))
            }
            Op::Adr(rd, value) => {
                self.formed(at, value);
                Some((rd, value))
            }
            Op::Copy(rd, rm) => Some((rd, self.state.get(rm)?)),
            Op::AddRegister(rd, rn, rm) => {
                let value = self.value(at, rn)?.wrapping_add(self.value(at, rm)?);
                self.formed(at, value);
                Some((rd, value))
            }
            Op::Arith(use_, rd, rn, value) => {
                let Some(known) = self.state.get(rn) else {
                    self.constant(at, use_, value);
                    return None;
                };
                let result = apply(use_, known, value);
                self.formed(at, result);
                Some((rd, result))
            }
            Op::Load { rn, offset, .. } | Op::Store { rn, offset, .. } => {
                let address = self.state.get(rn)?.wrapping_add_signed(offset);
                if offset != 0 && self.context.addresses.contains(&address) {
                    self.reference(at, address);
                }
                None
            }
            Op::LoadSum { rn, rm, .. } => {
                let place = self.state.get(rn)?.wrapping_add(self.state.get(rm)?);
                if self.context.addresses.contains(&place) {
                    self.reference(at, place);
                }
                None
            }
            _ => None,
        }
    }

    /// Whether one of the next instructions completes the constant.
    fn followed_by_movt(&self, at: u32, insn: &Insn, rd: u8) -> bool {
        let map = self.context.map;
        let mut next = at.wrapping_add(u32::from(insn.size));
        let halves = (0..4 * APART as u32).step_by(2);
        let mut places = halves.map(|distance| next.wrapping_add(distance));
        if !places.any(|place| map.may_movt(place, self.found.thumb)) {
            return false;
        }
        for _ in 0..APART {
            let Some(other) = map.insn(next, self.found.thumb) else {
                return false;
            };
            if matches!(other.op, Op::Movt(register, _) if register == rd) {
                return true;
            }
            if other.writes & 1 << (rd & 15) != 0 || ends(&other) || map.has(next, JUMPED) {
                return false;
            }
            next = next.wrapping_add(u32::from(other.size));
        }
        false
    }

    /// A whole constant has come into being.
    fn formed(&mut self, at: u32, value: u32) {
        if self.context.addresses.contains(&value) {
            self.reference(at, value);
        } else {
            self.constant(at, Use::Mov, value);
        }
    }

    fn reference(&mut self, at: u32, address: u32) {
        self.function.references.push(Reference { at, address });
    }

    fn constant(&mut self, at: u32, use_: Use, value: u32) {
        self.function.constants.push(Constant { at, value, use_ });
    }

    fn call(&mut self, at: u32, target: u32, kind: CallKind) {
        let target = self.target(target);
        if let Target::Function(callee) = target
            && self.state.unwritten != 0
        {
            self.handed.push((callee, self.state.unwritten));
        }
        self.function.calls.push(Call { at, target, kind });
    }

    fn target(&self, address: u32) -> Target {
        match find(self.context.starts, address & !1) {
            Some(id) => Target::Function(id),
            None => Target::Address(address),
        }
    }

    fn call_value(&mut self, at: u32, value: Option<u32>) {
        let target = value.map_or(Target::Unknown, |value| self.target(value));
        let kind = CallKind::Indirect;
        self.function.calls.push(Call { at, target, kind });
    }
}

/// What an operator makes of two constants.
fn apply(use_: Use, left: u32, right: u32) -> u32 {
    match use_ {
        Use::Mov => right,
        Use::And | Use::Tst => left & right,
        Use::Orr => left | right,
        Use::Eor | Use::Teq => left ^ right,
        Use::Bic => left & !right,
        Use::Add => left.wrapping_add(right),
        Use::Sub | Use::Cmp | Use::Cmn => left.wrapping_sub(right),
    }
}
