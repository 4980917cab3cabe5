//! Blocks that Unicorn cut because they were too long.
//!
//! How much fits into a block depends on what is translated with it (see
//! [`exit_checks`](super::exit_checks)). Interrupts must not: a guest that is being
//! debugged would take them elsewhere. So the rest of a block that was cut is no
//! place for one. It is told by the instruction before it, which is one that
//! nothing ends a block behind.

/// Whether no block ends behind this ARM instruction but by its length or at the
/// end of a page: it neither writes the program counter nor changes how the rest is
/// translated (DDI 0406C A5). False for all that is rare.
pub(super) fn is_plain(word: u32) -> bool {
    let field = |from: u32, bits: u32| word >> from & ((1 << bits) - 1);
    let (to, also_to) = (field(12, 4), field(16, 4));
    if field(28, 4) == 15 {
        let vectors = matches!(field(24, 4), 2 | 3) || field(24, 4) == 4 && field(20, 1) == 0;
        let preload = word & 0x0d30_f000 == 0x0510_f000;
        return vectors || preload;
    }
    match field(25, 3) {
        // Multiplications and extra loads and stores.
        0 if field(4, 1) == 1 && field(7, 1) == 1 => to != 15 && also_to != 15,
        // Status registers, branches to registers, hints.
        0 if field(23, 2) == 2 && field(20, 1) == 0 => false,
        1 if field(23, 2) == 2 && field(20, 2) == 2 => false,
        0 | 1 => to != 15,
        // Media instructions; the one that is never defined is among them.
        3 if field(4, 1) == 1 => {
            to != 15 && (field(24, 1) == 0 || also_to != 15) && field(20, 8) != 0x7f
        }
        2 | 3 => to != 15,
        // Not with the registers of user mode, nor a return.
        4 => field(22, 1) == 0 && !(field(20, 1) == 1 && field(15, 1) == 1),
        6 => matches!(field(8, 4), 10 | 11),
        7 => field(24, 1) == 0 && field(4, 1) == 0 && matches!(field(8, 4), 10 | 11),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_no_block_ends_behind() {
        for (word, text) in [
            (0xe590_1000, "ldr r1, [r0]"),
            (0xe8b1_5ff8, "ldm r1!, {r3-r12, lr}"),
            (0xe8a0_000f, "stmia r0!, {r0-r3}"),
            (0x1281_1001, "addne r1, r1, #1"),
            (0xe150_0001, "cmp r0, r1"),
            (0xe000_0291, "mul r0, r1, r2"),
            (0xe1d0_20b2, "ldrh r2, [r0, #2]"),
            (0xe6bf_0f30, "rev r0, r0"),
            (0xf2a0_0850, "a vector instruction"),
            (0xf421_0a8d, "vst1.32 {d0, d1}, [r1]!"),
            (0xecb0_0b10, "vldmia r0!, {d0-d7}"),
            (0xee31_0b02, "vadd.f64 d0, d1, d2"),
            (0xf5d1_f07c, "pld [r1, #124]"),
        ] {
            assert!(is_plain(word), "{text}");
        }
    }

    #[test]
    fn what_blocks_end_behind() {
        for (word, text) in [
            (0xeaff_fffe, "b ."),
            (0x0a00_0001, "beq"),
            (0xe12f_ff1e, "bx lr"),
            (0xe1a0_f00e, "mov pc, lr"),
            (0xe490_f004, "ldr pc, [r0], #4"),
            (0xe8bd_8010, "pop {r4, pc}"),
            (0xe8fd_8000, "ldm sp!, {pc}^"),
            (0xef00_0000, "svc"),
            (0xe121_f000, "msr cpsr_c, r0"),
            (0xe321_f0d3, "msr cpsr_c, #0xd3"),
            (0xf10c_0080, "cpsid i"),
            (0xee07_0f90, "mcr p15, 0, r0, c7, c0, 4"),
            (0xeee1_0a10, "vmsr fpscr, r0"),
            (0xf57f_f06f, "isb"),
            (0xe7f0_00f0, "udf"),
            (0xe320_f003, "wfi"),
        ] {
            assert!(!is_plain(word), "{text}");
        }
    }
}
