//! The registers of the 16550, a byte each, and what a driver does to them.

use core::ptr::NonNull;

use safe_mmio::fields::{ReadOnly, ReadWrite, WriteOnly};
use safe_mmio::{UniqueMmioPointer, field};

use super::uart16550;

/// The registers with the divisor latch closed (PC16550D, section 8, table II).
#[repr(C)]
struct Registers {
    /// RBR when read, which takes the character out; THR when written.
    data: ReadWrite<u8>,
    /// IER: which interrupts are on.
    interrupt_enable: ReadWrite<u8>,
    /// IIR when read: which interrupt it is; FCR when written.
    interrupt_identity: ReadWrite<u8>,
    line_control: ReadWrite<u8>,
    modem_control: WriteOnly<u8>,
    /// LSR; reading clears its errors.
    line_status: ReadOnly<u8>,
    modem_status: ReadOnly<u8>,
    scratch: ReadWrite<u8>,
}

/// IER: received data, and the receiver's time-out.
const RECEIVE: u8 = 1 << 0;
/// IER: the transmit FIFO is empty.
const TRANSMIT: u8 = 1 << 1;
/// IER: errors of the receiver.
const LINE: u8 = 1 << 2;

/// FCR: FIFOs on and emptied, an interrupt for 8 characters.
const FIFOS_ON: u8 = 0x87;
/// LCR: 8 bits, no parity, 1 stop bit.
const EIGHT_BITS: u8 = 3;
/// LCR: holds the line in a break.
const BREAK: u8 = 1 << 6;
/// MCR: DTR, RTS, and OUT2, which lets the interrupt out.
const READY: u8 = 0x0b;

/// LSR: a character was received.
pub(super) const DATA_READY: u8 = 1 << 0;
/// LSR: parity of the next character is wrong.
pub(super) const PARITY_ERROR: u8 = 1 << 2;
/// LSR: the next character has no stop bit.
pub(super) const FRAMING_ERROR: u8 = 1 << 3;
/// LSR: the next character is a break.
pub(super) const BREAK_RECEIVED: u8 = 1 << 4;
/// LSR: the transmit FIFO is empty.
pub(super) const TRANSMITTER_FREE: u8 = 1 << 5;
/// LSR: so is the shift register.
pub(super) const TRANSMITTER_EMPTY: u8 = 1 << 6;

/// Characters that the transmit FIFO holds.
pub(super) const FIFO: u32 = 16;

fn registers() -> UniqueMmioPointer<'static, Registers> {
    let registers = core::ptr::with_exposed_provenance_mut(uart16550::va());
    // SAFETY: the linker fills the slot with the address of the chip's page,
    // which is mapped for as long as the driver. The kernel calls what uses it
    // with interrupts off or, in startup and shutdown, with the interrupts of
    // the chip off.
    unsafe { UniqueMmioPointer::new(NonNull::new_unchecked(registers)) }
}

/// Line status.
pub(super) fn status() -> u8 {
    let mut registers = registers();
    field!(registers, line_status).read()
}

/// Takes the next received character.
pub(super) fn receive() -> u8 {
    let mut registers = registers();
    field!(registers, data).read()
}

/// Sends a character; the caller has seen that there is room.
pub(super) fn send(character: u8) {
    let mut registers = registers();
    field!(registers, data).write(character);
}

/// Sets the chip up, its interrupts off.
pub(super) fn reset() {
    let mut registers = registers();
    field!(registers, interrupt_enable).write(0);
    field!(registers, line_control).write(EIGHT_BITS);
    field!(registers, interrupt_identity).write(FIFOS_ON);
    field!(registers, modem_control).write(READY);
}

fn interrupts(on: u8, off: u8) {
    let mut registers = registers();
    let old = field!(registers, interrupt_enable).read();
    field!(registers, interrupt_enable).write(old & !off | on);
}

/// Interrupts for received characters.
pub(super) fn listen(on: bool) {
    match on {
        true => interrupts(RECEIVE | LINE, 0),
        false => interrupts(0, RECEIVE | LINE),
    }
}

/// Interrupts for room in the transmit FIFO.
pub(super) fn want_room(on: bool) {
    match on {
        true => interrupts(TRANSMIT, 0),
        false => interrupts(0, TRANSMIT),
    }
}

/// Begins or ends a break.
pub(super) fn send_break(on: bool) {
    let mut registers = registers();
    field!(registers, line_control).write(EIGHT_BITS | if on { BREAK } else { 0 });
}
