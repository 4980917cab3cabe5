//! SP804, ARM's dual timer (ARM DDI 0271). The first timer gives the kernel its
//! ticks (a clock event device), the second, which runs freely, tells the time
//! (a clock source and the scheduler's clock).

use core::ffi::c_void;
use core::ptr::NonNull;

use safe_mmio::fields::{ReadPure, ReadPureWrite, WriteOnly};
use safe_mmio::{UniqueMmioPointer, field};

use crate::kernel::clock::{
    self, CONTINUOUS, ClockEventDevice, Clocksource, FEATURE_ONESHOT, FEATURE_PERIODIC,
    MODE_PERIODIC,
};
use crate::kernel::irq::{IRQ_HANDLED, PtRegs, request_timer_irq};
use crate::kit::{Storage, barrier};

mod ticks;

crate::chip! {
    /// ARM DDI 0271.
    chip sp804 { va, irq, clock_hz }
}

crate::forward! {
    /// Starts the clocks.
    group("clocks", 0) machine_desc.init_time | machine_desc.timer => fn init_time();
}

/// The registers of one timer, DDI 0271 table 3-1. The two are 0x20 apart.
#[repr(C)]
struct Timer {
    /// The value to count down from; writing it starts over at once.
    load: ReadPureWrite<u32>,
    /// The current value.
    value: ReadPure<u32>,
    /// [`ENABLE`] and the other bits.
    control: ReadPureWrite<u32>,
    /// Any value written takes the interrupt back.
    int_clear: WriteOnly<u32>,
    /// Whether it reached 0.
    raw_interrupt: ReadPure<u32>,
    /// The same, when the interrupt is on.
    masked_interrupt: ReadPure<u32>,
    /// The value to count down from next time, in periodic mode.
    background_load: ReadPureWrite<u32>,
    reserved: u32,
}

#[repr(C)]
struct Registers {
    event: Timer,
    counter: Timer,
}

/// Control: the timer counts.
const ENABLE: u32 = 1 << 7;
/// Control: starts over from the load register at 0; else it wraps.
const PERIODIC: u32 = 1 << 6;
/// Control: the interrupt is on.
const INTERRUPT: u32 = 1 << 5;
/// Control: counts 32 bits; else 16.
const WIDE: u32 = 1 << 1;
/// Control: stops at 0.
const ONE_SHOT: u32 = 1 << 0;

/// The fewest ticks that are worth programming; the kernel rounds up to them.
const MIN_TICKS: usize = 0xf;
const MAX_TICKS: usize = 0xffff_ffff;
/// Better than a chip's own timer, of which the machine has none that works.
const EVENT_RATING: i32 = 350;
const SOURCE_RATING: i32 = 350;

/// Room for `struct clock_event_device`: 104 to 192 bytes.
static EVENT: Storage<ClockEventDevice, 512> = Storage::zeroed();
/// Room for `struct clocksource`: 80 to 192 bytes.
static SOURCE: Storage<Clocksource, 512> = Storage::zeroed();
/// The first processor, as a `struct cpumask` of up to 256 of them.
static FIRST_CPU: [u32; 8] = [1, 0, 0, 0, 0, 0, 0, 0];

fn registers() -> *mut Registers {
    core::ptr::with_exposed_provenance_mut(sp804::va())
}

/// The timer that interrupts.
fn event_timer() -> UniqueMmioPointer<'static, Timer> {
    // SAFETY: the linker fills the slot with the address of the chip's page,
    // which is mapped for as long as the driver. The kernel calls what uses the
    // first timer with interrupts off.
    unsafe { UniqueMmioPointer::new(NonNull::new_unchecked(&raw mut (*registers()).event)) }
}

/// The timer that runs freely.
fn counter() -> UniqueMmioPointer<'static, Timer> {
    // SAFETY: as above; once started, the second timer is only read.
    unsafe { UniqueMmioPointer::new(NonNull::new_unchecked(&raw mut (*registers()).counter)) }
}

/// Ticks since the start, modulo 2^32.
fn ticks() -> u32 {
    let mut timer = counter();
    !field!(timer, value).read()
}

/// Turns the event timer off, or on from a new value.
fn set_event_timer(control: u32, load: Option<u32>) {
    let mut timer = event_timer();
    field!(timer, control).write(0);
    if let Some(load) = load {
        field!(timer, load).write(load);
        field!(timer, control).write(control);
    }
}

