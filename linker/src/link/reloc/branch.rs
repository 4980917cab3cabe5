//! Branches: which instruction set they end in, how far they reach, and when
//! they need a veneer.
//!
//! Source: Arm, "Procedure Call Standard for the Arm Architecture" (IHI 0042),
//! section 5.6 (interworking), and IHI 0044, section 5.6.1.5: of all branches
//! only an unconditional BL may become BLX.

use super::{Fault, Field, name, within};

/// BL of Thumb reaches 4 MiB on cores without Thumb-2 and 16 MiB on others. A
/// veneer more is cheaper than to know which.
const THUMB_CALL_REACH: i64 = 0x40_0000;

/// A branch instruction and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branch {
    /// `R_ARM_*`.
    pub(crate) kind: u32,
    /// The field of that relocation.
    pub(crate) field: Field,
    /// The instruction as in the object.
    pub(crate) insn: u32,
    /// Its address.
    pub(crate) place: u32,
}

/// How a branch comes to its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// By itself.
    Direct,
    /// Through a veneer near by that starts in the named instruction set.
    Veneer {
        /// Whether the veneer must start with Thumb instructions.
        thumb: bool,
    },
}

impl Branch {
    /// Whether the instruction is a Thumb one.
    pub(crate) fn is_thumb(&self) -> bool {
        self.field != Field::ArmBranch
    }

    /// What the program counter is ahead of the instruction.
    pub(crate) fn bias(&self) -> u32 {
        if self.is_thumb() { 4 } else { 8 }
    }

    /// The way to `destination`, whose bit 0 is set for Thumb code.
    pub(crate) fn route(&self, destination: u32) -> Route {
        if self.encode(destination).is_ok() {
            return Route::Direct;
        }
        // BL can become BLX on its way to a veneer in ARM code; B cannot.
        let thumb = self.is_thumb() && self.field != Field::ThumbCall;
        Route::Veneer { thumb }
    }

    /// The instruction that goes to `destination`, whose bit 0 is set for Thumb code.
    ///
    /// # Errors
    ///
    /// Out of range, or it cannot change the instruction set.
    pub(crate) fn encode(&self, destination: u32) -> Result<u32, Fault> {
        let thumb = destination & 1 != 0;
        let target = destination & !1;
        if self.is_thumb() {
            self.encode_thumb(target, thumb)
        } else {
            self.encode_arm(target, thumb)
        }
    }

    fn encode_arm(&self, target: u32, thumb: bool) -> Result<u32, Fault> {
        let blx = self.insn >> 25 == 0x7d;
        let bl = self.insn >> 24 == 0xeb;
        let insn = match (thumb, bl || blx) {
            (true, true) => 0xfa00_0000,
            (true, false) => return Err(self.stays("BL or BLX, and its destination is Thumb code")),
            (false, _) if blx => 0xeb00_0000,
            (false, _) => self.insn,
        };
        let value = target.wrapping_sub(self.place.wrapping_add(8));
        self.field.encode(self.kind, insn, value)
    }

    fn encode_thumb(&self, target: u32, thumb: bool) -> Result<u32, Fault> {
        if self.field != Field::ThumbCall {
            if !thumb {
                return Err(self.stays("BL or BLX, and its destination is ARM code"));
            }
            let value = target.wrapping_sub(self.place.wrapping_add(4));
            return self.field.encode(self.kind, self.insn, value);
        }
        // BLX counts from the word in which it stands.
        let (insn, from) = if thumb {
            (self.insn | 0x1000, self.place)
        } else {
            (self.insn & !0x1001, self.place & !3)
        };
        let value = target.wrapping_sub(from.wrapping_add(4));
        let signed = i64::from(value.cast_signed());
        within(self.kind, signed, -THUMB_CALL_REACH, THUMB_CALL_REACH - 2)?;
        self.field.encode(self.kind, insn, value)
    }

    fn stays(&self, expected: &'static str) -> Fault {
        Fault::Instruction {
            name: name(self.kind),
            found: self.insn,
            expected,
        }
    }

    /// The instruction in place of a branch to a weak symbol that nobody
    /// defines: it goes on behind itself.
    pub(crate) fn skip(&self) -> u32 {
        const MOV_R0_R0: u32 = 0x01a0_0000;
        const ALWAYS: u32 = 0xe;
        match (self.is_thumb(), self.field.width()) {
            (false, _) => {
                let condition = self.insn >> 28;
                let condition = if condition == 0xf { ALWAYS } else { condition };
                condition << 28 | MOV_R0_R0
            }
            // `b .+4` and `mov r8, r8`: right without Thumb-2 too.
            (true, 4) => 0xe000_46c0,
            (true, _) => 0x46c0,
        }
    }
}
