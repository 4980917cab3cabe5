//! Behaviour of the 16550 model, one test each.

use super::{super::serial_line::INPUT_LIMIT, *};

const SCR: u32 = 7;
/// 115,200 baud, 8N1: four characters of ten bits.
const TIMEOUT_NS: u64 = 4 * 10 * 1_000_000_000 / 115_200;

fn read(uart: &mut Uart16550, register: u32) -> u8 {
    let now = uart.now;
    uart.read(register, 1, now) as u8
}

fn write(uart: &mut Uart16550, register: u32, value: u8) {
    let now = uart.now;
    uart.write(register, 1, u32::from(value), now);
}

/// Input that has entered the chip.
fn receive(uart: &mut Uart16550, bytes: &[u8]) {
    assert_eq!(uart.push_input(bytes), bytes.len());
    let now = uart.now;
    uart.advance(now);
}

/// 8N1, 115,200 baud, FIFOs with a trigger level of 8, receiver interrupt on.
fn fifo_uart() -> Uart16550 {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::LCR, 0x83);
    write(&mut uart, reg::DATA, 1);
    write(&mut uart, reg::LCR, 0x03);
    write(&mut uart, reg::IIR_FCR, 0x81);
    write(&mut uart, reg::IER, ier::RECEIVED_DATA);
    uart
}

#[test]
fn test_reset_values() {
    let mut uart = Uart16550::default();
    let values: Vec<u8> = (1..8).map(|register| read(&mut uart, register)).collect();
    assert_eq!(values, [0, 0x01, 0, 0, 0x60, 0xb0, 0]);
    assert!(!uart.irq());
}

#[test]
fn test_transmit() {
    let mut uart = Uart16550::default();
    assert!(!uart.has_output());
    for byte in b"hello" {
        assert_eq!(read(&mut uart, reg::LSR), 0x60);
        write(&mut uart, reg::DATA, *byte);
    }
    assert!(uart.has_output());
    assert_eq!(uart.take_output(), b"hello");
    assert!(uart.take_output().is_empty());
}

#[test]
fn test_receive() {
    let mut uart = Uart16550::default();
    receive(&mut uart, b"ab");
    assert_eq!(read(&mut uart, reg::LSR), 0x61);
    assert_eq!(read(&mut uart, reg::DATA), b'a');
    assert_eq!(read(&mut uart, reg::DATA), b'b');
    assert_eq!(read(&mut uart, reg::LSR), 0x60);
    assert_eq!(read(&mut uart, reg::DATA), b'b', "the register keeps it");
}

#[test]
fn test_scratch_register() {
    let mut uart = Uart16550::default();
    write(&mut uart, SCR, 0xa5);
    assert_eq!(read(&mut uart, SCR), 0xa5);
}

#[test]
fn test_divisor_latch() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::LCR, 0x80);
    write(&mut uart, reg::DATA, 0x34);
    write(&mut uart, reg::IER, 0x12);
    assert_eq!(read(&mut uart, reg::DATA), 0x34);
    assert_eq!(read(&mut uart, reg::IER), 0x12);
    write(&mut uart, reg::LCR, 0x03);
    assert_eq!(read(&mut uart, reg::IER), 0);
    assert!(!uart.has_output());
}

#[test]
fn test_bits_that_do_not_exist_read_zero() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::IER, 0xff);
    assert_eq!(read(&mut uart, reg::IER), 0x0f);
    write(&mut uart, reg::MCR, 0xff);
    assert_eq!(read(&mut uart, reg::MCR), 0x1f);
}

#[test]
fn test_transmitter_interrupt_rises_when_enabled() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::IER, ier::THR_EMPTY);
    assert!(uart.irq());
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0x02);
    assert!(!uart.irq(), "reading IIR resets it");
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0x01);
}

#[test]
fn test_transmitter_interrupt_comes_back_after_a_write() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::IER, ier::THR_EMPTY);
    read(&mut uart, reg::IIR_FCR);
    write(&mut uart, reg::DATA, b'x');
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0x02);
}

#[test]
fn test_transmitter_interrupt_rises_at_each_enabling_only() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::IER, ier::THR_EMPTY);
    read(&mut uart, reg::IIR_FCR);
    write(&mut uart, reg::IER, ier::THR_EMPTY | ier::RECEIVED_DATA);
    assert!(!uart.irq());
    write(&mut uart, reg::IER, 0);
    write(&mut uart, reg::IER, ier::THR_EMPTY);
    assert!(uart.irq());
}

