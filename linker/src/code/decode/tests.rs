//! Instructions of both sets, any bytes at all, and the same as Capstone sees them.

use capstone::prelude::*;
use expect_test::expect;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_word_is_decoded(at in any::<u32>(), word in any::<u32>()) {
        let insn = arm(at & !3, word);
        prop_assert_eq!(insn.size, 4);
        let insn = thumb(at & !1, word as u16, (word >> 16) as u16);
        prop_assert!(insn.size == 2 || insn.size == 4);
    }
}

/// One line for each instruction at 0x1000.
fn lines(insns: impl IntoIterator<Item = Insn>) -> String {
    insns
        .into_iter()
        .map(|insn| {
            let cond = match insn.cond {
                ALWAYS => String::new(),
                cond => format!(" if {cond}"),
            };
            format!(
                "{:x?}{cond} reads {:x} writes {:x}\n",
                insn.op, insn.reads, insn.writes
            )
        })
        .collect()
}

#[test]
fn a32_as_compilers_write_it() {
    let words = [
        0xe1a0_c00d, // mov ip, sp
        0xe92d_d800, // push {fp, ip, lr, pc}
        0xe24c_b004, // sub fp, ip, #4
        0xe89d_a800, // ldm sp, {fp, sp, pc}
        0xe52d_e004, // push {lr}
        0xe59f_3010, // ldr r3, [pc, #16]
        0x979f_f103, // ldrls pc, [pc, r3, lsl #2]
        0x908f_f103, // addls pc, pc, r3, lsl #2
        0xe301_2234, // movw r2, #0x1234
        0xe340_2001, // movt r2, #1
        0xe3e0_0015, // mvn r0, #21
        0xe310_0c02, // tst r0, #0x200
        0x1aff_fffe, // bne .
        0xebff_fffe, // bl .
        0xe12f_ff33, // blx r3
        0xe12f_ff1e, // bx lr
        0x01a0_f00e, // moveq pc, lr
        0xe7f0_01f2, // udf #0x12
        0xe1b0_2003, // movs r2, r3
        0xe320_f000, // nop
        0xe1a0_0000, // mov r0, r0
        0xe1c4_20d8, // ldrd r2, [r4, #8]
        0xe191_3f9f, // ldrex r3, [r1]
        0xf57f_f05b, // dmb ish
        0xe28d_d008, // add sp, sp, #8
        0xffff_ffff,
    ];
    let text = lines(words.map(|word| arm(0x1000, word)));
    expect![[r#"
        Copy(c, d) reads 2000 writes 1000
        Push(d800, 10) reads f800 writes 2000
        Arith(Sub, b, c, 4) reads 1000 writes 800
        Return reads 2000 writes a800
        Push(4000, 4) reads 6000 writes 2000
        LoadLiteral { rt: 3, address: 1018, size: 4 } reads 8000 writes 8
        JumpTable { base: f, index: 3 } if 9 reads 8008 writes 8000
        JumpSum { base: f, index: 3, shift: 2 } if 9 reads 8008 writes 8000
        Mov(2, 1234) reads 0 writes 4
        Movt(2, 1) reads 4 writes 4
        Mov(0, ffffffea) reads 0 writes 1
        Compare(Tst, 0, 200) reads 1 writes 0
        Branch(1000) if 1 reads 0 writes 0
        Call { target: 1000, exchange: false } reads 0 writes 4000
        CallRegister(3) reads 8 writes 4000
        JumpRegister(e) reads 4000 writes 0
        JumpRegister(e) if 0 reads 4000 writes 8000
        Trap reads 0 writes 0
        Copy(2, 3) reads 8 writes 4
        Nop reads 0 writes 0
        Nop reads 0 writes 0
        Load { rt: 2, rn: 4, offset: 8, size: 8 } reads 10 writes c
        Other reads 2 writes 8
        Other reads 0 writes 0
        Stack(fffffff8) reads 2000 writes 2000
        Undefined reads 0 writes 0
    "#]]
    .assert_eq(&text);
}

#[test]
fn t32_as_compilers_write_it() {
    let halves = [
        (0xb5f0, 0),      // push {r4-r7, lr}
        (0xbdf0, 0),      // pop {r4-r7, pc}
        (0xe92d, 0x4ff0), // push.w {r4-fp, lr}
        (0x4b02, 0),      // ldr r3, [pc, #8]
        (0xf241, 0x2034), // movw r0, #0x1234
        (0xf2c0, 0x0001), // movt r0, #1
        (0xf06f, 0x0015), // mvn r0, #21
        (0xd1fe, 0),      // bne .
        (0xb103, 0),      // cbz r3
        (0xf7ff, 0xfffe), // bl .
        (0xf7ff, 0xbffe), // b.w .
        (0x4770, 0),      // bx lr
        (0x4798, 0),      // blx r3
        (0xe8df, 0xf013), // tbh [pc, r3, lsl #1]
        (0xe8df, 0xf003), // tbb [pc, r3]
        (0xde02, 0),      // udf #2
        (0xbf08, 0),      // it eq
        (0xbf00, 0),      // nop
        (0xb082, 0),      // sub sp, #8
        (0xf3bf, 0x8f5b), // dmb ish
        (0xe8bd, 0x8ff0), // pop.w {r4-fp, pc}
        (0xf85d, 0xfb04), // ldr pc, [sp], #4
    ];
    let text = lines(halves.map(|(first, second)| thumb(0x1000, first, second)));
    expect![[r#"
        Push(40f0, 14) reads 60f0 writes 2000
        Return reads 2000 writes a0f0
        Push(4ff0, 24) reads 6ff0 writes 2000
        LoadLiteral { rt: 3, address: 100c, size: 4 } reads 0 writes 8
        Mov(0, 1234) reads 0 writes 1
        Movt(0, 1) reads 1 writes 1
        Mov(0, ffffffea) reads 0 writes 1
        Branch(1000) if 1 reads 0 writes 0
        Branch(1004) if 15 reads 8 writes 0
        Call { target: 1000, exchange: false } reads 0 writes 4000
        Branch(1000) reads 0 writes 0
        JumpRegister(e) reads 4000 writes 0
        CallRegister(3) reads 8 writes 4000
        TableBranch { base: f, index: 3, half: true } reads 8008 writes 0
        TableBranch { base: f, index: 3, half: false } reads 8008 writes 0
        Trap reads 0 writes 0
        IfThen(8) reads 0 writes 0
        Nop reads 0 writes 0
        Stack(8) reads 2000 writes 2000
        Other reads 0 writes 0
        Return reads 2000 writes aff0
        Return reads 2000 writes 0
    "#]]
    .assert_eq(&text);
}

#[test]
fn an_it_says_for_how_many() {
    // it, ite, itte, itete
    assert_eq!([0x08, 0x0c, 0x06, 0x15].map(it_length), [1, 2, 3, 4]);
}

/// Numbers without an order, the same in every run.
fn numbers() -> impl Iterator<Item = u32> {
    std::iter::successors(Some(0x2545_f491_u32), |&x| {
        let x = x ^ x << 13;
        let x = x ^ x >> 17;
        Some(x ^ x << 5)
    })
}

/// The address that a text ends with.
fn address(text: &str) -> Option<u32> {
    u32::from_str_radix(text.rsplit("#0x").next()?, 16).ok()
}

#[test]
fn capstone_sees_the_same_branches() {
    let builder = Capstone::new().arm();
    let capstone = builder.mode(arch::arm::ArchMode::Arm).build().unwrap();
    let mut compared = 0;
    for word in numbers().take(20_000) {
        // Branches and calls only.
        let word = word & !0x0e00_0000 | 0x0a00_0000;
        let Ok(list) = capstone.disasm_all(&word.to_le_bytes(), 0x10_0000) else {
            continue;
        };
        let Some(other) = list.first() else { continue };
        let target = other.op_str().and_then(address);
        match arm(0x10_0000, word).op {
            Op::Branch(to) | Op::Call { target: to, .. } => {
                assert_eq!(Some(to), target, "{word:#x}");
                compared += 1;
            }
            op => panic!("{word:#x}: {op:?}"),
        }
    }
    assert!(compared > 10_000);
}

#[test]
fn capstone_sees_the_same_sizes_in_t32() {
    let builder = Capstone::new().arm();
    let capstone = builder.mode(arch::arm::ArchMode::Thumb).build().unwrap();
    for word in numbers().take(20_000) {
        let (first, second) = (word as u16, (word >> 16) as u16);
        let Ok(list) = capstone.disasm_count(&word.to_le_bytes(), 0x10_0000, 1) else {
            continue;
        };
        if let Some(other) = list.first() {
            let insn = thumb(0x10_0000, first, second);
            assert_eq!(usize::from(insn.size), other.bytes().len(), "{word:#x}");
            if let ("bl" | "b.w", Some(text)) = (other.mnemonic().unwrap_or(""), other.op_str())
                && let Op::Branch(to) | Op::Call { target: to, .. } = insn.op
            {
                assert_eq!(Some(to), address(text), "{word:#x}");
            }
        }
    }
}
