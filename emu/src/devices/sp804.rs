//! ARM PrimeCell SP804 dual timer (ARM DDI 0271): two down-counters with
//! prescaler, free-running, periodic or one-shot, 16 or 32 bits wide.

use serde::{Deserialize, Serialize};

use super::{
    Device,
    primecell::{identification, lanes},
};
use crate::clock::Time;

mod counter;
use counter::{Counter, Mode};

/// Register offsets of one timer (DDI 0271, 3.1 "Summary of registers"); the
/// second timer's lie [`reg::STRIDE`] above the first's.
mod reg {
    /// Reload value; a write also restarts the count from it.
    pub(super) const LOAD: u32 = 0x00;
    /// The count; read only.
    pub(super) const VALUE: u32 = 0x04;
    /// See [`super::control`].
    pub(super) const CONTROL: u32 = 0x08;
    /// Any write clears the interrupt.
    pub(super) const INTCLR: u32 = 0x0c;
    /// Interrupt before masking.
    pub(super) const RIS: u32 = 0x10;
    /// Interrupt after masking.
    pub(super) const MIS: u32 = 0x14;
    /// Reload value; a write leaves the count alone.
    pub(super) const BGLOAD: u32 = 0x18;
    /// Distance of the two timers.
    pub(super) const STRIDE: u32 = 0x20;
    /// End of the timers' registers.
    pub(super) const TIMERS_END: u32 = 0x40;
    /// Bit 0: ITOP drives the outputs.
    pub(super) const ITCR: u32 = 0xf00;
    /// Write only: outputs TIMINT1 (bit 0) and TIMINT2 (bit 1) in test mode.
    pub(super) const ITOP: u32 = 0xf04;
}

/// Bits of the control register (DDI 0271, TimerXControl).
mod control {
    /// Stop at zero.
    pub(super) const ONE_SHOT: u32 = 1 << 0;
    /// 32 bits; else 16.
    pub(super) const SIZE_32: u32 = 1 << 1;
    /// Prescaler: 0 divides by 1, 1 by 16, 2 by 256; 3 is undefined.
    pub(super) const PRESCALE_SHIFT: u32 = 2;
    /// Interrupt enable, on after reset.
    pub(super) const INT_ENABLE: u32 = 1 << 5;
    /// Periodic; else free-running.
    pub(super) const PERIODIC: u32 = 1 << 6;
    /// The timer counts.
    pub(super) const ENABLE: u32 = 1 << 7;
    /// Bits that exist.
    pub(super) const ALL: u32 = 0xef;
}

/// `TimerPeriphID0` to `3` (DDI 0271, 3.2.8): part 0x804, designer 0x41,
/// revision 1.
const PERIPHERAL_ID: [u8; 4] = [0x04, 0x18, 0x14, 0x00];

const NS_PER_SECOND: u128 = 1_000_000_000;

/// The module's usual clock: 1 MHz.
pub const DEFAULT_CLOCK_HZ: u32 = 1_000_000;

/// Ticks of a clock of `hz` that have begun by `now`.
fn ticks_at(now: Time, hz: u32) -> u64 {
    let ticks = u128::from(now.0) * u128::from(hz) / NS_PER_SECOND;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The first moment at which `ticks_at` reaches `tick`; `None` when time ends
/// before that, or the clock stands.
fn time_of_tick(tick: u64, hz: u32) -> Option<Time> {
    let ns = (u128::from(tick) * NS_PER_SECOND).div_ceil(u128::from(hz.max(1)));
    (hz != 0).then(|| u64::try_from(ns).ok().map(Time))?
}

/// One of the two timers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Timer {
    clock_hz: u32,
    control: u32,
    /// What a periodic timer reloads: LOAD and BGLOAD are one register with
    /// two ways to write it (DDI 0271, TimerXLoad, TimerXBGLoad).
    load: u32,
    /// The count as it was at tick `since`.
    counter: Counter,
    /// Tick of TIMCLK from which the counter runs, whole prescaler periods on
    /// from the moment it was started: there is nothing to round, so nothing
    /// to drift.
    since: u64,
    raw_interrupt: bool,
    /// Zero was loaded while the timer was off.
    zero_loaded: bool,
}

impl Timer {
    fn new(clock_hz: u32) -> Self {
        Self {
            clock_hz,
            control: control::INT_ENABLE,
            load: 0,
            counter: Counter(u32::MAX),
            since: 0,
            raw_interrupt: false,
            zero_loaded: false,
        }
    }

    fn enabled(&self) -> bool {
        self.control & control::ENABLE != 0
    }

    fn prescaler(&self) -> u64 {
        match (self.control >> control::PRESCALE_SHIFT) & 3 {
            1 => 16,
            2 => 256,
            _ => 1,
        }
    }

    fn mode(&self) -> Mode {
        let wide = self.control & control::SIZE_32 != 0;
        let mask = if wide { u32::MAX } else { 0xffff };
        if self.control & control::ONE_SHOT != 0 {
            Mode::OneShot { mask }
        } else if self.control & control::PERIODIC != 0 {
            Mode::Periodic {
                mask,
                reload: self.load,
            }
        } else {
            Mode::FreeRunning { mask }
        }
    }

