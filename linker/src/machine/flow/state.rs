//! Registers and stack on one path of a trace.

use super::{
    SP,
    value::{Arguments, Value},
};

/// Words of the stack that are remembered on a path.
const MAX_STACKED: usize = 128;
/// Words at the stack pointer that are looked at as arguments of a call.
const STACKED_ARGUMENTS: i32 = 6;

/// Registers on one path.
#[derive(Debug, Clone)]
pub(super) struct State {
    registers: [Value; 16],
    /// Words on the stack by their distance from the stack pointer at entry.
    stack: Vec<(i32, Value)>,
    /// The address behind a `push {lr}`.
    pub pushed_lr: Option<u32>,
    /// After A32 instructions with a condition: which, and the state if they are
    /// not done.
    pub skipped: Option<(u32, Box<State>)>,
    /// After a conditional jump: the state if it is not done.
    pub otherwise: Option<Box<State>>,
    /// T32 instructions that an IT still makes conditional.
    pub conditional: u8,
}

impl State {
    pub(super) fn at_entry() -> Self {
        let mut registers: [Value; 16] = std::array::from_fn(|_| Value::Unknown);
        for register in 0..4u8 {
            registers[usize::from(register)] = Value::Argument(register);
        }
        registers[SP] = Value::Stack(0);
        Self {
            registers,
            stack: Vec::new(),
            pushed_lr: None,
            skipped: None,
            otherwise: None,
            conditional: 0,
        }
    }

    pub(super) fn get(&self, register: usize) -> &Value {
        &self.registers[register & 15]
    }

    pub(super) fn set(&mut self, register: usize, value: Value) {
        self.registers[register & 15] = value;
    }

    pub(super) fn forget(&mut self, register: usize) {
        self.set(register, Value::Unknown);
    }

    fn forget_list(&mut self, list: u32) {
        for register in 0..16 {
            if list >> register & 1 == 1 {
                self.forget(register);
            }
        }
    }

    /// The word at a distance from the stack pointer at entry.
    pub(super) fn stacked(&self, distance: i32) -> Value {
        let kept = self.stack.iter().find(|(place, _)| *place == distance);
        match kept {
            Some((_, value)) => value.clone(),
            // Above the frame the arguments begin, the fifth first.
            None if distance >= 0 && distance % 4 == 0 => match u8::try_from(distance / 4 + 4) {
                Ok(number) if number < 16 => Value::Argument(number),
                _ => Value::Unknown,
            },
            None => Value::Unknown,
        }
    }

    pub(super) fn keep(&mut self, distance: i32, value: Value) {
        let entry = self.stack.iter().position(|(place, _)| *place == distance);
        match entry {
            Some(index) => self.stack[index].1 = value,
            None if self.stack.len() < MAX_STACKED => self.stack.push((distance, value)),
            None => {}
        }
    }

    /// What a call is handed: r0 to r3 and the words at the stack pointer.
    pub(super) fn arguments(&self) -> Arguments {
        let stacked = match self.get(SP) {
            Value::Stack(top) => *top..top.saturating_add(4 * STACKED_ARGUMENTS),
            _ => 0..0,
        };
        let stacked = stacked.step_by(4).map(|place| match place < 0 {
            true => self.stacked(place),
            false => Value::Unknown,
        });
        self.registers[..4].iter().cloned().chain(stacked).collect()
    }

    /// What a call leaves of the registers (AAPCS: r0 to r3, ip, lr are lost)
    /// and of the stack: what lies at and above a place whose address it had.
    pub(super) fn after_call(&mut self, at: u32) {
        let handed = self.registers[..4].iter().filter_map(|value| match value {
            Value::Stack(place) => Some(*place),
            _ => None,
        });
        if let Some(lowest) = handed.min() {
            self.stack
                .retain(|(place, _)| *place < lowest || *place >= 0);
            for (place, value) in &mut self.stack {
                if *place >= 0 {
                    *value = Value::Unknown;
                }
            }
        }
        self.forget_list(0x500e);
        self.set(0, Value::Result(at));
    }
}
