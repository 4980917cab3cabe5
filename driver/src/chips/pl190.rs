//! PL190, ARM's vectored interrupt controller (ARM DDI 0181), without its
//! vectors: the kernel asks which lines are up.
//!
//! Line n is Linux interrupt n. Numbers 1 to 15 exist in every kernel without
//! being allocated (`NR_IRQS_LEGACY` is 16), and 0 is no interrupt.

use core::ops::RangeInclusive;
use core::ptr::NonNull;

use safe_mmio::fields::{ReadPure, ReadPureWrite, WriteOnly};
use safe_mmio::{UniqueMmioPointer, field};

use crate::kernel::irq::{
    self, IRQ_LEVEL, IRQ_NOPROBE, IRQ_NOREQUEST, IRQF_VALID_AND_PROBE, IrqChip, IrqData,
    MachineDesc, PtRegs,
};
use crate::kit::{Storage, barrier};

crate::chip! {
    /// ARM DDI 0181.
    chip pl190 { va }
}

crate::forward! {
    /// Sets up the controller and its interrupts.
    required machine_desc.init_irq => fn init_irq();
    /// What setup_arch copies to handle_arch_irq, in kernels that have the field.
    optional machine_desc.handle_irq => fn handle_irq(regs: *mut PtRegs);
    /// The vectors' own code, in kernels that are made for one chip and ask it themselves.
    group("irq entry") irq_entry => fn handle_irq(regs: *mut PtRegs);
}

/// The registers, DDI 0181 table 3-1. In all of them bit n is line n.
#[repr(C)]
struct Registers {
    /// Lines that are up, enabled, and not routed to FIQ.
    irq_status: ReadPure<u32>,
    /// The same for FIQ.
    fiq_status: ReadPure<u32>,
    /// Lines that are up, enabled or not.
    raw_intr: ReadPure<u32>,
    /// 1: the line is a FIQ.
    int_select: ReadPureWrite<u32>,
    /// Reads which lines are enabled; ones written enable.
    int_enable: ReadPureWrite<u32>,
    /// Ones written disable.
    int_en_clear: WriteOnly<u32>,
    /// Ones written raise a line by software.
    soft_int: ReadPureWrite<u32>,
    /// Ones written take that back.
    soft_int_clear: WriteOnly<u32>,
}

/// The lines that become Linux interrupts.
const LINES: RangeInclusive<u32> = 1..=15;

/// Room for `struct irq_chip`: 60 bytes in 2.6.3x, some 150 in 6.x.
static CHIP: Storage<IrqChip, 512> = Storage::zeroed();

fn registers() -> UniqueMmioPointer<'static, Registers> {
    let registers = core::ptr::with_exposed_provenance_mut(pl190::va());
    // SAFETY: the linker fills the slot with the address of the chip's page,
    // which is mapped for as long as the driver. Several such pointers may exist
    // at once, an interrupt handler's and that of whom it interrupted: each
    // register that is written to changes only the bits written as one.
    unsafe { UniqueMmioPointer::new(NonNull::new_unchecked(registers)) }
}

/// The bit of the interrupt that a callback is about.
fn bit(data: *const IrqData) -> u32 {
    let irq = match IrqData::irq() {
        // SAFETY: a kernel that has `struct irq_data` hands a valid one to the
        // callbacks of a chip.
        Some(field) => unsafe { field.get(data) },
        // Before 2.6.37 the argument is the number.
        None => data.addr() as u32,
    };
    1u32.checked_shl(irq).unwrap_or(0)
}

extern "C" fn mask(data: *const IrqData) {
    let mut registers = registers();
    field!(registers, int_en_clear).write(bit(data));
    // The line must be down before the processor takes interrupts again.
    barrier::dsb();
}

extern "C" fn unmask(data: *const IrqData) {
    let mut registers = registers();
    field!(registers, int_enable).write(bit(data));
}

/// The controller has nothing to acknowledge: a line is up for as long as its
/// device says so, or for as long as software does.
extern "C" fn ack(data: *const IrqData) {
    let mut registers = registers();
    field!(registers, soft_int_clear).write(bit(data));
    barrier::dsb();
}

extern "C" fn mask_ack(data: *const IrqData) {
    mask(data);
    ack(data);
}

/// `machine_desc.init_irq`.
extern "C" fn init_irq() {
    let mut registers = registers();
    field!(registers, int_en_clear).write(u32::MAX);
    field!(registers, soft_int_clear).write(u32::MAX);
    field!(registers, int_select).write(0);

    let chip = CHIP.get();
    // SAFETY: the storage is large enough for the struct, is not yet known to
    // the kernel, and lives for ever.
    unsafe {
        IrqChip::name().set(chip, c"PL190".as_ptr());
        IrqChip::irq_ack().set(chip, ack);
        IrqChip::irq_mask().set(chip, mask);
        IrqChip::irq_unmask().set(chip, unmask);
        if let Some(field) = IrqChip::irq_mask_ack() {
            field.set(chip, mask_ack);
        }
    }
    for line in LINES {
        make_descriptor(line);
        set_chip(line, chip);
        allow_requests(line);
    }

    install_handler();
}

