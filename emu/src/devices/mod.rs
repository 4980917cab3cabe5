//! Chips as pure values: registers, line levels, virtual time. No thread, no
//! wall clock, no I/O: what a device sends and receives is kept in it until the
//! board asks for it. A snapshot of a chip is its clone.
//!
//! * [`pl190`]: vectored interrupt controller
//! * [`sp804`]: dual timer
//! * [`uart16550`]: UART of the transplant
//! * [`rom`]: what the transplant brings a kernel that cannot unpack archives
//! * [`pl011`], [`sic`], [`versatile_sysreg`], [`sp810`], [`versatile_i2c`]: the
//!   further chips of ARM's Versatile board, for kernels that bring their own
//!   drivers for them
//! * `primecell`: what ARM's PrimeCells have in common
//! * [`serial_line`]: the far end of a UART's line

use crate::clock::Time;

pub mod pl011;
pub mod pl190;
mod primecell;
pub mod rom;
pub mod serial_line;
pub mod sic;
pub mod sp804;
pub mod sp810;
pub mod uart16550;
pub mod versatile_i2c;
pub mod versatile_sysreg;

/// What the board needs of every chip.
pub trait Device {
    /// The value at a byte offset into the chip's registers. `size` is 1, 2 or
    /// 4 bytes; a narrower read returns the low bytes.
    fn read(&mut self, offset: u32, size: u32, now: Time) -> u32;

    /// Writes the low `size` bytes of `value`.
    fn write(&mut self, offset: u32, size: u32, value: u32, now: Time);

    /// Brings the chip's state up to `now`. Called before a line is asked for.
    fn advance(&mut self, now: Time);

    /// The next moment at which the chip changes an output of its own accord.
    fn next_event(&self) -> Option<Time>;
}

#[cfg(test)]
mod tests;
