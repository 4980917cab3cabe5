//! Interrupts: kernel/irq and arch/arm/kernel/irq.c.

use core::ffi::{c_char, c_void};

use crate::kit::{Function, Storage};

crate::opaque! {
    /// arch/arm/include/asm/ptrace.h: the registers of whom was interrupted.
    pub(crate) struct pt_regs as PtRegs;
}

/// A callback of [`IrqChip`]. From 2.6.37 on it is handed a pointer to
/// `struct irq_data`, before that the number of the interrupt itself.
pub(crate) type ChipCallback = extern "C" fn(*const IrqData);

/// `irq_handler_t`, include/linux/interrupt.h. The registers of whom was
/// interrupted are there up to 2.6.18; later kernels hand over nothing there.
pub(crate) type Handler = extern "C" fn(i32, *mut c_void, *mut PtRegs) -> i32;

/// `IRQ_HANDLED` of include/linux/irqreturn.h: 1 in every version.
pub(crate) const IRQ_HANDLED: i32 = 1;

/// Status bits of include/linux/irq.h, 2.6.39 and later. `irq_modify_status` is
/// older in some kernels, and takes other bits there.
pub(crate) const IRQ_LEVEL: usize = 1 << 8;
pub(crate) const IRQ_NOPROBE: usize = 1 << 10;
pub(crate) const IRQ_NOREQUEST: usize = 1 << 11;

/// `IRQF_VALID | IRQF_PROBE` of arch/arm/include/asm/hw_irq.h (mach/irq.h before
/// 2.6.38), what `set_irq_flags` takes.
pub(crate) const IRQF_VALID_AND_PROBE: u32 = 3;

/// `__IRQF_TIMER` of include/linux/interrupt.h: the one bit of `IRQF_TIMER` that
/// every version has.
pub(crate) const IRQF_TIMER_BIT: usize = 0x200;

crate::constant! {
    /// include/linux/interrupt.h; 0x200 to 2.6.34, with IRQF_NO_SUSPEND and, from 2.6.38,
    /// IRQF_NO_THREAD behind it.
    pub(crate) optional IRQF_TIMER;
    /// include/linux/interrupt.h, to 4.0: the handler runs with interrupts off. To 2.6.35 it does
    /// not without, and the timer's must; later it always does.
    pub(crate) optional IRQF_DISABLED;
}

crate::layout! {
    /// include/linux/irq.h, 2.6.37 and later.
    pub(crate) struct irq_data as IrqData {
        /// The Linux interrupt number. Not known means that the kernel is older and hands its
        /// callbacks the number.
        optional irq: u32,
    }

    /// include/linux/irq.h. The fields have had their `irq_` since 2.6.37.
    pub(crate) struct irq_chip as IrqChip {
        /// Shown in /proc/interrupts.
        required name: *const c_char,
        /// Called by handle_level_irq before 2.6.38 without asking whether it is there.
        required irq_ack: ChipCallback as "irq_chip.irq_ack|irq_chip.ack",
        /// Turns the line off.
        required irq_mask: ChipCallback as "irq_chip.irq_mask|irq_chip.mask",
        /// Turns the line on.
        required irq_unmask: ChipCallback as "irq_chip.irq_unmask|irq_chip.unmask",
        /// Turns the line off and acknowledges it, in place of two calls.
        optional irq_mask_ack: ChipCallback as "irq_chip.irq_mask_ack|irq_chip.mask_ack",
    }

    /// arch/arm/include/asm/mach/arch.h.
    pub(crate) struct machine_desc as MachineDesc {
        /// What setup_arch copies to handle_arch_irq, with CONFIG_MULTI_IRQ_HANDLER (since 4.18
        /// CONFIG_GENERIC_IRQ_MULTI_HANDLER).
        group("irq entry") handle_irq: extern "C" fn(*mut PtRegs),
    }

    /// include/linux/interrupt.h: what setup_irq takes.
    pub(crate) struct irqaction as IrqAction {
        /// The function to call.
        optional handler: Handler,
        /// IRQF_ flags.
        optional flags: u32,
        /// Shown in /proc/interrupts.
        optional name: *const c_char,
        /// Handed to the handler.
        optional dev_id: *mut c_void,
    }
}