/// Ticks of the chip's clock in a tick of the kernel's, of which
/// `msecs_to_jiffies` tells how many a second has. None when the kernel lacks
/// that function.
fn period() -> Option<u32> {
    let msecs_to_jiffies = clock::msecs_to_jiffies()?;
    // SAFETY: it only calculates.
    let hz = unsafe { msecs_to_jiffies(1000) };
    (sp804::clock_hz() + hz / 2)
        .checked_div(hz)
        .map(|ticks| ticks as u32)
}

extern "C" fn set_next_event(ticks: usize, _: *mut ClockEventDevice) -> i32 {
    set_event_timer(ENABLE | INTERRUPT | WIDE | ONE_SHOT, Some(ticks as u32));
    0
}

extern "C" fn set_periodic(_: *mut ClockEventDevice) -> i32 {
    set_event_timer(ENABLE | INTERRUPT | WIDE | PERIODIC, period());
    0
}

/// Off, until the next event is programmed: also what one-shot starts with.
extern "C" fn set_off(_: *mut ClockEventDevice) -> i32 {
    set_event_timer(0, None);
    0
}

/// All modes in one, as kernels before 4.2 have it.
extern "C" fn set_mode(mode: i32, device: *mut ClockEventDevice) {
    match mode {
        MODE_PERIODIC => set_periodic(device),
        _ => set_off(device),
    };
}

/// Takes the event timer's interrupt back.
fn acknowledge() {
    let mut timer = event_timer();
    field!(timer, int_clear).write(1);
    // The line must be down before the handler returns, or it is taken twice.
    barrier::dsb();
}

/// The interrupt handler.
extern "C" fn tick(_: i32, device: *mut c_void, _: *mut PtRegs) -> i32 {
    let device = device.cast::<ClockEventDevice>();
    acknowledge();
    // SAFETY: `device` is EVENT, which `init_time` passed on, and the kernel
    // has set its handler before it turned the timer on.
    unsafe {
        if let Some(handler) = ClockEventDevice::event_handler().get(device) {
            handler(device);
        }
    }
    IRQ_HANDLED
}

extern "C" fn read_source(_: *mut Clocksource) -> u64 {
    u64::from(ticks())
}

extern "C" fn read_sched_clock() -> u64 {
    u64::from(ticks())
}

extern "C" fn read_sched_clock_32() -> u32 {
    ticks()
}

/// `machine_desc.init_time`.
extern "C" fn init_time() {
    start_counter();
    start_events();
}

/// Starts the second timer and tells the kernel of it, where it wants to know:
/// without a clock source it counts ticks.
fn start_counter() {
    let mut timer = counter();
    field!(timer, control).write(0);
    field!(timer, load).write(u32::MAX);
    field!(timer, control).write(ENABLE | PERIODIC | WIDE);

    let hz = sp804::clock_hz();
    if let Some(sched_clock_register) = clock::sched_clock_register() {
        // SAFETY: time_init calls this function, where this belongs, with
        // interrupts off.
        unsafe { sched_clock_register(read_sched_clock, 32, hz) };
    } else if let Some(setup_sched_clock) = clock::setup_sched_clock() {
        // SAFETY: as above.
        unsafe { setup_sched_clock(read_sched_clock_32, 32, hz) };
    }

    if let Some(clocksource_mmio_init) = clock::clocksource_mmio_init() {
        let value = field!(timer, value).ptr_mut().cast();
        // SAFETY: the name lives for ever, and allocating is allowed here.
        unsafe {
            clocksource_mmio_init(value, c"sp804".as_ptr(), hz, SOURCE_RATING, 32, read_source)
        };
    } else {
        register_source(hz);
    }
}

/// Makes a `struct clocksource` of our own, when all of its fields are known.
fn register_source(hz: usize) -> Option<()> {
    let register = clock::__clocksource_register_scale()?;
    let name = Clocksource::name()?;
    let read = Clocksource::read()?;
    let mask = Clocksource::mask()?;
    let rating = Clocksource::rating()?;
    let flags = Clocksource::flags()?;
    let source = SOURCE.get();
    // SAFETY: the storage is large enough for the struct, is not yet known to
    // the kernel, and lives for ever.
    unsafe {
        name.set(source, c"sp804".as_ptr());
        read.set(source, read_source);
        mask.set(source, u64::from(u32::MAX));
        rating.set(source, SOURCE_RATING);
        flags.set(source, CONTINUOUS);
        register(source, 1, hz as u32);
    }
    Some(())
}

