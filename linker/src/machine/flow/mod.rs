//! What a short function calls and stores, read from its instructions.
//!
//! This is no disassembler: it follows constants, loads through them and the
//! results of calls, which is what it takes to see that `init_IRQ` calls
//! `machine_desc->init_irq` and where that field lies. Everything else an
//! instruction may do to a register makes the register unknown. Both arms of a
//! conditional are followed, each instruction once.

mod arm;
mod thumb;

use std::{
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

use crate::kernel::Kernel;

/// Instructions that one trace may cost.
const MAX_STEPS: usize = 8192;
/// Loads through loads that are followed.
const MAX_DEPTH: usize = 4;
/// Number of the program counter.
const PC: usize = 15;

/// What is known of a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing.
    Unknown,
    /// A number, mostly an address.
    Const(u32),
    /// What the register held when the function was entered (r0 to r3).
    Argument(u8),
    /// The result of the call at this address.
    Result(u32),
    /// The word at a distance from a value; at the number itself for `Const`.
    /// That a field was loaded is worth knowing even if its struct is not.
    Load(Rc<Value>, i32),
}

impl Value {
    /// The word at a distance from this value.
    fn load(&self, offset: i32) -> Value {
        match self {
            Value::Const(base) => {
                Value::Load(Rc::new(Value::Const(base.wrapping_add_signed(offset))), 0)
            }
            base if base.depth() >= MAX_DEPTH => Value::Unknown,
            base => Value::Load(Rc::new(base.clone()), offset),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Value::Load(base, _) => 1 + base.depth(),
            _ => 0,
        }
    }

    fn add(&self, distance: u32) -> Value {
        match self {
            Value::Const(base) => Value::Const(base.wrapping_add(distance)),
            other if distance == 0 => other.clone(),
            _ => Value::Unknown,
        }
    }

    fn add_value(&self, other: &Value) -> Value {
        match (self, other) {
            (Value::Const(left), Value::Const(right)) => Value::Const(left.wrapping_add(*right)),
            _ => Value::Unknown,
        }
    }

    /// The global variable whose value this is.
    pub(crate) fn global(&self) -> Option<u32> {
        match self {
            Value::Load(base, 0) => match **base {
                Value::Const(address) => Some(address),
                _ => None,
            },
            _ => None,
        }
    }

    /// The pointer and the field of what it points to whose value this is.
    pub(crate) fn field(&self) -> Option<(&Value, u32)> {
        match self {
            Value::Load(base, offset) if !matches!(**base, Value::Const(_)) => {
                Some((base, u32::try_from(*offset).ok()?))
            }
            _ => None,
        }
    }
}

/// Something that the function does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A call, or a jump out of the function, through a register or a literal.
    CallValue {
        /// Address of the instruction.
        at: u32,
        /// What is called.
        target: Value,
    },
    /// A direct call or a jump out of the function.
    Call {
        /// Address of the instruction.
        at: u32,
        /// What is called; bit 0 is clear in any case.
        target: u32,
    },
    /// A word is stored.
    Store {
        /// Address of the instruction.
        at: u32,
        /// Pointer to the place.
        base: Value,
        /// Distance from it.
        offset: i32,
        /// What is stored.
        value: Value,
    },
}

/// Registers on one path.
#[derive(Debug, Clone)]
struct State {
    registers: [Value; 16],
    /// The address behind a `push {lr}`.
    pushed_lr: Option<u32>,
}

impl State {
    fn get(&self, register: usize) -> &Value {
        &self.registers[register & 15]
    }

    fn set(&mut self, register: usize, value: Value) {
        self.registers[register & 15] = value;
    }

    fn forget(&mut self, register: usize) {
        self.set(register, Value::Unknown);
    }

    fn forget_list(&mut self, list: u32) {
        for register in 0..16 {
            if list >> register & 1 == 1 {
                self.forget(register);
            }
        }
    }

    /// What a call leaves of the registers (AAPCS: r0 to r3, ip, lr are lost).
    fn after_call(&mut self, at: u32) {
        self.forget_list(0x500e);
        self.set(0, Value::Result(at));
    }
}

/// Where control goes after an instruction.
enum Next {
    /// To the next instruction.
    On,
    /// To this address only.
    Jump(u32),
    /// To this address or to the next instruction.
    Branch(u32),
    /// Nowhere that can be followed: a return or a computed jump.
    End,
}

