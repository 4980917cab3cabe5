//! Relocations of ELF for the Arm architecture: what each computes, and which
//! bits of the instruction hold it.
//!
//! Source: Arm, "ELF for the Arm Architecture" (IHI 0044), section 5.6. The
//! notation is the manual's: S the symbol's address, A the addend, P the place,
//! Pa the place rounded down to a word, T 1 for a Thumb function, `GOT(S)` the
//! table entry that holds S, `GOT_ORG` the table's start.
//!
//! Objects use REL: the addend stands in the bits that will hold the result, so
//! each [`Field`] can be read as well as written.

mod arm;
mod branch;
mod thumb;

use goblin::elf::reloc as r;

pub(crate) use branch::{Branch, Route};

/// Why a relocation cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not one that compilers emit for kernels' code.
    #[error("relocation {0} is not supported")]
    Unknown(String),
    /// Behind the end of the section.
    #[error("{name} needs {needs} bytes, the section has {left} left")]
    Truncated {
        /// The relocation.
        name: String,
        /// Bytes it patches.
        needs: usize,
        /// Bytes there are.
        left: usize,
    },
    /// The result does not fit.
    #[error("{name}: {} is outside of {}..={}", hex(*value), hex(*low), hex(*high))]
    OutOfRange {
        /// The relocation.
        name: String,
        /// What was to be written.
        value: i64,
        /// Least that fits.
        low: i64,
        /// Most that fits.
        high: i64,
    },
    /// The result lacks the alignment that the field implies, or cannot be
    /// expressed as a rotated byte.
    #[error("{name}: {} cannot be encoded: {why}", hex(*value))]
    NotEncodable {
        /// The relocation.
        name: String,
        /// What was to be written.
        value: i64,
        /// Which property it lacks.
        why: &'static str,
    },
    /// The bytes are not the instruction that this relocation is for.
    #[error("{name}: {found:#010x} is not {expected}")]
    Instruction {
        /// The relocation.
        name: String,
        /// The instruction; a Thumb one with its first halfword on top.
        found: u32,
        /// What the relocation is for.
        expected: &'static str,
    },
}

fn hex(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{:#x}", value.unsigned_abs())
}

/// What a relocation computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Formula {
    /// Nothing.
    Nothing,
    /// `(S + A) | T`
    Absolute,
    /// `S + A`
    AbsoluteData,
    /// `((S + A) | T) - P`
    Relative,
    /// `S + A - P`
    RelativeData,
    /// `S + A - Pa`
    RelativeWord,
    /// `((S + A) | T) - Pa`
    RelativeWordFunction,
    /// A branch: see [`Branch`].
    Branch,
    /// `GOT(S) + A - P`
    GotRelative,
    /// `GOT(S) + A - GOT_ORG`
    GotOffset,
    /// `GOT(S) + A`
    GotAbsolute,
    /// `GOT_ORG + A - P`
    GotBase,
    /// `((S + A) | T) - GOT_ORG`
    FromGotBase,
}

/// Which bits hold the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// None.
    Nothing,
    /// 8 bits, signed or unsigned.
    Byte,
    /// 16 bits, signed or unsigned.
    Half,
    /// 32 bits.
    Word,
    /// The low 31 bits of a word.
    Word31,
    /// ARM branches: 24 bits of words (and a halfword in BLX).
    ArmBranch,
    /// ARM MOVW, MOVT: 16 bits; `top` takes the upper half of the result.
    ArmMove { top: bool },
    /// ARM LDR, STR: 12 bits without sign.
    Arm12,
    /// ARM ADD, SUB with a rotated byte: part `group` of the result.
    ArmAlu { group: u32, check: bool },
    /// ARM LDR, STR, LDRB, STRB: 12 bits and sign, behind `group` parts.
    ArmLoad { group: u32 },
    /// ARM LDRD, LDRH and the like: 8 bits and sign, behind `group` parts.
    ArmLoadShort { group: u32 },
    /// ARM LDC, STC: 8 bits of words and sign, behind `group` parts.
    ArmLoadCoprocessor { group: u32 },
    /// Thumb BL, BLX.
    ThumbCall,
    /// Thumb B.W.
    ThumbJump24,
    /// Thumb Bcond.W.
    ThumbJump19,
    /// Thumb B.
    ThumbJump11,
    /// Thumb Bcond.
    ThumbJump8,
    /// Thumb CBZ, CBNZ.
    ThumbJump6,
    /// Thumb MOVW, MOVT.
    ThumbMove { top: bool },
    /// Thumb LDR, STR: 5 bits of words.
    Thumb5,
    /// Thumb LDR literal, ADR: 8 bits of words.
    Thumb8,
    /// Thumb LDR.W literal: 12 bits and sign.
    Thumb12,
    /// Thumb ADR.W: 12 bits, ADD or SUB.
    ThumbAlu12,
}

