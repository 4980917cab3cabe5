//! Programs for the tests, assembled: words of ARM code and halfwords of Thumb
//! code. All are position independent and end in a loop on the spot.

/// Vectors. A handler leaves the saved status in r0, the link register in r1, the
/// status in r2 and the offset of its vector in r3.
pub(crate) const VECTORS: &[u32] = &[
    0xea000006, // b 20
    0xea000007, // b 28
    0xea000008, // b 30
    0xea000009, // b 38
    0xea00000a, // b 40
    0xeafffffe, // b 14
    0xea00000a, // b 48
    0xea00000b, // b 50
    0xe3a08000, // mov r8, #0
    0xea00000a, // b 54
    0xe3a08004, // mov r8, #4
    0xea000008, // b 54
    0xe3a08008, // mov r8, #8
    0xea000006, // b 54
    0xe3a0800c, // mov r8, #12
    0xea000004, // b 54
    0xe3a08010, // mov r8, #16
    0xea000002, // b 54
    0xe3a08018, // mov r8, #24
    0xea000000, // b 54
    0xe3a0801c, // mov r8, #28
    0xe14f0000, // mrs r0, SPSR
    0xe1a0100e, // mov r1, lr
    0xe10f2000, // mrs r2, CPSR
    0xe1a03008, // mov r3, r8
    0xeafffffe, // b 64
];

/// The same in Thumb code, for some of them.
pub(crate) const THUMB_VECTORS: &[u16] = &[
    0xf7ff, 0xbffe, // b.w 0
    0xf000, 0xb80c, // b.w 20
    0xf000, 0xb80c, // b.w 24
    0xf7ff, 0xbffe, // b.w c
    0xf000, 0xb80a, // b.w 28
    0xf7ff, 0xbffe, // b.w 14
    0xf000, 0xb808, // b.w 2c
    0xf7ff, 0xbffe, // b.w 1c
    0x2304, // movs r3, #4
    0xe004, // b.n 2e
    0x2308, // movs r3, #8
    0xe002, // b.n 2e
    0x2310, // movs r3, #16
    0xe000, // b.n 2e
    0x2318, // movs r3, #24
    0xf3ff, 0x8000, // mrs r0, SPSR
    0x4671, // mov r1, lr
    0xf3ef, 0x8200, // mrs r2, CPSR
    0xe7fe, // b.n 38
];

/// Switches the MMU on with the table at r0, the domains r1 and further control
/// bits r2, and jumps to r4.
pub(crate) const MMU_ON: &[u32] = &[
    0xee020f10, // mcr 15, 0, r0, cr2, cr0, {0}
    0xee031f10, // mcr 15, 0, r1, cr3, cr0, {0}
    0xe3a03000, // mov r3, #0
    0xee083f17, // mcr 15, 0, r3, cr8, cr7, {0}
    0xee113f10, // mrc 15, 0, r3, cr1, cr0, {0}
    0xe1833002, // orr r3, r3, r2
    0xee013f10, // mcr 15, 0, r3, cr1, cr0, {0}
    0xe320f000, // nop {0}
    0xe1a0f004, // mov pc, r4
];

/// A supervisor call.
pub(crate) const SVC: &[u32] = &[
    0xef000001, // svc 0x00000001
    0xeafffffe, // b 4
];

/// An undefined instruction.
pub(crate) const UDF: &[u32] = &[
    0xe7f000f0, // udf #0
];

/// A breakpoint.
pub(crate) const BKPT: &[u32] = &[
    0xe1200070, // bkpt 0x0000
];

/// A load from r6.
pub(crate) const LOAD: &[u32] = &[
    0xe5965000, // ldr r5, [r6]
    0xeafffffe, // b 4
];

/// A store to r6.
pub(crate) const STORE: &[u32] = &[
    0xe5865000, // str r5, [r6]
    0xeafffffe, // b 4
];

