//! What a short function calls, loads and stores, read from its instructions.
//!
//! This is no disassembler: it follows constants, arguments, loads through them
//! and the results of calls, which is what it takes to see that `init_IRQ`
//! calls `machine_desc->init_irq` and where that field lies. Everything else an
//! instruction may do to a register makes the register unknown. Both arms of a
//! conditional are followed, each instruction once.

mod arm;
mod state;
mod thumb;
mod value;

use std::collections::{BTreeSet, VecDeque};

use crate::kernel::Kernel;
use state::State;
pub(in crate::machine) use thumb::{expand as expand_immediate, imm12};
pub(crate) use value::{Event, Value, Width};

/// Instructions that one trace may cost.
const MAX_STEPS: usize = 8192;
/// Paths that may wait at a time.
const MAX_WAITING: usize = 1024;
/// Numbers of the stack pointer and the program counter.
const SP: usize = 13;
const PC: usize = 15;

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
    trace_until(kernel, start, thumb, end, &|_| false)
}

/// The same where it is known which functions never return: nothing is followed
/// behind a call of one.
pub(crate) fn trace_until(
    kernel: &Kernel,
    start: u32,
    thumb: bool,
    end: Option<u32>,
    never_returns: &dyn Fn(u32) -> bool,
) -> Vec<Event> {
    let mut trace = Trace {
        kernel,
        range: start..end.unwrap_or(start.saturating_add(0x4000)),
        never_returns,
        events: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    let mut waiting = VecDeque::from([(start, State::at_entry())]);
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
                    trace.leave(at, target, &state);
                    at = target;
                }
                Next::Branch(target) => {
                    let otherwise = state.otherwise.take();
                    trace.leave(at, target, &state);
                    if waiting.len() < MAX_WAITING && !seen.contains(&target) {
                        waiting.push_back((target, state.clone()));
                    }
                    if let Some(otherwise) = otherwise {
                        state = *otherwise;
                    }
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
    never_returns: &'a dyn Fn(u32) -> bool,
    events: Vec<Event>,
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

/// What a load or store with an immediate offset does to its base register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Indexing {
    /// Nothing.
    None,
    /// Adds the offset before the access.
    Before,
    /// Adds it after the access, which is at the base itself.
    After,
}

/// A load or store with an immediate offset.
struct Access {
    is_load: bool,
    /// The second counts for [`Width::Double`] only.
    registers: (usize, usize),
    /// Base register, which is not the program counter, and offset.
    place: (usize, i32),
    width: Width,
    indexing: Indexing,
}

impl Trace<'_> {
    /// A jump out of the function is a call that does not come back.
    fn leave(&mut self, at: u32, target: u32, state: &State) {
        if !self.range.contains(&target) {
            let arguments = state.arguments();
            self.events.push(Event::Call {
                at,
                target,
                arguments,
            });
        }
    }

    /// A load, with the literal pools of the kernel read as constants.
    fn load(&mut self, state: &mut State, at: u32, rt: usize, place: &Place, width: Width) -> Next {
        let constant = |address| {
            let word = self.kernel.word(address);
            word.map_or(Value::Unknown, Value::Const)
        };
        let value = match *place {
            Place::Literal(address) if width >= Width::Word => constant(address),
            Place::Literal(_) => Value::Unknown,
            Place::Register(register, offset) => {
                let pointer = state.get(register);
                let (base, offset) = pointer.place(offset);
                let value = match pointer {
                    Value::Stack(base) if width >= Width::Word => {
                        state.stacked(base.wrapping_add(offset))
                    }
                    Value::Stack(_) => Value::Unknown,
                    pointer => pointer.load(offset.wrapping_sub(pointer.address().1), width),
                };
                if !matches!(base, Value::Unknown | Value::Stack(_)) {
                    self.events.push(Event::Load {
                        at,
                        base,
                        offset,
                        width,
                        replaces_base: rt == register,
                    });
                }
                value
            }
            Place::Sum(left, right) => match state.get(left).add_value(state.get(right)) {
                Value::Const(address) if width >= Width::Word => constant(address),
                _ => Value::Unknown,
            },
        };
        if rt == PC {
            return self.jump_value(state, at, value);
        }
        state.set(rt, value);
        Next::On
    }

    fn store(
        &mut self,
        state: &mut State,
        at: u32,
        rt: usize,
        (rn, offset): (usize, i32),
        width: Width,
    ) {
        let value = state.get(rt).clone();
        let (base, offset) = state.get(rn).place(offset);
        if let Value::Stack(top) = base {
            let place = top.wrapping_add(offset);
            match width {
                Width::Word | Width::Double => state.keep(place, value.clone()),
                // A part of a word makes all of it unknown.
                _ => state.keep(place & !3, Value::Unknown),
            }
        }
        self.events.push(Event::Store {
            at,
            base,
            offset,
            value,
            width,
        });
    }

    /// A load or store of one register, or of two for [`Width::Double`].
    fn access(&mut self, state: &mut State, at: u32, access: &Access) -> Next {
        let Access {
            is_load,
            registers: (rt, rt2),
            place: (rn, offset),
            width,
            indexing,
        } = *access;
        if indexing == Indexing::Before {
            self.advance(at, state.get(rn), offset as u32);
            state.set(rn, state.get(rn).add(offset as u32));
        }
        let offset_now = match indexing {
            Indexing::None => offset,
            _ => 0,
        };
        let base = state.get(rn).clone();
        let mut next = Next::On;
        if !is_load {
            self.store(state, at, rt, (rn, offset_now), width);
            if width == Width::Double {
                self.store(state, at, rt2, (rn, offset_now + 4), Width::Word);
            }
        } else if width == Width::Double {
            // The second word first, by the base that the first may replace.
            let place = Place::Register(rn, offset_now + 4);
            self.load(state, at, rt2, &place, Width::Word);
            let second = state.get(rt2).clone();
            state.set(rn, base.clone());
            self.load(state, at, rt, &Place::Register(rn, offset_now), Width::Word);
            state.set(rt2, second);
        } else {
            next = self.load(state, at, rt, &Place::Register(rn, offset_now), width);
        }
        if indexing == Indexing::After {
            // A loaded register that is the base itself does not occur.
            state.set(rn, base.add(offset as u32));
        }
        next
    }

    /// LDM and STM: registers of a list, from the lowest on, at rising
    /// addresses.
    fn access_list(
        &mut self,
        state: &mut State,
        at: u32,
        is_load: bool,
        (rn, list): (usize, u32),
        (upward, before, write_back): (bool, bool, bool),
    ) -> Next {
        let count = list.count_ones() as i32;
        let base = state.get(rn).clone();
        let start = match (upward, before) {
            (true, false) => 0,
            (true, true) => 4,
            (false, false) => 4 - 4 * count,
            (false, true) => -4 * count,
        };
        let registers = (0..16usize).filter(|register| list >> register & 1 == 1);
        let mut next = Next::On;
        for (offset, register) in (0..).map(|index| start + 4 * index).zip(registers) {
            match is_load {
                true if register == PC => next = Next::End,
                true => {
                    let value = match &base {
                        Value::Stack(top) => state.stacked(top.wrapping_add(offset)),
                        base => base.load(offset, Width::Word),
                    };
                    let (base, offset) = base.place(offset);
                    if !matches!(base, Value::Unknown | Value::Stack(_)) {
                        self.events.push(Event::Load {
                            at,
                            base,
                            offset,
                            width: Width::Word,
                            replaces_base: false,
                        });
                    }
                    state.set(register, value);
                }
                false => {
                    let value = state.get(register).clone();
                    let (base, offset) = base.place(offset);
                    match base {
                        Value::Stack(top) => state.keep(top.wrapping_add(offset), value),
                        base => self.events.push(Event::Store {
                            at,
                            base,
                            offset,
                            value,
                            width: Width::Word,
                        }),
                    }
                }
            }
        }
        if write_back && (!is_load || list >> rn & 1 == 0) {
            let moved = if upward { 4 * count } else { -4 * count };
            state.set(rn, base.add(moved as u32));
        }
        next
    }

    fn call(&mut self, state: &mut State, at: u32, target: u32) -> Next {
        // With function tracing every function starts with `push {lr}` and a
        // call of __gnu_mcount_nc, which takes that word from the stack again
        // and leaves all other registers alone.
        if state.pushed_lr == Some(at) {
            state.set(SP, state.get(SP).add(4));
            return Next::On;
        }
        let arguments = state.arguments();
        self.events.push(Event::Call {
            at,
            target,
            arguments,
        });
        if (self.never_returns)(target) {
            return Next::End;
        }
        state.after_call(at);
        Next::On
    }

    fn call_value(&mut self, state: &mut State, at: u32, target: Value) -> Next {
        let arguments = state.arguments();
        self.events.push(Event::CallValue {
            at,
            target,
            arguments,
        });
        state.after_call(at);
        Next::On
    }

    /// A write to the program counter: a call when lr was set to come back
    /// (`mov lr, pc` before it, on Armv4 and v5), else a jump or a return.
    fn jump_value(&mut self, state: &mut State, at: u32, target: Value) -> Next {
        if *state.get(14) == Value::Const(at.wrapping_add(4)) {
            return self.call_value(state, at, target);
        }
        let arguments = state.arguments();
        self.events.push(Event::CallValue {
            at,
            target,
            arguments,
        });
        Next::End
    }

    fn test(&mut self, at: u32, value: &Value, mask: u32) {
        let (value, mask) = match value {
            Value::Masked(value, first) => ((**value).clone(), first & mask),
            value => (value.clone(), mask),
        };
        if value != Value::Unknown {
            self.events.push(Event::Test { at, value, mask });
        }
    }

    fn advance(&mut self, at: u32, pointer: &Value, distance: u32) {
        let (base, _) = pointer.address();
        if let Value::Load(..) = base {
            self.events.push(Event::Advance {
                at,
                base: base.clone(),
                distance,
            });
        }
    }

    fn compare(&mut self, at: u32, left: &Value, right: &Value) {
        if *left != Value::Unknown && *right != Value::Unknown {
            self.events.push(Event::Compare {
                at,
                left: left.clone(),
                right: right.clone(),
            });
        }
    }
}

/// `value` with its low `bits` as a signed number.
fn sign_extend(value: u32, bits: u32) -> u32 {
    let shift = 32 - bits;
    ((value << shift) as i32 >> shift) as u32
}