crate::backward! {
    /// kernel/irq/chip.c, 2.6.39 and later.
    pub(crate) group("irq chip") fn irq_set_chip_and_handler_name(
        irq: u32, chip: *mut IrqChip, handle: Function, name: *const c_char,
    );
    /// kernel/irq/chip.c, in every version: half of the former. Up to 2.6.38 there is no other.
    pub(crate) group("irq chip") fn set_irq_chip(irq: u32, chip: *mut IrqChip) -> i32
        as "set_irq_chip|irq_set_chip";
    /// kernel/irq/chip.c: the other half.
    pub(crate) optional fn __set_irq_handler(
        irq: u32, handle: Function, is_chained: i32, name: *const c_char,
    ) as "__set_irq_handler|__irq_set_handler";
    /// kernel/irq/irqdesc.c, 3.3 and later; `owner` alone to 4.5. Makes descriptors of interrupts,
    /// where the kernel has not made them all at the start.
    pub(crate) optional fn __irq_alloc_descs(
        irq: i32, from: u32, count: u32, node: i32, owner: *mut c_void, affinity: *mut c_void,
    ) -> i32;
    /// The same from 2.6.37 to 3.2.
    pub(crate) optional fn irq_alloc_descs(irq: i32, from: u32, count: u32, node: i32) -> i32;
    /// kernel/irq/chip.c, in every version since 2.6.17: the flow of a level-triggered line.
    pub(crate) required fn handle_level_irq;

    /// kernel/irq/chip.c, everywhere from 2.6.39 on.
    pub(crate) group("irq flags") fn irq_modify_status(irq: u32, clear: usize, set: usize);
    /// arch/arm/kernel/irq.c, up to 4.2: all there is before 2.6.39.
    pub(crate) group("irq flags") fn set_irq_flags(irq: u32, flags: u32);

    /// arch/arm/kernel/irq.c, 3.10 to 4.17; kernel/irq/handle.c, 4.18 and later. It writes
    /// handle_arch_irq unless that is set already.
    pub(crate) group("irq entry") fn set_handle_irq(handler: extern "C" fn(*mut PtRegs));
    /// arch/arm/kernel/setup.c, entry-armv.S or kernel/irq/handle.c, in every kernel with a
    /// multi-handler: what the interrupt vector calls.
    pub(crate) group("irq entry") static handle_arch_irq: extern "C" fn(*mut PtRegs);

    /// arch/arm/kernel/irq.c, 3.2 and later. Does irq_enter and irq_exit itself until, between 5.15
    /// and 6.1, generic_handle_arch_irq came and does so around the whole handler.
    pub(crate) group("irq dispatch") fn handle_IRQ(irq: u32, regs: *mut PtRegs);
    /// arch/arm/kernel/irq.c, up to 5.15 and a little later: always with irq_enter and irq_exit.
    pub(crate) group("irq dispatch") fn asm_do_IRQ(irq: u32, regs: *mut PtRegs);
    /// kernel/irq/irqdesc.c, 3.17 to 5.15: what handle_IRQ calls there, with irq_enter, irq_exit and
    /// set_irq_regs. Without a lookup (a C bool, which takes a register of its own) `number` is the
    /// interrupt's, and no domain is asked.
    pub(crate) group("irq dispatch") fn __handle_domain_irq(
        domain: *mut c_void, number: u32, lookup: i32, regs: *mut PtRegs,
    ) -> i32;
    /// kernel/irq/irqdesc.c, 2.6.39 and later (inlined before). Without irq_enter and
    /// set_irq_regs, so it will do by itself only where generic_handle_arch_irq is.
    pub(crate) group("irq dispatch") fn generic_handle_irq(irq: u32) -> i32;

    /// kernel/irq/manage.c, 2.6.30 and later.
    pub(crate) group("request irq") fn request_threaded_irq(
        irq: u32, handler: Handler, thread: Option<Handler>, flags: usize, name: *const c_char,
        dev_id: *mut c_void,
    ) -> i32;
    /// kernel/irq/manage.c, up to 2.6.29: what request_threaded_irq took the place of.
    pub(crate) group("request irq") fn request_irq(
        irq: u32, handler: Handler, flags: usize, name: *const c_char, dev_id: *mut c_void,
    ) -> i32;
    /// kernel/irq/manage.c, up to 5.7 (not exported).
    pub(crate) group("request irq") fn setup_irq(irq: u32, action: *mut IrqAction) -> i32;
    /// kernel/irq/manage.c, in every version.
    pub(crate) required fn free_irq(irq: u32, dev_id: *mut c_void);
}

/// Room for the timer's `struct irqaction`: 32 to 56 bytes, more with lock
/// debugging.
static ACTION: Storage<IrqAction, 256> = Storage::zeroed();

/// Installs an interrupt handler where allocating is allowed. Returns 0, or an
/// error when the kernel refuses it or has no such function.
///
/// # Safety
///
/// What `dev_id` points to must live until `free_irq`.
pub(crate) unsafe fn request(
    irq: u32,
    handler: Handler,
    flags: usize,
    name: &'static core::ffi::CStr,
    dev_id: *mut c_void,
) -> i32 {
    /// ENOSYS of include/uapi/asm-generic/errno.h.
    const NO_SUCH_FUNCTION: i32 = -38;
    let flags = flags | IRQF_DISABLED().unwrap_or(0);
    // SAFETY: handler and name live as long as the kernel; the caller vouches
    // for the rest.
    unsafe {
        if let Some(request_threaded_irq) = request_threaded_irq() {
            request_threaded_irq(irq, handler, None, flags, name.as_ptr(), dev_id)
        } else if let Some(request_irq) = request_irq() {
            request_irq(irq, handler, flags, name.as_ptr(), dev_id)
        } else {
            NO_SUCH_FUNCTION
        }
    }
}

/// Installs the timer's interrupt handler, in whichever way the kernel has.
/// False when it could not be done.
pub(crate) fn request_timer_irq(
    irq: u32,
    handler: Handler,
    name: &'static core::ffi::CStr,
    dev_id: *mut c_void,
) -> bool {
    let flags = IRQF_TIMER().unwrap_or(IRQF_TIMER_BIT) | IRQF_DISABLED().unwrap_or(0);
    if request_threaded_irq().is_some() || setup_irq().is_none() {
        // SAFETY: the device lives for ever, and allocating is allowed where
        // init_time is called in kernels that have the function.
        return unsafe { request(irq, handler, flags, name, dev_id) } == 0;
    }
    let Some(setup_irq) = setup_irq() else {
        return false;
    };
    let action = ACTION.get();
    let (Some(handler_field), Some(flags_field)) = (IrqAction::handler(), IrqAction::flags())
    else {
        return false;
    };
    // SAFETY: the storage is large enough for the struct, belongs to this
    // function alone until setup_irq takes it over, and lives for ever.
    unsafe {
        handler_field.set(action, handler);
        flags_field.set(action, flags as u32);
        if let Some(field) = IrqAction::name() {
            field.set(action, name.as_ptr());
        }
        if let Some(field) = IrqAction::dev_id() {
            field.set(action, dev_id);
        }
        setup_irq(irq, action) == 0
    }
}
