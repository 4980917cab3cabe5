//! A decoder for the scans: what an instruction does to control flow and to the
//! registers, not how it is written.
//!
//! A32 and T32 come out as the same [`Insn`], so that nothing behind this file
//! knows two instruction sets. Encodings: ARM DDI 0406, chapters A5 and A6. The
//! decoder never fails: bytes that no Armv7 instruction has give [`Op::Undefined`].

mod arm;
#[cfg(test)]
mod tests;
mod thumb;

pub(super) use arm::decode as arm;
pub(super) use thumb::decode as thumb;
pub(super) use thumb::it_length;

/// Number of the stack pointer.
pub(super) const SP: u8 = 13;
/// Number of the link register.
pub(super) const LR: u8 = 14;
/// Number of the program counter.
pub(super) const PC: u8 = 15;
/// Condition "always".
pub(super) const ALWAYS: u8 = 14;

/// An instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Insn {
    /// Bytes that it takes, 2 or 4.
    pub size: u8,
    /// Its condition as A32 writes it, [`ALWAYS`] when it has none.
    pub cond: u8,
    /// Registers that it reads, a bit each.
    pub reads: u16,
    /// Registers that it writes.
    pub writes: u16,
    /// It sets the flags.
    pub flags: bool,
    /// What it does.
    pub op: Op,
}

impl Insn {
    /// Control may go on behind it whatever [`Self::op`] says.
    pub(super) fn conditional(&self) -> bool {
        self.cond != ALWAYS
    }
}

/// With which operator a constant is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Use {
    /// `mov`, also `mvn` and `movw` with `movt`; loaded from a literal pool too.
    Mov,
    /// `and`
    And,
    /// `orr`
    Orr,
    /// `eor`
    Eor,
    /// `bic`; the constant is what is cleared.
    Bic,
    /// `tst`
    Tst,
    /// `teq`
    Teq,
    /// `cmp`
    Cmp,
    /// `cmn`, given as the negated constant: what the register is compared with.
    Cmn,
    /// `add`
    Add,
    /// `sub`
    Sub,
}

/// What an instruction does, as far as the scans want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    /// No instruction.
    Undefined,
    /// `udf`, `bkpt`: control does not go on.
    Trap,
    /// Something whose effects are only those of `reads` and `writes`.
    Other,
    /// An instruction that does nothing, as it stands in padding.
    Nop,
    /// To a fixed address.
    Branch(u32),
    /// Call of a fixed address; `exchange` when it changes the instruction set.
    Call {
        /// Without bit 0.
        target: u32,
        /// To the other instruction set.
        exchange: bool,
    },
    /// Call through a register.
    CallRegister(u8),
    /// Jump through a register, `lr` included (then it is a return).
    JumpRegister(u8),
    /// The program counter is loaded from the stack with other registers, or by
    /// an exception return.
    Return,
    /// Jump through a word in memory: `ldr pc, [rn, #offset]`.
    JumpMemory(u8, i32),
    /// `ldr pc, [rn, rm, lsl #2]`
    JumpTable {
        /// The table.
        base: u8,
        /// Number of the entry.
        index: u8,
    },
    /// `add pc, rn, rm, lsl #n`
    JumpSum {
        /// Where the distance counts from.
        base: u8,
        /// Number of the step.
        index: u8,
        /// Length of the shift.
        shift: u8,
    },
    /// `tbb` and `tbh`: `half` when the entries are halfwords.
    TableBranch {
        /// The table; the program counter mostly.
        base: u8,
        /// Number of the entry.
        index: u8,
        /// Entries are halfwords.
        half: bool,
    },
    /// The program counter is written in another way.
    JumpOther,
    /// A word (or less, with `size` below 4) is loaded from a fixed address.
    LoadLiteral {
        /// Register.
        rt: u8,
        /// Of the word.
        address: u32,
        /// In bytes.
        size: u8,
    },
    /// A constant comes into a register.
    Mov(u8, u32),
    /// The upper half of a register is set.
    Movt(u8, u32),
    /// An address near the instruction comes into a register.
    Adr(u8, u32),
    /// Register to register.
    Copy(u8, u8),
    /// `add rd, rn, rm` without a shift.
    AddRegister(u8, u8, u8),
    /// Arithmetic or logic with a constant: operator, rd, rn, constant.
    Arith(Use, u8, u8, u32),
    /// Comparison of a register with a constant.
    Compare(Use, u8, u32),
    /// Load from a register plus a distance; the bytes loaded. No write-back.
    Load {
        /// Register that is loaded.
        rt: u8,
        /// Base.
        rn: u8,
        /// Distance.
        offset: i32,
        /// In bytes.
        size: u8,
    },
    /// Store to a register plus a distance. No write-back.
    Store {
        /// Register that is stored.
        rt: u8,
        /// Base.
        rn: u8,
        /// Distance.
        offset: i32,
        /// In bytes.
        size: u8,
    },
    /// `ldr rt, [rn, rm, lsl #shift]` of so many bytes.
    LoadSum {
        /// Register that is loaded.
        rt: u8,
        /// Base.
        rn: u8,
        /// Index.
        rm: u8,
        /// Length of the shift.
        shift: u8,
        /// In bytes.
        size: u8,
    },
    /// `stm` to this register, not to the stack with write-back.
    StoreMany(u8),
    /// Registers of this list are saved on the stack: `stmdb sp!`, `push`,
    /// `str rt, [sp, #-n]!`; bytes by which the stack grows.
    Push(u16, u16),
    /// The reverse, without the program counter.
    Pop(u16, u16),
    /// The stack pointer is moved by a constant: positive is down.
    Stack(i32),
    /// The stack pointer is loaded from memory together with others (the return
    /// of code with a frame pointer): the frame is gone.
    Unframe,
    /// `it`: the conditions of the next instructions.
    IfThen(u8),
}

impl Op {
    /// It calls something.
    pub(super) fn calls(&self) -> bool {
        matches!(self, Op::Call { .. } | Op::CallRegister(_))
    }
}

/// An instruction without effects, of this size.
const fn plain(size: u8, cond: u8, op: Op) -> Insn {
    Insn {
        size,
        cond,
        reads: 0,
        writes: 0,
        flags: false,
        op,
    }
}

const fn bit(register: u8) -> u16 {
    1 << (register & 15)
}
