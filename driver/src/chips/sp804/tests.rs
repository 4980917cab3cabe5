//! The timer's driver, against registers in memory and the mock kernel.

use core::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::chips::mock::{self, HZ, Mock};
use crate::kernel::irq;

// As words from the start of the page.
pub(super) const LOAD: usize = 0;
pub(super) const VALUE: usize = 1;
pub(super) const CONTROL: usize = 2;
const INT_CLEAR: usize = 3;
const COUNTER: usize = 8;

pub(super) fn timer(mock: &Mock) -> *mut [u32; 1024] {
    let page: *mut [u32; 1024] = mock::registers();
    mock.fill(&sp804::va::SLOT, page.expose_provenance());
    mock.fill(&sp804::irq::SLOT, 4);
    mock.fill(&sp804::clock_hz::SLOT, 1_000_000);
    page
}

pub(super) fn read(page: *mut [u32; 1024], word: usize) -> u32 {
    // SAFETY: the page lives for ever and has no other user now.
    unsafe { (*page)[word] }
}

#[test]
fn registers_are_where_the_manual_has_them() {
    assert_eq!(core::mem::offset_of!(Timer, background_load), 0x18);
    assert_eq!(core::mem::offset_of!(Registers, counter), 0x20);
}

#[test]
fn a_new_kernel_gets_a_callback_for_each_state() {
    let mock = Mock::new();
    mock.modern_irq();
    mock.clock();
    mock.fill(&clock::clock_event_device::set_state_shutdown::SLOT, 160);
    mock.fill(&clock::clock_event_device::set_state_periodic::SLOT, 176);
    mock.fill(&clock::clock_event_device::set_state_oneshot::SLOT, 192);
    mock.fill(
        &clock::sched_clock_register::SLOT,
        mock::sched_clock_register as *const () as usize,
    );
    mock.fill(
        &clock::clocksource_mmio_init::SLOT,
        mock::clocksource_mmio_init as *const () as usize,
    );
    let page = timer(&mock);
    init_time();
    assert_eq!(
        mock.calls(),
        [
            "sched_clock 0xffffffff 32 1000000",
            "source sp804 1000000 350 32 0xffffffff 0x0",
            "request 4 0x200 sp804",
            "events 1000000 0xf 0xffffffff",
        ]
    );
    assert_eq!(read(page, COUNTER + LOAD), u32::MAX);
    assert_eq!(read(page, COUNTER + CONTROL), 0xc2);

    let device = EVENT.get();
    // SAFETY: `init_time` has filled the device in.
    let (features, periodic, shutdown) = unsafe {
        (
            ClockEventDevice::features().get(device),
            ClockEventDevice::set_state_periodic().map(|field| field.get(device)),
            ClockEventDevice::set_state_shutdown().map(|field| field.get(device)),
        )
    };
    assert_eq!(features, FEATURE_PERIODIC | FEATURE_ONESHOT);
    assert_eq!(periodic.map(|callback| callback(device)), Some(0));
    assert_eq!(read(page, LOAD) as usize, 1_000_000 / HZ);
    assert_eq!(read(page, CONTROL), 0xe2);
    assert_eq!(shutdown.map(|callback| callback(device)), Some(0));
    assert_eq!(read(page, CONTROL), 0);
}

#[test]
fn an_old_kernel_gets_set_mode_and_setup_irq() {
    let mock = Mock::new();
    mock.old_irq();
    mock.clock();
    mock.fill(&clock::clock_event_device::set_mode::SLOT, 160);
    mock.fill(&irq::IRQF_TIMER::SLOT, 0x14200);
    let page = timer(&mock);
    init_time();
    assert_eq!(
        mock.calls(),
        [
            "setup 4 Some(14200) Some(\"sp804\")",
            "events 1000000 0xf 0xffffffff"
        ]
    );
    let device = EVENT.get();
    // SAFETY: `init_time` has filled the device in.
    let mode = ClockEventDevice::set_mode().map(|field| unsafe { field.get(device) });
    if let Some(mode) = mode {
        mode(MODE_PERIODIC, device);
        assert_eq!(read(page, CONTROL), 0xe2);
        // One-shot: nothing runs until an event is programmed.
        mode(3, device);
    }
    assert_eq!(read(page, CONTROL), 0);
}