#[test]
fn test_receiver_interrupt_without_fifos() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::IER, ier::RECEIVED_DATA);
    receive(&mut uart, b"a");
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0x04);
    read(&mut uart, reg::DATA);
    assert!(!uart.irq());
}

#[test]
fn test_trigger_levels() {
    for (bits, level) in [(0x00, 1), (0x40, 4), (0x80, 8), (0xc0, 14)] {
        let mut uart = fifo_uart();
        write(&mut uart, reg::IIR_FCR, bits | 1);
        for count in 1..=FIFO_DEPTH {
            receive(&mut uart, b"x");
            assert_eq!(uart.irq(), count >= level, "{count} of {level}");
        }
        assert_eq!(read(&mut uart, reg::IIR_FCR), 0xc4);
        for left in (0..FIFO_DEPTH).rev() {
            read(&mut uart, reg::DATA);
            assert_eq!(uart.irq(), left >= level, "{left} of {level}");
        }
    }
}

#[test]
fn test_character_timeout() {
    let mut uart = fifo_uart();
    receive(&mut uart, b"ab");
    assert!(!uart.irq());
    let due = uart.next_event().unwrap();
    assert_eq!(due, Time(TIMEOUT_NS));
    uart.advance(Time(due.0 - 1));
    assert!(!uart.irq());
    uart.advance(due);
    assert!(uart.irq());
    assert_eq!(uart.next_event(), None);
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0xcc);
    assert_eq!(read(&mut uart, reg::DATA), b'a');
    assert!(!uart.irq(), "a read resets it");
    assert_eq!(uart.next_event(), Some(Time(due.0 + TIMEOUT_NS)));
}

#[test]
fn test_character_timeout_waits_for_silence() {
    let mut uart = fifo_uart();
    receive(&mut uart, b"a");
    uart.advance(Time(TIMEOUT_NS / 2));
    receive(&mut uart, b"b");
    assert_eq!(uart.next_event(), Some(Time(TIMEOUT_NS / 2 + TIMEOUT_NS)));
}

#[test]
fn test_character_timeout_follows_the_line_settings() {
    let mut uart = fifo_uart();
    write(&mut uart, reg::LCR, 0x9f);
    write(&mut uart, reg::DATA, 12);
    write(&mut uart, reg::LCR, 0x1f);
    receive(&mut uart, b"a");
    // 9,600 baud; start, 8 data, parity and 2 stop bits.
    assert_eq!(
        uart.next_event(),
        Some(Time(4 * 12 * 1_000_000_000 / 9_600))
    );
}

#[test]
fn test_received_data_goes_before_timeout() {
    let mut uart = fifo_uart();
    receive(&mut uart, b"a");
    uart.advance(Time(TIMEOUT_NS));
    receive(&mut uart, b"bcdefgh");
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0xc4);
}

#[test]
fn test_interrupt_priority() {
    let mut uart = fifo_uart();
    write(&mut uart, reg::IER, 0x0f);
    uart.set_modem_inputs(ModemInputs::default());
    uart.push_break();
    receive(&mut uart, b"12345678");
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0xc6);
    assert_eq!(read(&mut uart, reg::LSR), 0xf9);
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0xc4);
    read(&mut uart, reg::DATA);
    read(&mut uart, reg::DATA);
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0xc2);
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0xc0);
    assert_eq!(read(&mut uart, reg::MSR), 0x0b);
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0xc1);
    assert!(!uart.irq());
}

#[test]
fn test_break_shows_when_its_character_is_first() {
    let mut uart = fifo_uart();
    receive(&mut uart, b"a");
    assert!(uart.push_break());
    receive(&mut uart, b"b");
    assert_eq!(read(&mut uart, reg::LSR), 0xe1, "an error is in the FIFO");
    assert_eq!(read(&mut uart, reg::DATA), b'a');
    assert_eq!(read(&mut uart, reg::LSR), 0xf9);
    assert_eq!(read(&mut uart, reg::LSR), 0x61, "reading resets it");
    assert_eq!(read(&mut uart, reg::DATA), 0);
    assert_eq!(read(&mut uart, reg::DATA), b'b');
}

#[test]
fn test_fifo_control_clears_the_receiver() {
    let mut uart = fifo_uart();
    receive(&mut uart, b"abc");
    write(&mut uart, reg::IIR_FCR, 0x83);
    assert_eq!(read(&mut uart, reg::LSR), 0x60);
    assert_eq!(uart.next_event(), None);
}

