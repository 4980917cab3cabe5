//! Each relocation, as an assembler makes it, against GNU ld.

use linker::link::{Board, Error, OpaqueRequest, link};
use linker::object::Driver;
use linker::transplant::Transplant;

use crate::compile::{Compiler, Flavour};
use crate::fake::{self, Fake};
use crate::reference;

const NOTE: &str = r#"
        .section .ecmo.note.start, "a", %progbits
        .word 0x314e4345
        .hword 2, 1
        .word start
        .word 8
        .asciz "place"
        .asciz ""
        .asciz ""
        .asciz ""
        .balign 4
"#;

fn object(directory: &std::path::Path, thumb: bool, v7: bool, source: &str) -> std::path::PathBuf {
    let flavour = Flavour {
        compiler: Compiler::LinuxGcc,
        thumb,
        v7,
        pic: false,
        optimise: "0",
    };
    // 9 = length of "place" and four ends.
    let source = format!(
        ".syntax unified\n{source}\n{}",
        NOTE.replace(".word 8", ".word 9")
    );
    flavour.compile(directory, "relocations.s", &source)
}

fn linked(bytes: &[u8], fake: &Fake, base: u32) -> Result<Transplant, Error> {
    let driver = Driver::read("relocations.o", bytes).expect("our own object");
    let kernel = fake::kernel(vec![0; 0x1000], 0xd010_0000);
    let request = OpaqueRequest {
        base,
        size: 0x1_0000,
    };
    link(&kernel, fake, &[driver], request, &Board::default())
}

/// Near enough for every direct branch.
fn near() -> Fake {
    let mut fake = Fake::default();
    fake.functions.insert("near_arm".to_owned(), 0xd010_0100);
    fake.data.insert("near_data".to_owned(), 0xd010_0204);
    fake.places.insert("place".to_owned(), vec![0xd010_0010]);
    fake
}

fn same_as_ld(thumb: bool, v7: bool, source: &str) {
    let directory = tempfile::tempdir().expect("no temporary directory");
    let path = object(directory.path(), thumb, v7, source);
    let bytes = std::fs::read(&path).expect("no object");
    for base in [0xd000_8000, 0xd004_0000] {
        let transplant = linked(&bytes, &near(), base).expect("does not link");
        reference::compare(directory.path(), &path, &transplant, &near(), "assembly");
    }
}

/// Data words; every kind of symbol behind them.
const DATA: &str = r#"
        .data
        .global words
words:
        .word start, start + 4, thumb_function, thumb_function + 8
        .word near_arm, near_data + 12, .rodata + 4, variable, variable - 3
        .word start - ., thumb_function - ., near_arm - . + 2, variable - .
        .word start(target1), thumb_function(target1)
        .word absolute
        .hword small, small + 1
        .byte tiny, tiny + 1
        .balign 4
        .reloc ., R_ARM_PREL31, start
        .word 0x80000000
        .reloc ., R_ARM_PREL31, thumb_function
        .word 4
        .reloc ., R_ARM_ABS32_NOI, thumb_function
        .word 0
        .reloc ., R_ARM_REL32_NOI, thumb_function
        .word 16
        .bss
        .space 8
variable: .space 4
        .section .rodata
        .word 1, 2, words
        .global absolute, small, tiny
absolute = 0x12345678
small = 0x4321
tiny = 0x42
        .text
        .balign 4
        .thumb_func
        .thumb
        .type thumb_function, %function
        .global thumb_function
thumb_function:
        bx lr
        nop
        nop
        nop
        .type arm_function, %function
        .arm
        .global arm_function
arm_function:
        bx lr
        nop
"#;

#[test]
fn words() {
    let start = r#"
        .text
        .arm
        .global start
        .type start, %function
start:  bx lr
        .word words, .bss + 4
    "#;
    same_as_ld(false, true, &format!("{start}{DATA}"));
    same_as_ld(false, false, &format!("{start}{DATA}"));
}

