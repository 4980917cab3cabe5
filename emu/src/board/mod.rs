//! Which chips there are, where, and wired to what.
//!
//! * [`bare`]: no chip at all
//! * [`transplant`]: the three chips of a transplanted kernel
//! * [`registers`]: which registers a person wants to see
//! * [`versatile`]: ARM's Versatile/PB board, for kernels as they are
//!
//! A board is wiring only: it finds the chip that an address belongs to, and
//! carries levels from chip to interrupt controller after everything that may
//! have changed them.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::mmu::opaque::OpaqueMap;

pub mod bare;
pub mod registers;
pub mod transplant;
pub mod versatile;

use bare::Bare;
use registers::View;
use transplant::Transplant;
use versatile::Versatile;

/// What the machine needs of a board.
pub trait Wiring {
    /// The physical addresses of the 4 KiB pages that have chips.
    fn pages(&self) -> Vec<u32>;

    /// Reads from a chip; none when nothing is at the address.
    fn read(&mut self, address: u32, size: u32, now: Time) -> Option<u32>;

    /// Writes to a chip; false when nothing is at the address.
    fn write(&mut self, address: u32, size: u32, value: u32, now: Time) -> bool;

    /// Brings every chip and every line up to `now`.
    fn advance(&mut self, now: Time);

    /// The next moment at which a line may change of its own accord.
    fn next_event(&self) -> Option<Time>;

    /// The level of the processor's interrupt line, as of the last access or
    /// [`advance`](Self::advance).
    fn irq(&self) -> bool;

    /// The level of the processor's fast interrupt line.
    fn fiq(&self) -> bool;

    /// Whether a timer asks for an interrupt.
    fn timer_irq(&self) -> bool;

    /// What the console has sent since the last call.
    fn take_output(&mut self) -> Vec<u8>;

    /// Whether the console has sent anything since the last
    /// [`take_output`](Self::take_output).
    fn has_output(&self) -> bool;

    /// Types at the console. Returns how many bytes it had room for.
    fn push_input(&mut self, bytes: &[u8], now: Time) -> usize;

    /// Whether the guest has asked for a reset of the board.
    fn reset_asked(&self) -> bool;

    /// The chips that have something to show.
    fn views(&self) -> Vec<View>;
}

/// Which board a machine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BoardConfig {
    /// PL190, SP804 and 16550 in opaque memory, with the driver.
    Transplant(OpaqueMap),
    /// ARM's Versatile/PB board.
    Versatile,
    /// No chips.
    Bare,
}

/// A board with its chips.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Board {
    /// See [`BoardConfig::Transplant`].
    Transplant(Box<Transplant>),
    /// See [`BoardConfig::Versatile`].
    Versatile(Box<Versatile>),
    /// See [`BoardConfig::Bare`].
    Bare(Bare),
}

impl Board {
    /// A board after power-on.
    pub fn new(config: &BoardConfig) -> Self {
        match config {
            BoardConfig::Transplant(map) => Self::Transplant(Box::new(Transplant::new(map))),
            BoardConfig::Versatile => Self::Versatile(Box::default()),
            BoardConfig::Bare => Self::Bare(Bare),
        }
    }

    fn get(&self) -> &dyn Wiring {
        match self {
            Self::Transplant(board) => &**board,
            Self::Versatile(board) => &**board,
            Self::Bare(board) => board,
        }
    }

    fn get_mut(&mut self) -> &mut dyn Wiring {
        match self {
            Self::Transplant(board) => &mut **board,
            Self::Versatile(board) => &mut **board,
            Self::Bare(board) => board,
        }
    }
}

impl Wiring for Board {
    fn pages(&self) -> Vec<u32> {
        self.get().pages()
    }

    fn read(&mut self, address: u32, size: u32, now: Time) -> Option<u32> {
        self.get_mut().read(address, size, now)
    }

    fn write(&mut self, address: u32, size: u32, value: u32, now: Time) -> bool {
        self.get_mut().write(address, size, value, now)
    }

    fn advance(&mut self, now: Time) {
        self.get_mut().advance(now);
    }

    fn next_event(&self) -> Option<Time> {
        self.get().next_event()
    }

    fn irq(&self) -> bool {
        self.get().irq()
    }

    fn fiq(&self) -> bool {
        self.get().fiq()
    }

    fn timer_irq(&self) -> bool {
        self.get().timer_irq()
    }

    fn take_output(&mut self) -> Vec<u8> {
        self.get_mut().take_output()
    }

    fn has_output(&self) -> bool {
        self.get().has_output()
    }

    fn push_input(&mut self, bytes: &[u8], now: Time) -> usize {
        self.get_mut().push_input(bytes, now)
    }

    fn reset_asked(&self) -> bool {
        self.get().reset_asked()
    }

    fn views(&self) -> Vec<View> {
        self.get().views()
    }
}
