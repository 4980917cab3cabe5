//! Registers and bits of the 16550 (PC16550D data sheet, "Registers").

/// Register numbers.
pub(super) mod reg {
    /// Receiver buffer (read), transmitter holding register (write); low byte
    /// of the divisor while LCR opens the latch.
    pub(in crate::devices::uart16550) const DATA: u32 = 0;
    /// Interrupt enable; high byte of the divisor while LCR opens the latch.
    pub(in crate::devices::uart16550) const IER: u32 = 1;
    /// Interrupt identification (read), FIFO control (write).
    pub(in crate::devices::uart16550) const IIR_FCR: u32 = 2;
    /// Line control.
    pub(in crate::devices::uart16550) const LCR: u32 = 3;
    /// Modem control.
    pub(in crate::devices::uart16550) const MCR: u32 = 4;
    /// Line status.
    pub(in crate::devices::uart16550) const LSR: u32 = 5;
    /// Modem status.
    pub(in crate::devices::uart16550) const MSR: u32 = 6;
    /// Number of registers; the last is the scratch register.
    pub(in crate::devices::uart16550) const COUNT: u32 = 8;
}

/// Interrupt enable.
pub(super) mod ier {
    pub(in crate::devices::uart16550) const RECEIVED_DATA: u8 = 1 << 0;
    pub(in crate::devices::uart16550) const THR_EMPTY: u8 = 1 << 1;
    pub(in crate::devices::uart16550) const LINE_STATUS: u8 = 1 << 2;
    pub(in crate::devices::uart16550) const MODEM_STATUS: u8 = 1 << 3;
    /// Bits that exist.
    pub(in crate::devices::uart16550) const ALL: u8 = 0x0f;
}

/// Interrupt identification.
pub(super) mod iir {
    pub(in crate::devices::uart16550) const MODEM_STATUS: u8 = 0x00;
    pub(in crate::devices::uart16550) const NONE: u8 = 0x01;
    pub(in crate::devices::uart16550) const THR_EMPTY: u8 = 0x02;
    pub(in crate::devices::uart16550) const RECEIVED_DATA: u8 = 0x04;
    pub(in crate::devices::uart16550) const LINE_STATUS: u8 = 0x06;
    pub(in crate::devices::uart16550) const TIMEOUT: u8 = 0x0c;
    /// FIFOs are on.
    pub(in crate::devices::uart16550) const FIFOS: u8 = 0xc0;
}

/// FIFO control.
pub(super) mod fcr {
    pub(in crate::devices::uart16550) const ENABLE: u8 = 1 << 0;
    pub(in crate::devices::uart16550) const CLEAR_RECEIVER: u8 = 1 << 1;
    pub(in crate::devices::uart16550) const CLEAR_TRANSMITTER: u8 = 1 << 2;
    /// Receiver's trigger level.
    pub(in crate::devices::uart16550) const TRIGGER: u8 = 0xc0;
    /// Bits that stay: enable, DMA mode, trigger level.
    pub(in crate::devices::uart16550) const KEPT: u8 = 0xc9;
}

/// Line control.
pub(super) mod lcr {
    /// Data bits less 5.
    pub(in crate::devices::uart16550) const WORD_LENGTH: u8 = 0x03;
    pub(in crate::devices::uart16550) const TWO_STOP_BITS: u8 = 1 << 2;
    pub(in crate::devices::uart16550) const PARITY: u8 = 1 << 3;
    pub(in crate::devices::uart16550) const SET_BREAK: u8 = 1 << 6;
    pub(in crate::devices::uart16550) const DIVISOR_LATCH: u8 = 1 << 7;
}

/// Modem control.
pub(super) mod mcr {
    pub(in crate::devices::uart16550) const DTR: u8 = 1 << 0;
    pub(in crate::devices::uart16550) const RTS: u8 = 1 << 1;
    pub(in crate::devices::uart16550) const OUT1: u8 = 1 << 2;
    pub(in crate::devices::uart16550) const OUT2: u8 = 1 << 3;
    pub(in crate::devices::uart16550) const LOOP: u8 = 1 << 4;
    /// Bits that exist.
    pub(in crate::devices::uart16550) const ALL: u8 = 0x1f;
}

/// Line status.
pub(super) mod lsr {
    pub(in crate::devices::uart16550) const DATA_READY: u8 = 1 << 0;
    pub(in crate::devices::uart16550) const OVERRUN: u8 = 1 << 1;
    pub(in crate::devices::uart16550) const FRAMING: u8 = 1 << 3;
    pub(in crate::devices::uart16550) const BREAK: u8 = 1 << 4;
    pub(in crate::devices::uart16550) const THR_EMPTY: u8 = 1 << 5;
    pub(in crate::devices::uart16550) const TRANSMITTER_EMPTY: u8 = 1 << 6;
    /// A character with an error is somewhere in the FIFO.
    pub(in crate::devices::uart16550) const FIFO_ERROR: u8 = 1 << 7;
    /// What interrupts: overrun, parity, framing, break.
    pub(in crate::devices::uart16550) const ERRORS: u8 = 0x1e;
}

/// Modem status.
pub(super) mod msr {
    pub(in crate::devices::uart16550) const CTS: u8 = 1 << 4;
    pub(in crate::devices::uart16550) const DSR: u8 = 1 << 5;
    pub(in crate::devices::uart16550) const RI: u8 = 1 << 6;
    pub(in crate::devices::uart16550) const DCD: u8 = 1 << 7;
}
