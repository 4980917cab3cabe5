//! ARM PrimeCell PL190 vectored interrupt controller (ARM DDI 0181): 32 input
//! lines, each masked and sent to FIQ or IRQ; 16 of the IRQs get a vector
//! address and a priority, slot 0 being the highest.

use serde::{Deserialize, Serialize};

use super::{
    Device,
    primecell::{identification, lanes},
};
use crate::clock::Time;

/// Register offsets (DDI 0181, "Summary of registers").
mod reg {
    /// Requests that are enabled and go to IRQ.
    pub(super) const IRQSTATUS: u32 = 0x000;
    /// Requests that are enabled and go to FIQ.
    pub(super) const FIQSTATUS: u32 = 0x004;
    /// Requests before masking, software ones included.
    pub(super) const RAWINTR: u32 = 0x008;
    /// 1 sends the line to FIQ, 0 to IRQ.
    pub(super) const INTSELECT: u32 = 0x00c;
    /// Enabled lines; a write sets the bits that are 1.
    pub(super) const INTENABLE: u32 = 0x010;
    /// Write only: clears bits of INTENABLE.
    pub(super) const INTENCLEAR: u32 = 0x014;
    /// Requests made by software; a write sets the bits that are 1.
    pub(super) const SOFTINT: u32 = 0x018;
    /// Write only: clears bits of SOFTINT.
    pub(super) const SOFTINTCLEAR: u32 = 0x01c;
    /// Bit 0: registers answer privileged accesses only.
    pub(super) const PROTECTION: u32 = 0x020;
    /// A read begins the service of the highest request, a write ends it.
    pub(super) const VECTADDR: u32 = 0x030;
    /// Address for IRQs without a vector slot.
    pub(super) const DEFVECTADDR: u32 = 0x034;
    /// First of 16 vector addresses.
    pub(super) const VECTADDR0: u32 = 0x100;
    /// Last of them.
    pub(super) const VECTADDR15: u32 = 0x13c;
    /// First of 16 vector controls.
    pub(super) const VECTCNTL0: u32 = 0x200;
    /// Last of them.
    pub(super) const VECTCNTL15: u32 = 0x23c;
    /// Bit 0: integration test mode.
    pub(super) const ITCR: u32 = 0x300;
    /// Daisy chain inputs nVICIRQIN (bit 7) and nVICFIQIN (bit 6).
    pub(super) const ITIP1: u32 = 0x304;
    /// Daisy chain input VICVECTADDRIN.
    pub(super) const ITIP2: u32 = 0x308;
    /// Outputs to the processor: IRQ (bit 7), FIQ (bit 6).
    pub(super) const ITOP1: u32 = 0x30c;
    /// Output VICVECTADDROUT.
    pub(super) const ITOP2: u32 = 0x310;
}

/// `VICPERIPHID0` to `3` (DDI 0181): part 0x190, designer 0x41,
/// revision 0.
const PERIPHERAL_ID: [u8; 4] = [0x90, 0x11, 0x04, 0x00];

/// Number of vector slots.
const SLOTS: usize = 16;
/// Priority of an IRQ without a slot, below all of them.
const DEFAULT_LEVEL: usize = SLOTS;
/// `VECTCNTL`: the slot is in use.
const CNTL_ENABLE: u8 = 1 << 5;
/// `VECTCNTL`: number of the slot's line.
const CNTL_SOURCE: u8 = 0x1f;
/// `ITOP1`: IRQ is asserted.
const ITOP1_IRQ: u32 = 1 << 7;
/// `ITOP1`: FIQ is asserted.
const ITOP1_FIQ: u32 = 1 << 6;

/// One vector slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    address: u32,
    control: u8,
}

impl Slot {
    /// The bit of the line that the slot serves, 0 when the slot is off.
    fn source(self) -> u32 {
        if self.control & CNTL_ENABLE == 0 {
            return 0;
        }
        1 << (self.control & CNTL_SOURCE)
    }
}

/// The controller's state. The protection bit can be set and read but keeps
/// nobody out: the bus does not tell a device the processor's mode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pl190 {
    /// Levels of the 32 input lines.
    lines: u32,
    soft: u32,
    enable: u32,
    select: u32,
    protection: bool,
    test_mode: bool,
    slots: [Slot; SLOTS],
    default_address: u32,
    /// Bit n: an interrupt of priority n is in service. Levels nest strictly
    /// upwards, so the lowest bit is the one served now.
    in_service: u32,
}

impl Pl190 {
    /// A controller after reset: everything masked, all lines low.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the level of input `line`, 0 to 31; higher numbers do not exist
    /// and are ignored.
    pub fn set_line(&mut self, line: u32, level: bool) {
        let Some(bit) = 1u32.checked_shl(line) else {
            return;
        };
        if level {
            self.lines |= bit;
        } else {
            self.lines &= !bit;
        }
    }

    /// The level of the nVICIRQ output, true meaning asserted: an enabled IRQ
    /// is pending whose priority is above the one in service (DDI 0181,
    /// "Interrupt priority logic").
    pub fn irq(&self) -> bool {
        self.next_level().is_some()
    }