#[test]
fn before_the_kernel_converted_ticks_the_driver_does() {
    let mock = Mock::new();
    mock.old_irq();
    mock.clock();
    timer(&mock);
    mock.fill(&clock::clockevents_config_and_register::SLOT, 0);
    mock.fill(
        &clock::clockevents_register_device::SLOT,
        mock::clockevents_register_device as *const () as usize,
    );
    for (slot, offset) in [
        (&clock::clock_event_device::mult::SLOT, 160),
        (&clock::clock_event_device::shift::SLOT, 164),
        (&clock::clock_event_device::min_delta_ns::SLOT, 168),
        (&clock::clock_event_device::max_delta_ns::SLOT, 172),
    ] {
        mock.fill(slot, offset);
    }
    init_time();
    // 10^6 << 32 / 10^9 is 4294967.296.
    assert_eq!(
        mock.calls().last().map(String::as_str),
        Some("register 4294967 32 15000 2147483647")
    );
}

#[test]
fn the_first_processor_is_a_mask_or_a_pointer_to_it() {
    let mock = Mock::new();
    assert_eq!(first_cpu(), FIRST_CPU.as_ptr());
    mock.fill(&clock::CPUMASK_IS_POINTER::SLOT, 1);
    assert_eq!(first_cpu(), FIRST_CPU.as_ptr());
    mock.fill(&clock::CPUMASK_IS_POINTER::SLOT, 0);
    assert_eq!(first_cpu().addr(), 1);
}

#[test]
fn one_shot_counts_the_ticks_asked_for() {
    let mock = Mock::new();
    let page = timer(&mock);
    assert_eq!(set_next_event(1234, core::ptr::null_mut()), 0);
    assert_eq!(read(page, LOAD), 1234);
    assert_eq!(read(page, CONTROL), 0xa3);
}

#[test]
fn without_the_length_of_a_tick_there_is_no_periodic_mode() {
    let mock = Mock::new();
    mock.modern_irq();
    mock.clock();
    mock.fill(&clock::msecs_to_jiffies::SLOT, 0);
    timer(&mock);
    init_time();
    // SAFETY: `init_time` has filled the device in.
    let features = unsafe { ClockEventDevice::features().get(EVENT.get()) };
    assert_eq!(features, FEATURE_ONESHOT);
}

#[test]
fn a_clock_source_of_our_own_needs_every_field() {
    let mock = Mock::new();
    mock.modern_irq();
    mock.clock();
    timer(&mock);
    mock.fill(
        &clock::__clocksource_register_scale::SLOT,
        mock::clocksource_register_scale as *const () as usize,
    );
    assert_eq!(register_source(1_000_000), None);
    mock.lay_out(&[
        &clock::clocksource::read::SLOT,
        &clock::clocksource::mask::SLOT,
        &clock::clocksource::name::SLOT,
        &clock::clocksource::rating::SLOT,
        &clock::clocksource::flags::SLOT,
    ]);
    assert_eq!(register_source(1_000_000), Some(()));
    assert_eq!(mock.calls(), ["register 1 1000000 Some(ffffffff)"]);
}

#[test]
fn a_tick_clears_the_interrupt_and_calls_the_kernel() {
    static TICKS: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_: *mut ClockEventDevice) {
        TICKS.fetch_add(1, Ordering::Relaxed);
    }
    let mock = Mock::new();
    mock.clock();
    let page = timer(&mock);
    let device = EVENT.get();
    // SAFETY: the storage has room for the field.
    unsafe { ClockEventDevice::event_handler().set(device, Some(count)) };
    assert_eq!(tick(4, device.cast(), core::ptr::null_mut()), IRQ_HANDLED);
    assert_eq!(TICKS.load(Ordering::Relaxed), 1);
    assert_eq!(read(page, INT_CLEAR), 1);
}

#[test]
fn the_counter_counts_up() {
    let mock = Mock::new();
    let page = timer(&mock);
    // SAFETY: the page lives for ever and has no other user now.
    unsafe { (*page)[COUNTER + VALUE] = 0xffff_fff0 };
    assert_eq!(read_source(core::ptr::null_mut()), 15);
    assert_eq!(read_sched_clock(), 15);
    assert_eq!(read_sched_clock_32(), 15);
}