/// A jump to r6.
pub(crate) const JUMP: &[u32] = &[
    0xe12fff16, // bx r6
];

/// Starts a one-shot of r2 ticks on the timer at r0, lets line 4 of the controller
/// at r1 through (as a fast interrupt if r3 says so), opens interrupts and counts
/// in r4.
pub(crate) const TIMER_THEN_COUNT: &[u32] = &[
    0xe581300c, // str r3, [r1, #12]
    0xe3a04010, // mov r4, #16
    0xe5814010, // str r4, [r1, #16]
    0xe5802000, // str r2, [r0]
    0xe3a040a3, // mov r4, #163
    0xe5804008, // str r4, [r0, #8]
    0xe10f4000, // mrs r4, CPSR
    0xe3c440c0, // bic r4, r4, #192
    0xe121f004, // msr CPSR_c, r4
    0xe3a04000, // mov r4, #0
    0xe2844001, // add r4, r4, #1
    0xeafffffd, // b 28
];

/// The same timer, but waits for the interrupt as Armv5 and v6 do, with
/// interrupts closed; then the timer's raw status is in r6.
pub(crate) const TIMER_THEN_WAIT: &[u32] = &[
    0xe581300c, // str r3, [r1, #12]
    0xe3a04010, // mov r4, #16
    0xe5814010, // str r4, [r1, #16]
    0xe5802000, // str r2, [r0]
    0xe3a040a3, // mov r4, #163
    0xe5804008, // str r4, [r0, #8]
    0xe3a04000, // mov r4, #0
    0xee074f90, // mcr 15, 0, r4, cr7, cr0, {4}
    0xe3a05001, // mov r5, #1
    0xe5906010, // ldr r6, [r0, #16]
    0xeafffffe, // b 28
];

/// Waits for an interrupt.
pub(crate) const WAIT: &[u32] = &[
    0xe320f003, // wfi
    0xe3a05001, // mov r5, #1
    0xeafffffe, // b 8
];

/// A load with the rights of user mode.
pub(crate) const LDRT: &[u32] = &[
    0xe3a09000, // mov r9, #0
    0xe4b65000, // ldrt r5, [r6], #0
    0xe3a09001, // mov r9, #1
    0xeafffffe, // b c
];

/// A store with them.
pub(crate) const STRT: &[u32] = &[
    0xe4a65000, // strt r5, [r6], #0
    0xeafffffe, // b 4
];

/// A halfword.
pub(crate) const LDRHT: &[u32] = &[
    0xe0f650b0, // ldrht r5, [r6], #0
    0xeafffffe, // b 4
];

/// The same in Thumb code.
pub(crate) const THUMB_LDRT: &[u16] = &[
    0xf856, 0x5e00, // ldrt r5, [r6]
    0xe7fe, // b.n 4
];

/// And a byte stored.
pub(crate) const THUMB_STRBT: &[u16] = &[
    0xf806, 0x5e00, // strbt r5, [r6]
    0xe7fe, // b.n 4
];

/// Calls the function of two instructions at r0, rewrites it through the alias at
/// r1 with r2 and r3, calls it again; adds 1 to the first, calls it; adds 1 to the
/// second, calls it. The function's results (r5, r6) are gathered in r7, r8, r9.
pub(crate) const REWRITE: &[u32] = &[
    0xe1a0a00e, // mov sl, lr
    0xe3a07000, // mov r7, #0
    0xe12fff30, // blx r0
    0xe1a07005, // mov r7, r5
    0xe5812000, // str r2, [r1]
    0xe5813004, // str r3, [r1, #4]
    0xe3a04000, // mov r4, #0
    0xee074f15, // mcr 15, 0, r4, cr7, cr5, {0}
    0xe12fff30, // blx r0
    0xe0877405, // add r7, r7, r5, lsl #8
    0xe0877806, // add r7, r7, r6, lsl #16
    0xe2822001, // add r2, r2, #1
    0xe5812000, // str r2, [r1]
    0xee074f15, // mcr 15, 0, r4, cr7, cr5, {0}
    0xe12fff30, // blx r0
    0xe0858406, // add r8, r5, r6, lsl #8
    0xe2833001, // add r3, r3, #1
    0xe5813004, // str r3, [r1, #4]
    0xee074f15, // mcr 15, 0, r4, cr7, cr5, {0}
    0xe12fff30, // blx r0
    0xe0859406, // add r9, r5, r6, lsl #8
    0xeafffffe, // b 54
];

