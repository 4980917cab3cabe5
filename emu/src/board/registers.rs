//! The registers of chips that a person wants to see, by name and offset. Looking
//! at them is reading them from a copy of the chip, so that nothing changes.

use super::{Board, Wiring};
use crate::clock::Time;

/// Names and offsets.
pub(super) type List = &'static [(&'static str, u32)];

/// Where a chip is, and what of it is shown.
pub struct View {
    /// Its name.
    pub(super) name: &'static str,
    /// Physical address.
    pub(super) base: u32,
    pub(super) registers: List,
}

/// DDI 0181.
pub(super) const PL190: List = &[
    ("irqstatus", 0x00),
    ("fiqstatus", 0x04),
    ("rawintr", 0x08),
    ("intselect", 0x0c),
    ("intenable", 0x10),
    ("softint", 0x18),
];

/// DDI 0271.
pub(super) const SP804: List = &[
    ("load1", 0x00),
    ("value1", 0x04),
    ("control1", 0x08),
    ("ris1", 0x10),
    ("load2", 0x20),
    ("value2", 0x24),
    ("control2", 0x28),
    ("ris2", 0x30),
];

/// PC16550D, with the divisor latch closed.
pub(super) const UART16550: List = &[
    ("ier", 1),
    ("iir", 2),
    ("lcr", 3),
    ("mcr", 4),
    ("lsr", 5),
    ("msr", 6),
    ("scr", 7),
];

/// DDI 0183.
pub(super) const PL011: List = &[
    ("fr", 0x18),
    ("ibrd", 0x24),
    ("fbrd", 0x28),
    ("lcr_h", 0x2c),
    ("cr", 0x30),
    ("imsc", 0x38),
    ("ris", 0x3c),
];

/// Our own: see [`crate::devices::rom`].
pub(super) const ROM: List = &[("size", 0), ("position", 4)];

/// A chip as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipState {
    /// Its name.
    pub name: &'static str,
    /// Physical address.
    pub address: u32,
    /// Registers by name.
    pub registers: Vec<(&'static str, u32)>,
}

impl Board {
    /// The state of every chip that has some to show.
    pub fn chips(&self, now: Time) -> Vec<ChipState> {
        let views = self.views();
        let states = views.iter().map(|view| ChipState {
            name: view.name,
            address: view.base,
            registers: view
                .registers
                .iter()
                .map(|&(name, offset)| {
                    let mut copy = self.clone();
                    let size = if view.name == "uart16550" { 1 } else { 4 };
                    let value = copy.read(view.base + offset, size, now);
                    (name, value.unwrap_or(0))
                })
                .collect(),
        });
        states.collect()
    }
}
