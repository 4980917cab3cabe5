//! Exception entry: what the processor's state becomes (DDI 0406C B1.8).

use crate::cpu::Architecture;
use crate::cpu::live::{Live, psr};

/// The exceptions of the architecture, but for those of extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exception {
    /// Power-on or a reset line.
    Reset,
    /// An instruction that does not exist or may not be executed.
    Undefined,
    /// `svc`.
    Supervisor,
    /// An instruction could not be fetched; also `bkpt`.
    PrefetchAbort,
    /// A load or store was refused.
    DataAbort,
    /// Interrupt.
    Irq,
    /// Fast interrupt.
    Fiq,
}

/// SCTLR.V: vectors at the top of memory.
const SCTLR_V: u32 = 1 << 13;
/// SCTLR.EE: data is big-endian in handlers.
const SCTLR_EE: u32 = 1 << 25;
/// SCTLR.TE: handlers are Thumb code.
const SCTLR_TE: u32 = 1 << 30;

impl Exception {
    fn mode(self) -> u32 {
        match self {
            Self::Reset | Self::Supervisor => 0x13,
            Self::Undefined => 0x1b,
            Self::PrefetchAbort | Self::DataAbort => 0x17,
            Self::Irq => 0x12,
            Self::Fiq => 0x11,
        }
    }

    fn vector(self) -> u32 {
        match self {
            Self::Reset => 0x00,
            Self::Undefined => 0x04,
            Self::Supervisor => 0x08,
            Self::PrefetchAbort => 0x0c,
            Self::DataAbort => 0x10,
            Self::Irq => 0x18,
            Self::Fiq => 0x1c,
        }
    }
}

/// The registers that rule exception entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Which bits there are.
    pub architecture: Architecture,
    /// System control register.
    pub sctlr: u32,
    /// Vector base; 0 for processors that have none.
    pub vbar: u32,
}

/// What the registers become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The new status.
    pub cpsr: u32,
    /// The saved status, in the bank of the new mode.
    pub spsr: u32,
    /// The link register, in the bank of the new mode.
    pub lr: u32,
    /// Where to go on; bit 0 selects Thumb.
    pub pc: u32,
}

/// Works out exception entry from the status and the value for the link
/// register, which depends on the exception.
pub fn entry(exception: Exception, cpsr: u32, lr: u32, control: &Control) -> Entry {
    let v6 = control.architecture >= Architecture::V6;
    let v7 = control.architecture >= Architecture::V7;
    let thumb = v7 && control.sctlr & SCTLR_TE != 0;
    let mut new = cpsr & !(psr::MODE | psr::THUMB | psr::JAZELLE | psr::IF_THEN | psr::BIG_ENDIAN)
        | exception.mode()
        | psr::IRQ_OFF;
    if thumb {
        new |= psr::THUMB;
    }
    if v6 && control.sctlr & SCTLR_EE != 0 {
        new |= psr::BIG_ENDIAN;
    }
    if matches!(exception, Exception::Reset | Exception::Fiq) {
        new |= psr::FIQ_OFF;
    }
    if v6 && !matches!(exception, Exception::Undefined | Exception::Supervisor) {
        new |= psr::ABORT_OFF;
    }
    let vectors = if control.sctlr & SCTLR_V != 0 {
        0xffff_0000
    } else {
        control.vbar & !0x1f
    };
    Entry {
        cpsr: new,
        spsr: cpsr,
        lr,
        pc: vectors.wrapping_add(exception.vector()) | u32::from(thumb),
    }
}

impl Entry {
    /// Puts the processor there.
    pub(crate) fn apply(&self, cpu: &Live<'_>) {
        // The mode first: it selects the banks.
        cpu.set_cpsr(self.cpsr);
        cpu.set_spsr(self.spsr);
        cpu.set_register(14, self.lr);
        cpu.set_pc(self.pc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: Control = Control {
        architecture: Architecture::V7,
        sctlr: 0,
        vbar: 0,
    };

    #[test]
    fn every_exception_has_its_mode_vector_and_masks() {
        let state = |exception| {
            let entry = entry(exception, 0x6000_0010, 0x8004, &CONTROL);
            assert_eq!((entry.spsr, entry.lr), (0x6000_0010, 0x8004));
            (entry.cpsr, entry.pc)
        };
        assert_eq!(state(Exception::Reset), (0x6000_01d3, 0x00));
        assert_eq!(state(Exception::Undefined), (0x6000_009b, 0x04));
        assert_eq!(state(Exception::Supervisor), (0x6000_0093, 0x08));
        assert_eq!(state(Exception::PrefetchAbort), (0x6000_0197, 0x0c));
        assert_eq!(state(Exception::DataAbort), (0x6000_0197, 0x10));
        assert_eq!(state(Exception::Irq), (0x6000_0192, 0x18));
        assert_eq!(state(Exception::Fiq), (0x6000_01d1, 0x1c));
    }

    #[test]
    fn high_vectors_win_over_the_base_register() {
        let at = |sctlr, vbar| {
            entry(
                Exception::Irq,
                0x10,
                0,
                &Control {
                    sctlr,
                    vbar,
                    ..CONTROL
                },
            )
            .pc
        };
        assert_eq!(at(0, 0x8000_0000), 0x8000_0018);
        assert_eq!(at(SCTLR_V, 0x8000_0000), 0xffff_0018);
    }

    #[test]
    fn thumb_and_endianness_of_handlers_come_from_the_control_register() {
        let sctlr = SCTLR_TE | SCTLR_EE;
        let seven = entry(Exception::Irq, 0x10, 0, &Control { sctlr, ..CONTROL });
        assert_eq!((seven.cpsr, seven.pc), (0x3b2, 0x19));
        // Armv5 has neither, nor the abort mask.
        let architecture = Architecture::V5;
        let five = entry(
            Exception::Irq,
            0x10,
            0,
            &Control {
                sctlr,
                architecture,
                vbar: 0,
            },
        );
        assert_eq!((five.cpsr, five.pc), (0x92, 0x18));
    }

    #[test]
    fn the_state_of_an_if_then_block_is_saved_and_cleared() {
        let entry = entry(Exception::Irq, 0x0600_fc30, 0, &CONTROL);
        assert_eq!((entry.cpsr, entry.spsr), (0x192, 0x0600_fc30));
    }
}
