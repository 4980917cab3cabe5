//! Where `init` lies in `struct sys_timer`, from the timers themselves.
//!
//! The struct (arch/arm/include/asm/mach/time.h, to 3.8) begins with a device
//! that is all zero in the image and whose size depends on the configuration; the
//! first word of it that is set is the pointer to the function that starts the
//! timer.

use super::Known;
use crate::{kernel::Kernel, machine::Machines};

/// A device takes no more bytes than this.
const LONGEST: u32 = 0x200;

/// The offset of `init`, when all machines' timers show the same. `timer` is the
/// offset of the pointer to them in a descriptor.
pub(super) fn init(kernel: &Kernel, machines: &Machines, timer: u32) -> Option<Known> {
    let mut shown: Option<(u32, u32)> = None;
    let mut count = 0;
    for descriptor in &machines.descriptors {
        let start = kernel.word(descriptor.va.wrapping_add(timer))?;
        if start == 0 {
            continue;
        }
        let offset = first_set(kernel, start)?;
        match shown {
            Some((_, other)) if other != offset => return None,
            Some(_) => {}
            None => shown = Some((start, offset)),
        }
        count += 1;
    }
    let (start, value) = shown?;
    Some(Known {
        value,
        evidence: format!(
            "the first word that is set in {count} timers, as in the one at {start:#x}"
        ),
    })
}

/// The offset of the first word that is set, when it points into the kernel.
fn first_set(kernel: &Kernel, start: u32) -> Option<u32> {
    let words = (0..LONGEST).step_by(4);
    let (offset, word) = words
        .map_while(|offset| Some((offset, kernel.word(start.checked_add(offset)?)?)))
        .find(|(_, word)| *word != 0)?;
    kernel.offset(word).is_some().then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Facts, Version};
    use crate::machine::Descriptor;

    const BASE: u32 = 0xc000_8000;
    /// Where the pointer to the timer lies in a descriptor.
    const TIMER: u32 = 8;

    /// Descriptors at 0 and 0x40 whose timers lie at 0x100 and 0x200.
    fn found(words: &[(u32, u32)]) -> Option<u32> {
        let mut bytes = vec![0; 0x800];
        let timers = [(TIMER, BASE + 0x100), (0x40 + TIMER, BASE + 0x200)];
        for (at, word) in timers.iter().chain(words) {
            let at = *at as usize;
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        let kernel = Kernel {
            bytes,
            base: BASE,
            facts: Facts::usual(Version(2, 6, 32)),
        };
        let descriptor = |va: u32| Descriptor {
            va,
            nr: 0,
            name: String::new(),
            compatible: Vec::new(),
        };
        let machines = Machines {
            descriptors: vec![descriptor(BASE), descriptor(BASE + 0x40)],
            ..Machines::default()
        };
        init(&kernel, &machines, TIMER).map(|known| known.value)
    }

    #[test]
    fn the_first_word_that_is_set_is_the_function() {
        let one = (0x12c, BASE + 0x400);
        assert_eq!(found(&[one, (0x22c, BASE + 0x500)]), Some(0x2c));
    }

    #[test]
    fn timers_that_differ_or_hold_something_else_show_nothing() {
        let one = (0x12c, BASE + 0x400);
        assert_eq!(found(&[one, (0x230, BASE + 0x500)]), None);
        assert_eq!(found(&[one, (0x22c, 7)]), None);
        assert_eq!(found(&[one]), None);
    }
}