#[test]
fn test_switching_fifos_empties_them() {
    let mut uart = fifo_uart();
    receive(&mut uart, b"abc");
    write(&mut uart, reg::IIR_FCR, 0x00);
    assert_eq!(read(&mut uart, reg::LSR), 0x60);
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0x01);
    write(&mut uart, reg::IIR_FCR, 0x06);
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0x01, "nothing without bit 0");
    write(&mut uart, reg::IIR_FCR, 0x01);
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0xc1);
}

#[test]
fn test_input_waits_outside_and_none_is_lost() {
    let mut uart = fifo_uart();
    let text: Vec<u8> = (0..200).collect();
    receive(&mut uart, &text);
    assert_eq!(uart.rx.len(), FIFO_DEPTH);
    let mut got = Vec::new();
    while read(&mut uart, reg::LSR) & lsr::DATA_READY != 0 {
        got.push(read(&mut uart, reg::DATA));
    }
    assert_eq!(got, text);
    assert_eq!(read(&mut uart, reg::LSR), 0x60, "no overrun");
}

#[test]
fn test_input_is_bounded() {
    let mut uart = Uart16550::default();
    let text = vec![b'x'; INPUT_LIMIT + 5];
    assert_eq!(uart.push_input(&text), INPUT_LIMIT);
    assert_eq!(uart.push_input(b"y"), 0);
    assert!(!uart.push_break());
    uart.advance(Time(1));
    assert_eq!(uart.push_input(b"yz"), 1, "one is in the chip");
}

#[test]
fn test_loopback_data() {
    let mut uart = fifo_uart();
    write(&mut uart, reg::MCR, mcr::LOOP);
    receive(&mut uart, b"outside");
    write(&mut uart, reg::DATA, 0x5a);
    assert_eq!(read(&mut uart, reg::LSR), 0x61);
    assert_eq!(read(&mut uart, reg::DATA), 0x5a);
    assert_eq!(read(&mut uart, reg::LSR), 0x60);
    assert!(!uart.has_output());
    write(&mut uart, reg::MCR, 0);
    assert_eq!(read(&mut uart, reg::DATA), b'o', "it has waited");
}

#[test]
fn test_loopback_modem_lines_and_deltas() {
    let mut uart = Uart16550::default();
    // From CTS, DSR, DCD on to CTS and DCD on.
    write(&mut uart, reg::MCR, mcr::LOOP | mcr::RTS | mcr::OUT2);
    assert_eq!(read(&mut uart, reg::MSR), 0x92);
    assert_eq!(read(&mut uart, reg::MSR), 0x90);
    write(&mut uart, reg::MCR, mcr::LOOP | mcr::OUT1);
    assert_eq!(read(&mut uart, reg::MSR), 0x49, "the ring has not ended");
    write(&mut uart, reg::MCR, mcr::LOOP);
    assert_eq!(read(&mut uart, reg::MSR), 0x04, "trailing edge of the ring");
    write(&mut uart, reg::MCR, 0);
    assert_eq!(read(&mut uart, reg::MSR), 0xbb);
}

#[test]
fn test_modem_interrupt() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::IER, ier::MODEM_STATUS);
    uart.set_modem_inputs(ModemInputs {
        clear_to_send: true,
        carrier: true,
        ..ModemInputs::default()
    });
    assert!(uart.irq());
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0x00);
    assert_eq!(read(&mut uart, reg::MSR), 0x92);
    assert!(!uart.irq());
}

#[test]
fn test_overrun_in_fifo_mode_keeps_the_fifo() {
    let mut uart = fifo_uart();
    write(&mut uart, reg::MCR, mcr::LOOP);
    write(&mut uart, reg::IER, ier::LINE_STATUS);
    for byte in 0..17 {
        write(&mut uart, reg::DATA, byte);
    }
    assert_eq!(read(&mut uart, reg::IIR_FCR), 0xc6);
    assert_eq!(read(&mut uart, reg::LSR), 0x63);
    assert!(!uart.irq());
    for byte in 0..16 {
        assert_eq!(read(&mut uart, reg::DATA), byte);
    }
    assert_eq!(read(&mut uart, reg::LSR), 0x60);
}

