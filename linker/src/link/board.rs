//! The chips beside the transplanted driver, as it is told about them.

use serde::{Deserialize, Serialize};

/// One chip of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chip {
    /// The name by which notes ask for it: `pl190`, `sp804`, `uart16550`.
    pub name: String,
    /// Guest-physical address of its register page, for the kernel's own drivers.
    pub phys: u32,
    /// Line of the interrupt controller to which it is wired; also its Linux
    /// interrupt number.
    pub irq: Option<u32>,
    /// Input clock in hertz.
    pub clock_hz: Option<u32>,
}

/// The chips of the machine, each with one page of registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// In the order of their pages at the end of the opaque range.
    pub chips: Vec<Chip>,
}

impl Default for Board {
    /// PL190, SP804 on line 4 at 1 MHz, 16550 on line 5 at 1.8432 MHz.
    fn default() -> Self {
        let chip = |name: &str, phys, irq, clock_hz| Chip {
            name: name.to_owned(),
            phys,
            irq,
            clock_hz,
        };
        Self {
            chips: vec![
                chip("pl190", 0xfeec_0000, None, None),
                chip("sp804", 0xfeec_1000, Some(4), Some(1_000_000)),
                chip("uart16550", 0xfeec_2000, Some(5), Some(1_843_200)),
            ],
        }
    }
}
