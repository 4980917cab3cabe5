//! ARM PrimeCell PL011 UART (ARM DDI 0183; what is cited below is its
//! description of the register of that name), with which the kernels of ARM's
//! own boards talk.
//!
//! As in [`super::uart16550`], characters leave at once and enter as the guest
//! makes room. They leave whether or not the transmitter is enabled, for code
//! that counts on a boot loader having done that.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    Device,
    primecell::{identification, lanes},
    serial_line::{Arrival, SerialLine},
};
use crate::clock::Time;

/// Register offsets (DDI 0183, "Summary of registers").
mod reg {
    pub(super) const DR: u32 = 0x00;
    /// RSR when read, ECR when written.
    pub(super) const RSR: u32 = 0x04;
    pub(super) const FR: u32 = 0x18;
    pub(super) const ILPR: u32 = 0x20;
    pub(super) const IBRD: u32 = 0x24;
    pub(super) const FBRD: u32 = 0x28;
    pub(super) const LCR_H: u32 = 0x2c;
    pub(super) const CR: u32 = 0x30;
    pub(super) const IFLS: u32 = 0x34;
    pub(super) const IMSC: u32 = 0x38;
    pub(super) const RIS: u32 = 0x3c;
    pub(super) const MIS: u32 = 0x40;
    pub(super) const ICR: u32 = 0x44;
    pub(super) const DMACR: u32 = 0x48;
}

/// Error bits of a character: as in RSR, and 8 higher in DR (UARTDR,
/// UARTRSR).
mod error {
    pub(super) const FRAMING: u32 = 1 << 0;
    pub(super) const PARITY: u32 = 1 << 1;
    pub(super) const BREAK: u32 = 1 << 2;
    pub(super) const OVERRUN: u32 = 1 << 3;
    pub(super) const DR_SHIFT: u32 = 8;
}

/// Flag register (UARTFR).
mod flag {
    pub(super) const CTS: u32 = 1 << 0;
    pub(super) const DSR: u32 = 1 << 1;
    pub(super) const DCD: u32 = 1 << 2;
    pub(super) const RX_EMPTY: u32 = 1 << 4;
    pub(super) const RX_FULL: u32 = 1 << 6;
    pub(super) const TX_EMPTY: u32 = 1 << 7;
    pub(super) const RI: u32 = 1 << 8;
}

/// Line control (UARTLCR_H).
mod lcr {
    pub(super) const BREAK: u32 = 1 << 0;
    pub(super) const FIFOS: u32 = 1 << 4;
}

/// Control register (UARTCR).
mod cr {
    pub(super) const ENABLE: u32 = 1 << 0;
    pub(super) const LOOPBACK: u32 = 1 << 7;
    pub(super) const RX_ENABLE: u32 = 1 << 9;
    pub(super) const DTR: u32 = 1 << 10;
    pub(super) const RTS: u32 = 1 << 11;
    pub(super) const OUT1: u32 = 1 << 12;
    pub(super) const OUT2: u32 = 1 << 13;
    /// Value after reset: both directions enabled, the UART off.
    pub(super) const RESET: u32 = 0x0300;
    /// Bits that exist.
    pub(super) const ALL: u32 = 0xff87;
}

/// Interrupts, as in IMSC, RIS, MIS and ICR (UARTIMSC).
mod int {
    pub(super) const RI: u32 = 1 << 0;
    pub(super) const CTS: u32 = 1 << 1;
    pub(super) const DCD: u32 = 1 << 2;
    pub(super) const DSR: u32 = 1 << 3;
    pub(super) const RX: u32 = 1 << 4;
    pub(super) const TX: u32 = 1 << 5;
    pub(super) const RX_TIMEOUT: u32 = 1 << 6;
    pub(super) const FRAMING: u32 = 1 << 7;
    pub(super) const PARITY: u32 = 1 << 8;
    pub(super) const BREAK: u32 = 1 << 9;
    pub(super) const OVERRUN: u32 = 1 << 10;
    /// Bits that exist.
    pub(super) const ALL: u32 = 0x7ff;
}

/// `UARTPeriphID0` to `3`: part 0x011, designer 0x41, revision 1.
const PERIPHERAL_ID: [u8; 4] = [0x11, 0x10, 0x14, 0x00];

/// Depth of both FIFOs.
const FIFO_DEPTH: usize = 16;

/// Trigger level after reset: half full, both ways (UARTIFLS).
const IFLS_RESET: u32 = 0x12;

/// UARTCLK of ARM's boards.
pub const DEFAULT_CLOCK_HZ: u32 = 24_000_000;

/// A received character and its error bits as in RSR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Received {
    byte: u8,
    errors: u32,
}

