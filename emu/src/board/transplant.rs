//! The board of a transplanted kernel: interrupt controller, timer and serial
//! port, and a memory for some, at the physical addresses that the opaque map gives them. The driver
//! reaches them through the opaque range, the kernel's own drivers through
//! `ioremap`.

use serde::{Deserialize, Serialize};

use super::Wiring;
use super::registers::{self, View};
use crate::clock::Time;
use crate::devices::Device;
use crate::devices::pl190::Pl190;
use crate::devices::rom::Rom;
use crate::devices::sp804::Sp804;
use crate::devices::uart16550::Uart16550;
use crate::mmu::opaque::{Chip, ChipKind, OpaqueMap};

/// Ticks per second of both timers.
const TIMER_HZ: u32 = 1_000_000;
/// Clock of the serial port: 115200 baud at divisor 1.
const UART_HZ: u32 = 1_843_200;

/// The chips and where they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transplant {
    chips: Vec<Chip>,
    pl190: Pl190,
    sp804: Sp804,
    uart: Uart16550,
    rom: Rom,
}

impl Transplant {
    /// The chips after reset. One that is not in the map is wired to nothing.
    pub fn new(map: &OpaqueMap) -> Self {
        Self {
            chips: map.chips.clone(),
            pl190: Pl190::new(),
            sp804: Sp804::new([TIMER_HZ; 2]),
            uart: Uart16550::new(0, UART_HZ),
            rom: Rom::new(map.rom.clone()),
        }
    }

    fn find(&mut self, address: u32) -> Option<&mut dyn Device> {
        let chip = self
            .chips
            .iter()
            .find(|chip| chip.phys >> 12 == address >> 12)?;
        Some(match chip.chip {
            ChipKind::Pl190 => &mut self.pl190,
            ChipKind::Sp804 => &mut self.sp804,
            ChipKind::Uart16550 => &mut self.uart,
            ChipKind::Rom => &mut self.rom,
        })
    }

    /// Carries the chips' levels to the interrupt controller.
    fn wire(&mut self) {
        for chip in &self.chips {
            let level = match chip.chip {
                ChipKind::Pl190 | ChipKind::Rom => continue,
                ChipKind::Sp804 => self.sp804.irq(),
                ChipKind::Uart16550 => self.uart.irq(),
            };
            self.pl190.set_line(chip.irq, level);
        }
    }
}

impl Wiring for Transplant {
    fn pages(&self) -> Vec<u32> {
        self.chips.iter().map(|chip| chip.phys & !0xfff).collect()
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
        self.wire();
        true
    }

    fn advance(&mut self, now: Time) {
        self.pl190.advance(now);
        self.sp804.advance(now);
        self.uart.advance(now);
        self.wire();
    }

    fn next_event(&self) -> Option<Time> {
        [
            self.pl190.next_event(),
            self.sp804.next_event(),
            self.uart.next_event(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn irq(&self) -> bool {
        self.pl190.irq()
    }

    fn fiq(&self) -> bool {
        self.pl190.fiq()
    }

    fn timer_irq(&self) -> bool {
        self.sp804.irq()
    }

    fn take_output(&mut self) -> Vec<u8> {
        self.uart.take_output()
    }

    fn has_output(&self) -> bool {
        self.uart.has_output()
    }

    fn push_input(&mut self, bytes: &[u8], now: Time) -> usize {
        let taken = self.uart.push_input(bytes);
        self.uart.advance(now);
        self.wire();
        taken
    }

    fn reset_asked(&self) -> bool {
        false
    }

    fn views(&self) -> Vec<View> {
        let chips = self.chips.iter();
        let views = chips.map(|chip| {
            let (name, registers) = match chip.chip {
                ChipKind::Pl190 => ("pl190", registers::PL190),
                ChipKind::Sp804 => ("sp804", registers::SP804),
                ChipKind::Uart16550 => ("uart16550", registers::UART16550),
                ChipKind::Rom => ("rom", registers::ROM),
            };
            View {
                name,
                base: chip.phys & !0xfff,
                registers,
            }
        });
        views.collect()
    }
}
