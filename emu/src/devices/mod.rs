//! Chips as pure values: registers, line levels, virtual time. No thread, no
//! wall clock, no I/O: what a device sends and receives is kept in it until the
//! board asks for it.

use crate::clock::Time;

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
