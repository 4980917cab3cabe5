//! Time: kernel/time, and what ARM adds to it.

use core::ffi::{c_char, c_void};

use super::irq::PtRegs;

crate::layout! {
    /// include/linux/clockchips.h. set_mode up to 4.2, set_state_shutdown and its like from 4.1 on.
    pub(crate) struct clock_event_device as ClockEventDevice {
        /// Shown in /proc/timer_list.
        required name: *const c_char,
        /// CLOCK_EVT_FEAT_ bits.
        required features: u32,
        /// The higher, the better.
        required rating: i32,
        /// The Linux interrupt number, 2.6.29 and later (s32 -1 would mean none).
        optional irq: i32,
        /// The processors it serves: see CPUMASK_IS_POINTER.
        optional cpumask: *const u32,
        /// What the interrupt handler calls.
        required event_handler: Option<extern "C" fn(*mut ClockEventDevice)>,
        /// Programs one interrupt, in so many ticks of the clock.
        required set_next_event: extern "C" fn(usize, *mut ClockEventDevice) -> i32,
        /// Ticks in a nanosecond, times 1 << shift.
        optional mult: u32,
        /// Goes with mult.
        optional shift: u32,
        /// The shortest event in nanoseconds: the low word, 64 bits since about 2.6.35.
        optional min_delta_ns: u32,
        /// The longest event, likewise.
        optional max_delta_ns: u32,
        /// One callback for all modes; of the old era.
        group("clock event modes") set_mode: extern "C" fn(i32, *mut ClockEventDevice),
        /// One callback for each state; of the new era.
        group("clock event modes") set_state_shutdown: StateCallback,
        /// With set_state_shutdown.
        optional set_state_periodic: StateCallback,
        /// With set_state_shutdown.
        optional set_state_oneshot: StateCallback,
        /// With set_state_shutdown, 4.3 and later.
        optional set_state_oneshot_stopped: StateCallback,
        /// With set_state_shutdown.
        optional tick_resume: StateCallback,
    }

    /// include/linux/clocksource.h.
    pub(crate) struct clocksource as Clocksource {
        /// Shown in sysfs.
        optional name: *const c_char,
        /// Reads the counter. The argument came with 2.6.30.
        optional read: extern "C" fn(*mut Clocksource) -> u64,
        /// The bits that count.
        optional mask: u64,
        /// The higher, the better.
        optional rating: i32,
        /// CLOCK_SOURCE_ bits.
        optional flags: usize,
    }
}

crate::constant! {
    /// include/linux/clockchips.h: whether the mask of processors is pointed to, since 2.6.29.
    /// Before, it is in the struct, of one word for up to 32 of them.
    pub(crate) optional CPUMASK_IS_POINTER;
}

/// A callback of the new era. It returns 0 or an error.
pub(crate) type StateCallback = extern "C" fn(*mut ClockEventDevice) -> i32;

/// CLOCK_EVT_FEAT_PERIODIC of include/linux/clockchips.h, the same in every version.
pub(crate) const FEATURE_PERIODIC: u32 = 1;
/// CLOCK_EVT_FEAT_ONESHOT.
pub(crate) const FEATURE_ONESHOT: u32 = 2;

/// CLOCK_EVT_MODE_PERIODIC: the argument of `set_mode`, as long as that existed.
pub(crate) const MODE_PERIODIC: i32 = 2;

/// What most configurations have for HZ, the kernel's ticks in a second.
pub(crate) const USUAL_HZ: u32 = 100;

/// CLOCK_SOURCE_IS_CONTINUOUS of include/linux/clocksource.h, since 2.6.20.
pub(crate) const CONTINUOUS: usize = 1;

crate::backward! {
    /// kernel/time/clockevents.c, 2.6.39 and later.
    pub(crate) group("clock events") fn clockevents_config_and_register(
        device: *mut ClockEventDevice, frequency: u32, min_delta: usize, max_delta: usize,
    );
    /// kernel/time/clockevents.c, in every version; before 2.6.39 the driver converts its ticks.
    pub(crate) group("clock events") fn clockevents_register_device(
        device: *mut ClockEventDevice,
    );

    /// arch/arm/kernel/time.c, without CONFIG_GENERIC_CLOCKEVENTS: what a timer's handler calls in
    /// every tick. It takes the registers up to 2.6.18.
    pub(crate) required fn timer_tick(regs: *mut PtRegs);

    /// kernel/time/time.c (kernel/time.c before 3.17); with the underscores since 4.4.
    pub(crate) optional fn msecs_to_jiffies(
        milliseconds: u32,
    ) -> usize as "__msecs_to_jiffies|msecs_to_jiffies";

    /// drivers/clocksource/mmio.c, 3.0 and later, with CONFIG_CLKSRC_MMIO.
    pub(crate) optional fn clocksource_mmio_init(
        base: *mut c_void, name: *const c_char, hz: usize, rating: i32, bits: u32,
        read: extern "C" fn(*mut Clocksource) -> u64,
    ) -> i32;
    /// kernel/time/clocksource.c, 2.6.37 and later.
    pub(crate) optional fn __clocksource_register_scale(
        source: *mut Clocksource, scale: u32, frequency: u32,
    ) -> i32;

    /// kernel/time/sched_clock.c, 3.13 and later.
    pub(crate) optional fn sched_clock_register(
        read: extern "C" fn() -> u64, bits: i32, rate: usize,
    );
    /// arch/arm/kernel/sched_clock.c, 3.4 to 3.10; kernel/time/sched_clock.c to 3.15.
    pub(crate) optional fn setup_sched_clock(
        read: extern "C" fn() -> u32, bits: i32, rate: usize,
    );
}
