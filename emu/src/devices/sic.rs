//! Secondary interrupt controller of ARM's Versatile boards (ARM DUI 0225,
//! "Interrupt controllers"): 32 lines, masked and joined into one line of
//! the primary controller; lines 21 to 30 may also go through to the primary
//! line of the same number.

use serde::{Deserialize, Serialize};

use super::{Device, primecell::lanes};
use crate::clock::Time;

/// Register offsets (DUI 0225, "Secondary interrupt controller").
mod reg {
    /// Requests after masking.
    pub(super) const STATUS: u32 = 0x00;
    /// Requests before masking.
    pub(super) const RAWSTAT: u32 = 0x04;
    /// Mask when read; a write sets bits of it.
    pub(super) const ENABLE: u32 = 0x08;
    /// Write only: clears bits of the mask.
    pub(super) const ENCLR: u32 = 0x0c;
    /// Bit 0: the software interrupt, line 0; a write sets it.
    pub(super) const SOFTINTSET: u32 = 0x10;
    /// A write clears the software interrupt.
    pub(super) const SOFTINTCLR: u32 = 0x14;
    /// Lines that go through; a write sets bits of it.
    pub(super) const PICENABLE: u32 = 0x20;
    /// Write only: stops lines from going through.
    pub(super) const PICENCLR: u32 = 0x24;
}

/// Lines that can go through to the primary controller: 21 to 30.
const PASS_THROUGH: u32 = 0x7fe0_0000;
/// The line that software can raise.
const SOFT_LINE: u32 = 1 << 0;

/// The controller's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sic {
    lines: u32,
    soft: bool,
    enable: u32,
    pass: u32,
}

impl Sic {
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

    /// The level of the joint output.
    pub fn irq(&self) -> bool {
        self.raw() & self.enable != 0
    }

    /// The levels of the lines that go through, as bits by their number.
    pub fn passed_through(&self) -> u32 {
        self.raw() & self.pass
    }

    fn raw(&self) -> u32 {
        self.lines | if self.soft { SOFT_LINE } else { 0 }
    }
}

impl Device for Sic {
    fn read(&mut self, offset: u32, size: u32, _now: Time) -> u32 {
        let register = match offset & !3 {
            reg::STATUS => self.raw() & self.enable,
            reg::RAWSTAT => self.raw(),
            reg::ENABLE => self.enable,
            reg::SOFTINTSET => u32::from(self.soft),
            reg::PICENABLE => self.pass,
            _ => 0,
        };
        lanes(register, offset, size)
    }

    fn write(&mut self, offset: u32, _size: u32, value: u32, _now: Time) {
        match offset & !3 {
            reg::ENABLE => self.enable |= value,
            reg::ENCLR => self.enable &= !value,
            reg::SOFTINTSET => self.soft |= value & SOFT_LINE != 0,
            reg::SOFTINTCLR => self.soft &= value & SOFT_LINE == 0,
            reg::PICENABLE => self.pass |= value & PASS_THROUGH,
            reg::PICENCLR => self.pass &= !value,
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

    fn read(sic: &mut Sic, offset: u32) -> u32 {
        sic.read(offset, 4, Time(0))
    }

    fn write(sic: &mut Sic, offset: u32, value: u32) {
        sic.write(offset, 4, value, Time(0));
    }

    #[test]
    fn test_masked_line_is_raw_only() {
        let mut sic = Sic::new();
        sic.set_line(3, true);
        assert_eq!(read(&mut sic, reg::RAWSTAT), 8);
        assert_eq!(read(&mut sic, reg::STATUS), 0);
        assert!(!sic.irq());
        write(&mut sic, reg::ENABLE, 8);
        assert_eq!(read(&mut sic, reg::STATUS), 8);
        assert!(sic.irq());
        write(&mut sic, reg::ENCLR, 8);
        assert!(!sic.irq());
    }

    #[test]
    fn test_software_interrupt() {
        let mut sic = Sic::new();
        write(&mut sic, reg::ENABLE, 1);
        write(&mut sic, reg::SOFTINTSET, 1);
        assert!(sic.irq());
        assert_eq!(read(&mut sic, reg::SOFTINTSET), 1);
        write(&mut sic, reg::SOFTINTCLR, 1);
        assert!(!sic.irq());
    }

    #[test]
    fn test_lines_that_go_through() {
        let mut sic = Sic::new();
        write(&mut sic, reg::PICENABLE, !0);
        assert_eq!(read(&mut sic, reg::PICENABLE), 0x7fe0_0000);
        for line in 0..32 {
            sic.set_line(line, true);
        }
        assert_eq!(sic.passed_through(), 0x7fe0_0000);
        write(&mut sic, reg::PICENCLR, 1 << 21);
        assert_eq!(sic.passed_through(), 0x7fc0_0000);
        assert!(!sic.irq());
    }
}