#[test]
fn test_overrun_without_fifos_overwrites() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::MCR, mcr::LOOP);
    write(&mut uart, reg::DATA, b'a');
    write(&mut uart, reg::DATA, b'b');
    assert_eq!(read(&mut uart, reg::LSR), 0x63);
    assert_eq!(read(&mut uart, reg::DATA), b'b');
}

#[test]
fn test_break_on_the_way_out_silences_the_line() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::LCR, 0x43);
    write(&mut uart, reg::DATA, b'x');
    write(&mut uart, reg::LCR, 0x03);
    write(&mut uart, reg::DATA, b'y');
    assert_eq!(uart.take_output(), b"y");
}

#[test]
fn test_status_registers_ignore_writes() {
    let mut uart = Uart16550::default();
    write(&mut uart, reg::LSR, 0);
    write(&mut uart, reg::MSR, 0x0f);
    assert_eq!(uart, Uart16550::default());
}

#[test]
fn test_register_shift_and_access_width() {
    for shift in 0..=3 {
        for size in [1, 4] {
            let mut uart = Uart16550::new(shift, DEFAULT_CLOCK_HZ);
            uart.write(SCR << shift, size, 0xffff_ff42, Time(0));
            assert_eq!(uart.read(SCR << shift, size, Time(0)), 0x42);
            assert_eq!(uart.read(reg::LSR << shift, size, Time(0)), 0x60);
            assert_eq!(uart.read(8 << shift, size, Time(0)), 0);
            if shift > 0 {
                assert_eq!(uart.read((reg::LSR << shift) + 1, 1, Time(0)), 0);
            }
        }
    }
}

/// The tests by which Linux's 8250 driver tells chips apart
/// (drivers/tty/serial/8250/8250_port.c, 6.1: autoconfig, autoconfig_16550a
/// and serial8250_do_startup), each with the answer of a plain 16550A.
#[test]
fn test_linux_autoconfig_sees_a_16550a() {
    let mut uart = Uart16550::default();
    // Interrupt enable: four bits that can be set and cleared.
    write(&mut uart, reg::IER, 0);
    assert_eq!(read(&mut uart, reg::IER) & 0x0f, 0);
    write(&mut uart, reg::IER, 0x0f);
    assert_eq!(read(&mut uart, reg::IER) & 0x0f, 0x0f);
    write(&mut uart, reg::IER, 0);
    // Loopback: RTS and OUT2 come back as CTS and DCD.
    write(&mut uart, reg::MCR, mcr::LOOP | 0x0a);
    assert_eq!(read(&mut uart, reg::MSR) & 0xf0, 0x90);
    write(&mut uart, reg::MCR, 0);
    // FIFO: both bits of IIR.
    write(&mut uart, reg::LCR, 0xbf);
    write(&mut uart, reg::IIR_FCR, 0);
    write(&mut uart, reg::LCR, 0);
    write(&mut uart, reg::IIR_FCR, 1);
    assert_eq!(read(&mut uart, reg::IIR_FCR) >> 6, 3);
    // No enhanced feature register behind either setting of LCR.
    for setting in [0x80, 0xbf] {
        write(&mut uart, reg::LCR, setting);
        assert_ne!(read(&mut uart, reg::IIR_FCR), 0);
    }
    // No second bank of National's that mirrors the loopback bit.
    for value in [0, mcr::LOOP] {
        write(&mut uart, reg::LCR, 0);
        write(&mut uart, reg::MCR, value);
        write(&mut uart, reg::LCR, 0xe0);
        assert_eq!(read(&mut uart, reg::IIR_FCR) & 0x10, 0);
    }
    write(&mut uart, reg::LCR, 0);
    write(&mut uart, reg::MCR, 0);
    // No 64-byte FIFO bit as in TI's 16750.
    write(&mut uart, reg::LCR, 0x80);
    write(&mut uart, reg::IIR_FCR, 0x21);
    assert_eq!(read(&mut uart, reg::IIR_FCR) >> 5, 6);
    write(&mut uart, reg::LCR, 0);
    // No unit enable bit as in XScale's UART.
    write(&mut uart, reg::IER, 0x40);
    assert_eq!(read(&mut uart, reg::IER), 0);
    // The transmitter's interrupt is raised again by enabling it again.
    for _ in 0..2 {
        write(&mut uart, reg::IER, ier::THR_EMPTY);
        assert_eq!(read(&mut uart, reg::IIR_FCR) & 1, 0);
        write(&mut uart, reg::IER, 0);
    }
    assert!(!uart.irq());
}
