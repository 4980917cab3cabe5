//! Calls, references, constants and returns of each function.
//!
//! One look over the instructions of a function in the order of their addresses,
//! with what is known of each register. Where paths meet, nothing is known any
//! more, except what r0 may hold, since that is what the function returns.

use super::{
    Call, CallKind, Code, Constant, Function, FunctionId, Lists, Reference, Section, Target,
    decode::{ALWAYS, Insn, LR, Op, PC, Use},
    map::{CODE, FALLEN, JUMPED, Map},
    sweep::{Found, Swept},
    walk::ends,
};
use crate::kernel::Kernel;

/// How far behind the image its own variables may lie (`.bss`).
const BSS: u32 = 16 << 20;
/// Returns of one function that are kept.
const MAX_RETURNS: usize = 64;

/// The kernel with everything that is known of each function.
pub(super) fn complete(kernel: &Kernel, map: &Map, swept: Swept) -> Code {
    let starts: Vec<u32> = swept.functions.iter().map(|f| f.start).collect();
    let mut users = Vec::new();
    let mut callers = Vec::new();
    let mut functions = Vec::with_capacity(starts.len());
    for (found, index) in swept.functions.iter().zip(0..) {
        let id = FunctionId(index);
        let no_return = swept.no_return.binary_search(&found.start).is_ok();
        let function = Reader::new(kernel, map, &starts, found).read(no_return);
        for call in &function.calls {
            if let Target::Function(callee) = call.target {
                callers.push((callee, id));
            }
        }
        users.extend(function.references.iter().map(|r| (r.address, id)));
        functions.push(function);
    }
    users.sort_unstable();
    users.dedup();
    let pointers = swept
        .pointers
        .iter()
        .filter(|(_, at)| !map.in_code(*at))
        .filter_map(|&(target, at)| Some((find(&starts, target & !1)?, at)))
        .collect();
    Code {
        bytes: kernel.bytes.clone(),
        base: kernel.base,
        callers: Lists::new(functions.len(), callers),
        pointers: Lists::new(functions.len(), pointers),
        user_ids: users.iter().map(|user| user.1).collect(),
        users,
        functions,
    }
}

fn find(starts: &[u32], address: u32) -> Option<FunctionId> {
    let index = starts.binary_search(&address).ok()?;
    Some(FunctionId(index as u32))
}

/// What a register is known to hold.
type Known = Option<u32>;

struct Reader<'a> {
    map: &'a Map<'a>,
    kernel: &'a Kernel,
    starts: &'a [u32],
    found: &'a Found,
    registers: [Known; 16],
    /// What was known of r0 where a jump was made: target and value.
    carried: Vec<(u32, u32)>,
    /// Values that r0 may have beside the known one.
    alternatives: Vec<u32>,
    /// The link register holds the address behind the next instruction.
    linked: bool,
    function: Function,
}

impl<'a> Reader<'a> {
    fn new(kernel: &'a Kernel, map: &'a Map<'a>, starts: &'a [u32], found: &'a Found) -> Self {
        Self {
            map,
            kernel,
            starts,
            found,
            registers: [None; 16],
            carried: Vec::new(),
            alternatives: Vec::new(),
            linked: false,
            function: Function {
                start: found.start,
                end: found.end,
                thumb: found.thumb,
                section: Section::Text,
                blocks: 0,
                calls: Vec::new(),
                references: Vec::new(),
                constants: Vec::new(),
                returns: Vec::new(),
                arguments: 0,
                no_return: false,
                found_by: found.origin,
            },
        }
    }

    fn read(mut self, no_return: bool) -> Function {
        let step = if self.found.thumb { 2 } else { 4 };
        let mut at = self.found.start;
        let mut leader = true;
        let mut unwritten: u16 = 0xf;
        while at < self.found.end {
            if !self.map.has(at, CODE) {
                at += step;
                leader = true;
                continue;
            }
            let Some(insn) = self.map.insn(at, self.found.thumb) else {
                break;
            };
            if self.map.has(at, JUMPED) || leader {
                self.function.blocks += 1;
            }
            if self.map.has(at, JUMPED) || !self.map.has(at, FALLEN) {
                self.join(at);
            }
            for register in 0..4u8 {
                if insn.reads & unwritten & 1 << register != 0 {
                    self.function.arguments = self.function.arguments.max(register + 1);
                }
            }
            unwritten &= !insn.writes;
            if matches!(insn.op, Op::Call { .. } | Op::CallRegister(_)) {
                unwritten = 0;
            }
            self.instruction(at, &insn);
            leader = ends(&insn) || matches!(insn.op, Op::Branch(_));
            at += u32::from(insn.size);
        }
        self.function.no_return = no_return;
        self.function.returns.sort_unstable();
        self.function.returns.dedup();
        self.function
    }

    /// Paths meet: all that is known is what r0 may hold.
    fn join(&mut self, at: u32) {
        self.alternatives.clear();
        if self.map.has(at, FALLEN) {
            self.alternatives.extend(self.registers[0]);
        }
        for &(target, value) in &self.carried {
            if target == at && self.alternatives.len() < MAX_RETURNS {
                self.alternatives.push(value);
            }
        }
        self.registers = [None; 16];
    }

