//! Status and system control registers of ARM's Versatile/PB board (ARM DUI
//! 0225, "Status and system control registers").

use serde::{Deserialize, Serialize};

use super::{Device, primecell::lanes};
use crate::clock::Time;

/// Register offsets (DUI 0225).
mod reg {
    /// Board identity.
    pub(super) const ID: u32 = 0x00;
    /// User LEDs.
    pub(super) const LED: u32 = 0x08;
    /// First of five oscillators' settings.
    pub(super) const OSC0: u32 = 0x0c;
    /// Last of them.
    pub(super) const OSC4: u32 = 0x1c;
    /// Opens OSC and RESETCTL to writes.
    pub(super) const LOCK: u32 = 0x20;
    /// Counter at 100 Hz.
    pub(super) const COUNTER_100HZ: u32 = 0x24;
    pub(super) const CFGDATA1: u32 = 0x28;
    pub(super) const CFGDATA2: u32 = 0x2c;
    /// Flags for software; a write sets bits of it.
    pub(super) const FLAGS: u32 = 0x30;
    pub(super) const FLAGSCLR: u32 = 0x34;
    /// The same, kept by a real board through a reset.
    pub(super) const NVFLAGS: u32 = 0x38;
    pub(super) const NVFLAGSCLR: u32 = 0x3c;
    pub(super) const RESETCTL: u32 = 0x40;
    /// PCI control; bit 0 tells that a PCI backplane is there.
    pub(super) const PCICTL: u32 = 0x44;
    /// Colour LCD: kind of panel in bits 8 to 12, the rest free.
    pub(super) const CLCD: u32 = 0x50;
    /// Counter at 24 MHz.
    pub(super) const COUNTER_24MHZ: u32 = 0x5c;
}

/// Identity: ARM, AHB, Versatile/PB, FPGA build 4.
const BOARD_ID: u32 = 0x4100_7004;
/// What LOCK must hold, bit 16 of a read telling whether it does not.
const UNLOCK: u32 = 0xa05f;
const LOCKED: u32 = 1 << 16;
/// CLCD: an 8.4 inch VGA panel, read only.
const PANEL: u32 = 0x1f << 8;
const PANEL_MASK: u32 = 0x3f << 8;
/// Bits of an oscillator setting.
const OSC_MASK: u32 = 0x7_ffff;
const OSCILLATORS: usize = 5;
/// RESETCTL: resets the board.
const RESET: u32 = 1 << 8;

/// Ticks of a counter that began at power-on.
fn counter(now: Time, hz: u64) -> u32 {
    (u128::from(now.0) * u128::from(hz) / 1_000_000_000) as u32
}

/// The registers' state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersatileSysreg {
    leds: u32,
    oscillators: [u32; OSCILLATORS],
    lock: u32,
    config: [u32; 2],
    flags: u32,
    nv_flags: u32,
    reset_control: u32,
    clcd: u32,
    reset_asked: bool,
}

impl VersatileSysreg {
    /// The registers after power-on.
    pub fn new() -> Self {
        Self::default()
    }

    /// True when the guest has asked for a reset of the board.
    pub fn reset_asked(&self) -> bool {
        self.reset_asked
    }

    fn unlocked(&self) -> bool {
        self.lock == UNLOCK
    }

    fn oscillator(&mut self, offset: u32) -> Option<&mut u32> {
        let index = (offset - reg::OSC0) / 4;
        self.oscillators.get_mut(index as usize)
    }
}

impl Device for VersatileSysreg {
    fn read(&mut self, offset: u32, size: u32, now: Time) -> u32 {
        let [config1, config2] = self.config;
        let register = match offset & !3 {
            reg::ID => BOARD_ID,
            reg::LED => self.leds,
            offset @ reg::OSC0..=reg::OSC4 => self.oscillator(offset).map_or(0, |osc| *osc),
            reg::LOCK => self.lock | if self.unlocked() { 0 } else { LOCKED },
            reg::COUNTER_100HZ => counter(now, 100),
            reg::CFGDATA1 => config1,
            reg::CFGDATA2 => config2,
            reg::FLAGS => self.flags,
            reg::NVFLAGS => self.nv_flags,
            reg::RESETCTL => self.reset_control,
            // No PCI backplane.
            reg::PCICTL => 0,
            reg::CLCD => self.clcd | PANEL,
            reg::COUNTER_24MHZ => counter(now, 24_000_000),
            // Switches, memory card, flash, LCD's serial interface, boot
            // select and test registers: nothing is set, nothing is there.
            _ => 0,
        };
        lanes(register, offset, size)
    }

