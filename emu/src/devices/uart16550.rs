//! 16550 UART with FIFOs, after National's PC16550D and TI's TL16C550 data
//! sheets. What is cited below is the PC16550D data sheet's description of that
//! register (chapter "Registers").
//!
//! The line has no speed on the way out: a character written is sent at once,
//! so the transmitter is always empty and its interrupt comes back right after
//! each write, as from a very fast line. On the way in, characters wait in a
//! queue outside the chip and enter it as the guest makes room, so none is
//! lost; only the character time-out follows the programmed speed. Word
//! length, parity and stop bits are stored and change nothing but that time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    Device,
    serial_line::{Arrival, SerialLine},
};
use crate::clock::Time;

mod registers;
use registers::{fcr, ier, iir, lcr, lsr, mcr, msr, reg};

/// Depth of both FIFOs.
const FIFO_DEPTH: usize = 16;

/// The crystal of a PC: 115,200 baud with a divisor of 1.
pub const DEFAULT_CLOCK_HZ: u32 = 1_843_200;

/// A character as it comes from the line: the byte and the line status bits
/// (break, framing, parity) that belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Received {
    byte: u8,
    errors: u8,
}

/// Levels of the four modem inputs, true meaning on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModemInputs {
    /// CTS.
    pub clear_to_send: bool,
    /// DSR.
    pub data_set_ready: bool,
    /// RI.
    pub ring: bool,
    /// DCD.
    pub carrier: bool,
}

impl ModemInputs {
    /// As they stand in the upper half of MSR.
    fn bits(self) -> u8 {
        let bit = |on, bit| if on { bit } else { 0 };
        bit(self.clear_to_send, msr::CTS)
            | bit(self.data_set_ready, msr::DSR)
            | bit(self.ring, msr::RI)
            | bit(self.carrier, msr::DCD)
    }
}

/// The UART's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uart16550 {
    /// Registers lie `1 << shift` bytes apart.
    shift: u32,
    clock_hz: u32,
    divisor: u16,
    ier: u8,
    lcr: u8,
    mcr: u8,
    scr: u8,
    /// FIFO control, the bits that stay.
    fcr: u8,
    /// Receiver FIFO, or the one holding register while FIFOs are off.
    rx: VecDeque<Received>,
    /// The last character read, which an empty holding register shows.
    rbr: u8,
    overrun: bool,
    /// When the FIFO has stood untouched for four character times.
    timeout_at: Option<Time>,
    /// The transmitter's interrupt, before masking.
    thre_pending: bool,
    /// Modem inputs as in the upper half of MSR.
    modem: u8,
    /// Changes of them since MSR was read, as in its lower half.
    deltas: u8,
    line: SerialLine,
    now: Time,
}

impl Uart16550 {
    /// A UART after reset (table of reset values) with registers
    /// `1 << shift` bytes apart (`shift` 0 to 3; a larger one counts as 3) and
    /// an input clock of `clock_hz`. Something is connected to it: clear to
    /// send, data set ready and carrier detect are on.
    pub fn new(shift: u32, clock_hz: u32) -> Self {
        Self {
            shift: shift.min(3),
            clock_hz,
            divisor: 0,
            ier: 0,
            lcr: 0,
            mcr: 0,
            scr: 0,
            fcr: 0,
            rx: VecDeque::new(),
            rbr: 0,
            overrun: false,
            timeout_at: None,
            thre_pending: false,
            modem: msr::CTS | msr::DSR | msr::DCD,
            deltas: 0,
            line: SerialLine::default(),
            now: Time::default(),
        }
    }

    /// The level of the interrupt output.
    pub fn irq(&self) -> bool {
        self.interrupt() != iir::NONE
    }

