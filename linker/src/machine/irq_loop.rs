//! The interrupt vectors of kernels that are made for one interrupt controller.
//!
//! Before `handle_arch_irq`, the macro `irq_handler` of
//! arch/arm/kernel/entry-armv.S (2.6.12 to 3.x) asks the controller itself, in
//! code that the chip's header brings along, once for interrupts of the kernel
//! and once for those of user space:
//!
//! ```text
//! loop:   ...                     r0 = number; ne: there is one
//!         movne   r1, sp
//!         subne   lr, pc, #...    back to the loop
//!         bne     asm_do_IRQ
//!         ...                     on SMP the same for do_IPI, do_local_timer
//! ```
//!
//! The three last instructions are the same for every chip.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::kernel::Kernel;

/// `movne r1, sp` and, for handlers without a number, `movne r0, sp`.
const MOVNE: [u32; 2] = [0x11a0_100d, 0x11a0_000d];
/// `subne lr, pc, #...`, the constant taken out.
const SUBNE_LR_PC: u32 = 0x124f_e000;
/// `bne`, the distance taken out.
const BNE: u32 = 0x1a00_0000;
/// Bytes from a loop's start to its end: a chip with four cascaded controllers
/// has 25 instructions.
const LONGEST: u32 = 0x140;
/// What a call of the driver takes: four instructions and the pointer.
const CALL: u32 = 20;
/// Kernels have two.
const MOST: usize = 8;

/// One loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct IrqLoop {
    /// Its first instruction.
    pub start: u32,
    /// The instruction behind its last branch: no interrupt is left.
    pub resume: u32,
    /// What it calls for each interrupt, with its number and the registers:
    /// `asm_do_IRQ`, before 2.6.20 `do_IRQ`.
    pub handler: u32,
}

impl IrqLoop {
    /// Four instructions that take the loop's place and, with a pointer behind
    /// them, call a function with the saved registers and then go on.
    pub fn call(&self) -> [u32; 4] {
        let branch = self.start.wrapping_add(12);
        let distance = self.resume.wrapping_sub(branch.wrapping_add(8));
        [
            0xe1a0_000d,                               // mov r0, sp
            0xe1a0_e00f,                               // mov lr, pc: the branch
            0xe59f_f000,                               // ldr pc, [pc]: the pointer
            0xea00_0000 | distance >> 2 & 0x00ff_ffff, // b resume
        ]
    }
}

/// The loops, when all of them agree on what they call.
pub(crate) fn find(kernel: &Kernel) -> Vec<IrqLoop> {
    let mut loops: BTreeMap<u32, IrqLoop> = BTreeMap::new();
    let words = kernel.bytes.chunks_exact(4);
    for (index, word) in words.enumerate() {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        if !MOVNE.contains(&word) {
            continue;
        }
        let at = kernel.va(4 * index);
        let Some((start, target)) = tail(kernel, at) else {
            continue;
        };
        let resume = at.wrapping_add(12);
        match loops.get_mut(&start) {
            // Interrupts of other processors come behind those of chips.
            Some(known) => known.resume = resume,
            None if word == MOVNE[0] => {
                let found = IrqLoop {
                    start,
                    resume,
                    handler: target,
                };
                loops.insert(start, found);
            }
            None => {}
        }
    }
    loops.retain(|_, found| found.resume.wrapping_sub(found.start) >= CALL);
    let agree = loops
        .values()
        .zip(loops.values().skip(1))
        .all(|(one, other)| one.handler == other.handler);
    match agree && (2..=MOST).contains(&loops.len()) {
        true => loops.into_values().collect(),
        false => Vec::new(),
    }
}

