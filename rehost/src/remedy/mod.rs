//! What a kernel's code for its absent chips stops on, and how the boot goes on
//! without it.
//!
//! The kernel says itself that it cannot go on: it calls `die` or `panic`. Who
//! led there stands on its stack ([`chain`]). One function of that chain is left
//! out from then on ([`choice`]): it returns 0 at once. The boot goes on from a
//! moment before it was called ([`moments`]), or starts over, a bounded number of
//! times, each time with one function less, and the report names them all. Code
//! that waits in vain is left out in the same way ([`watch`], [`still`]). User
//! space, once it runs, is the judge of nothing here.

pub mod chain;
pub mod choice;
pub mod help;
pub mod moments;
pub mod still;
pub mod watch;

use emu::machine::Machine;
use linker::kernel::Kernel;
use linker::transplant::LeftOut;

/// Functions that are left out of one kernel, at most. More than that is no
/// longer this kernel.
pub const MOST: usize = 24;

/// What is different in the next boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// A function is left out.
    Without(Omitted),
    /// The machine has half of the RAM.
    LessRam,
    /// The machine has a page of memory at this physical address, beside its RAM.
    ChipMemory(u32),
    /// The UART is at another line of the interrupt controller: a driver of the
    /// device's has taken this one.
    AnotherLine(u32),
    /// A pointer on which the driver relies without being certain has another
    /// address: code at this one led to the fault.
    AnotherPointer,
    /// There is none: it waits for what never comes, and nothing can be left out.
    Hopeless {
        /// What it does.
        why: String,
    },
    /// The boot went on from a moment at which a function that is left out was
    /// already under way.
    Earlier,
}

impl Remedy {
    /// Whether the machine under way can go on with it, from an earlier moment; what
    /// makes the machine another takes a new one.
    pub fn is_for_this_machine(&self) -> bool {
        matches!(self, Remedy::Without(_) | Remedy::Earlier)
    }
}

/// What is special about one boot.
#[derive(Debug, Clone)]
pub struct Boot {
    /// What is left out.
    pub omitted: Vec<Omitted>,
    /// Addresses, bit 0 clear, that the driver took on trust.
    pub doubtful: Vec<u32>,
    /// Whether the machine can have less RAM than it has, and may.
    pub can_shrink: bool,
    /// Where the kernel lies in physical memory.
    pub loaded: u32,
    /// Whether moments are kept, to go on from when something is left out.
    pub keeps_moments: bool,
    /// The line of the UART.
    pub uart_line: Option<u32>,
}

/// A function that the kernel has to do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omitted {
    /// Its first instruction; bit 0 is set for Thumb code.
    pub va: u32,
    /// Its name, or its address where it has none.
    pub name: String,
    /// Whether it is one of the kernel's initial calls.
    pub initcall: bool,
    /// What happened in it.
    pub why: String,
    /// The outermost function of the machine's own that led to it, if it is known.
    pub root: Option<u32>,
}

impl Omitted {
    /// For the report.
    pub fn left_out(&self) -> LeftOut {
        let kind = if self.initcall {
            "initcall"
        } else {
            "function"
        };
        LeftOut {
            what: format!("{kind} {}", self.name),
            why: self.why.clone(),
        }
    }

    /// Lets the function return 0 at once. `bytes` are the kernel's, `kernel`
    /// says where they lie.
    pub fn apply(&self, kernel: &Kernel, bytes: &mut [u8]) {
        let (place, code) = self.patch(kernel);
        let place = place.and_then(|at| bytes.get_mut(at..at.checked_add(code.len())?));
        if let Some(place) = place {
            place.copy_from_slice(code);
        }
    }

    /// The same for a kernel that runs; `loaded` is its physical address.
    ///
    /// # Errors
    /// When that is outside memory.
    pub fn apply_to(
        &self,
        kernel: &Kernel,
        machine: &mut Machine,
        loaded: u32,
    ) -> Result<(), emu::machine::Error> {
        match self.patch(kernel) {
            (Some(at), code) => machine.write_physical(loaded.wrapping_add(at as u32), code),
            (None, _) => Ok(()),
        }
    }

    /// What is written, and at which offset of the kernel.
    fn patch(&self, kernel: &Kernel) -> (Option<usize>, &'static [u8]) {
        // mov r0, #0; mov pc, lr: returns to ARM code on every processor, and to
        // either kind since Armv7. movs r0, #0; bx lr.
        const ARM: [u8; 8] = [0x00, 0x00, 0xa0, 0xe3, 0x0e, 0xf0, 0xa0, 0xe1];
        const THUMB: [u8; 4] = [0x00, 0x20, 0x70, 0x47];
        let code: &[u8] = if self.va & 1 == 0 { &ARM } else { &THUMB };
        (kernel.offset(self.va & !1), code)
    }
}

#[cfg(test)]
mod tests {
    use linker::kernel::{Facts, Version};

    use super::*;

    /// Where the kernel of the tests lies.
    pub(super) const BASE: u32 = 0xc000_8000;

    pub(super) fn kernel_of(bytes: Vec<u8>) -> Kernel {
        Kernel {
            bytes,
            base: BASE,
            facts: Facts::usual(Version(3, 4, 5)),
        }
    }

    fn kernel() -> Kernel {
        kernel_of(vec![0xff; 16])
    }

    fn applied(va: u32) -> Vec<u8> {
        let mut bytes = kernel().bytes;
        let one = Omitted {
            va,
            name: "chip_init".into(),
            initcall: false,
            why: "a fault in it".into(),
            root: None,
        };
        one.apply(&kernel(), &mut bytes);
        bytes
    }

    #[test]
    fn another_machine_is_started_and_not_taken_back() {
        let without = Omitted {
            va: BASE,
            name: "chip_init".into(),
            initcall: true,
            why: "a fault in it".into(),
            root: None,
        };
        assert!(Remedy::Without(without).is_for_this_machine());
        assert!(Remedy::Earlier.is_for_this_machine());
        for remedy in [
            Remedy::LessRam,
            Remedy::ChipMemory(0x40_0000),
            Remedy::AnotherLine(5),
        ] {
            assert!(!remedy.is_for_this_machine(), "{remedy:?}");
        }
    }

    #[test]
    fn a_function_returns_at_once_in_its_own_instruction_set() {
        assert_eq!(
            applied(0xc000_8004)[4..12],
            [0, 0, 0xa0, 0xe3, 14, 0xf0, 0xa0, 0xe1]
        );
        assert_eq!(
            applied(0xc000_8005)[4..10],
            [0, 0x20, 0x70, 0x47, 0xff, 0xff]
        );
        // Not within the kernel, or only half.
        for va in [0, 0xc000_800c, u32::MAX] {
            assert_eq!(applied(va), kernel().bytes, "{va:#x}");
        }
    }
}
