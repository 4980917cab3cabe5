//! Fields of ARM instructions (A32 encodings of the Arm Architecture Reference
//! Manual, DDI 0406, chapter A8).

use super::{Fault, Field, aligned, expect, name, sign_extend, within};

const UP: u32 = 1 << 23;

/// The addend in an instruction.
pub(super) fn addend(field: Field, insn: u32) -> i32 {
    let signed = |magnitude: u32| {
        let magnitude = magnitude.cast_signed();
        if insn & UP != 0 {
            magnitude
        } else {
            -magnitude
        }
    };
    match field {
        Field::ArmBranch => {
            let words = sign_extend(insn, 24) << 2;
            // BLX has the halfword in bit 24.
            let half = if insn >> 28 == 0xf { insn >> 23 & 2 } else { 0 };
            words | half.cast_signed()
        }
        Field::ArmMove { .. } => sign_extend(insn >> 4 & 0xf000 | insn & 0xfff, 16),
        Field::Arm12 => (insn & 0xfff).cast_signed(),
        Field::ArmAlu { .. } => {
            let value = (insn & 0xff)
                .rotate_right(2 * (insn >> 8 & 0xf))
                .cast_signed();
            if insn & 1 << 22 != 0 {
                value.wrapping_neg()
            } else {
                value
            }
        }
        Field::ArmLoad { .. } => signed(insn & 0xfff),
        Field::ArmLoadShort { .. } => signed(insn >> 4 & 0xf0 | insn & 0xf),
        Field::ArmLoadCoprocessor { .. } => signed((insn & 0xff) << 2),
        _ => 0,
    }
}

/// The instruction with `value` in its field.
pub(super) fn encode(field: Field, kind: u32, insn: u32, value: u32) -> Result<u32, Fault> {
    let signed = i64::from(value.cast_signed());
    match field {
        Field::ArmBranch => {
            within(kind, signed, -0x200_0000, 0x1ff_fffe)?;
            if insn >> 28 == 0xf {
                aligned(kind, signed, 2, "BLX reaches halfwords")?;
                return Ok(insn & 0xfe00_0000 | (value & 2) << 23 | value >> 2 & 0xff_ffff);
            }
            aligned(kind, signed, 4, "ARM branches reach words")?;
            Ok(insn & 0xff00_0000 | value >> 2 & 0xff_ffff)
        }
        Field::ArmMove { top } => {
            expect(
                kind,
                insn,
                insn & 0x0fb0_0000 == 0x0300_0000,
                "MOVW or MOVT",
            )?;
            let half = if top { value >> 16 } else { value & 0xffff };
            Ok(insn & 0xfff0_f000 | (half & 0xf000) << 4 | half & 0xfff)
        }
        Field::Arm12 => {
            within(kind, signed, 0, 0xfff)?;
            Ok(insn & !0xfff | value)
        }
        Field::ArmAlu { group, check } => {
            let direction = insn >> 21 & 0xf;
            let is_alu = insn & 0x0e00_0000 == 0x0200_0000 && matches!(direction, 0b0100 | 0b0010);
            expect(kind, insn, is_alu, "ADD or SUB with an immediate")?;
            let (chosen, rest) = part(signed.unsigned_abs() as u32, group);
            if check && rest != 0 {
                return Err(Fault::NotEncodable {
                    name: name(kind),
                    value: signed,
                    why: "bits are left over behind the last instruction of the sequence",
                });
            }
            let opcode = if signed < 0 { 1 << 22 } else { 1 << 23 };
            Ok(insn & 0xff3f_f000 | opcode | chosen)
        }
        Field::ArmLoad { group } => {
            expect(
                kind,
                insn,
                insn & 0x0e00_0000 == 0x0400_0000,
                "LDR or STR with an offset",
            )?;
            let rest = remainder(signed.unsigned_abs() as u32, group);
            within(kind, i64::from(rest), 0, 0xfff)?;
            Ok(insn & 0xff7f_f000 | up(signed) | rest)
        }
        Field::ArmLoadShort { group } => {
            expect(
                kind,
                insn,
                insn & 0x0e40_0090 == 0x0040_0090,
                "LDRH, LDRD or the like",
            )?;
            let rest = remainder(signed.unsigned_abs() as u32, group);
            within(kind, i64::from(rest), 0, 0xff)?;
            Ok(insn & 0xff7f_f0f0 | up(signed) | (rest & 0xf0) << 4 | rest & 0xf)
        }
        Field::ArmLoadCoprocessor { group } => {
            expect(kind, insn, insn & 0x0e00_0000 == 0x0c00_0000, "LDC or STC")?;
            let rest = remainder(signed.unsigned_abs() as u32, group);
            within(kind, i64::from(rest), 0, 0x3fc)?;
            aligned(kind, i64::from(rest), 4, "LDC reaches words")?;
            Ok(insn & 0xff7f_ff00 | up(signed) | rest >> 2)
        }
        _ => Ok(insn),
    }
}

fn up(value: i64) -> u32 {
    if value < 0 { 0 } else { UP }
}

/// IHI 0044, 5.6.1.4: the value is cut into bytes at even positions, from the
/// top. Part `group` as an encoded operand, and what is left behind it.
fn part(value: u32, group: u32) -> (u32, u32) {
    let mut rest = value;
    let mut encoded = 0;
    for _ in 0..=group {
        // The shift brings the highest set bit to bit 7 or 6 of the byte.
        let top = 31u32.saturating_sub(rest.leading_zeros()) & !1;
        let shift = top.saturating_sub(6);
        let byte = rest >> shift & 0xff;
        encoded = if shift == 0 {
            byte
        } else {
            ((32 - shift) / 2) << 8 | byte
        };
        rest &= !(0xff << shift);
    }
    (encoded, rest)
}

/// What is left of a value behind its first `groups` parts.
fn remainder(value: u32, groups: u32) -> u32 {
    match groups.checked_sub(1) {
        None => value,
        Some(last) => part(value, last).1,
    }
}
