//! What a trace knows of a register, and the events that it yields.

use std::rc::Rc;

/// Loads through loads that are followed.
const MAX_DEPTH: usize = 4;

/// Bytes that an access moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Width {
    /// One.
    Byte,
    /// Two.
    Half,
    /// Four.
    Word,
    /// Eight: two registers by one instruction.
    Double,
}

/// What is known of a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing.
    Unknown,
    /// A number, mostly an address.
    Const(u32),
    /// An argument of the function: r0 to r3, then the words at its stack
    /// pointer.
    Argument(u8),
    /// The result of the call at this address.
    Result(u32),
    /// The stack pointer at the entry of the function, and a distance.
    Stack(i32),
    /// A distance from a pointer: the address of a field. Never 0, never a
    /// distance from a distance.
    Offset(Rc<Value>, i32),
    /// The word at a distance from a value; at the number itself for `Const`.
    /// That a field was loaded is worth knowing even if its struct is not.
    Load(Rc<Value>, i32),
    /// A byte or halfword at a distance from a value.
    Part(Rc<Value>, i32, Width),
    /// The bits of a value that a mask leaves.
    Masked(Rc<Value>, u32),
    /// A value shifted right by so many bits.
    Shifted(Rc<Value>, u8),
}

impl Value {
    /// What stands at a distance from this value.
    pub(super) fn load(&self, offset: i32, width: Width) -> Value {
        let (base, offset) = self.place(offset);
        if base.depth() >= MAX_DEPTH {
            return Value::Unknown;
        }
        let (base, offset) = match base {
            Value::Const(address) => (Value::Const(address.wrapping_add_signed(offset)), 0),
            base => (base, offset),
        };
        match width {
            Width::Byte | Width::Half => Value::Part(Rc::new(base), offset, width),
            Width::Word | Width::Double => Value::Load(Rc::new(base), offset),
        }
    }

    /// The pointer and the distance from it that a place at a distance from
    /// this value is.
    pub(super) fn place(&self, offset: i32) -> (Value, i32) {
        match self {
            Value::Offset(base, first) => ((**base).clone(), first.wrapping_add(offset)),
            base => (base.clone(), offset),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Value::Load(base, _)
            | Value::Part(base, ..)
            | Value::Offset(base, _)
            | Value::Masked(base, _)
            | Value::Shifted(base, _) => 1 + base.depth(),
            _ => 0,
        }
    }

    pub(super) fn add(&self, distance: u32) -> Value {
        let signed = distance as i32;
        match self {
            Value::Const(base) => Value::Const(base.wrapping_add(distance)),
            Value::Stack(base) => Value::Stack(base.wrapping_add(signed)),
            Value::Unknown | Value::Masked(..) | Value::Shifted(..) | Value::Part(..) => {
                match distance {
                    0 => self.clone(),
                    _ => Value::Unknown,
                }
            }
            other => {
                let (base, offset) = other.place(signed);
                match offset {
                    0 => base,
                    offset if base.depth() < MAX_DEPTH => Value::Offset(Rc::new(base), offset),
                    _ => Value::Unknown,
                }
            }
        }
    }

    pub(super) fn add_value(&self, other: &Value) -> Value {
        match (self, other) {
            (left, Value::Const(right)) => left.add(*right),
            (Value::Const(left), right) => right.add(*left),
            _ => Value::Unknown,
        }
    }

    pub(super) fn masked(&self, mask: u32) -> Value {
        match self {
            Value::Const(value) => Value::Const(value & mask),
            Value::Unknown => Value::Unknown,
            Value::Masked(value, first) => Value::Masked(value.clone(), first & mask),
            value if value.depth() < MAX_DEPTH => Value::Masked(Rc::new(value.clone()), mask),
            _ => Value::Unknown,
        }
    }

    pub(super) fn shifted_right(&self, bits: u8) -> Value {
        match self {
            Value::Const(value) => Value::Const(value.checked_shr(bits.into()).unwrap_or(0)),
            Value::Unknown => Value::Unknown,
            value if value.depth() < MAX_DEPTH => Value::Shifted(Rc::new(value.clone()), bits),
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

    /// The same, for a field of any width.
    pub(crate) fn part(&self) -> Option<(&Value, u32, Width)> {
        match self {
            Value::Part(base, offset, width) if !matches!(**base, Value::Const(_)) => {
                Some((base, u32::try_from(*offset).ok()?, *width))
            }
            _ => self
                .field()
                .map(|(base, offset)| (base, offset, Width::Word)),
        }
    }

    /// Whether it is known where this value comes from: two values are the same
    /// only then.
    pub(crate) fn is_rooted(&self) -> bool {
        match self {
            Value::Unknown => false,
            Value::Load(base, _)
            | Value::Part(base, ..)
            | Value::Offset(base, _)
            | Value::Masked(base, _)
            | Value::Shifted(base, _) => base.is_rooted(),
            _ => true,
        }
    }

    /// The pointer and the distance from it that this address is.
    pub(crate) fn address(&self) -> (&Value, i32) {
        match self {
            Value::Offset(base, offset) => (base, *offset),
            base => (base, 0),
        }
    }
}

/// Registers r0 to r3 at a call, then the first words on the stack.
pub(crate) type Arguments = Rc<[Value]>;

/// Something that the function does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A call, or a jump out of the function, through a register or a literal.
    CallValue {
        /// Address of the instruction.
        at: u32,
        /// What is called.
        target: Value,
        /// What it is handed.
        arguments: Arguments,
    },
    /// A direct call or a jump out of the function.
    Call {
        /// Address of the instruction.
        at: u32,
        /// What is called; bit 0 is clear in any case.
        target: u32,
        /// What it is handed.
        arguments: Arguments,
    },
    /// Something is stored.
    Store {
        /// Address of the instruction.
        at: u32,
        /// Pointer to the place.
        base: Value,
        /// Distance from it.
        offset: i32,
        /// What is stored.
        value: Value,
        /// How much of it.
        width: Width,
    },
    /// Something is loaded through a pointer of which something is known.
    Load {
        /// Address of the instruction.
        at: u32,
        /// Pointer to the place.
        base: Value,
        /// Distance from it.
        offset: i32,
        /// How much.
        width: Width,
        /// It takes the place of the pointer, as in a walk along a list.
        replaces_base: bool,
    },
    /// Bits of a value are tested.
    Test {
        /// Address of the instruction.
        at: u32,
        /// The value.
        value: Value,
        /// The bits.
        mask: u32,
    },
    /// Two values are compared.
    Compare {
        /// Address of the instruction.
        at: u32,
        /// The one.
        left: Value,
        /// The other.
        right: Value,
    },
    /// A pointer of which something is known goes on, as along an array.
    Advance {
        /// Address of the instruction.
        at: u32,
        /// The pointer as it was at first.
        base: Value,
        /// By so many bytes.
        distance: u32,
    },
}