    fn instruction(&mut self, at: u32, insn: &Insn) {
        let linked = std::mem::take(&mut self.linked);
        let before = self.registers[0];
        match insn.op {
            Op::Branch(target) => {
                if (self.found.start..self.found.end).contains(&target) {
                    let values = self.alternatives.iter().copied().chain(before);
                    self.carried.extend(values.map(|value| (target, value)));
                } else {
                    self.call(at, target, CallKind::Tail);
                }
            }
            Op::Call { target, .. } => self.call(at, target, CallKind::Direct),
            Op::CallRegister(register) => self.call_value(at, self.get(register)),
            Op::Return | Op::JumpRegister(LR) if !linked => self.returns(before),
            Op::JumpRegister(register) => {
                let value = self.get(register);
                self.call_value(at, value);
            }
            Op::JumpMemory(rn, offset) => {
                let address = match rn {
                    PC if self.found.thumb => Some((at & !3).wrapping_add(4)),
                    PC => Some(at.wrapping_add(8)),
                    rn => self.get(rn),
                };
                let word = address.and_then(|a| self.map.word(a.wrapping_add_signed(offset)));
                // A variable may hold another value later; a pool does not.
                let value = word.filter(|_| rn == PC);
                self.call_value(at, value);
            }
            Op::Compare(use_, rn, value) => {
                let _ = rn;
                self.constant(at, use_, value);
            }
            _ => {}
        }
        self.effects(at, insn);
    }

    /// What becomes of the registers.
    fn effects(&mut self, at: u32, insn: &Insn) {
        let mut set = None;
        match insn.op {
            Op::LoadLiteral {
                rt,
                address,
                size: 4,
            } => {
                if let Some(value) = self.map.word(address) {
                    set = Some((rt, value));
                    self.formed(at, value);
                }
            }
            Op::Mov(rd, value) => {
                set = Some((rd, value));
                if self.followed_by_movt(at, insn, rd) {
                    // Half a constant.
                } else {
                    self.formed(at, value);
                }
            }
            Op::Movt(rd, high) => {
                if let Some(low) = self.get(rd) {
                    let value = low & 0xffff | high << 16;
                    set = Some((rd, value));
                    self.formed(at, value);
                }
            }
            Op::Adr(rd, value) => {
                set = Some((rd, value));
                self.formed(at, value);
            }
            Op::Copy(LR, PC) => self.linked = true,
            Op::Copy(rd, rm) => set = self.get(rm).map(|value| (rd, value)),
            Op::AddRegister(rd, rn, rm) => {
                let right = self.get(rm);
                let left = match rn {
                    PC if self.found.thumb => Some(at.wrapping_add(4)),
                    PC => Some(at.wrapping_add(8)),
                    rn => self.get(rn),
                };
                let right = match rm {
                    PC if self.found.thumb => Some(at.wrapping_add(4)),
                    PC => Some(at.wrapping_add(8)),
                    _ => right,
                };
                if let (Some(left), Some(right)) = (left, right) {
                    let value = left.wrapping_add(right);
                    set = Some((rd, value));
                    self.formed(at, value);
                }
            }
            Op::Arith(use_, rd, rn, value) => {
                let known = self.get(rn);
                let result = known.map(|known| apply(use_, known, value));
                match result {
                    Some(result) => {
                        set = Some((rd, result));
                        self.formed(at, result);
                    }
                    None => self.constant(at, use_, value),
                }
            }
            Op::Load { rn, offset, .. } | Op::Store { rn, offset, .. } => {
                if let Some(base) = self.get(rn)
                    && offset != 0
                {
                    let address = base.wrapping_add_signed(offset);
                    if self.is_address(address) {
                        self.reference(at, address);
                    }
                }
            }
            _ => {}
        }
        for register in 0..16u8 {
            if insn.writes & 1 << register != 0 {
                self.registers[usize::from(register)] = None;
            }
        }
        if matches!(insn.op, Op::Call { .. } | Op::CallRegister(_)) {
            for register in [0, 1, 2, 3, 12, 14] {
                self.registers[register] = None;
            }
            self.alternatives.clear();
        }
        if let Some((register, value)) = set {
            if register == 0 && insn.cond != ALWAYS {
                // One of two values.
                self.alternatives.extend(self.registers[0]);
            }
            self.registers[usize::from(register & 15)] = Some(value);
        }
        if insn.writes & 1 != 0 && insn.cond == ALWAYS {
            self.alternatives.clear();
        }
    }

    /// The next instruction but a few completes the constant.
    fn followed_by_movt(&self, at: u32, insn: &Insn, rd: u8) -> bool {
        let mut next = at.wrapping_add(u32::from(insn.size));
        for _ in 0..8 {
            let Some(other) = self.map.insn(next, self.found.thumb) else {
                return false;
            };
            if let Op::Movt(register, _) = other.op
                && register == rd
            {
                return true;
            }
            if other.writes & 1 << (rd & 15) != 0 || ends(&other) {
                return false;
            }
            next = next.wrapping_add(u32::from(other.size));
        }
        false
    }

    fn get(&self, register: u8) -> Known {
        self.registers[usize::from(register & 15)]
    }

    fn is_address(&self, value: u32) -> bool {
        let end = self.kernel.end().saturating_add(BSS);
        (self.kernel.base..end).contains(&value)
    }

    /// A whole constant has come into being.
    fn formed(&mut self, at: u32, value: u32) {
        if self.is_address(value) {
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
        let target = match find(self.starts, target & !1) {
            Some(id) => Target::Function(id),
            None => Target::Address(target),
        };
        self.function.calls.push(Call { at, target, kind });
    }

    fn call_value(&mut self, at: u32, value: Known) {
        let target = match value {
            None => Target::Unknown,
            Some(value) => match find(self.starts, value & !1) {
                Some(id) => Target::Function(id),
                None => Target::Address(value),
            },
        };
        let kind = CallKind::Indirect;
        self.function.calls.push(Call { at, target, kind });
    }

    fn returns(&mut self, value: Known) {
        let values = self.alternatives.iter().copied().chain(value);
        for value in values {
            if self.function.returns.len() < MAX_RETURNS {
                self.function.returns.push(value);
            }
        }
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
