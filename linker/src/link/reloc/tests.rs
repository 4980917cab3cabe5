//! Fields are read back as written; numbers that assemblers write.

use proptest::prelude::*;

use super::*;

/// An instruction that each field can be in.
fn carrier(field: Field) -> u32 {
    match field {
        Field::ArmBranch => 0xeb00_0000,
        Field::ArmMove { .. } => 0xe300_0000,
        Field::Arm12 | Field::ArmLoad { .. } => 0xe59f_0000,
        Field::ArmAlu { .. } => 0xe28f_0000,
        Field::ArmLoadShort { .. } => 0xe1df_00b0,
        Field::ArmLoadCoprocessor { .. } => 0xed9f_0100,
        Field::ThumbCall => 0xf000_d000,
        Field::ThumbJump24 => 0xf000_9000,
        Field::ThumbJump19 => 0xf000_8000,
        Field::ThumbJump11 => 0xe000,
        Field::ThumbJump8 => 0xd000,
        Field::ThumbJump6 => 0xb100,
        Field::ThumbMove { .. } => 0xf240_0000,
        Field::Thumb5 => 0x6800,
        Field::Thumb8 => 0x4800,
        Field::Thumb12 => 0xf8df_0000,
        Field::ThumbAlu12 => 0xf20f_0000,
        _ => 0,
    }
}

#[test]
fn numbers_of_an_assembler() {
    let encode = |kind, insn, value: i32| {
        let (_, field) = rule(kind).unwrap();
        field.encode(kind, insn, value.cast_unsigned()).unwrap()
    };
    // Each as `as` writes it: b .+0x1000, blx .+0x1002, movw r1, #0xabcd.
    assert_eq!(encode(r::R_ARM_JUMP24, 0xea00_0000, 0xff8), 0xea00_03fe);
    assert_eq!(encode(r::R_ARM_CALL, 0xfa00_0000, 0xffa), 0xfb00_03fe);
    assert_eq!(
        encode(r::R_ARM_MOVW_ABS_NC, 0xe300_1000, 0xabcd),
        0xe30a_1bcd
    );
    // bl .-4, b.w .+0x1000, movt r8, #0xabcd, ldr.w r0, [pc, #-80], adr.w r0, .-80.
    assert_eq!(encode(r::R_ARM_THM_PC22, 0xf000_d000, -8), 0xf7ff_fffc);
    assert_eq!(encode(r::R_ARM_THM_JUMP24, 0xf000_9000, 0xffc), 0xf000_bffe);
    assert_eq!(
        encode(
            r::R_ARM_THM_MOVT_ABS,
            0xf2c0_0800,
            0xabcd_1234u32.cast_signed()
        ),
        0xf6ca_38cd
    );
    assert_eq!(encode(r::R_ARM_THM_PC12, 0xf85f_0000, -80), 0xf85f_0050);
    assert_eq!(
        encode(r::R_ARM_THM_ALU_PREL_11_0, 0xf20f_0000, -80),
        0xf2af_0050
    );
    // ldr r0, [pc, #16] and cbz r1, .+0x44 of Thumb.
    assert_eq!(encode(r::R_ARM_THM_PC8, 0x4800, 16), 0x4804);
    assert_eq!(encode(r::R_ARM_THM_JUMP6, 0xb101, 0x40), 0xb301);
}

/// What stands for "no distance" in unlinked code.
#[test]
fn addends_of_an_assembler() {
    let addend = |kind, insn| rule(kind).unwrap().1.addend(insn);
    assert_eq!(addend(r::R_ARM_CALL, 0xebff_fffe), -8);
    assert_eq!(addend(r::R_ARM_CALL, 0xfaff_fffe), -8);
    assert_eq!(addend(r::R_ARM_THM_PC22, 0xf7ff_fffe), -4);
    assert_eq!(addend(r::R_ARM_THM_JUMP24, 0xf7ff_bffe), -4);
    assert_eq!(addend(r::R_ARM_THM_JUMP19, 0xf43f_affe), -4);
    assert_eq!(addend(r::R_ARM_THM_PC11, 0xe7fe), -4);
    assert_eq!(addend(r::R_ARM_THM_PC9, 0xd0fe), -4);
    assert_eq!(addend(r::R_ARM_THM_PC8, 0x48ff), -4);
    assert_eq!(addend(r::R_ARM_ALU_PC_G0, 0xe24f_0008), -8);
    assert_eq!(addend(r::R_ARM_PC13, 0xe51f_0008), -8);
}