    /// What was sent since the last call.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.line.take_output()
    }

    /// True when something was sent that [`take_output`](Self::take_output)
    /// has not fetched yet.
    pub fn has_output(&self) -> bool {
        self.line.has_output()
    }

    /// Types `bytes`; the number taken is less than asked for when
    /// [`INPUT_LIMIT`](super::serial_line::INPUT_LIMIT) characters wait
    /// already. They enter the chip at the next [`Device::advance`] or
    /// register access.
    pub fn push_input(&mut self, bytes: &[u8]) -> usize {
        self.line.push_input(bytes)
    }

    /// Sends a break: a zero character without its stop bit (line
    /// status register, bits 3 and 4). False when the queue is full.
    pub fn push_break(&mut self) -> bool {
        self.line.push_break()
    }

    /// Sets the modem inputs.
    pub fn set_modem_inputs(&mut self, inputs: ModemInputs) {
        let before = self.modem_status();
        self.modem = inputs.bits();
        self.note_deltas(before);
    }

    fn fifos(&self) -> bool {
        self.fcr & fcr::ENABLE != 0
    }

    fn loopback(&self) -> bool {
        self.mcr & mcr::LOOP != 0
    }

    fn divisor_latch(&self) -> bool {
        self.lcr & lcr::DIVISOR_LATCH != 0
    }

    /// The upper half of MSR. In loopback the four outputs are its inputs
    /// (modem control register, bit 4).
    fn modem_status(&self) -> u8 {
        if !self.loopback() {
            return self.modem;
        }
        let wires = [
            (mcr::RTS, msr::CTS),
            (mcr::DTR, msr::DSR),
            (mcr::OUT1, msr::RI),
            (mcr::OUT2, msr::DCD),
        ];
        wires
            .iter()
            .filter(|(output, _)| self.mcr & output != 0)
            .fold(0, |status, (_, input)| status | input)
    }

    /// Records how the modem status differs from what it was `before`. The
    /// ring indicator counts its trailing edge only
    /// (modem status register, bit 2).
    fn note_deltas(&mut self, before: u8) {
        let after = self.modem_status();
        let mut changed = before ^ after;
        if after & msr::RI != 0 {
            changed &= !msr::RI;
        }
        self.deltas |= changed >> 4;
    }

    /// Characters in the FIFO at which it interrupts (FIFO control register, bits 6
    /// and 7).
    fn trigger_level(&self) -> usize {
        match self.fcr & fcr::TRIGGER {
            0x00 => 1,
            0x40 => 4,
            0x80 => 8,
            _ => 14,
        }
    }

    /// Four character times at the programmed speed: start bit, 5 to 8 data
    /// bits, parity bit, 1 or 2 stop bits (1.5 count as 2), 16 clocks each.
    fn timeout_ns(&self) -> u64 {
        let data = 5 + u64::from(self.lcr & lcr::WORD_LENGTH);
        let parity = u64::from(self.lcr & lcr::PARITY != 0);
        let stop = 1 + u64::from(self.lcr & lcr::TWO_STOP_BITS != 0);
        let clocks = 4 * (1 + data + parity + stop) * 16 * u64::from(self.divisor.max(1));
        clocks * 1_000_000_000 / u64::from(self.clock_hz.max(1))
    }

    /// The FIFO was read or filled: the wait for silence begins anew.
    fn restart_timeout(&mut self) {
        self.timeout_at = (self.fifos() && !self.rx.is_empty())
            .then(|| Time(self.now.0.saturating_add(self.timeout_ns())));
    }

    fn timed_out(&self) -> bool {
        self.timeout_at.is_some_and(|at| at <= self.now)
    }

    fn capacity(&self) -> usize {
        if self.fifos() { FIFO_DEPTH } else { 1 }
    }

    /// One character arrives from the shift register. A full FIFO keeps what
    /// it has; a full holding register is overwritten (line status
    /// register, bit 1).
    fn receive(&mut self, character: Received) {
        if self.rx.len() >= self.capacity() {
            self.overrun = true;
            if self.fifos() {
                return;
            }
            self.rx.clear();
        }
        self.rx.push_back(character);
        self.restart_timeout();
    }

    /// Lets waiting characters in as far as there is room. In loopback the
    /// input pin is cut off: they wait.
    fn refill(&mut self) {
        while !self.loopback() && self.rx.len() < self.capacity() {
            let (byte, errors) = match self.line.receive() {
                Some(Arrival::Byte(byte)) => (byte, 0),
                Some(Arrival::Break) => (0, lsr::BREAK | lsr::FRAMING),
                None => return,
            };
            self.receive(Received { byte, errors });
        }
    }

    fn transmit(&mut self, byte: u8) {
        if self.loopback() {
            self.receive(Received { byte, errors: 0 });
        } else if self.lcr & lcr::SET_BREAK == 0 {
            // Behind a break the line carries no characters.
            self.line.send(byte);
        }
        self.thre_pending = true;
    }

    fn line_status(&self) -> u8 {
        let mut status = lsr::THR_EMPTY | lsr::TRANSMITTER_EMPTY;
        if let Some(first) = self.rx.front() {
            status |= lsr::DATA_READY | first.errors;
        }
        if self.overrun {
            status |= lsr::OVERRUN;
        }
        if self.fifos() && self.rx.iter().any(|character| character.errors != 0) {
            status |= lsr::FIFO_ERROR;
        }
        status
    }

    /// The highest pending interrupt as IIR codes it (interrupt
    /// identification register).
    fn interrupt(&self) -> u8 {
        let enabled = |bit| self.ier & bit != 0;
        if enabled(ier::LINE_STATUS) && self.line_status() & lsr::ERRORS != 0 {
            iir::LINE_STATUS
        } else if enabled(ier::RECEIVED_DATA)
            && !self.rx.is_empty()
            && (!self.fifos() || self.rx.len() >= self.trigger_level())
        {
            iir::RECEIVED_DATA
        } else if enabled(ier::RECEIVED_DATA) && self.timed_out() {
            iir::TIMEOUT
        } else if enabled(ier::THR_EMPTY) && self.thre_pending {
            iir::THR_EMPTY
        } else if enabled(ier::MODEM_STATUS) && self.deltas != 0 {
            iir::MODEM_STATUS
        } else {
            iir::NONE
        }
    }

    fn read_rbr(&mut self) -> u8 {
        let Some(character) = self.rx.pop_front() else {
            return if self.fifos() { 0 } else { self.rbr };
        };
        self.rbr = character.byte;
        self.restart_timeout();
        self.refill();
        character.byte
    }

    /// A read of IIR resets the transmitter's interrupt if that is the one it
    /// shows.
    fn read_iir(&mut self) -> u8 {
        let interrupt = self.interrupt();
        if interrupt == iir::THR_EMPTY {
            self.thre_pending = false;
        }
        let fifos = if self.fifos() { iir::FIFOS } else { 0 };
        interrupt | fifos
    }

    /// A read of LSR resets the error bits it shows.
    fn read_lsr(&mut self) -> u8 {
        let status = self.line_status();
        self.overrun = false;
        if let Some(first) = self.rx.front_mut() {
            first.errors = 0;
        }
        status
    }

    fn read_msr(&mut self) -> u8 {
        self.modem_status() | std::mem::take(&mut self.deltas)
    }

    /// Enabling the transmitter's interrupt while the transmitter is empty
    /// raises it, even if a read of IIR has reset it before. The data sheet
    /// does not say so, the chips do it, and Linux's 8250 driver takes a chip
    /// that does not for a broken one (serial8250_do_startup).
    fn write_ier(&mut self, value: u8) {
        let rises = value & !self.ier & ier::THR_EMPTY != 0;
        self.ier = value & ier::ALL;
        self.thre_pending = (self.thre_pending || rises) && self.ier & ier::THR_EMPTY != 0;
    }

    /// Switching FIFOs on or off empties them; the other bits count only
    /// together with the enable bit (FIFO control register, bit 0).
    fn write_fcr(&mut self, value: u8) {
        let toggled = (value ^ self.fcr) & fcr::ENABLE != 0;
        let enable = value & fcr::ENABLE != 0;
        self.fcr = if enable { value & fcr::KEPT } else { 0 };
        if toggled || (enable && value & fcr::CLEAR_RECEIVER != 0) {
            self.rx.clear();
            self.restart_timeout();
            self.refill();
        }
        if toggled || (enable && value & fcr::CLEAR_TRANSMITTER != 0) {
            self.thre_pending = true;
        }
    }

    fn write_mcr(&mut self, value: u8) {
        let before = self.modem_status();
        self.mcr = value & mcr::ALL;
        self.note_deltas(before);
        self.refill();
    }

    fn read_register(&mut self, register: u32) -> u8 {
        let [low, high] = self.divisor.to_le_bytes();
        match register {
            reg::DATA if self.divisor_latch() => low,
            reg::IER if self.divisor_latch() => high,
            reg::DATA => self.read_rbr(),
            reg::IER => self.ier,
            reg::IIR_FCR => self.read_iir(),
            reg::LCR => self.lcr,
            reg::MCR => self.mcr,
            reg::LSR => self.read_lsr(),
            reg::MSR => self.read_msr(),
            _ => self.scr,
        }
    }

    fn write_register(&mut self, register: u32, value: u8) {
        let [low, high] = self.divisor.to_le_bytes();
        match register {
            reg::DATA if self.divisor_latch() => self.divisor = u16::from_le_bytes([value, high]),
            reg::IER if self.divisor_latch() => self.divisor = u16::from_le_bytes([low, value]),
            reg::DATA => self.transmit(value),
            reg::IER => self.write_ier(value),
            reg::IIR_FCR => self.write_fcr(value),
            reg::LCR => self.lcr = value,
            reg::MCR => self.write_mcr(value),
            // Factory test registers: the data sheet asks not to write them.
            reg::LSR | reg::MSR => {}
            _ => self.scr = value,
        }
    }

    /// The register at a byte offset; `None` between two registers and behind
    /// the last. Whatever its size, an access reaches one register, on the
    /// low byte of the data: the chip has eight data lines.
    fn register_at(&self, offset: u32) -> Option<u32> {
        let register = offset.unbounded_shr(self.shift);
        let aligned = register.unbounded_shl(self.shift) == offset;
        (aligned && register < reg::COUNT).then_some(register)
    }
}

impl Default for Uart16550 {
    fn default() -> Self {
        Self::new(0, DEFAULT_CLOCK_HZ)
    }
}

impl Device for Uart16550 {
    fn read(&mut self, offset: u32, _size: u32, now: Time) -> u32 {
        self.advance(now);
        match self.register_at(offset) {
            Some(register) => u32::from(self.read_register(register)),
            None => 0,
        }
    }

    fn write(&mut self, offset: u32, _size: u32, value: u32, now: Time) {
        self.advance(now);
        if let Some(register) = self.register_at(offset) {
            self.write_register(register, value as u8);
        }
    }

    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.refill();
    }

    fn next_event(&self) -> Option<Time> {
        let enabled = self.ier & ier::RECEIVED_DATA != 0;
        self.timeout_at
            .filter(|at| enabled && *at > self.now && self.rx.len() < self.trigger_level())
    }
}

#[cfg(test)]
mod tests;