/// The UART's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pl011 {
    clock_hz: u32,
    ilpr: u32,
    ibrd: u32,
    fbrd: u32,
    lcr: u32,
    cr: u32,
    ifls: u32,
    dmacr: u32,
    mask: u32,
    raw: u32,
    /// Errors of the character read last, and overrun.
    rsr: u32,
    /// Receiver FIFO, or the one holding register while FIFOs are off.
    rx: VecDeque<Received>,
    /// When nothing has come for 32 bit times.
    timeout_at: Option<Time>,
    line: SerialLine,
    now: Time,
}

impl Pl011 {
    /// A UART after reset whose UARTCLK runs at `clock_hz`. Something is
    /// connected to it: clear to send, data set ready and carrier detect are
    /// on.
    pub fn new(clock_hz: u32) -> Self {
        Self {
            clock_hz,
            ilpr: 0,
            ibrd: 0,
            fbrd: 0,
            lcr: 0,
            cr: cr::RESET,
            ifls: IFLS_RESET,
            dmacr: 0,
            mask: 0,
            raw: 0,
            rsr: 0,
            rx: VecDeque::new(),
            timeout_at: None,
            line: SerialLine::default(),
            now: Time::default(),
        }
    }

    /// The level of UARTINTR, all interrupts in one.
    pub fn irq(&self) -> bool {
        self.raw & self.mask != 0
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
    /// register access, once the guest has enabled the receiver.
    pub fn push_input(&mut self, bytes: &[u8]) -> usize {
        self.line.push_input(bytes)
    }

    /// Sends a break; false when the queue is full.
    pub fn push_break(&mut self) -> bool {
        self.line.push_break()
    }

    fn loopback(&self) -> bool {
        self.cr & cr::LOOPBACK != 0
    }

    fn fifos(&self) -> bool {
        self.lcr & lcr::FIFOS != 0
    }

    fn receiving(&self) -> bool {
        let needed = cr::ENABLE | cr::RX_ENABLE;
        self.cr & needed == needed
    }

    fn capacity(&self) -> usize {
        if self.fifos() { FIFO_DEPTH } else { 1 }
    }

    /// Characters at which the receiver interrupts (UARTIFLS). Without FIFOs
    /// that is the one there can be.
    fn trigger_level(&self) -> usize {
        if !self.fifos() {
            return 1;
        }
        match (self.ifls >> 3) & 7 {
            0 => FIFO_DEPTH / 8,
            1 => FIFO_DEPTH / 4,
            2 => FIFO_DEPTH / 2,
            3 => FIFO_DEPTH * 3 / 4,
            // 5 to 7 are reserved.
            _ => FIFO_DEPTH * 7 / 8,
        }
    }

    /// 32 bit times: a bit takes 16 (IBRD + FBRD/64) clocks (UARTFBRD).
    fn timeout_ns(&self) -> u64 {
        let sixty_fourths = u64::from((self.ibrd << 6 | self.fbrd).max(1));
        let clocks = sixty_fourths * 16 * 32 / 64;
        clocks * 1_000_000_000 / u64::from(self.clock_hz.max(1))
    }

    fn restart_timeout(&mut self) {
        let waits = !self.rx.is_empty();
        self.timeout_at = waits.then(|| Time(self.now.0.saturating_add(self.timeout_ns())));
    }

    /// Modem inputs as in the flag register. In loopback the outputs are
    /// wired to them (UARTCR, bit 7).
    fn modem_status(&self) -> u32 {
        if !self.loopback() {
            return flag::CTS | flag::DSR | flag::DCD;
        }
        let wires = [
            (cr::RTS, flag::CTS),
            (cr::DTR, flag::DSR),
            (cr::OUT1, flag::DCD),
            (cr::OUT2, flag::RI),
        ];
        wires
            .iter()
            .filter(|(output, _)| self.cr & output != 0)
            .fold(0, |status, (_, input)| status | input)
    }

    fn flags(&self) -> u32 {
        let mut flags = self.modem_status() | flag::TX_EMPTY;
        if self.rx.is_empty() {
            flags |= flag::RX_EMPTY;
        }
        if self.rx.len() >= self.capacity() {
            flags |= flag::RX_FULL;
        }
        flags
    }

    /// One character arrives from the shift register; a full FIFO keeps what
    /// it has (UARTRSR, overrun).
    fn receive(&mut self, character: Received) {
        if self.rx.len() >= self.capacity() {
            self.rsr |= error::OVERRUN;
            self.raw |= int::OVERRUN;
            return;
        }
        for (error, interrupt) in [
            (error::FRAMING, int::FRAMING),
            (error::PARITY, int::PARITY),
            (error::BREAK, int::BREAK),
        ] {
            if character.errors & error != 0 {
                self.raw |= interrupt;
            }
        }
        self.rx.push_back(character);
        if self.rx.len() >= self.trigger_level() {
            self.raw |= int::RX;
        }
        self.restart_timeout();
    }

    /// Lets waiting characters in as far as there is room.
    fn refill(&mut self) {
        while self.receiving() && !self.loopback() && self.rx.len() < self.capacity() {
            let (byte, errors) = match self.line.receive() {
                Some(Arrival::Byte(byte)) => (byte, 0),
                Some(Arrival::Break) => (0, error::BREAK | error::FRAMING),
                None => return,
            };
            self.receive(Received { byte, errors });
        }
    }

    fn read_data(&mut self) -> u32 {
        let Some(character) = self.rx.pop_front() else {
            return 0;
        };
        let overrun = self.rsr & error::OVERRUN;
        self.rsr = overrun | character.errors;
        if self.rx.len() < self.trigger_level() {
            self.raw &= !int::RX;
        }
        if self.rx.is_empty() {
            self.raw &= !int::RX_TIMEOUT;
            self.timeout_at = None;
        }
        self.refill();
        u32::from(character.byte) | (overrun | character.errors) << error::DR_SHIFT
    }

    /// The transmitter's FIFO is empty again at once, so the interrupt for
    /// its falling below the trigger level follows each write
    /// ("UARTTXINTR").
    fn write_data(&mut self, byte: u8) {
        if self.loopback() {
            if self.receiving() {
                self.receive(Received { byte, errors: 0 });
            }
        } else if self.lcr & lcr::BREAK == 0 {
            self.line.send(byte);
        }
        self.raw |= int::TX;
    }

    /// Switching FIFOs on or off empties them.
    fn write_lcr(&mut self, value: u32) {
        let toggled = (value ^ self.lcr) & lcr::FIFOS != 0;
        self.lcr = value & 0xff;
        if toggled {
            self.rx.clear();
            self.timeout_at = None;
            self.raw &= !(int::RX | int::RX_TIMEOUT);
        }
        self.refill();
    }

    fn write_cr(&mut self, value: u32) {
        let before = self.modem_status();
        self.cr = value & cr::ALL;
        let changed = before ^ self.modem_status();
        for (flag, interrupt) in [
            (flag::RI, int::RI),
            (flag::CTS, int::CTS),
            (flag::DCD, int::DCD),
            (flag::DSR, int::DSR),
        ] {
            if changed & flag != 0 {
                self.raw |= interrupt;
            }
        }
        self.refill();
    }

    /// Clearing the time-out while characters are left starts the wait anew:
    /// a guest that only acknowledges does not lose them.
    fn clear_interrupts(&mut self, value: u32) {
        if value & self.raw & int::RX_TIMEOUT != 0 {
            self.restart_timeout();
        }
        self.raw &= !value;
    }

    fn register(&mut self, offset: u32) -> u32 {
        match offset {
            reg::DR => self.read_data(),
            reg::RSR => self.rsr,
            reg::FR => self.flags(),
            reg::ILPR => self.ilpr,
            reg::IBRD => self.ibrd,
            reg::FBRD => self.fbrd,
            reg::LCR_H => self.lcr,
            reg::CR => self.cr,
            reg::IFLS => self.ifls,
            reg::IMSC => self.mask,
            reg::RIS => self.raw,
            reg::MIS => self.raw & self.mask,
            reg::DMACR => self.dmacr,
            _ => identification(offset, PERIPHERAL_ID).unwrap_or(0),
        }
    }
}

impl Default for Pl011 {
    fn default() -> Self {
        Self::new(DEFAULT_CLOCK_HZ)
    }
}

impl Device for Pl011 {
    fn read(&mut self, offset: u32, size: u32, now: Time) -> u32 {
        self.advance(now);
        let register = self.register(offset & !3);
        lanes(register, offset, size)
    }

    fn write(&mut self, offset: u32, _size: u32, value: u32, now: Time) {
        self.advance(now);
        match offset & !3 {
            reg::DR => self.write_data(value as u8),
            reg::RSR => self.rsr = 0,
            reg::ILPR => self.ilpr = value & 0xff,
            reg::IBRD => self.ibrd = value & 0xffff,
            reg::FBRD => self.fbrd = value & 0x3f,
            reg::LCR_H => self.write_lcr(value),
            reg::CR => self.write_cr(value),
            reg::IFLS => self.ifls = value & 0x3f,
            reg::IMSC => self.mask = value & int::ALL,
            reg::ICR => self.clear_interrupts(value),
            reg::DMACR => self.dmacr = value & 7,
            // FR, RIS, MIS and identification are read only.
            _ => {}
        }
    }

    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
        if self.timeout_at.is_some_and(|at| at <= self.now) {
            self.raw |= int::RX_TIMEOUT;
            self.timeout_at = None;
        }
        self.refill();
    }

    fn next_event(&self) -> Option<Time> {
        self.timeout_at.filter(|_| self.mask & int::RX_TIMEOUT != 0)
    }
}

#[cfg(test)]
mod tests;