/// `handle_arch_irq` of kernels that have it, and the first place that calls through
/// it. The macro `irq_handler` is then, for interrupts of the kernel and of user
/// space, to 5.17: `ldr r1, =handle_arch_irq; mov r0, sp; adr lr, ...; ldr pc, [r1]`.
pub(super) fn handler_variable(kernel: &Kernel) -> Option<(u32, u32)> {
    /// ldr r1, [pc, #...] with the distance taken out, mov r0, sp, add lr, pc, #...
    /// with the constant taken out, ldr pc, [r1].
    const SHAPE: [(u32, u32); 4] = [
        (0xffff_f000, 0xe59f_1000),
        (!0, 0xe1a0_000d),
        (0xffff_f000, 0xe28f_e000),
        (!0, 0xe591_f000),
    ];
    let mut found: Option<(u32, u32)> = None;
    for at in memchr::memmem::find_iter(&kernel.bytes, &SHAPE[1].1.to_le_bytes()) {
        let Some(start) = at.checked_sub(4).filter(|start| start.is_multiple_of(4)) else {
            continue;
        };
        let start = kernel.va(start);
        let word = |index: u32| kernel.word(start.wrapping_add(4 * index));
        let fits = (0..)
            .zip(SHAPE)
            .all(|(index, (mask, value))| word(index).is_some_and(|word| word & mask == value));
        if !fits {
            continue;
        }
        let distance = word(0)? & 0xfff;
        let variable = kernel.word(start.wrapping_add(8).wrapping_add(distance))?;
        match found {
            Some((known, _)) if known != variable => return None,
            Some(_) => {}
            None => found = Some((variable, start)),
        }
    }
    found.filter(|(variable, _)| variable.is_multiple_of(4) && *variable >= kernel.base)
}

/// The loop's start and what is called, of the three instructions at `at`.
fn tail(kernel: &Kernel, at: u32) -> Option<(u32, u32)> {
    let back = kernel.word(at.wrapping_add(4))?;
    let call = kernel.word(at.wrapping_add(8))?;
    if back & 0xffff_f000 != SUBNE_LR_PC || call & 0xff00_0000 != BNE {
        return None;
    }
    let distance = (back & 0xff).rotate_right(back >> 7 & 0x1e);
    let start = at.wrapping_add(12).wrapping_sub(distance);
    let offset = ((call << 8) as i32 >> 6) as u32;
    let target = at.wrapping_add(16).wrapping_add(offset);
    let length = at.wrapping_sub(start);
    (length <= LONGEST && kernel.offset(start).is_some() && kernel.offset(target).is_some())
        .then_some((start, target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Version;
    use crate::machine::testing::{BASE, Image};

    /// ldr r0, [r5]; cmp r0, #0; movne r1, sp; subne lr, pc, #24 ... and the
    /// branch, `distance` words on.
    fn asking(distance: i32) -> [u32; 6] {
        [
            0xe1a0_0000,
            0xe595_0000,
            0xe350_0000,
            0x11a0_100d,
            0x124f_e018,
            0x1a00_0000 | (distance as u32) & 0x00ff_ffff,
        ]
    }

    fn kernel(second: u32) -> Kernel {
        let mut image = Image::new(0x4000, Version(2, 6, 32));
        image.words(BASE + 0x100, &asking(0x400 - 2));
        image.words(BASE + 0x200, &asking(0x400 - 2 - second as i32));
        image.kernel()
    }

    #[test]
    fn both_loops_with_what_they_call() {
        let found = find(&kernel(0x40));
        let handler = BASE + 0x114 + 0x1000;
        assert_eq!(
            found,
            [0x100, 0x200].map(|at| IrqLoop {
                start: BASE + at,
                resume: BASE + at + 24,
                handler,
            })
        );
        // The branch is the fourth instruction and goes behind the sixth.
        assert_eq!(found[0].call()[3], 0xea00_0001);
    }

    #[test]
    fn loops_that_call_different_functions_are_not_believed() {
        assert_eq!(find(&kernel(0x41)), []);
    }

    #[test]
    fn handlers_of_other_processors_belong_to_the_loop() {
        let mut image = Image::new(0x4000, Version(2, 6, 39));
        for at in [0x100, 0x200] {
            image.words(BASE + at, &asking(0x400 - 2 - at as i32 / 4));
            // movne r0, sp; subne lr, pc, #40; bne
            image.words(BASE + at + 24, &[0x11a0_000d, 0x124f_e024, 0x1a00_0100]);
        }
        let found = find(&image.kernel());
        assert_eq!(found[0].resume, BASE + 0x124);
    }
}