/// What `kind` computes and where it goes; `None` when it is not supported.
pub(crate) fn rule(kind: u32) -> Option<(Formula, Field)> {
    Some(match kind {
        // The linker changes nothing for V4BX: all cores that run us have BX.
        r::R_ARM_NONE | r::R_ARM_V4BX => (Formula::Nothing, Field::Nothing),
        // R_ARM_TARGET1 is ABS32 on every platform that loads no shared objects.
        r::R_ARM_ABS32 | r::R_ARM_TARGET1 => (Formula::Absolute, Field::Word),
        r::R_ARM_ABS32_NOI => (Formula::AbsoluteData, Field::Word),
        r::R_ARM_ABS16 => (Formula::AbsoluteData, Field::Half),
        r::R_ARM_ABS8 => (Formula::AbsoluteData, Field::Byte),
        r::R_ARM_ABS12 => (Formula::AbsoluteData, Field::Arm12),
        r::R_ARM_THM_ABS5 => (Formula::AbsoluteData, Field::Thumb5),
        // R_ARM_TARGET2 is REL32 in bare-metal tool chains; only unwind tables use it.
        r::R_ARM_REL32 | r::R_ARM_TARGET2 => (Formula::Relative, Field::Word),
        r::R_ARM_REL32_NOI => (Formula::RelativeData, Field::Word),
        r::R_ARM_PREL31 => (Formula::Relative, Field::Word31),
        r::R_ARM_PC24 | r::R_ARM_CALL | r::R_ARM_JUMP24 | r::R_ARM_PLT32 => {
            (Formula::Branch, Field::ArmBranch)
        }
        r::R_ARM_THM_PC22 => (Formula::Branch, Field::ThumbCall),
        r::R_ARM_THM_JUMP24 => (Formula::Branch, Field::ThumbJump24),
        r::R_ARM_THM_JUMP19 => (Formula::Branch, Field::ThumbJump19),
        r::R_ARM_THM_PC11 => (Formula::Branch, Field::ThumbJump11),
        r::R_ARM_THM_PC9 => (Formula::Branch, Field::ThumbJump8),
        r::R_ARM_THM_JUMP6 => (Formula::Branch, Field::ThumbJump6),
        r::R_ARM_MOVW_ABS_NC => (Formula::Absolute, Field::ArmMove { top: false }),
        r::R_ARM_MOVT_ABS => (Formula::AbsoluteData, Field::ArmMove { top: true }),
        r::R_ARM_MOVW_PREL_NC => (Formula::Relative, Field::ArmMove { top: false }),
        r::R_ARM_MOVT_PREL => (Formula::RelativeData, Field::ArmMove { top: true }),
        r::R_ARM_THM_MOVW_ABS_NC => (Formula::Absolute, Field::ThumbMove { top: false }),
        r::R_ARM_THM_MOVT_ABS => (Formula::AbsoluteData, Field::ThumbMove { top: true }),
        r::R_ARM_THM_MOVW_PREL_NC => (Formula::Relative, Field::ThumbMove { top: false }),
        r::R_ARM_THM_MOVT_PREL => (Formula::RelativeData, Field::ThumbMove { top: true }),
        r::R_ARM_THM_PC8 => (Formula::RelativeWord, Field::Thumb8),
        r::R_ARM_THM_PC12 => (Formula::RelativeWord, Field::Thumb12),
        r::R_ARM_THM_ALU_PREL_11_0 => (Formula::RelativeWordFunction, Field::ThumbAlu12),
        r::R_ARM_ALU_PC_G0_NC => alu(0, false),
        r::R_ARM_ALU_PC_G0 => alu(0, true),
        r::R_ARM_ALU_PC_G1_NC => alu(1, false),
        r::R_ARM_ALU_PC_G1 => alu(1, true),
        r::R_ARM_ALU_PC_G2 => alu(2, true),
        // R_ARM_LDR_PC_G0 goes by its older name.
        r::R_ARM_PC13 => (Formula::RelativeData, Field::ArmLoad { group: 0 }),
        r::R_ARM_LDR_PC_G1 => (Formula::RelativeData, Field::ArmLoad { group: 1 }),
        r::R_ARM_LDR_PC_G2 => (Formula::RelativeData, Field::ArmLoad { group: 2 }),
        r::R_ARM_LDRS_PC_G0 => (Formula::RelativeData, Field::ArmLoadShort { group: 0 }),
        r::R_ARM_LDRS_PC_G1 => (Formula::RelativeData, Field::ArmLoadShort { group: 1 }),
        r::R_ARM_LDRS_PC_G2 => (Formula::RelativeData, Field::ArmLoadShort { group: 2 }),
        r::R_ARM_LDC_PC_G0 => (
            Formula::RelativeData,
            Field::ArmLoadCoprocessor { group: 0 },
        ),
        r::R_ARM_LDC_PC_G1 => (
            Formula::RelativeData,
            Field::ArmLoadCoprocessor { group: 1 },
        ),
        r::R_ARM_LDC_PC_G2 => (
            Formula::RelativeData,
            Field::ArmLoadCoprocessor { group: 2 },
        ),
        r::R_ARM_GOTOFF => (Formula::FromGotBase, Field::Word),
        r::R_ARM_GOTPC => (Formula::GotBase, Field::Word),
        r::R_ARM_GOT32 => (Formula::GotOffset, Field::Word),
        r::R_ARM_GOT_ABS => (Formula::GotAbsolute, Field::Word),
        r::R_ARM_GOT_PREL => (Formula::GotRelative, Field::Word),
        _ => return None,
    })
}

