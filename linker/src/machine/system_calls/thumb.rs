//! The jump by the table of system calls in kernels of Thumb code
//! (arch/arm/kernel/entry-common.S, since 3.0).
//!
//! ```text
//! addw    r8, pc, #...            sys_call_table
//! ...
//! cmp.w   r7, #...                entries of the table
//! ...
//! it      cc
//! ldrcc.w pc, [r8, r7, lsl #2]
//! ```
//!
//! Where a number is not to be used before it is known to be good (since 4.19), it goes
//! through another register.

use crate::{
    kernel::Kernel,
    machine::flow::{expand_immediate, imm12},
};

/// `ldr.w pc, [r8, rN, lsl #2]`: its first half, and its second with the register taken
/// out.
const GO: (u16, u16) = (0xf858, 0xf020);
/// `addw r8, pc, #...`, the constant taken out.
const TABLE: (u16, u16) = (0xf20f, 0x0800);
/// `cmp.w rN, #...`, the constant taken out.
const COUNT: (u16, u16) = (0xf1b0, 0x0f00);
/// What is left of an instruction with a constant of 12 bits.
const FIXED: (u16, u16) = (0xfbff, 0x8f00);
/// Halfwords before the jump in which the others are looked for.
const WINDOW: usize = 64;

/// The table, and how many entries it has, when every such jump agrees on them.
pub(super) fn table(kernel: &Kernel) -> Option<(u32, u32)> {
    let halves: Vec<u16> = kernel
        .bytes
        .chunks_exact(2)
        .map(|half| u16::from_le_bytes([half[0], half[1]]))
        .collect();
    let jumps = halves.windows(2).enumerate();
    let mut tables = jumps
        .filter(|(_, pair)| pair[0] == GO.0 && pair[1] & !0xf == GO.1)
        .filter_map(|(at, pair)| before(kernel, &halves, at, pair[1] & 0xf));
    let first = tables.next()?;
    tables.all(|other| other == first).then_some(first)
}

/// What the code in front of the jump at a halfword says, by which register it goes.
fn before(kernel: &Kernel, halves: &[u16], go: usize, register: u16) -> Option<(u32, u32)> {
    let start = go.checked_sub(WINDOW)?;
    let window = halves.get(start..go)?;
    let last = |wanted: (u16, u16)| {
        let fits = |pair: &[u16]| pair[0] & FIXED.0 == wanted.0 && pair[1] & FIXED.1 == wanted.1;
        let at = window.windows(2).rposition(fits)?;
        Some((start + at, imm12(window[at].into(), window[at + 1].into())))
    };
    let (at, distance) = last(TABLE)?;
    let (_, count) = last((COUNT.0 | register, COUNT.1))?;
    let pc = kernel.va(2 * at).wrapping_add(4) & !3;
    Some((pc.wrapping_add(distance), expand_immediate(count)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, Image},
    };

    /// From 4.9: addw r8, pc, #128; tst.w r10, #240; cmp.w r7, #400; it cc;
    /// ldrcc.w pc, [r8, r7, lsl #2].
    const CODE: [u16; 9] = [
        0xf20f, 0x0880, 0xf01a, 0x0ff0, 0xf5b7, 0x7fc8, 0xbf38, 0xf858, 0xf027,
    ];

    fn found(codes: &[[u16; 9]]) -> Option<(u32, u32)> {
        let mut image = Image::new(0x1000, Version(4, 9, 37)).thumb2();
        for (at, code) in (BASE + 0x100..).step_by(0x100).zip(codes) {
            image.halves(at, code);
        }
        table(&image.kernel())
    }

    #[test]
    fn the_table_is_what_the_jump_goes_by() {
        assert_eq!(found(&[CODE]), Some((BASE + 0x100 + 4 + 128, 400)));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn another_register_may_hold_the_number() {
        let mut code = CODE;
        code[4] = 0xf5ba;
        assert_eq!(found(&[code]), None);
        code[8] = 0xf02a;
        assert_eq!(found(&[code]), Some((BASE + 0x100 + 4 + 128, 400)));
    }

    #[test]
    fn all_jumps_go_by_the_same_table() {
        assert_eq!(found(&[CODE, CODE]), None);
        // The second is 256 bytes behind the first.
        let mut far = CODE;
        far[1] = 0x1880;
        assert_eq!(found(&[far, CODE]), found(&[far]));
        assert!(found(&[far]).is_some());
    }
}
