//! A kernel for the unit tests on the host: functions that write down how they
//! were called, and layouts made up for the purpose.
//!
//! Slots belong to the whole test program, so a test holds [`Mock`], which is
//! also the lock, for as long as it runs.

use core::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kernel::clock::{self, ClockEventDevice, Clocksource};
use crate::kernel::files::{self, File};
use crate::kernel::irq::{self, Handler, IrqAction, IrqChip, PtRegs};
use crate::kernel::platform::{self, PlatformDevice};
use crate::kit::{Function, Slot, UNKNOWN};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static CALLS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// HZ of this kernel.
pub(super) const HZ: usize = 250;

/// Writes a call down.
pub(super) fn record(call: String) {
    CALLS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(call);
}

/// A kernel of which nothing is known yet.
pub(super) struct Mock {
    _lock: MutexGuard<'static, ()>,
}

impl Mock {
    /// Empties the slots that the tests fill, and what was written down.
    pub(super) fn new() -> Self {
        let lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mock = Mock { _lock: lock };
        for slot in POINTERS {
            mock.fill(slot, 0);
        }
        for slot in VALUES {
            mock.fill(slot, UNKNOWN);
        }
        mock.calls();
        mock
    }

    /// Fills a slot.
    pub(super) fn fill(&self, slot: &Slot, value: usize) {
        // SAFETY: the lock keeps other tests away; the tests fill in functions
        // with the signatures that the slots are declared with.
        unsafe { slot.fill(value) };
    }

    /// Fills layout slots with offsets 16 bytes apart, so that a pointer of the
    /// host has room.
    pub(super) fn lay_out(&self, fields: &[&Slot]) {
        for (index, slot) in fields.iter().enumerate() {
            self.fill(slot, index * 16);
        }
    }

    /// What was called since the last time, in order.
    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *CALLS.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The interrupt functions of 2.6.39 and later.
    pub(super) fn modern_irq(&self) {
        self.common_irq();
        self.fill(
            &irq::irq_set_chip_and_handler_name::SLOT,
            irq_set_chip_and_handler_name as *const () as usize,
        );
        self.fill(
            &irq::irq_modify_status::SLOT,
            irq_modify_status as *const () as usize,
        );
        self.fill(
            &irq::set_handle_irq::SLOT,
            set_handle_irq as *const () as usize,
        );
        self.fill(&irq::handle_IRQ::SLOT, handle_irq as *const () as usize);
        self.fill(
            &irq::request_threaded_irq::SLOT,
            request_threaded_irq as *const () as usize,
        );
        self.fill(&irq::irq_data::irq::SLOT, 16);
    }

    /// The interrupt functions of 2.6.36 and before.
    pub(super) fn old_irq(&self) {
        self.common_irq();
        self.fill(&irq::set_irq_chip::SLOT, set_irq_chip as *const () as usize);
        self.fill(
            &irq::__set_irq_handler::SLOT,
            set_irq_handler as *const () as usize,
        );
        self.fill(
            &irq::set_irq_flags::SLOT,
            set_irq_flags as *const () as usize,
        );
        self.fill(&irq::asm_do_IRQ::SLOT, asm_do_irq as *const () as usize);
        self.fill(&irq::setup_irq::SLOT, setup_irq as *const () as usize);
        self.lay_out(&[
            &irq::irqaction::handler::SLOT,
            &irq::irqaction::flags::SLOT,
            &irq::irqaction::name::SLOT,
            &irq::irqaction::dev_id::SLOT,
        ]);
    }

    /// A kernel of which `handle_IRQ` is not known, but what it calls is.
    pub(super) fn domain_irq(&self) {
        self.modern_irq();
        self.fill(&irq::handle_IRQ::SLOT, 0);
        self.fill(
            &irq::__handle_domain_irq::SLOT,
            handle_domain_irq as *const () as usize,
        );
    }

    fn common_irq(&self) {
        self.fill(
            &irq::handle_level_irq::SLOT,
            handle_level_irq as *const () as usize,
        );
        self.lay_out(&[
            &irq::irq_chip::name::SLOT,
            &irq::irq_chip::irq_ack::SLOT,
            &irq::irq_chip::irq_mask::SLOT,
            &irq::irq_chip::irq_unmask::SLOT,
            &irq::irq_chip::irq_mask_ack::SLOT,
        ]);
    }

