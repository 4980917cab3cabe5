//! ARM's Versatile/PB board as far as kernels need it to boot (ARM DUI 0225).

use super::Wiring;
use crate::clock::Time;
use crate::devices::Device;
use crate::devices::pl011::Pl011;
use crate::devices::pl190::Pl190;
use crate::devices::sic::Sic;
use crate::devices::sp804::Sp804;
use crate::devices::sp810::Sp810;
use crate::devices::versatile_sysreg::VersatileSysreg;

const SYSREG: u32 = 0x1000_0000;
const SIC: u32 = 0x1000_3000;
const PL190: u32 = 0x1014_0000;
const SP810: u32 = 0x101e_0000;
const TIMERS: [u32; 2] = [0x101e_2000, 0x101e_3000];
const UARTS: [u32; 3] = [0x101f_1000, 0x101f_2000, 0x101f_3000];

/// The board.
#[derive(Debug, Clone)]
pub struct Versatile {
    sysreg: VersatileSysreg,
    sic: Sic,
    pl190: Pl190,
    sp810: Sp810,
    timers: [Sp804; 2],
    uarts: [Pl011; 3],
}

impl Versatile {
    /// The board after power-on.
    pub fn new() -> Self {
        Self {
            sysreg: VersatileSysreg::new(),
            sic: Sic::new(),
            pl190: Pl190::new(),
            sp810: Sp810::new(),
            timers: [(); 2].map(|()| Sp804::new([1_000_000; 2])),
            uarts: [(); 3].map(|()| Pl011::new(24_000_000)),
        }
    }

    fn find(&mut self, address: u32) -> Option<&mut dyn Device> {
        Some(match address & !0xfff {
            SYSREG => &mut self.sysreg,
            SIC => &mut self.sic,
            PL190 => &mut self.pl190,
            SP810 => &mut self.sp810,
            page => {
                if let Some(n) = TIMERS.iter().position(|&base| base == page) {
                    self.timers.get_mut(n)?
                } else {
                    let n = UARTS.iter().position(|&base| base == page)?;
                    self.uarts.get_mut(n)?
                }
            }
        })
    }

    fn wire(&mut self) {
        for (line, timer) in (4..).zip(&self.timers) {
            self.pl190.set_line(line, timer.irq());
        }
        for (line, uart) in (12..).zip(&self.uarts) {
            self.pl190.set_line(line, uart.irq());
        }
        self.pl190.set_line(31, self.sic.irq());
    }
}

impl Default for Versatile {
    fn default() -> Self {
        Self::new()
    }
}

impl Wiring for Versatile {
    fn pages(&self) -> Vec<u32> {
        let mut pages = vec![SYSREG, SIC, PL190, SP810];
        pages.extend(TIMERS);
        pages.extend(UARTS);
        pages
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
        self.pl190.irq()
    }

    fn fiq(&self) -> bool {
        self.pl190.fiq()
    }

    fn timer_irq(&self) -> bool {
        self.timers.iter().any(Sp804::irq)
    }

    fn take_output(&mut self) -> Vec<u8> {
        self.uarts[0].take_output()
    }

    fn has_output(&self) -> bool {
        self.uarts[0].has_output()
    }

    fn push_input(&mut self, bytes: &[u8], now: Time) -> usize {
        let taken = self.uarts[0].push_input(bytes);
        self.uarts[0].advance(now);
        self.wire();
        taken
    }

    fn reset_asked(&self) -> bool {
        self.sysreg.reset_asked()
    }
}