    /// Counts up to `now`.
    fn advance(&mut self, now: Time) {
        if !self.enabled() {
            return;
        }
        let passed = ticks_at(now, self.clock_hz).saturating_sub(self.since) / self.prescaler();
        if passed == 0 {
            return;
        }
        self.since += passed * self.prescaler();
        self.raw_interrupt |= self.counter.count(passed, self.mode());
    }

    /// A write to LOAD takes effect at the next edge of TIMCLK, but VALUE
    /// shows it at once (DDI 0271, TimerXLoad, TimerXValue).
    fn write_load(&mut self, value: u32, now: Time) {
        self.load = value;
        self.counter = Counter(value);
        self.since = ticks_at(now, self.clock_hz).saturating_add(1);
        self.zero_loaded = value & self.mode().mask() == 0;
        self.interrupt_for_loaded_zero();
    }

    /// Loading zero interrupts without waiting for a count (DDI 0271, TimerXLoad):
    /// at once in a timer that runs, else when it is switched on.
    fn interrupt_for_loaded_zero(&mut self) {
        if self.enabled() && self.zero_loaded {
            self.raw_interrupt = true;
            self.zero_loaded = false;
        }
    }

    fn write_control(&mut self, value: u32, now: Time) {
        let before = (self.enabled(), self.prescaler());
        self.control = value & control::ALL;
        if before != (self.enabled(), self.prescaler()) {
            // The prescaler starts afresh. A load that waits for its edge
            // keeps waiting.
            self.since = self.since.max(ticks_at(now, self.clock_hz));
        }
        self.interrupt_for_loaded_zero();
    }

    fn masked_interrupt(&self) -> bool {
        self.raw_interrupt && self.control & control::INT_ENABLE != 0
    }

    fn read(&self, offset: u32) -> u32 {
        match offset {
            reg::LOAD | reg::BGLOAD => self.load,
            reg::VALUE => self.counter.0,
            reg::CONTROL => self.control,
            reg::RIS => u32::from(self.raw_interrupt),
            reg::MIS => u32::from(self.masked_interrupt()),
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, now: Time) {
        match offset {
            reg::LOAD => self.write_load(value, now),
            reg::BGLOAD => self.load = value,
            reg::CONTROL => self.write_control(value, now),
            reg::INTCLR => self.raw_interrupt = false,
            // VALUE, RIS and MIS are read only.
            _ => {}
        }
    }

    /// When the interrupt output will rise.
    fn next_event(&self) -> Option<Time> {
        let waits = self.control & control::INT_ENABLE != 0 && !self.raw_interrupt;
        if !self.enabled() || !waits {
            return None;
        }
        let counts = self.counter.until_zero(self.mode())?;
        let tick = counts
            .checked_mul(self.prescaler())?
            .checked_add(self.since)?;
        time_of_tick(tick, self.clock_hz)
    }
}

/// The dual timer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sp804 {
    timers: [Timer; 2],
    test_mode: bool,
    test_outputs: u32,
}

impl Sp804 {
    /// A module after reset whose timers run on clocks of `clock_hz`; a clock
    /// of 0 Hz stands still.
    pub fn new(clock_hz: [u32; 2]) -> Self {
        Self {
            timers: clock_hz.map(Timer::new),
            test_mode: false,
            test_outputs: 0,
        }
    }

    /// The levels of TIMINT1 and TIMINT2.
    pub fn timer_irqs(&self) -> [bool; 2] {
        if self.test_mode {
            return [self.test_outputs & 1 != 0, self.test_outputs & 2 != 0];
        }
        self.timers.each_ref().map(Timer::masked_interrupt)
    }

    /// The level of TIMINTC, the two interrupts in one.
    pub fn irq(&self) -> bool {
        self.timer_irqs().contains(&true)
    }
}

impl Default for Sp804 {
    fn default() -> Self {
        Self::new([DEFAULT_CLOCK_HZ; 2])
    }
}

impl Device for Sp804 {
    fn read(&mut self, offset: u32, size: u32, now: Time) -> u32 {
        self.advance(now);
        let [first, second] = &self.timers;
        let register = match offset & !3 {
            offset @ ..reg::STRIDE => first.read(offset),
            offset @ reg::STRIDE..reg::TIMERS_END => second.read(offset - reg::STRIDE),
            reg::ITCR => u32::from(self.test_mode),
            offset => identification(offset, PERIPHERAL_ID).unwrap_or(0),
        };
        lanes(register, offset, size)
    }

    fn write(&mut self, offset: u32, _size: u32, value: u32, now: Time) {
        self.advance(now);
        let [first, second] = &mut self.timers;
        match offset & !3 {
            offset @ ..reg::STRIDE => first.write(offset, value, now),
            offset @ reg::STRIDE..reg::TIMERS_END => {
                second.write(offset - reg::STRIDE, value, now);
            }
            reg::ITCR => self.test_mode = value & 1 != 0,
            reg::ITOP => self.test_outputs = value & 3,
            _ => {}
        }
    }

    fn advance(&mut self, now: Time) {
        for timer in &mut self.timers {
            timer.advance(now);
        }
    }

    fn next_event(&self) -> Option<Time> {
        self.timers.iter().filter_map(Timer::next_event).min()
    }
}

#[cfg(test)]
mod tests;
