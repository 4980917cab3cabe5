//! Behaviour of the PL011 model, one test each.

use super::*;

/// 32 bits at 115,200 baud as the driver below sets it: 24 MHz / 16 / 13.
const TIMEOUT_NS: u64 = 32 * 16 * 13 * 1_000_000_000 / 24_000_000;

fn read(uart: &mut Pl011, offset: u32) -> u32 {
    let now = uart.now;
    uart.read(offset, 4, now)
}

fn write(uart: &mut Pl011, offset: u32, value: u32) {
    let now = uart.now;
    uart.write(offset, 4, value, now);
}

fn receive(uart: &mut Pl011, bytes: &[u8]) {
    assert_eq!(uart.push_input(bytes), bytes.len());
    let now = uart.now;
    uart.advance(now);
}

/// 115,200 baud, FIFOs on, everything enabled.
fn enabled() -> Pl011 {
    let mut uart = Pl011::default();
    write(&mut uart, reg::IBRD, 13);
    write(&mut uart, reg::LCR_H, 0x70);
    write(&mut uart, reg::CR, 0x301);
    uart
}

#[test]
fn test_reset_values() {
    let mut uart = Pl011::default();
    assert_eq!(read(&mut uart, reg::FR), 0x97);
    assert_eq!(read(&mut uart, reg::CR), 0x300);
    assert_eq!(read(&mut uart, reg::IFLS), 0x12);
    for offset in [
        reg::RSR,
        reg::ILPR,
        reg::IBRD,
        reg::FBRD,
        reg::LCR_H,
        reg::IMSC,
        reg::RIS,
        reg::MIS,
        reg::DMACR,
    ] {
        assert_eq!(read(&mut uart, offset), 0, "offset {offset:#x}");
    }
    assert!(!uart.irq());
}