/// What the function at `start` does, in the order of a walk through it.
///
/// `end` is where the next function starts, if that is known.
pub(crate) fn trace(kernel: &Kernel, start: u32, thumb: bool, end: Option<u32>) -> Vec<Event> {
    let mut registers: [Value; 16] = std::array::from_fn(|_| Value::Unknown);
    for register in 0..4u8 {
        registers[usize::from(register)] = Value::Argument(register);
    }
    let mut trace = Trace {
        kernel,
        range: start..end.unwrap_or(start.saturating_add(0x4000)),
        events: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    let mut waiting = VecDeque::from([(
        start,
        State {
            registers,
            pushed_lr: None,
        },
    )]);
    while let Some((mut at, mut state)) = waiting.pop_front() {
        while trace.range.contains(&at) && seen.len() < MAX_STEPS && seen.insert(at) {
            let step = match thumb {
                true => trace.thumb(at, &mut state),
                false => trace.arm(at, &mut state),
            };
            let Some((size, next)) = step else { break };
            match next {
                Next::On => at = at.wrapping_add(size),
                Next::Jump(target) => {
                    trace.leave(at, target);
                    at = target;
                }
                Next::Branch(target) => {
                    trace.leave(at, target);
                    waiting.push_back((target, state.clone()));
                    at = at.wrapping_add(size);
                }
                Next::End => break,
            }
        }
    }
    trace.events
}

struct Trace<'a> {
    kernel: &'a Kernel,
    range: std::ops::Range<u32>,
    events: Vec<Event>,
}

impl Trace<'_> {
    /// A jump out of the function is a call that does not come back.
    fn leave(&mut self, at: u32, target: u32) {
        if !self.range.contains(&target) {
            self.events.push(Event::Call { at, target });
        }
    }

    /// A load, with the literal pools of the kernel read as constants.
    fn load(&mut self, state: &mut State, at: u32, rt: usize, base: Place) -> Next {
        let constant = |address| {
            let word = self.kernel.word(address);
            word.map_or(Value::Unknown, Value::Const)
        };
        let value = match base {
            Place::Literal(address) => constant(address),
            Place::Register(register, offset) => state.get(register).load(offset),
            Place::Sum(left, right) => match state.get(left).add_value(state.get(right)) {
                Value::Const(address) => constant(address),
                _ => Value::Unknown,
            },
        };
        if rt == PC {
            return self.jump_value(state, at, value);
        }
        state.set(rt, value);
        Next::On
    }

    fn store(&mut self, state: &State, at: u32, rt: usize, rn: usize, offset: i32) {
        self.events.push(Event::Store {
            at,
            base: state.get(rn).clone(),
            offset,
            value: state.get(rt).clone(),
        });
    }

    fn call(&mut self, state: &mut State, at: u32, target: u32) -> Next {
        // With function tracing every function starts with `push {lr}` and a
        // call of __gnu_mcount_nc, which leaves all other registers alone.
        if state.pushed_lr == Some(at) {
            return Next::On;
        }
        self.events.push(Event::Call { at, target });
        state.after_call(at);
        Next::On
    }

    fn call_value(&mut self, state: &mut State, at: u32, target: Value) -> Next {
        self.events.push(Event::CallValue { at, target });
        state.after_call(at);
        Next::On
    }

    /// A write to the program counter: a call when lr was set to come back
    /// (`mov lr, pc` before it, on Armv4 and v5), else a jump or a return.
    fn jump_value(&mut self, state: &mut State, at: u32, target: Value) -> Next {
        let back = *state.get(14) == Value::Const(at.wrapping_add(4));
        self.events.push(Event::CallValue { at, target });
        if back {
            state.after_call(at);
            return Next::On;
        }
        Next::End
    }
}

/// Where a load reads.
enum Place {
    /// A literal at this address.
    Literal(u32),
    /// At a distance from a register.
    Register(usize, i32),
    /// At the sum of two registers. When both are constants this is the global
    /// offset table of a kernel that was compiled position-independent, and
    /// its words are constants too.
    Sum(usize, usize),
}

/// `value` with its low `bits` as a signed number.
fn sign_extend(value: u32, bits: u32) -> u32 {
    let shift = 32 - bits;
    ((value << shift) as i32 >> shift) as u32
}