/// The function that is rewritten.
pub(crate) const FUNCTION: &[u32] = &[
    0xe3a05001, // mov r5, #1
    0xe3a06002, // mov r6, #2
    0xe12fff1e, // bx lr
];

/// A load in an If-Then block that is the first access to its page, and
/// instructions behind it that are not conditional.
pub(crate) const IF_THEN_LOAD: &[u16] = &[
    0x2500, // movs r5, #0
    0x2d01, // cmp r5, #1
    0xbf0c, // ite eq
    0x2401, // moveq r4, #1
    0x6834, // ldrne r4, [r6, #0]
    0xf04f, 0x0707, // mov.w r7, #7
    0xf04f, 0x0808, // mov.w r8, #8
    0xe7ff, // b.n 14
    0xf04f, 0x0909, // mov.w r9, #9
    0xf04f, 0x0a0a, // mov.w sl, #10
    0xe7fe, // b.n 1c
];

/// A load in an If-Then block.
pub(crate) const IF_THEN_FAULT: &[u16] = &[
    0x2500, // movs r5, #0
    0x2d01, // cmp r5, #1
    0xbf1c, // itt ne
    0x6834, // ldrne r4, [r6, #0]
    0x2707, // movne r7, #7
    0xe7fe, // b.n a
];

/// Two instructions, then ten times five, then a loop on the spot.
pub(crate) const THUMB_LOOP: &[u16] = &[
    0xf04f, 0x0000, // mov.w r0, #0
    0xf04f, 0x010a, // mov.w r1, #10
    0xf100, 0x0001, // add.w r0, r0, #1
    0xbf00, // nop
    0xf3af, 0x8000, // nop.w
    0x3901, // subs r1, #1
    0xd1f8, // bne.n 8
    0xe7fe, // b.n 16
];

/// A load with two instructions before and behind it.
pub(crate) const LOAD_BETWEEN: &[u32] = &[
    0xe320f000, // nop {0}
    0xe320f000, // nop {0}
    0xe5965000, // ldr r5, [r6]
    0xe320f000, // nop {0}
    0xe320f000, // nop {0}
    0xeafffffe, // b 14
];

/// Registers and calls of parts that are absent.
pub(crate) const ABSENT: &[u32] = &[
    0xee390f50, // mrc 15, 1, r0, cr9, cr0, {2}
    0xee290f50, // mcr 15, 1, r0, cr9, cr0, {2}
    0xe3a01001, // mov r1, #1
    0xee102e11, // mrc 14, 0, r2, cr0, cr1, {0}
    0xec543f0e, // mrrc 15, 0, r3, r4, cr14
    0xec543f3e, // mrrc 15, 3, r3, r4, cr14
    0xe1600070, // smc 0
    0xe3a01002, // mov r1, #2
    0xeafffffe, // b 20
];

/// A floating point instruction.
pub(crate) const VFP: &[u32] = &[
    0xeeb00a60, // vmov.f32 s0, s1
    0xeafffffe, // b 4
];

/// Accesses around r6.
pub(crate) const ABSENT_CHIP: &[u32] = &[
    0xe5965000, // ldr r5, [r6]
    0xe5865004, // str r5, [r6, #4]
    0xe5d65009, // ldrb r5, [r6, #9]
    0xeafffffe, // b c
];