    /// What every kernel with clock events has.
    pub(super) fn clock(&self) {
        self.fill(
            &clock::clockevents_config_and_register::SLOT,
            clockevents_config_and_register as *const () as usize,
        );
        self.fill(
            &clock::msecs_to_jiffies::SLOT,
            msecs_to_jiffies as *const () as usize,
        );
        self.lay_out(&[
            &clock::clock_event_device::event_handler::SLOT,
            &clock::clock_event_device::set_next_event::SLOT,
            &clock::clock_event_device::features::SLOT,
            &clock::clock_event_device::name::SLOT,
            &clock::clock_event_device::rating::SLOT,
            &clock::clock_event_device::irq::SLOT,
            &clock::clock_event_device::cpumask::SLOT,
        ]);
    }

    /// The functions for platform devices, and the 8250 driver.
    pub(super) fn platform(&self) {
        self.fill(
            &platform::platform_device_alloc::SLOT,
            platform_device_alloc as *const () as usize,
        );
        self.fill(
            &platform::platform_device_add_data::SLOT,
            platform_device_add_data as *const () as usize,
        );
        self.fill(
            &platform::platform_device_add::SLOT,
            platform_device_add as *const () as usize,
        );
        self.fill(&platform::serial8250_driver::SLOT, 0x1000);
        self.fill(&platform::serial8250_console::SLOT, 0x1000);
    }

    /// The functions for files, of before 5.9.
    pub(super) fn files(&self) {
        self.fill(&files::sys_mkdir::SLOT, sys_mkdir as *const () as usize);
        self.fill(&files::sys_mknod::SLOT, sys_mknod as *const () as usize);
        self.fill(&files::sys_symlink::SLOT, sys_symlink as *const () as usize);
        self.fill(&files::sys_open::SLOT, sys_open as *const () as usize);
        self.fill(&files::sys_write::SLOT, sys_write as *const () as usize);
        self.fill(&files::sys_close::SLOT, sys_close as *const () as usize);
        self.fill(&files::filp_open::SLOT, filp_open as *const () as usize);
        self.fill(
            &files::__kernel_write::SLOT,
            kernel_write as *const () as usize,
        );
        self.fill(&files::filp_close::SLOT, filp_close as *const () as usize);
    }
}

/// Slots that some test fills with a pointer.
const POINTERS: [&Slot; 22] = [
    &clock::timer_tick::SLOT,
    &clock::clockevents_register_device::SLOT,
    &irq::irq_set_chip_and_handler_name::SLOT,
    &irq::irq_modify_status::SLOT,
    &irq::set_handle_irq::SLOT,
    &irq::handle_arch_irq::SLOT,
    &irq::handle_IRQ::SLOT,
    &irq::request_threaded_irq::SLOT,
    &irq::set_irq_chip::SLOT,
    &irq::__set_irq_handler::SLOT,
    &irq::set_irq_flags::SLOT,
    &irq::asm_do_IRQ::SLOT,
    &irq::__handle_domain_irq::SLOT,
    &irq::generic_handle_irq::SLOT,
    &irq::setup_irq::SLOT,
    &clock::msecs_to_jiffies::SLOT,
    &clock::clocksource_mmio_init::SLOT,
    &clock::__clocksource_register_scale::SLOT,
    &clock::sched_clock_register::SLOT,
    &clock::setup_sched_clock::SLOT,
    &platform::serial8250_driver::SLOT,
    &platform::serial8250_console::SLOT,
];

/// Slots that some test fills with an offset.
const VALUES: [&Slot; 16] = [
    &files::INIT_MAKES_FILES::SLOT,
    &clock::CPUMASK_IS_POINTER::SLOT,
    &irq::IRQF_DISABLED::SLOT,
    &clock::clock_event_device::mult::SLOT,
    &clock::clock_event_device::shift::SLOT,
    &clock::clock_event_device::min_delta_ns::SLOT,
    &clock::clock_event_device::max_delta_ns::SLOT,
    &irq::irq_data::irq::SLOT,
    &clock::clock_event_device::set_mode::SLOT,
    &clock::clock_event_device::set_state_shutdown::SLOT,
    &clock::clock_event_device::set_state_periodic::SLOT,
    &clock::clock_event_device::set_state_oneshot::SLOT,
    &clock::clocksource::name::SLOT,
    &irq::IRQF_TIMER::SLOT,
    &platform::plat_serial8250_port::size::SLOT,
    &irq::irq_chip::size::SLOT,
];

