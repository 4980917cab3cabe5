//! ARM PrimeXsys system controller SP810 (ARM DDI 0254) as far as kernels of
//! the Versatile board use it: the control register, which keeps what is
//! written. Its timer clock selection has no effect here: the board's SP804s
//! count at 1 MHz, which is what every kernel selects.

use serde::{Deserialize, Serialize};

use super::{
    Device,
    primecell::{identification, lanes},
};
use crate::clock::Time;

/// Control register.
const SCCTRL: u32 = 0x000;
/// Its value after reset: mode control asks for SLOW, mode status says so.
const SCCTRL_RESET: u32 = 0x0000_0009;
/// Bits 3 to 6 tell the mode and cannot be written.
const MODE_STATUS: u32 = 0x78;

/// `SCPeriphID0` to `3`: part 0x810, designer 0x41, revision 0.
const PERIPHERAL_ID: [u8; 4] = [0x10, 0x18, 0x04, 0x00];

/// The controller's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sp810 {
    control: u32,
}

impl Sp810 {
    /// A controller after reset.
    pub fn new() -> Self {
        Self {
            control: SCCTRL_RESET,
        }
    }
}

impl Default for Sp810 {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for Sp810 {
    fn read(&mut self, offset: u32, size: u32, _now: Time) -> u32 {
        let register = match offset & !3 {
            SCCTRL => self.control,
            offset => identification(offset, PERIPHERAL_ID).unwrap_or(0),
        };
        lanes(register, offset, size)
    }

    fn write(&mut self, offset: u32, _size: u32, value: u32, _now: Time) {
        if offset & !3 == SCCTRL {
            self.control = (value & !MODE_STATUS) | (self.control & MODE_STATUS);
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

    #[test]
    fn test_control_keeps_the_timer_selection() {
        let mut controller = Sp810::new();
        assert_eq!(controller.read(SCCTRL, 4, Time(0)), 9);
        controller.write(SCCTRL, 4, 0x00aa_8000, Time(0));
        assert_eq!(controller.read(SCCTRL, 4, Time(0)), 0x00aa_8008);
    }

    #[test]
    fn test_other_registers_read_zero() {
        let mut controller = Sp810::new();
        controller.write(4, 4, 0xff, Time(0));
        assert_eq!(controller.read(4, 4, Time(0)), 0);
        assert_eq!(controller.read(0xfe0, 4, Time(0)), 0x10);
    }
}