    fn write(&mut self, offset: u32, _size: u32, value: u32, _now: Time) {
        let unlocked = self.unlocked();
        let [config1, config2] = &mut self.config;
        match offset & !3 {
            reg::LED => self.leds = value & 0xff,
            offset @ reg::OSC0..=reg::OSC4 if unlocked => {
                if let Some(osc) = self.oscillator(offset) {
                    *osc = value & OSC_MASK;
                }
            }
            reg::LOCK => self.lock = value & 0xffff,
            reg::CFGDATA1 => *config1 = value,
            reg::CFGDATA2 => *config2 = value,
            reg::FLAGS => self.flags |= value,
            reg::FLAGSCLR => self.flags &= !value,
            reg::NVFLAGS => self.nv_flags |= value,
            reg::NVFLAGSCLR => self.nv_flags &= !value,
            reg::RESETCTL if unlocked => {
                self.reset_control = value;
                self.reset_asked |= value & RESET != 0;
            }
            reg::CLCD => self.clcd = value & !PANEL_MASK,
            _ => {}
        }
    }

    fn advance(&mut self, _now: Time) {}

    fn next_event(&self) -> Option<Time> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(registers: &mut VersatileSysreg, offset: u32) -> u32 {
        registers.read(offset, 4, Time(0))
    }

    fn write(registers: &mut VersatileSysreg, offset: u32, value: u32) {
        registers.write(offset, 4, value, Time(0));
    }

    #[test]
    fn test_board_identity() {
        assert_eq!(read(&mut VersatileSysreg::new(), reg::ID), 0x4100_7004);
    }

    #[test]
    fn test_counters() {
        let mut registers = VersatileSysreg::new();
        let second = Time(1_000_000_000);
        assert_eq!(registers.read(reg::COUNTER_24MHZ, 4, second), 24_000_000);
        assert_eq!(registers.read(reg::COUNTER_100HZ, 4, second), 100);
        // It wraps at 2^32 ticks, after 179 s.
        let later = Time((1u64 << 32) * 1_000_000_000 / 24_000_000 + 50);
        assert_eq!(registers.read(reg::COUNTER_24MHZ, 4, later), 1);
    }

    #[test]
    fn test_lock() {
        let mut registers = VersatileSysreg::new();
        write(&mut registers, reg::OSC0, 0x123);
        assert_eq!(read(&mut registers, reg::OSC0), 0);
        assert_eq!(read(&mut registers, reg::LOCK), 0x1_0000);
        write(&mut registers, reg::LOCK, 0xa05f);
        assert_eq!(read(&mut registers, reg::LOCK), 0xa05f);
        write(&mut registers, reg::OSC0 + 16, 0x123);
        assert_eq!(read(&mut registers, reg::OSC4), 0x123);
    }

    #[test]
    fn test_flags() {
        let mut registers = VersatileSysreg::new();
        write(&mut registers, reg::FLAGS, 0xf0);
        write(&mut registers, reg::FLAGS, 0x0f);
        write(&mut registers, reg::FLAGSCLR, 0x11);
        assert_eq!(read(&mut registers, reg::FLAGS), 0xee);
        write(&mut registers, reg::NVFLAGS, 3);
        write(&mut registers, reg::NVFLAGSCLR, 1);
        assert_eq!(read(&mut registers, reg::NVFLAGS), 2);
    }

    #[test]
    fn test_reset_wants_the_lock_open() {
        let mut registers = VersatileSysreg::new();
        write(&mut registers, reg::RESETCTL, RESET);
        assert!(!registers.reset_asked());
        write(&mut registers, reg::LOCK, UNLOCK);
        write(&mut registers, reg::RESETCTL, RESET);
        assert!(registers.reset_asked());
    }

    #[test]
    fn test_panel_is_read_only() {
        let mut registers = VersatileSysreg::new();
        write(&mut registers, reg::CLCD, 0xffff_ffff);
        assert_eq!(read(&mut registers, reg::CLCD), 0xffff_dfff);
    }
}