    /// The level of the nVICFIQ output, true meaning asserted.
    pub fn fiq(&self) -> bool {
        self.fiq_status() != 0
    }

    fn raw(&self) -> u32 {
        self.lines | self.soft
    }

    fn irq_status(&self) -> u32 {
        self.raw() & self.enable & !self.select
    }

    fn fiq_status(&self) -> u32 {
        self.raw() & self.enable & self.select
    }

    /// The level in service now; one below the lowest when there is none.
    fn current_level(&self) -> usize {
        (self.in_service.trailing_zeros() as usize).min(DEFAULT_LEVEL + 1)
    }

    /// The level of the highest pending IRQ, if that is above the one in
    /// service. An IRQ whose line has a slot does not also count as one
    /// without.
    fn next_level(&self) -> Option<usize> {
        let pending = self.irq_status();
        if pending == 0 {
            return None;
        }
        let mut vectored = 0;
        for (level, slot) in self.slots.iter().enumerate().take(self.current_level()) {
            if pending & slot.source() != 0 {
                return Some(level);
            }
            vectored |= slot.source();
        }
        let rest = pending & !vectored;
        (self.current_level() > DEFAULT_LEVEL && rest != 0).then_some(DEFAULT_LEVEL)
    }

    fn address_of(&self, level: usize) -> u32 {
        self.slots
            .get(level)
            .map_or(self.default_address, |slot| slot.address)
    }

    /// What VICVECTADDROUT shows: the address of the highest request or, with
    /// none above the one in service, of that one.
    fn vector(&self) -> u32 {
        self.address_of(self.next_level().unwrap_or(self.current_level()))
    }

    fn begin_service(&mut self) -> u32 {
        let address = self.vector();
        if let Some(level) = self.next_level() {
            self.in_service |= 1 << level;
        }
        address
    }

    fn end_service(&mut self) {
        self.in_service &= self.in_service.wrapping_sub(1);
    }

    fn register(&mut self, offset: u32) -> u32 {
        match offset {
            reg::IRQSTATUS => self.irq_status(),
            reg::FIQSTATUS => self.fiq_status(),
            reg::RAWINTR => self.raw(),
            reg::INTSELECT => self.select,
            reg::INTENABLE => self.enable,
            reg::SOFTINT => self.soft,
            reg::PROTECTION => u32::from(self.protection),
            reg::VECTADDR => self.begin_service(),
            reg::DEFVECTADDR => self.default_address,
            reg::VECTADDR0..=reg::VECTADDR15 => self.slot(offset).address,
            reg::VECTCNTL0..=reg::VECTCNTL15 => u32::from(self.slot(offset).control),
            reg::ITCR => u32::from(self.test_mode),
            // Nothing is chained to this controller: its inputs are inactive.
            reg::ITIP1 | reg::ITIP2 => 0,
            reg::ITOP1 => {
                let irq = if self.irq() { ITOP1_IRQ } else { 0 };
                let fiq = if self.fiq() { ITOP1_FIQ } else { 0 };
                irq | fiq
            }
            reg::ITOP2 => self.vector(),
            _ => identification(offset, PERIPHERAL_ID).unwrap_or(0),
        }
    }

    /// The slot of a vector address or vector control register.
    fn slot(&self, offset: u32) -> Slot {
        let index = (offset as usize / 4) % SLOTS;
        self.slots.get(index).copied().unwrap_or_default()
    }

    fn slot_mut(&mut self, offset: u32) -> Option<&mut Slot> {
        self.slots.get_mut((offset as usize / 4) % SLOTS)
    }
}

impl Device for Pl190 {
    fn read(&mut self, offset: u32, size: u32, _now: Time) -> u32 {
        let register = self.register(offset & !3);
        lanes(register, offset, size)
    }

    fn write(&mut self, offset: u32, _size: u32, value: u32, _now: Time) {
        match offset & !3 {
            reg::INTSELECT => self.select = value,
            reg::INTENABLE => self.enable |= value,
            reg::INTENCLEAR => self.enable &= !value,
            reg::SOFTINT => self.soft |= value,
            reg::SOFTINTCLEAR => self.soft &= !value,
            reg::PROTECTION => self.protection = value & 1 != 0,
            reg::VECTADDR => self.end_service(),
            reg::DEFVECTADDR => self.default_address = value,
            offset @ reg::VECTADDR0..=reg::VECTADDR15 => {
                if let Some(slot) = self.slot_mut(offset) {
                    slot.address = value;
                }
            }
            offset @ reg::VECTCNTL0..=reg::VECTCNTL15 => {
                if let Some(slot) = self.slot_mut(offset) {
                    slot.control = value as u8 & (CNTL_ENABLE | CNTL_SOURCE);
                }
            }
            reg::ITCR => self.test_mode = value & 1 != 0,
            // Status, identification and reserved registers.
            _ => {}
        }
    }

    fn advance(&mut self, _now: Time) {}

    fn next_event(&self) -> Option<Time> {
        None
    }
}

#[cfg(test)]
mod tests;
