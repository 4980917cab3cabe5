//! Fields of Thumb instructions (T16 and T32 encodings of the Arm Architecture
//! Reference Manual, DDI 0406, chapter A8). An instruction of two halfwords is
//! a number with the first halfword on top.

use super::{Fault, Field, aligned, expect, sign_extend, within};

/// The addend in an instruction.
pub(super) fn addend(field: Field, insn: u32) -> i32 {
    match field {
        Field::ThumbCall | Field::ThumbJump24 => {
            let s = insn >> 26 & 1;
            let i1 = !(insn >> 13 ^ s) & 1;
            let i2 = !(insn >> 11 ^ s) & 1;
            let high = insn >> 16 & 0x3ff;
            let low = insn & 0x7ff;
            sign_extend(s << 24 | i1 << 23 | i2 << 22 | high << 12 | low << 1, 25)
        }
        Field::ThumbJump19 => {
            let s = insn >> 26 & 1;
            let j2 = insn >> 11 & 1;
            let j1 = insn >> 13 & 1;
            let high = insn >> 16 & 0x3f;
            let low = insn & 0x7ff;
            sign_extend(s << 20 | j2 << 19 | j1 << 18 | high << 12 | low << 1, 21)
        }
        Field::ThumbJump11 => sign_extend((insn & 0x7ff) << 1, 12),
        Field::ThumbJump8 => sign_extend((insn & 0xff) << 1, 9),
        Field::ThumbMove { .. } => {
            let value = insn >> 4 & 0xf000 | insn >> 15 & 0x800 | insn >> 4 & 0x700 | insn & 0xff;
            sign_extend(value, 16)
        }
        Field::Thumb5 => (insn >> 4 & 0x7c).cast_signed(),
        // Where these two have no sign, the highest value stands for -4: the
        // distance from P of what P itself would read.
        Field::Thumb8 => ((((insn & 0xff) << 2) + 4) & 0x3ff).cast_signed() - 4,
        Field::ThumbJump6 => {
            ((((insn >> 3 & 0x40) | (insn >> 2 & 0x3e)) + 4) & 0x7f).cast_signed() - 4
        }
        Field::Thumb12 => {
            let value = (insn & 0xfff).cast_signed();
            if insn >> 23 & 1 != 0 { value } else { -value }
        }
        Field::ThumbAlu12 => {
            let value = insn >> 15 & 0x800 | insn >> 4 & 0x700 | insn & 0xff;
            let value = value.cast_signed();
            if insn & 0x00a0_0000 != 0 {
                -value
            } else {
                value
            }
        }
        _ => 0,
    }
}

/// The instruction with `value` in its field.
pub(super) fn encode(field: Field, kind: u32, insn: u32, value: u32) -> Result<u32, Fault> {
    let signed = i64::from(value.cast_signed());
    match field {
        Field::ThumbCall | Field::ThumbJump24 => {
            within(kind, signed, -0x100_0000, 0xff_fffe)?;
            let exchange = field == Field::ThumbCall && insn & 0x1000 == 0;
            if exchange {
                aligned(kind, signed, 4, "BLX reaches words")?;
            } else {
                aligned(kind, signed, 2, "Thumb branches reach halfwords")?;
            }
            // J1 and J2 are 1 within 4 MiB: the form of cores before Thumb-2.
            let s = value >> 24 & 1;
            let j1 = !(value >> 23 ^ s) & 1;
            let j2 = !(value >> 22 ^ s) & 1;
            let high = value >> 12 & 0x3ff;
            let low = value >> 1 & 0x7ff;
            Ok(insn & 0xf800_d000 | s << 26 | high << 16 | j1 << 13 | j2 << 11 | low)
        }
        Field::ThumbJump19 => {
            within(kind, signed, -0x10_0000, 0xf_fffe)?;
            aligned(kind, signed, 2, "Thumb branches reach halfwords")?;
            let s = value >> 20 & 1;
            let j2 = value >> 19 & 1;
            let j1 = value >> 18 & 1;
            let high = value >> 12 & 0x3f;
            let low = value >> 1 & 0x7ff;
            Ok(insn & 0xfbc0_d000 | s << 26 | high << 16 | j1 << 13 | j2 << 11 | low)
        }
        Field::ThumbJump11 => {
            within(kind, signed, -0x800, 0x7fe)?;
            aligned(kind, signed, 2, "Thumb branches reach halfwords")?;
            Ok(insn & 0xf800 | value >> 1 & 0x7ff)
        }
        Field::ThumbJump8 => {
            within(kind, signed, -0x100, 0xfe)?;
            aligned(kind, signed, 2, "Thumb branches reach halfwords")?;
            Ok(insn & 0xff00 | value >> 1 & 0xff)
        }
        Field::ThumbJump6 => {
            within(kind, signed, 0, 0x7e)?;
            aligned(kind, signed, 2, "Thumb branches reach halfwords")?;
            Ok(insn & 0xfd07 | (value & 0x40) << 3 | (value & 0x3e) << 2)
        }
        Field::ThumbMove { top } => {
            expect(
                kind,
                insn,
                insn & 0xfb70_8000 == 0xf240_0000,
                "MOVW or MOVT",
            )?;
            let half = if top { value >> 16 } else { value & 0xffff };
            Ok(insn & 0xfbf0_8f00 | wide12(half) | (half & 0xf000) << 4)
        }
        Field::Thumb5 => {
            within(kind, signed, 0, 0x7c)?;
            aligned(kind, signed, 4, "LDR reaches words")?;
            Ok(insn & 0xf83f | value << 4)
        }
        Field::Thumb8 => {
            within(kind, signed, 0, 0x3fc)?;
            aligned(kind, signed, 4, "LDR reaches words")?;
            Ok(insn & 0xff00 | value >> 2 & 0xff)
        }
        Field::Thumb12 => {
            within(kind, signed, -0xfff, 0xfff)?;
            let up = u32::from(signed >= 0) << 23;
            Ok(insn & 0xff7f_f000 | up | signed.unsigned_abs() as u32)
        }
        Field::ThumbAlu12 => {
            within(kind, signed, -0xfff, 0xfff)?;
            let opcode = if signed < 0 { 0x00a0_0000 } else { 0 };
            Ok(insn & 0xfb5f_8f00 | opcode | wide12(signed.unsigned_abs() as u32))
        }
        _ => Ok(insn),
    }
}

/// `i:imm3:imm8`, as modified and plain immediates of T32 are split up.
fn wide12(value: u32) -> u32 {
    (value & 0x800) << 15 | (value & 0x700) << 4 | value & 0xff
}