/// Makes [`handle_irq`] what the interrupt vector calls.
fn install_handler() {
    let field = MachineDesc::handle_irq();
    match (irq::handle_arch_irq(), irq::set_handle_irq(), field) {
        // SAFETY: the variable is writable until the end of boot, and
        // interrupts are off.
        (Some(handle_arch_irq), _, _) => unsafe { handle_arch_irq.write(handle_irq) },
        // SAFETY: init_IRQ called the driver, where set_handle_irq belongs.
        (None, Some(set_handle_irq), _) => unsafe { set_handle_irq(handle_irq) },
        // The forward is in the field, and setup_arch has copied it. Reading
        // the slot told the linker that this way will do.
        (None, None, _) => {}
    }
}

/// Makes the number an interrupt, in kernels that have none until somebody asks
/// for them. One that exists stays as it is.
fn make_descriptor(line: u32) {
    let nobody = core::ptr::null_mut();
    if let Some(alloc_descs) = irq::__irq_alloc_descs() {
        // SAFETY: allocating is allowed where init_IRQ is called.
        unsafe { alloc_descs(line as i32, line, 1, 0, nobody, nobody) };
    } else if let Some(alloc_descs) = irq::irq_alloc_descs() {
        // SAFETY: as above.
        unsafe { alloc_descs(line as i32, line, 1, 0) };
    }
}

/// Makes a line an interrupt of this chip.
fn set_chip(line: u32, chip: *mut IrqChip) {
    let handle = irq::handle_level_irq();
    // The flow needs no name of its own in /proc/interrupts.
    let name = core::ptr::null();
    if let Some(irq_set_chip_and_handler_name) = irq::irq_set_chip_and_handler_name() {
        // SAFETY: the chip lives for ever, and the number exists.
        unsafe { irq_set_chip_and_handler_name(line, chip, handle, name) };
    } else if let (Some(set_irq_chip), Some(set_irq_handler)) =
        (irq::set_irq_chip(), irq::__set_irq_handler())
    {
        // SAFETY: as above.
        unsafe {
            set_irq_chip(line, chip);
            set_irq_handler(line, handle, 0, name);
        }
    }
}

/// Lets drivers request the interrupt, which ARM forbids for all at the start,
/// and says that its level counts.
fn allow_requests(line: u32) {
    // A kernel that certainly has the status bits of today has this function.
    let has_todays_bits = irq::irq_set_chip_and_handler_name().is_some();
    let set_irq_flags = irq::set_irq_flags();
    let irq_modify_status =
        irq::irq_modify_status().filter(|_| has_todays_bits || set_irq_flags.is_none());
    if let Some(irq_modify_status) = irq_modify_status {
        // SAFETY: the number exists.
        unsafe { irq_modify_status(line, IRQ_NOREQUEST | IRQ_NOPROBE, IRQ_LEVEL) };
    } else if let Some(set_irq_flags) = set_irq_flags {
        // SAFETY: as above.
        unsafe { set_irq_flags(line, IRQF_VALID_AND_PROBE) };
    }
}

/// What the interrupt vector calls, interrupts off.
extern "C" fn handle_irq(regs: *mut PtRegs) {
    loop {
        let mut registers = registers();
        let status = field!(registers, irq_status).read();
        if status == 0 {
            return;
        }
        dispatch(status.trailing_zeros(), regs);
    }
}

/// Hands one interrupt to the kernel.
fn dispatch(line: u32, regs: *mut PtRegs) {
    // SAFETY, for all four: this is the interrupt handler, and the kernel
    // itself made `regs`.
    if let Some(handle_irq) = irq::handle_IRQ() {
        // SAFETY: see above.
        unsafe { handle_irq(line, regs) };
    } else if let Some(asm_do_irq) = irq::asm_do_IRQ() {
        // SAFETY: see above.
        unsafe { asm_do_irq(line, regs) };
    } else if let Some(handle_domain_irq) = irq::__handle_domain_irq() {
        // SAFETY: see above; without a lookup the domain is not used.
        unsafe { handle_domain_irq(core::ptr::null_mut(), line, 0, regs) };
    } else if let Some(generic_handle_irq) = irq::generic_handle_irq() {
        // SAFETY: see above.
        unsafe { generic_handle_irq(line) };
    }
}

#[cfg(test)]
mod tests;