/// A page of registers that lives as long as the tests. `words` is an address
/// for a chip's slot as well.
pub(super) fn registers() -> &'static mut [u32; 1024] {
    Box::leak(Box::new([0; 1024]))
}

fn text(name: *const c_char) -> String {
    // SAFETY: every name that the drivers hand out is a C string literal.
    unsafe { CStr::from_ptr(name) }
        .to_string_lossy()
        .into_owned()
}

extern "C" fn handle_level_irq() {}

extern "C" fn irq_set_chip_and_handler_name(
    irq: u32,
    chip: *mut IrqChip,
    handle: Function,
    name: *const c_char,
) {
    assert_eq!(handle.address(), handle_level_irq as *const () as usize);
    // SAFETY: the driver has filled its chip in before it hands it out.
    let chip = text(unsafe { IrqChip::name().get(chip) });
    assert!(name.is_null());
    record(format!("chip {irq} {chip}"));
}

extern "C" fn set_irq_chip(irq: u32, chip: *mut IrqChip) -> i32 {
    // SAFETY: as above.
    let chip = text(unsafe { IrqChip::name().get(chip) });
    record(format!("chip {irq} {chip}"));
    0
}

extern "C" fn set_irq_handler(irq: u32, handle: Function, is_chained: i32, name: *const c_char) {
    assert_eq!(handle.address(), handle_level_irq as *const () as usize);
    assert!(name.is_null());
    record(format!("handler {irq} {is_chained}"));
}

extern "C" fn irq_modify_status(irq: u32, clear: usize, set: usize) {
    record(format!("status {irq} -{clear:#x} +{set:#x}"));
}

extern "C" fn set_irq_flags(irq: u32, flags: u32) {
    record(format!("flags {irq} {flags}"));
}

extern "C" fn set_handle_irq(_: extern "C" fn(*mut PtRegs)) {
    record("set_handle_irq".to_owned());
}

extern "C" fn handle_irq(irq: u32, regs: *mut PtRegs) {
    record(format!("handle_IRQ {irq}"));
    acknowledge(irq, regs);
}

extern "C" fn handle_domain_irq(
    domain: *mut c_void,
    irq: u32,
    lookup: i32,
    regs: *mut PtRegs,
) -> i32 {
    assert!(domain.is_null() && lookup == 0);
    record(format!("__handle_domain_irq {irq}"));
    acknowledge(irq, regs);
    0
}

extern "C" fn asm_do_irq(irq: u32, regs: *mut PtRegs) {
    record(format!("asm_do_IRQ {irq}"));
    acknowledge(irq, regs);
}

/// Lowers a line, as the device's handler would. The tests pass the status
/// register where the kernel passes its saved registers.
fn acknowledge(irq: u32, status: *mut PtRegs) {
    // SAFETY: see above.
    unsafe { *status.cast::<u32>() &= !(1 << irq) };
}

extern "C" fn request_threaded_irq(
    irq: u32,
    _: Handler,
    thread: Option<Handler>,
    flags: usize,
    name: *const c_char,
    _: *mut c_void,
) -> i32 {
    assert!(thread.is_none());
    record(format!("request {irq} {flags:#x} {}", text(name)));
    0
}

extern "C" fn setup_irq(irq: u32, action: *mut IrqAction) -> i32 {
    // SAFETY: the driver has filled its action in before it hands it out, at
    // the offsets that the mock has made up.
    let (flags, name) = unsafe {
        (
            IrqAction::flags().map(|field| field.get(action)),
            IrqAction::name().map(|field| text(field.get(action))),
        )
    };
    record(format!("setup {irq} {flags:x?} {name:?}"));
    0
}

extern "C" fn clockevents_config_and_register(
    _: *mut ClockEventDevice,
    frequency: u32,
    min_delta: usize,
    max_delta: usize,
) {
    record(format!("events {frequency} {min_delta:#x} {max_delta:#x}"));
}

/// For the tests that want it.
pub(super) extern "C" fn clockevents_register_device(device: *mut ClockEventDevice) {
    let fields = [
        ClockEventDevice::mult(),
        ClockEventDevice::shift(),
        ClockEventDevice::min_delta_ns(),
        ClockEventDevice::max_delta_ns(),
    ];
    // SAFETY: the driver has filled its device in before it hands it out.
    let values = fields.map(|field| field.map_or(0, |field| unsafe { field.get(device) }));
    record(format!(
        "register {}",
        values.map(|value| value.to_string()).join(" ")
    ));
}