/// ARM instructions and where they access memory, from r6; r7 is 0x20.
pub(crate) const ARM_ACCESSES: &[(&str, u32, i32)] = &[
    ("ldr r0, [r6]", 0xe5960000, 0),
    ("ldr r0, [r6, #8]", 0xe5960008, 8),
    ("str r0, [r6, #-8]", 0xe5060008, -8),
    ("ldr r0, [r6, #12]!", 0xe5b6000c, 12),
    ("str r0, [r6], #12", 0xe486000c, 0),
    ("ldrb r0, [r6, #3]", 0xe5d60003, 3),
    ("strb r0, [r6, #1]", 0xe5c60001, 1),
    ("ldr r0, [r6, r7]", 0xe7960007, 32),
    ("ldr r0, [r6, r7, lsl #2]", 0xe7960107, 128),
    ("strb r0, [r6, r7]", 0xe7c60007, 32),
    ("ldrh r0, [r6, #6]", 0xe1d600b6, 6),
    ("strh r0, [r6, r7]", 0xe18600b7, 32),
    ("ldrsh r0, [r6, #2]", 0xe1d600f2, 2),
    ("ldrsb r0, [r6, #-1]", 0xe15600d1, -1),
    ("ldrd r0, r1, [r6, #16]", 0xe1c601d0, 16),
    ("strd r0, r1, [r6, #-16]", 0xe14601f0, -16),
    ("strd r0, r1, [r6], #8", 0xe0c600f8, 0),
    ("ldrex r0, [r6]", 0xe1960f9f, 0),
    ("ldrexb r0, [r6]", 0xe1d60f9f, 0),
    ("ldrexd r0, r1, [r6]", 0xe1b60f9f, 0),
    ("ldm r6, {r0, r1}", 0xe8960003, 0),
    ("ldmdb r6, {r0-r3}", 0xe916000f, -16),
    ("stmdb r6!, {r0-r3}", 0xe926000f, -16),
    ("stm r6!, {r0, r1}", 0xe8a60003, 0),
    ("push {r0, r1, lr}", 0xe92d4003, -12),
    ("pop {r0, r1}", 0xe8bd0003, 0),
    ("vldr d0, [r6, #8]", 0xed960b02, 8),
    ("vstr s0, [r6, #-4]", 0xed060a01, -4),
    ("vldmia r6, {d0-d3}", 0xec960b08, 0),
    ("vstmdb r6!, {d0-d3}", 0xed260b08, -32),
    ("vpush {d8}", 0xed2d8b02, -8),
    ("vld1.32 {d0, d1}, [r6]", 0xf4260a8f, 0),
    ("vst1.8 {d0}, [r6]!", 0xf406070d, 0),
    ("vld1.32 {d0[0]}, [r6]", 0xf4a6080f, 0),
    ("rfeia r6", 0xf8960a00, 0),
    ("ldr r0, [r6, -r7]", 0xe7160007, -32),
    ("ldr r0, [r6, r7, lsr #1]", 0xe79600a7, 16),
    ("str r0, [r6, r7, asr #2]", 0xe7860147, 8),
    ("ldr r0, [r6, r7, ror #3]", 0xe79601e7, 4),
    ("ldrh r0, [r6, -r7]", 0xe11600b7, -32),
    ("ldrd r0, r1, [r6, r7]", 0xe18600d7, 32),
    ("ldmib r6, {r0, r1}", 0xe9960003, 4),
    ("ldmda r6, {r0, r1}", 0xe8160003, -4),
    ("swp r0, r1, [r6]", 0xe1060091, 0),
    ("ldrt r0, [r6], #4", 0xe4b60004, 0),
    ("ldrht r0, [r6], #4", 0xe0f600b4, 0),
    ("rfedb r6", 0xf9160a00, -8),
    ("rfeda r6", 0xf8160a00, -4),
];