#[test]
fn branches_change_sets_where_they_can() {
    let (_, field) = rule(r::R_ARM_CALL).unwrap();
    let arm = |insn| Branch {
        kind: r::R_ARM_CALL,
        field,
        insn,
        place: 0x1000,
    };
    assert_eq!(arm(0xebff_fffe).encode(0x2000), Ok(0xeb00_03fe));
    assert_eq!(arm(0xebff_fffe).encode(0x2003), Ok(0xfb00_03fe));
    assert_eq!(arm(0xfaff_fffe).encode(0x2000), Ok(0xeb00_03fe));
    // A branch, and a call that is conditional, stay in their set.
    for insn in [0xeaff_fffe, 0x1bff_fffe] {
        assert_eq!(arm(insn).route(0x2001), Route::Veneer { thumb: false });
        assert_eq!(arm(insn).route(0x2000), Route::Direct);
    }
    assert_eq!(
        arm(0xebff_fffe).route(0x1000_0000),
        Route::Veneer { thumb: false }
    );

    let thumb = |kind, insn, place| Branch {
        kind,
        field: rule(kind).unwrap().1,
        insn,
        place,
    };
    let call = thumb(r::R_ARM_THM_PC22, 0xf7ff_fffe, 0x1002);
    assert_eq!(call.encode(0x2001), Ok(0xf000_fffd));
    assert_eq!(call.encode(0x2000), Ok(0xf000_effe));
    assert_eq!(call.route(0x100_0001), Route::Veneer { thumb: false });
    let jump = thumb(r::R_ARM_THM_JUMP24, 0xf7ff_bffe, 0x1002);
    assert_eq!(jump.route(0x2001), Route::Direct);
    assert_eq!(jump.route(0x2000), Route::Veneer { thumb: true });
}

#[test]
fn skipping_goes_on_behind_itself() {
    let skip = |kind, insn| {
        let field = rule(kind).unwrap().1;
        Branch {
            kind,
            field,
            insn,
            place: 0,
        }
        .skip()
    };
    assert_eq!(skip(r::R_ARM_CALL, 0xebff_fffe), 0xe1a0_0000);
    assert_eq!(skip(r::R_ARM_CALL, 0xfaff_fffe), 0xe1a0_0000);
    assert_eq!(skip(r::R_ARM_JUMP24, 0x0aff_fffe), 0x01a0_0000);
    assert_eq!(skip(r::R_ARM_THM_PC22, 0xf7ff_fffe), 0xe000_46c0);
}

#[test]
fn every_name_is_the_manuals() {
    for kind in 0..=255 {
        if rule(kind).is_some() {
            assert!(name(kind).starts_with("R_ARM_"), "{kind}: {}", name(kind));
        }
    }
    assert_eq!(name(r::R_ARM_THM_PC22), "R_ARM_THM_CALL");
    assert_eq!(name(200), "number 200");
}

proptest! {
    /// What a field accepts it gives back, but for halves and parts.
    #[test]
    fn fields_read_back(kind in 0u32..=255, value in any::<i32>(), shift in 0u32..32) {
        let Some((_, field)) = rule(kind) else { return Ok(()) };
        let value = value >> shift & !3;
        let Ok(insn) = field.encode(kind, carrier(field), value.cast_unsigned()) else {
            return Ok(());
        };
        let expected = match field {
            Field::Nothing => 0,
            Field::Byte => i32::from(value as i8),
            Field::Half | Field::ArmMove { top: false } | Field::ThumbMove { top: false } => {
                i32::from(value as i16)
            }
            Field::ArmMove { top: true } | Field::ThumbMove { top: true } => value >> 16,
            // Only the last part of a sequence holds a value of its own.
            Field::ArmAlu { check, .. } if !check => return Ok(()),
            Field::ArmAlu { group, .. } | Field::ArmLoad { group }
            | Field::ArmLoadShort { group } | Field::ArmLoadCoprocessor { group } if group > 0 => {
                return Ok(());
            }
            Field::Thumb8 if value == 0x3fc => -4,
            Field::ThumbJump6 if value == 0x7c => -4,
            _ => value,
        };
        prop_assert_eq!(field.addend(insn), expected);
    }

    /// No instruction and no value makes it panic, nor changes the opcode's width.
    #[test]
    fn any_instruction(kind in 0u32..=255, insn in any::<u32>(), value in any::<u32>(), place in any::<u32>()) {
        let Some((formula, field)) = rule(kind) else { return Ok(()) };
        field.addend(insn);
        let _ = field.encode(kind, insn, value);
        if formula == Formula::Branch {
            let branch = Branch { kind, field, insn, place };
            let _ = branch.encode(value);
            branch.skip();
        }
        let mut bytes = [0; 4];
        prop_assert!(field.store(kind, &mut bytes, insn).is_ok());
        let mask = u32::MAX.checked_shr(32 - 8 * field.width() as u32).unwrap_or(0);
        prop_assert_eq!(field.load(kind, &bytes).unwrap(), insn & mask);
        prop_assert!(field.width() == 0 || field.load(kind, &bytes[..field.width() - 1]).is_err());
    }
}
