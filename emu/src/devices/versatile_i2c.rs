//! The serial bus of ARM's Versatile boards (ARM DUI 0225, "Serial bus
//! interface"): two open-drain lines that software drives bit by bit. Nothing
//! is connected, so a line is high unless it is driven low.

use serde::{Deserialize, Serialize};

use super::{Device, primecell::lanes};
use crate::clock::Time;

/// Reads the lines; a write of ones lets lines go high.
const CONTROL: u32 = 0x0;
/// A write of ones drives lines low.
const CLEAR: u32 = 0x4;
/// Clock and data.
const LINES: u32 = 3;

/// The lines' state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersatileI2c {
    high: u32,
}

impl VersatileI2c {
    /// The bus after power-on: idle.
    pub fn new() -> Self {
        Self { high: LINES }
    }
}

impl Default for VersatileI2c {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for VersatileI2c {
    fn read(&mut self, offset: u32, size: u32, _now: Time) -> u32 {
        match offset & !3 {
            CONTROL => lanes(self.high, offset, size),
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, _size: u32, value: u32, _now: Time) {
        match offset & !3 {
            CONTROL => self.high |= value & LINES,
            CLEAR => self.high &= !value,
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

    #[test]
    fn test_lines_are_high_unless_driven_low() {
        let mut bus = VersatileI2c::new();
        let now = Time(0);
        assert_eq!(bus.read(CONTROL, 4, now), 3);
        bus.write(CLEAR, 4, 1, now);
        assert_eq!(bus.read(CONTROL, 4, now), 2);
        bus.write(CLEAR, 4, 2, now);
        bus.write(CONTROL, 4, 1, now);
        assert_eq!(bus.read(CONTROL, 4, now), 1);
    }
}