/// The same for Thumb instructions.
pub(crate) const THUMB_ACCESSES: &[(&str, &[u16], i32)] = &[
    ("ldr r0, [r6]", &[0x6830], 0),
    ("ldr r0, [r6, #8]", &[0x68b0], 8),
    ("str r0, [r6, #-8]", &[0xf846, 0x0c08], -8),
    ("ldr r0, [r6, #12]!", &[0xf856, 0x0f0c], 12),
    ("str r0, [r6], #12", &[0xf846, 0x0b0c], 0),
    ("ldrb r0, [r6, #3]", &[0x78f0], 3),
    ("strb r0, [r6, #1]", &[0x7070], 1),
    ("ldr r0, [r6, r7]", &[0x59f0], 32),
    ("ldr r0, [r6, r7, lsl #2]", &[0xf856, 0x0027], 128),
    ("strb r0, [r6, r7]", &[0x55f0], 32),
    ("ldrh r0, [r6, #6]", &[0x88f0], 6),
    ("strh r0, [r6, r7]", &[0x53f0], 32),
    ("ldrsh r0, [r6, #2]", &[0xf9b6, 0x0002], 2),
    ("ldrsb r0, [r6, #-1]", &[0xf916, 0x0c01], -1),
    ("ldrd r0, r1, [r6, #16]", &[0xe9d6, 0x0104], 16),
    ("strd r0, r1, [r6, #-16]", &[0xe946, 0x0104], -16),
    ("strd r0, r1, [r6], #8", &[0xe8e6, 0x0102], 0),
    ("ldrex r0, [r6]", &[0xe856, 0x0f00], 0),
    ("ldrexb r0, [r6]", &[0xe8d6, 0x0f4f], 0),
    ("ldrexd r0, r1, [r6]", &[0xe8d6, 0x017f], 0),
    ("ldm r6, {r0, r1}", &[0xe896, 0x0003], 0),
    ("ldmdb r6, {r0-r3}", &[0xe916, 0x000f], -16),
    ("stmdb r6!, {r0-r3}", &[0xe926, 0x000f], -16),
    ("stm r6!, {r0, r1}", &[0xc603], 0),
    ("push {r0, r1, lr}", &[0xb503], -12),
    ("pop {r0, r1}", &[0xbc03], 0),
    ("vldr d0, [r6, #8]", &[0xed96, 0x0b02], 8),
    ("vstr s0, [r6, #-4]", &[0xed06, 0x0a01], -4),
    ("vldmia r6, {d0-d3}", &[0xec96, 0x0b08], 0),
    ("vstmdb r6!, {d0-d3}", &[0xed26, 0x0b08], -32),
    ("vpush {d8}", &[0xed2d, 0x8b02], -8),
    ("vld1.32 {d0, d1}, [r6]", &[0xf926, 0x0a8f], 0),
    ("vst1.8 {d0}, [r6]!", &[0xf906, 0x070d], 0),
    ("vld1.32 {d0[0]}, [r6]", &[0xf9a6, 0x080f], 0),
    ("rfeia r6", &[0xe996, 0xc000], 0),
    ("ldr r0, [r6, #4]", &[0x6870], 4),
    ("strh r0, [r6, #2]", &[0x8070], 2),
    ("ldrb r0, [r6, #5]", &[0x7970], 5),
    ("ldr r0, [sp, #16]", &[0x9804], 16),
    ("str r0, [r6, #2048]", &[0xf8c6, 0x0800], 2048),
    ("ldrt r0, [r6, #4]", &[0xf856, 0x0e04], 4),
    ("strbt r0, [r6, #7]", &[0xf806, 0x0e07], 7),
    ("tbb [r6, r7]", &[0xe8d6, 0xf007], 32),
    ("tbh [r6, r7, lsl #1]", &[0xe8d6, 0xf017], 64),
    ("ldrex r0, [r6, #8]", &[0xe856, 0x0f02], 8),
    ("strb.w r0, [r6, #-7]", &[0xf806, 0x0c07], -7),
    ("ldmia.w r6, {r0, r8}", &[0xe896, 0x0101], 0),
];
