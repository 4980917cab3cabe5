//! ARM's Versatile/PB board (ARM DUI 0225) as far as a kernel needs it to
//! boot: interrupt controllers, timers, serial ports, system registers. The
//! rest of its chips is not there.

use serde::{Deserialize, Serialize};

use super::Wiring;
use super::registers::{self, View};
use crate::clock::Time;
use crate::devices::Device;
use crate::devices::pl011::Pl011;
use crate::devices::pl190::Pl190;
use crate::devices::sic::Sic;
use crate::devices::sp804::Sp804;
use crate::devices::sp810::Sp810;
use crate::devices::versatile_i2c::VersatileI2c;
use crate::devices::versatile_sysreg::VersatileSysreg;

/// Physical addresses (DUI 0225, "Memory map").
const SYSTEM_REGISTERS: u32 = 0x1000_0000;
const SERIAL_BUS: u32 = 0x1000_2000;
const SECONDARY_CONTROLLER: u32 = 0x1000_3000;
const PRIMARY_CONTROLLER: u32 = 0x1014_0000;
const SYSTEM_CONTROLLER: u32 = 0x101e_0000;
const TIMERS: [u32; 2] = [0x101e_2000, 0x101e_3000];
/// The fourth is in the board's FPGA, the others on the processor's chip.
const UARTS: [u32; 4] = [0x101f_1000, 0x101f_2000, 0x101f_3000, 0x1000_9000];

/// Lines of the primary controller (DUI 0225, "Interrupt controllers").
const TIMER_LINES: [u32; 2] = [4, 5];
const UART_LINES: [u32; 3] = [12, 13, 14];
/// The fourth serial port's line into the secondary controller.
const FPGA_UART_LINE: u32 = 6;
const SECONDARY_LINE: u32 = 31;
/// Lines that the secondary controller can let through, by their numbers.
const THROUGH_LINES: std::ops::RangeInclusive<u32> = 21..=30;

/// The board's chips. UART0 is the console; nothing is connected to the
/// others.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Versatile {
    system_registers: VersatileSysreg,
    system_controller: Sp810,
    serial_bus: VersatileI2c,
    primary: Pl190,
    secondary: Sic,
    timers: [Sp804; 2],
    uarts: [Pl011; 4],
}

impl Versatile {
    /// The board after power-on.
    pub fn new() -> Self {
        Self::default()
    }

    fn find(&mut self, address: u32) -> Option<&mut dyn Device> {
        let [timer0, timer1] = &mut self.timers;
        let [uart0, uart1, uart2, uart3] = &mut self.uarts;
        let chips: [(u32, &mut dyn Device); 11] = [
            (PRIMARY_CONTROLLER, &mut self.primary),
            (TIMERS[0], timer0),
            (TIMERS[1], timer1),
            (UARTS[0], uart0),
            (UARTS[1], uart1),
            (UARTS[2], uart2),
            (UARTS[3], uart3),
            (SYSTEM_REGISTERS, &mut self.system_registers),
            (SECONDARY_CONTROLLER, &mut self.secondary),
            (SYSTEM_CONTROLLER, &mut self.system_controller),
            (SERIAL_BUS, &mut self.serial_bus),
        ];
        chips
            .into_iter()
            .find(|(base, _)| base >> 12 == address >> 12)
            .map(|(_, chip)| chip)
    }

    /// Carries the chips' levels to the interrupt controllers.
    fn wire(&mut self) {
        for (timer, line) in self.timers.iter().zip(TIMER_LINES) {
            self.primary.set_line(line, timer.irq());
        }
        for (uart, line) in self.uarts.iter().zip(UART_LINES) {
            self.primary.set_line(line, uart.irq());
        }
        let [.., fpga_uart] = &self.uarts;
        self.secondary.set_line(FPGA_UART_LINE, fpga_uart.irq());
        let through = self.secondary.passed_through();
        for line in THROUGH_LINES {
            self.primary.set_line(line, through & 1 << line != 0);
        }
        self.primary.set_line(SECONDARY_LINE, self.secondary.irq());
    }

    fn console(&mut self) -> &mut Pl011 {
        let [console, ..] = &mut self.uarts;
        console
    }
}

impl Wiring for Versatile {
    fn pages(&self) -> Vec<u32> {
        let single = [
            SYSTEM_REGISTERS,
            SECONDARY_CONTROLLER,
            PRIMARY_CONTROLLER,
            SYSTEM_CONTROLLER,
            SERIAL_BUS,
        ];
        single.into_iter().chain(TIMERS).chain(UARTS).collect()
    }

    fn read(&mut self, address: u32, size: u32, now: Time) -> Option<u32> {
        let value = self.find(address)?.read(address & 0xfff, size, now);
        self.wire();
        Some(value)
    }

    fn write(&mut self, address: u32, size: u32, value: u32, now: Time) -> bool {
        let Some(chip) = self.find(address) else {
            return false;
        };
        chip.write(address & 0xfff, size, value, now);
        let [_, others @ ..] = &mut self.uarts;
        for uart in others {
            uart.take_output();
        }
        self.wire();
        true
    }

    fn advance(&mut self, now: Time) {
        for timer in &mut self.timers {
            timer.advance(now);
        }
        for uart in &mut self.uarts {
            uart.advance(now);
        }
        self.wire();
    }

    fn next_event(&self) -> Option<Time> {
        let timers = self.timers.iter().filter_map(Device::next_event);
        let uarts = self.uarts.iter().filter_map(Device::next_event);
        timers.chain(uarts).min()
    }

    fn irq(&self) -> bool {
        self.primary.irq()
    }

    fn fiq(&self) -> bool {
        self.primary.fiq()
    }

    fn timer_irq(&self) -> bool {
        self.timers.iter().any(Sp804::irq)
    }