extern "C" fn msecs_to_jiffies(milliseconds: u32) -> usize {
    milliseconds as usize * HZ / 1000
}

/// For the tests that want it.
pub(super) extern "C" fn timer_tick(regs: *mut PtRegs) {
    record(format!("timer_tick {:#x}", regs.addr()));
}

/// For the tests that want it.
pub(super) extern "C" fn clocksource_mmio_init(
    base: *mut c_void,
    name: *const c_char,
    hz: usize,
    rating: i32,
    bits: u32,
    read: extern "C" fn(*mut Clocksource) -> u64,
) -> i32 {
    let now = read(core::ptr::null_mut());
    // SAFETY: the base is the counter's register.
    let register = unsafe { *base.cast::<u32>() };
    record(format!(
        "source {} {hz} {rating} {bits} {now:#x} {register:#x}",
        text(name)
    ));
    0
}

/// For the tests that want it.
pub(super) extern "C" fn clocksource_register_scale(
    source: *mut Clocksource,
    scale: u32,
    frequency: u32,
) -> i32 {
    let mask = Clocksource::mask().map(|field| {
        // SAFETY: the driver has filled its source in before it hands it out.
        unsafe { field.get(source) }
    });
    record(format!("register {scale} {frequency} {mask:x?}"));
    0
}

/// For the tests that want it.
pub(super) extern "C" fn sched_clock_register(
    read: extern "C" fn() -> u64,
    bits: i32,
    rate: usize,
) {
    record(format!("sched_clock {:#x} {bits} {rate}", read()));
}

extern "C" fn platform_device_alloc(name: *const c_char, id: i32) -> *mut PlatformDevice {
    record(format!("alloc {} {id}", text(name)));
    core::ptr::dangling_mut()
}

extern "C" fn platform_device_add_data(
    _: *mut PlatformDevice,
    data: *const c_void,
    size: usize,
) -> i32 {
    // SAFETY: the driver's storage has that many bytes, all of them initialised.
    let data = unsafe { core::slice::from_raw_parts(data.cast::<u8>(), size) };
    let words = data
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last / 4 + 1);
    let words: Vec<String> = data
        .chunks_exact(4)
        .take(words)
        .map(|word| {
            format!(
                "{:x}",
                u32::from_ne_bytes([word[0], word[1], word[2], word[3]])
            )
        })
        .collect();
    record(format!("data {size} {}", words.join(" ")));
    0
}

extern "C" fn platform_device_add(_: *mut PlatformDevice) -> i32 {
    record("add".to_owned());
    0
}

extern "C" fn sys_mkdir(path: *const c_char, mode: u32) -> isize {
    record(format!("mkdir {} {mode:o}", text(path)));
    0
}

extern "C" fn sys_mknod(path: *const c_char, mode: u32, device: u32) -> isize {
    record(format!("mknod {} {mode:o} {device:#x}", text(path)));
    0
}

extern "C" fn sys_symlink(target: *const c_char, path: *const c_char) -> isize {
    record(format!("symlink {} -> {}", text(path), text(target)));
    0
}

extern "C" fn sys_open(path: *const c_char, flags: i32, mode: u32) -> isize {
    record(format!("open {} {flags:#x} {mode:o}", text(path)));
    3
}

extern "C" fn sys_write(file: u32, from: *const c_void, size: usize) -> isize {
    assert_eq!(file, 3);
    // SAFETY: the driver passes four bytes or more.
    let start = unsafe { *from.cast::<[u8; 4]>() };
    record(format!("write {size} {}", start.escape_ascii()));
    size as isize
}

extern "C" fn sys_close(file: u32) -> isize {
    assert_eq!(file, 3);
    record("close".to_owned());
    0
}

extern "C" fn filp_open(path: *const c_char, flags: i32, mode: u32) -> *mut File {
    record(format!("filp_open {} {flags:#x} {mode:o}", text(path)));
    core::ptr::dangling_mut()
}

extern "C" fn kernel_write(
    _: *mut File,
    _: *const c_void,
    size: usize,
    position: *mut i64,
) -> isize {
    // SAFETY: the driver passes a place of its own.
    let at = unsafe { &mut *position };
    record(format!("kernel_write {size} {at}"));
    *at += size as i64;
    size as isize
}

extern "C" fn filp_close(_: *mut File, owner: *mut c_void) -> i32 {
    assert!(owner.is_null());
    record("filp_close".to_owned());
    0
}