#[test]
fn arm_instructions() {
    let source = r#"
        .text
        .arm
        .global start
        .type start, %function
start:
        bl near_arm
        b near_arm
        blne near_arm
        beq near_arm
        bl arm_function
        bl thumb_function
        blx thumb_function
        blx arm_function
        .reloc ., R_ARM_PLT32, near_arm
        bl .
        .reloc ., R_ARM_PC24, arm_function
        bl .
        movw r0, #:lower16:words
        movt r0, #:upper16:words
        movw r1, #:lower16:thumb_function
        movt r1, #:upper16:thumb_function
        movw r2, #:lower16:(words + 0x7ffc)
        movt r2, #:upper16:(words + 0x7ffc)
        movw r3, #:lower16:(thumb_function - .)
        movt r3, #:upper16:(thumb_function - .)
        movw r4, #:lower16:(near_data - . - 8)
        movt r4, #:upper16:(near_data - . - 8)
        add r0, pc, #:pc_g0_nc:(near_data)
        add r0, r0, #:pc_g1_nc:(near_data + 4)
        ldr r0, [r0, #:pc_g2:(near_data + 8)]
        add r0, pc, #:pc_g0_nc:(words)
        ldr r1, [r0, #:pc_g1:(words + 4)]
        add r0, pc, #:pc_g0_nc:(words)
        add r0, r0, #:pc_g1:(words + 4)
        add r0, pc, #:pc_g0_nc:(words)
        ldrd r2, [r0, #:pc_g1:(words + 4)]
        add r0, pc, #:pc_g0_nc:(words)
        ldrh r2, [r0, #:pc_g1:(words + 4)]
        add r0, pc, #:pc_g0_nc:(words)
        ldc p1, c0, [r0, #:pc_g1:(words + 4)]
        ldr r0, [pc, #:pc_g0:(arm_function)]
        str r0, [pc, #:pc_g0:(start)]
        ldrh r0, [pc, #:pc_g0:(start + 0x80)]
        .reloc ., R_ARM_ABS12, small12
        ldr r0, [r1, #4]
        .reloc ., R_ARM_V4BX
        bx lr
        .global small12
small12 = 0x123
    "#;
    same_as_ld(false, true, &format!("{source}{DATA}"));
}

#[test]
fn thumb_instructions() {
    let source = r#"
        .text
        .thumb
        .global start
        .global label
label:
        .thumb_func
        .type start, %function
start:
        bl near_arm
        bl arm_function
        bl thumb_function
        blx arm_function
        blx thumb_function
        b.w thumb_function
        bne.w thumb_function
        movw r0, #:lower16:words
        movt r0, #:upper16:words
        movw r1, #:lower16:thumb_function
        movt r1, #:upper16:thumb_function
        movw r10, #:lower16:(words + 0x7ffc)
        movt r10, #:upper16:(words + 0x7ffc)
        movw r3, #:lower16:(thumb_function - .)
        movt r3, #:upper16:(thumb_function - .)
        movw r4, #:lower16:(near_data - . - 8)
        movt r4, #:upper16:(near_data - . - 8)
        .global here
        .thumb_func
here:
        .reloc ., R_ARM_THM_JUMP11, there
        b .
        .reloc ., R_ARM_THM_JUMP8, there
        beq .
        .reloc ., R_ARM_THM_PC12, thumb_function
        ldr.w r0, [pc, #-4]
        .reloc ., R_ARM_THM_ALU_PREL_11_0, label
        subw r0, pc, #4
        .reloc ., R_ARM_THM_ALU_PREL_11_0, thumb_function
        subw r0, pc, #4
        .thumb_func
        .global there
there:
        bx lr
        .balign 4
    "#;
    same_as_ld(true, true, &format!("{source}{DATA}"));
}

#[test]
fn thumb_one_instructions() {
    let source = r#"
        .text
        .thumb
        .global start
        .thumb_func
        .type start, %function
start:
        bl near_arm
        bl arm_function
        bl thumb_function
        blx arm_function
        bx lr
        .balign 4
        .word words
    "#;
    same_as_ld(true, false, &format!("{source}{DATA}"));
}

#[test]
fn what_cannot_be_relocated() {
    let check = |source: &str, expected: &str| {
        let directory = tempfile::tempdir().expect("no temporary directory");
        let path = object(directory.path(), false, true, source);
        let bytes = std::fs::read(&path).expect("no object");
        let error = linked(&bytes, &near(), 0xd000_8000).expect_err("must not link");
        assert_eq!(error.to_string(), expected);
    };
    let start = ".text\n.arm\n.global start\n.type start, %function\nstart: bx lr\n";
    check(
        &format!("{start} .reloc ., R_ARM_TLS_IE32, start\n .word 0"),
        "relocations.o: .text+0x4 (start): relocation R_ARM_TLS_IE32 is not supported",
    );
    check(
        &format!("{start} .reloc ., R_ARM_ABS16, start\n .word 0"),
        "relocations.o: .text+0x4 (start): R_ARM_ABS16: -0x2fff8000 is outside of -0x8000..=0xffff",
    );
    check(
        &format!("{start} .reloc ., R_ARM_LDR_PC_G0, near_data\n ldr r0, [pc, #-8]"),
        "relocations.o: .text+0x4 (near_data): R_ARM_LDR_PC_G0: 0xf81f8 is outside of 0x0..=0xfff",
    );
    check(
        &format!("{start} .reloc ., R_ARM_MOVW_ABS_NC, start\n mov r0, r0"),
        "relocations.o: .text+0x4 (start): R_ARM_MOVW_ABS_NC: 0xe1a00000 is not MOVW or MOVT",
    );
}