/// Makes the first timer the kernel's source of ticks.
fn start_events() {
    let device = EVENT.get();
    // Without the length of a period the kernel makes its ticks of one-shot
    // events.
    let features = match period() {
        Some(_) => FEATURE_PERIODIC | FEATURE_ONESHOT,
        None => FEATURE_ONESHOT,
    };
    // SAFETY: the storage is large enough for the struct, is not yet known to
    // the kernel, and lives for ever.
    unsafe {
        ClockEventDevice::name().set(device, c"sp804".as_ptr());
        ClockEventDevice::features().set(device, features);
        ClockEventDevice::rating().set(device, EVENT_RATING);
        ClockEventDevice::set_next_event().set(device, set_next_event);
        if let Some(field) = ClockEventDevice::irq() {
            field.set(device, sp804::irq() as i32);
        }
        if let Some(field) = ClockEventDevice::cpumask() {
            field.set(device, first_cpu());
        }
        set_state_callbacks(device);
    }

    set_event_timer(0, None);
    acknowledge();
    if request_timer_irq(sp804::irq() as u32, tick, c"sp804", device.cast()) {
        register_events(device);
    }
}

/// The mask of the first processor, or in older kernels a pointer to it.
fn first_cpu() -> *const u32 {
    match clock::CPUMASK_IS_POINTER() {
        Some(0) => core::ptr::without_provenance(FIRST_CPU[0] as usize),
        _ => FIRST_CPU.as_ptr(),
    }
}

/// Registers the clock event device.
fn register_events(device: *mut ClockEventDevice) {
    let hz = sp804::clock_hz() as u32;
    if let Some(config_and_register) = clock::clockevents_config_and_register() {
        // SAFETY: the device is filled in, and lives for ever.
        unsafe { config_and_register(device, hz, MIN_TICKS, MAX_TICKS) };
    } else if let Some(register) = clock::clockevents_register_device() {
        // SAFETY: as above.
        unsafe {
            set_conversion(device, hz);
            register(device);
        }
    }
}

/// Fills in what `clockevents_config_and_register` calculates.
///
/// # Safety
///
/// `device` must be writable.
unsafe fn set_conversion(device: *mut ClockEventDevice, hz: u32) {
    /// 2^32 / 10^9, times 2^28: without a division of 64 bits, which is a
    /// kilobyte of code.
    const NANOSECOND: u64 = 1_152_921_505;
    let mult = ((u64::from(hz) * NANOSECOND) >> 28) as u32;
    let tick_ns = 1_000_000_000u32.checked_div(hz).unwrap_or(0);
    // SAFETY: the caller vouches for the device.
    unsafe {
        if let Some(field) = ClockEventDevice::mult() {
            field.set(device, mult);
        }
        if let Some(field) = ClockEventDevice::shift() {
            field.set(device, 32);
        }
        if let Some(field) = ClockEventDevice::min_delta_ns() {
            field.set(device, MIN_TICKS as u32 * tick_ns);
        }
        if let Some(field) = ClockEventDevice::max_delta_ns() {
            field.set(device, i32::MAX as u32);
        }
    }
}

/// Sets the callbacks of the era that the kernel is of.
///
/// # Safety
///
/// `device` must be writable.
unsafe fn set_state_callbacks(device: *mut ClockEventDevice) {
    // SAFETY: the caller vouches for the device.
    unsafe {
        let Some(shutdown) = ClockEventDevice::set_state_shutdown() else {
            if let Some(field) = ClockEventDevice::set_mode() {
                field.set(device, set_mode);
            }
            return;
        };
        shutdown.set(device, set_off);
        if let Some(field) = ClockEventDevice::set_state_periodic() {
            field.set(device, set_periodic);
        }
        if let Some(field) = ClockEventDevice::set_state_oneshot() {
            field.set(device, set_off);
        }
        if let Some(field) = ClockEventDevice::set_state_oneshot_stopped() {
            field.set(device, set_off);
        }
        if let Some(field) = ClockEventDevice::tick_resume() {
            field.set(device, set_off);
        }
    }
}

#[cfg(test)]
mod tests;
