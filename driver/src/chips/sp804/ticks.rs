//! Kernels without clock events, as most boards' were before 2.6.29 and some
//! later: the first timer interrupts at the kernel's own rate, and the kernel may
//! ask how long ago that was.

use core::ffi::c_void;

use safe_mmio::field;

use super::{ENABLE, INTERRUPT, PERIODIC, WIDE, acknowledge, event_timer, set_event_timer, sp804};
use crate::kernel::clock::{self, USUAL_HZ};
use crate::kernel::irq::{IRQ_HANDLED, PtRegs, request_timer_irq};

crate::forward! {
    /// Starts the ticks of a kernel that has no clock events.
    group("clocks", 1) machine_desc.init_time | machine_desc.timer => fn start_ticks();
    /// Tells microseconds since the last tick, where the kernel asks its board for them.
    optional sys_timer.offset => fn since_tick() -> usize;
}

/// `sys_timer.init`.
extern "C" fn start_ticks() {
    let hz = sp804::clock_hz() as u32;
    let period = super::period().unwrap_or(hz / USUAL_HZ);
    acknowledge();
    if request_timer_irq(sp804::irq() as u32, tick, c"sp804", core::ptr::null_mut()) {
        set_event_timer(ENABLE | INTERRUPT | WIDE | PERIODIC, Some(period));
    }
}

/// The interrupt handler. Nothing else writes the time, and who reads it does
/// so with interrupts off, so that the lock which kernels before 2.6.25 leave to
/// the handler is not needed on one processor.
extern "C" fn tick(_: i32, _: *mut c_void, regs: *mut PtRegs) -> i32 {
    acknowledge();
    // SAFETY: this is the timer's interrupt handler, where the function belongs.
    unsafe { clock::timer_tick(regs) };
    IRQ_HANDLED
}

/// `sys_timer.offset`: called with interrupts off.
extern "C" fn since_tick() -> usize {
    let mut timer = event_timer();
    // 0 until the ticks are started.
    let period = field!(timer, load).read();
    let left = field!(timer, value).read();
    let mut counts = period.saturating_sub(left);
    // A tick that is due and not yet taken, unless `left` is from before it.
    if field!(timer, raw_interrupt).read() != 0 && counts < period / 2 {
        counts += period;
    }
    microseconds(counts, sp804::clock_hz() as u32)
}

/// Counts of a clock of at least 1 MHz as microseconds.
fn microseconds(counts: u32, hz: u32) -> usize {
    const MEGAHERTZ: u32 = 1_000_000;
    counts.checked_div(hz / MEGAHERTZ).unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chips::mock::{self, HZ, Mock};
    use crate::chips::sp804::tests::{CONTROL, LOAD, VALUE, read, timer};
    use crate::kernel::irq;

    const RAW_INTERRUPT: usize = 4;

    fn write(page: *mut [u32; 1024], word: usize, value: u32) {
        // SAFETY: the page lives for ever and has no other user now.
        unsafe { (*page)[word] = value };
    }

    /// A kernel of 2.6.28.
    fn kernel(mock: &Mock) {
        mock.old_irq();
        mock.clock();
        mock.fill(
            &clock::timer_tick::SLOT,
            mock::timer_tick as *const () as usize,
        );
        mock.fill(&irq::IRQF_DISABLED::SLOT, 0x20);
    }

    #[test]
    fn ticks_come_at_the_kernels_rate() {
        let mock = Mock::new();
        kernel(&mock);
        let page = timer(&mock);
        start_ticks();
        assert_eq!(mock.calls(), ["setup 4 Some(220) Some(\"sp804\")"]);
        assert_eq!(read(page, LOAD) as usize, 1_000_000 / HZ);
        assert_eq!(read(page, CONTROL), 0xe2);
        assert_eq!(
            tick(4, core::ptr::null_mut(), core::ptr::dangling_mut()),
            IRQ_HANDLED
        );
        assert_eq!(mock.calls(), ["timer_tick 0x1"]);
    }

    #[test]
    fn a_kernel_that_does_not_say_its_rate_gets_the_usual_one() {
        let mock = Mock::new();
        kernel(&mock);
        mock.fill(&clock::msecs_to_jiffies::SLOT, 0);
        let page = timer(&mock);
        start_ticks();
        assert_eq!(read(page, LOAD), 10_000);
    }

    #[test]
    fn a_tick_that_is_due_counts_in_the_offset() {
        let mock = Mock::new();
        kernel(&mock);
        let page = timer(&mock);
        start_ticks();
        write(page, VALUE, 3_000);
        assert_eq!(since_tick(), 1_000);
        write(page, RAW_INTERRUPT, 1);
        assert_eq!(since_tick(), 5_000);
        // Read just before the timer came to 0.
        write(page, VALUE, 1);
        assert_eq!(since_tick(), 3_999);
        assert_eq!(microseconds(24_000, 24_000_000), 1_000);
    }
}