fn alu(group: u32, check: bool) -> (Formula, Field) {
    (Formula::Relative, Field::ArmAlu { group, check })
}

/// The name that the manual gives a relocation.
pub(crate) fn name(kind: u32) -> String {
    let modern = match kind {
        r::R_ARM_NONE => "R_ARM_NONE",
        r::R_ARM_THM_PC22 => "R_ARM_THM_CALL",
        r::R_ARM_THM_PC11 => "R_ARM_THM_JUMP11",
        r::R_ARM_THM_PC9 => "R_ARM_THM_JUMP8",
        r::R_ARM_PC13 => "R_ARM_LDR_PC_G0",
        r::R_ARM_GOTOFF => "R_ARM_GOTOFF32",
        r::R_ARM_GOTPC => "R_ARM_BASE_PREL",
        r::R_ARM_GOT32 => "R_ARM_GOT_BREL",
        _ => "",
    };
    if !modern.is_empty() {
        return modern.to_owned();
    }
    let known = goblin::elf::reloc::r_to_str(kind, goblin::elf::header::EM_ARM);
    if known.contains("UNKNOWN") {
        return format!("number {kind}");
    }
    format!("R_{}", known.trim_start_matches("R_"))
}

impl Field {
    /// How many bytes it patches.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Byte => 1,
            Self::Half
            | Self::ThumbJump11
            | Self::ThumbJump8
            | Self::ThumbJump6
            | Self::Thumb5
            | Self::Thumb8 => 2,
            _ => 4,
        }
    }

    fn is_thumb_pair(self) -> bool {
        matches!(
            self,
            Self::ThumbCall
                | Self::ThumbJump24
                | Self::ThumbJump19
                | Self::ThumbMove { .. }
                | Self::Thumb12
                | Self::ThumbAlu12
        )
    }

    /// The number that the bytes hold; of a Thumb instruction of two halfwords
    /// the first one is on top.
    pub(crate) fn load(self, kind: u32, bytes: &[u8]) -> Result<u32, Fault> {
        let truncated = || Fault::Truncated {
            name: name(kind),
            needs: self.width(),
            left: bytes.len(),
        };
        let bytes = bytes.get(..self.width()).ok_or_else(truncated)?;
        Ok(match *bytes {
            [a] => a.into(),
            [a, b] => u16::from_le_bytes([a, b]).into(),
            [a, b, c, d] if self.is_thumb_pair() => u32::from_le_bytes([c, d, a, b]),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
            _ => 0,
        })
    }

    /// Writes what [`Field::load`] reads.
    pub(crate) fn store(self, kind: u32, bytes: &mut [u8], value: u32) -> Result<(), Fault> {
        let left = bytes.len();
        let Some(bytes) = bytes.get_mut(..self.width()) else {
            return Err(Fault::Truncated {
                name: name(kind),
                needs: self.width(),
                left,
            });
        };
        let [a, b, c, d] = value.to_le_bytes();
        if self.is_thumb_pair() {
            bytes.copy_from_slice(&[c, d, a, b]);
        } else {
            bytes.copy_from_slice(&[a, b, c, d][..bytes.len()]);
        }
        Ok(())
    }

    /// The addend that an instruction or word holds.
    pub(crate) fn addend(self, insn: u32) -> i32 {
        match self {
            Self::Nothing => 0,
            Self::Byte => sign_extend(insn, 8),
            Self::Half => sign_extend(insn, 16),
            Self::Word => insn.cast_signed(),
            Self::Word31 => sign_extend(insn, 31),
            Self::ArmBranch
            | Self::ArmMove { .. }
            | Self::Arm12
            | Self::ArmAlu { .. }
            | Self::ArmLoad { .. }
            | Self::ArmLoadShort { .. }
            | Self::ArmLoadCoprocessor { .. } => arm::addend(self, insn),
            _ => thumb::addend(self, insn),
        }
    }

    /// The instruction or word with `value` in the field.
    ///
    /// # Errors
    ///
    /// The value does not fit, or the instruction is another one.
    pub(crate) fn encode(self, kind: u32, insn: u32, value: u32) -> Result<u32, Fault> {
        let signed = i64::from(value.cast_signed());
        match self {
            Self::Nothing => Ok(insn),
            // Signed or unsigned: both ways of reading the field are in use.
            Self::Byte => within(kind, signed, -0x80, 0xff).map(|()| value & 0xff),
            Self::Half => within(kind, signed, -0x8000, 0xffff).map(|()| value & 0xffff),
            Self::Word => Ok(value),
            Self::Word31 => within(kind, signed, -0x4000_0000, 0x3fff_ffff)
                .map(|()| insn & 0x8000_0000 | value & 0x7fff_ffff),
            Self::ArmBranch
            | Self::ArmMove { .. }
            | Self::Arm12
            | Self::ArmAlu { .. }
            | Self::ArmLoad { .. }
            | Self::ArmLoadShort { .. }
            | Self::ArmLoadCoprocessor { .. } => arm::encode(self, kind, insn, value),
            _ => thumb::encode(self, kind, insn, value),
        }
    }
}

fn sign_extend(value: u32, bits: u32) -> i32 {
    let shift = 32 - bits;
    (value << shift).cast_signed() >> shift
}

fn within(kind: u32, value: i64, low: i64, high: i64) -> Result<(), Fault> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Fault::OutOfRange {
            name: name(kind),
            value,
            low,
            high,
        })
    }
}

fn aligned(kind: u32, value: i64, align: i64, why: &'static str) -> Result<(), Fault> {
    if value & (align - 1) == 0 {
        Ok(())
    } else {
        Err(Fault::NotEncodable {
            name: name(kind),
            value,
            why,
        })
    }
}

fn expect(kind: u32, insn: u32, holds: bool, expected: &'static str) -> Result<(), Fault> {
    if holds {
        Ok(())
    } else {
        Err(Fault::Instruction {
            name: name(kind),
            found: insn,
            expected,
        })
    }
}

#[cfg(test)]
mod tests;