    fn take_output(&mut self) -> Vec<u8> {
        self.console().take_output()
    }

    fn has_output(&self) -> bool {
        let [console, ..] = &self.uarts;
        console.has_output()
    }

    fn push_input(&mut self, bytes: &[u8], now: Time) -> usize {
        let taken = self.console().push_input(bytes);
        self.console().advance(now);
        self.wire();
        taken
    }

    fn reset_asked(&self) -> bool {
        self.system_registers.reset_asked()
    }

    fn views(&self) -> Vec<View> {
        let view = |name, registers| {
            move |base| View {
                name,
                base,
                registers,
            }
        };
        let controller = [PRIMARY_CONTROLLER].map(view("pl190", registers::PL190));
        let timers = TIMERS.map(view("sp804", registers::SP804));
        let uarts = UARTS.map(view("pl011", registers::PL011));
        controller.into_iter().chain(timers).chain(uarts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIC_STATUS: u32 = PRIMARY_CONTROLLER;
    const VIC_ENABLE: u32 = PRIMARY_CONTROLLER + 0x10;

    fn read(board: &mut Versatile, address: u32) -> u32 {
        board.read(address, 4, Time(0)).expect("a chip")
    }

    fn write(board: &mut Versatile, address: u32, value: u32) {
        assert!(board.write(address, 4, value, Time(0)), "{address:#x}");
    }

    #[test]
    fn test_every_page_has_its_chip() {
        let mut board = Versatile::new();
        for page in board.pages() {
            assert!(board.read(page + 0xffc, 4, Time(0)).is_some(), "{page:#x}");
        }
        for address in [0, 0x1000_1000, 0x101e_1000, 0x101f_4000, 0x3400_0000] {
            assert_eq!(board.read(address, 4, Time(0)), None);
            assert!(!board.write(address, 4, 0, Time(0)));
        }
    }

    #[test]
    fn test_primecell_parts() {
        let mut board = Versatile::new();
        for (base, part) in [
            (PRIMARY_CONTROLLER, 0x90),
            (TIMERS[0], 0x04),
            (TIMERS[1], 0x04),
            (UARTS[0], 0x11),
            (UARTS[2], 0x11),
        ] {
            assert_eq!(read(&mut board, base + 0xfe0), part);
        }
    }

    #[test]
    fn test_timer_lines() {
        for (base, line) in TIMERS.into_iter().zip(TIMER_LINES) {
            let mut board = Versatile::new();
            write(&mut board, VIC_ENABLE, !0);
            write(&mut board, base, 100);
            write(&mut board, base + 8, 0xe2);
            assert!(!board.irq());
            let due = board.next_event().expect("the timer runs");
            assert_eq!(due, Time(101_000));
            board.advance(due);
            assert!(board.irq() && board.timer_irq());
            assert_eq!(read(&mut board, VIC_STATUS), 1 << line);
            write(&mut board, base + 0xc, 0);
            assert!(!board.irq() && !board.timer_irq());
        }
    }

    #[test]
    fn test_uart_lines() {
        for (base, line) in UARTS.into_iter().zip(UART_LINES) {
            let mut board = Versatile::new();
            write(&mut board, VIC_ENABLE, !0);
            write(&mut board, base + 0x38, 1 << 5);
            write(&mut board, base, u32::from(b'x'));
            assert!(board.irq() && !board.fiq());
            assert_eq!(read(&mut board, VIC_STATUS), 1 << line);
            assert_eq!(board.has_output(), base == UARTS[0]);
        }
    }

    #[test]
    fn test_uart_behind_the_secondary_controller() {
        let mut board = Versatile::new();
        write(&mut board, VIC_ENABLE, !0);
        write(&mut board, UARTS[3] + 0x38, 1 << 5);
        write(&mut board, UARTS[3], u32::from(b'x'));
        assert!(!board.irq());
        write(&mut board, SECONDARY_CONTROLLER + 0x08, 1 << FPGA_UART_LINE);
        assert_eq!(read(&mut board, VIC_STATUS), 1 << SECONDARY_LINE);
    }

    #[test]
    fn test_secondary_controller_lines() {
        let mut board = Versatile::new();
        write(&mut board, VIC_ENABLE, !0);
        write(&mut board, SECONDARY_CONTROLLER + 0x08, 1);
        write(&mut board, SECONDARY_CONTROLLER + 0x10, 1);
        assert_eq!(read(&mut board, VIC_STATUS), 1 << 31);
        write(&mut board, SECONDARY_CONTROLLER + 0x14, 1);
        assert!(!board.irq());
    }

    #[test]
    fn test_console_both_ways() {
        let mut board = Versatile::new();
        write(&mut board, UARTS[0] + 0x30, 0x301);
        assert_eq!(board.push_input(b"k", Time(5)), 1);
        assert_eq!(read(&mut board, UARTS[0]), u32::from(b'k'));
        write(&mut board, UARTS[0], u32::from(b'a'));
        write(&mut board, UARTS[1], u32::from(b'b'));
        assert_eq!(board.take_output(), b"a");
    }

    #[test]
    fn test_fast_interrupt() {
        let mut board = Versatile::new();
        write(&mut board, PRIMARY_CONTROLLER + 0x0c, 1 << 12);
        write(&mut board, VIC_ENABLE, 1 << 12);
        write(&mut board, UARTS[0] + 0x38, 1 << 5);
        write(&mut board, UARTS[0], 0);
        assert!(board.fiq() && !board.irq());
    }

    #[test]
    fn test_reset() {
        let mut board = Versatile::new();
        write(&mut board, SYSTEM_REGISTERS + 0x20, 0xa05f);
        write(&mut board, SYSTEM_REGISTERS + 0x40, 0x100);
        assert!(board.reset_asked());
    }
}