#[test]
fn test_identification() {
    let mut uart = Pl011::default();
    let id: Vec<u32> = (0xfe0..0x1000)
        .step_by(4)
        .map(|offset| read(&mut uart, offset))
        .collect();
    assert_eq!(id, [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
}

#[test]
fn test_transmit_even_before_it_is_enabled() {
    let mut uart = Pl011::default();
    write(&mut uart, reg::DR, u32::from(b'a'));
    assert_eq!(read(&mut uart, reg::FR) & (1 << 3 | 1 << 5), 0);
    assert!(uart.has_output());
    assert_eq!(uart.take_output(), b"a");
}

#[test]
fn test_transmit_interrupt_follows_each_write() {
    let mut uart = enabled();
    write(&mut uart, reg::IMSC, int::TX);
    assert!(!uart.irq());
    write(&mut uart, reg::DR, 0x41);
    assert!(uart.irq());
    assert_eq!(read(&mut uart, reg::MIS), int::TX);
    write(&mut uart, reg::ICR, int::TX);
    assert!(!uart.irq());
}

#[test]
fn test_receive_waits_for_the_receiver() {
    let mut uart = Pl011::default();
    receive(&mut uart, b"ab");
    assert_eq!(read(&mut uart, reg::FR) & flag::RX_EMPTY, flag::RX_EMPTY);
    write(&mut uart, reg::CR, 0x301);
    assert_eq!(read(&mut uart, reg::FR) & flag::RX_FULL, flag::RX_FULL);
    assert_eq!(read(&mut uart, reg::DR), u32::from(b'a'));
    assert_eq!(read(&mut uart, reg::DR), u32::from(b'b'));
    assert_eq!(read(&mut uart, reg::DR), 0);
}

#[test]
fn test_receive_interrupt_at_the_trigger_level() {
    for (ifls, level) in [(0, 2), (1, 4), (2, 8), (3, 12), (4, 14)] {
        let mut uart = enabled();
        write(&mut uart, reg::IFLS, ifls << 3);
        write(&mut uart, reg::IMSC, int::RX);
        for count in 1..=FIFO_DEPTH {
            receive(&mut uart, b"x");
            assert_eq!(uart.irq(), count >= level, "{count} of {level}");
        }
        for left in (0..FIFO_DEPTH).rev() {
            read(&mut uart, reg::DR);
            assert_eq!(uart.irq(), left >= level, "{left} of {level}");
        }
    }
}

#[test]
fn test_receive_timeout() {
    let mut uart = enabled();
    write(&mut uart, reg::IMSC, int::RX | int::RX_TIMEOUT);
    receive(&mut uart, b"ab");
    assert_eq!(uart.next_event(), Some(Time(TIMEOUT_NS)));
    uart.advance(Time(TIMEOUT_NS - 1));
    assert!(!uart.irq());
    uart.advance(Time(TIMEOUT_NS));
    assert_eq!(read(&mut uart, reg::MIS), int::RX_TIMEOUT);
    read(&mut uart, reg::DR);
    assert!(uart.irq(), "one character is left");
    read(&mut uart, reg::DR);
    assert!(!uart.irq());
    assert_eq!(uart.next_event(), None);
}

#[test]
fn test_acknowledged_timeout_comes_again() {
    let mut uart = enabled();
    write(&mut uart, reg::IMSC, int::RX_TIMEOUT);
    receive(&mut uart, b"a");
    uart.advance(Time(TIMEOUT_NS));
    write(&mut uart, reg::ICR, int::RX_TIMEOUT);
    assert!(!uart.irq());
    assert_eq!(uart.next_event(), Some(Time(2 * TIMEOUT_NS)));
}

#[test]
fn test_input_waits_outside_and_none_is_lost() {
    let mut uart = enabled();
    let text: Vec<u8> = (0..200).collect();
    receive(&mut uart, &text);
    let mut got = Vec::new();
    while read(&mut uart, reg::FR) & flag::RX_EMPTY == 0 {
        got.push(read(&mut uart, reg::DR) as u8);
    }
    assert_eq!(got, text);
    assert_eq!(read(&mut uart, reg::RSR), 0);
}

#[test]
fn test_break() {
    let mut uart = enabled();
    assert!(uart.push_break());
    receive(&mut uart, b"a");
    assert_eq!(read(&mut uart, reg::RIS), int::BREAK | int::FRAMING);
    assert_eq!(read(&mut uart, reg::DR), 0x500);
    assert_eq!(read(&mut uart, reg::RSR), 0x5);
    assert_eq!(read(&mut uart, reg::DR), u32::from(b'a'));
    assert_eq!(read(&mut uart, reg::RSR), 0);
}

#[test]
fn test_loopback() {
    let mut uart = enabled();
    write(&mut uart, reg::CR, 0x381);
    assert_eq!(read(&mut uart, reg::FR) & 0x107, 0);
    assert_eq!(read(&mut uart, reg::RIS), int::CTS | int::DCD | int::DSR);
    write(&mut uart, reg::DR, 0x33);
    assert_eq!(read(&mut uart, reg::DR), 0x33);
    assert!(!uart.has_output());
    write(&mut uart, reg::CR, 0x381 | cr::RTS | cr::OUT2);
    assert_eq!(read(&mut uart, reg::FR) & 0x107, flag::CTS | flag::RI);
}

#[test]
fn test_overrun() {
    let mut uart = enabled();
    write(&mut uart, reg::CR, 0x381);
    for byte in 0..17 {
        write(&mut uart, reg::DR, byte);
    }
    assert_eq!(read(&mut uart, reg::RSR), error::OVERRUN);
    assert_ne!(read(&mut uart, reg::RIS) & int::OVERRUN, 0);
    for byte in 0..16 {
        assert_eq!(read(&mut uart, reg::DR) & 0xff, byte);
    }
    write(&mut uart, reg::RSR, 0);
    assert_eq!(read(&mut uart, reg::RSR), 0);
}

#[test]
fn test_switching_fifos_empties_them() {
    let mut uart = enabled();
    receive(&mut uart, b"abcdefgh");
    assert_eq!(read(&mut uart, reg::RIS), int::RX);
    write(&mut uart, reg::LCR_H, 0x60);
    assert_eq!(read(&mut uart, reg::RIS), 0);
    assert_ne!(read(&mut uart, reg::FR) & flag::RX_EMPTY, 0);
}

#[test]
fn test_registers_keep_existing_bits() {
    let mut uart = Pl011::default();
    for (offset, bits) in [
        (reg::ILPR, 0xff),
        (reg::IBRD, 0xffff),
        (reg::FBRD, 0x3f),
        (reg::LCR_H, 0xff),
        (reg::CR, 0xff87),
        (reg::IFLS, 0x3f),
        (reg::IMSC, 0x7ff),
        (reg::DMACR, 7),
    ] {
        write(&mut uart, offset, !0);
        assert_eq!(read(&mut uart, offset), bits, "offset {offset:#x}");
    }
}

/// Linux up to 3.x sends a zero in loopback with the receiver off to raise the
/// transmitter's interrupt (drivers/tty/serial/amba-pl011.c, pl011_startup).
#[test]
fn test_linux_provokes_the_transmit_interrupt() {
    let mut uart = Pl011::default();
    write(&mut uart, reg::CR, 0x181);
    write(&mut uart, reg::DR, 0);
    assert_eq!(read(&mut uart, reg::FR) & 1 << 3, 0, "not busy");
    write(&mut uart, reg::CR, 0x301);
    assert_ne!(read(&mut uart, reg::RIS) & int::TX, 0);
    assert_ne!(read(&mut uart, reg::FR) & flag::RX_EMPTY, 0);
    assert!(!uart.has_output());
}
