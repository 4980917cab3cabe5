//! 16550 UART (PC16550D, National Semiconductor, June 1995), as `ttyS0`. There
//! are three ways, and the first that a kernel has room for is taken:
//!
//! * [`platform`]: the kernel has an 8250 driver of its own with a console, which
//!   is told where the chip is;
//! * [`serial_core`]: it has none, and gets one from here;
//! * [`platform`] again: neither its console nor all that a driver needs was
//!   found.

mod buffer;
mod platform;
mod registers;
mod serial_core;
#[cfg(test)]
mod tests;

crate::chip! {
    /// PC16550D, National Semiconductor, June 1995.
    pub(super) chip uart16550 { va, phys, irq, clock_hz }
}
