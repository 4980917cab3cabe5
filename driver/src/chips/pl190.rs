//! PL190, ARM's vectored interrupt controller (ARM DDI 0181), without its
//! vectors: the kernel asks which lines are up.
//!
//! Line n is Linux interrupt n. Numbers 1 to 15 exist in every kernel without
//! being allocated (`NR_IRQS_LEGACY` is 16), and 0 is no interrupt.

use core::ffi::c_char;
use core::ops::RangeInclusive;
use core::ptr::NonNull;

use safe_mmio::fields::{ReadPure, ReadPureWrite, WriteOnly};
use safe_mmio::{UniqueMmioPointer, field};

use crate::kernel::irq::{
    self, IRQ_NOPROBE, IRQ_NOREQUEST, IRQF_VALID_AND_PROBE, IrqChip, IrqData, MachineDesc, PtRegs,
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
        set_chip(line, chip, c"level".as_ptr());
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

/// Makes a line an interrupt of this chip.
fn set_chip(line: u32, chip: *mut IrqChip, name: *const c_char) {
    let handle = irq::handle_level_irq();
    if let Some(irq_set_chip_and_handler_name) = irq::irq_set_chip_and_handler_name() {
        // SAFETY: chip and name live for ever, and the number exists.
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

/// Lets drivers request the interrupt: ARM forbids it for all at the start.
fn allow_requests(line: u32) {
    if let Some(irq_modify_status) = irq::irq_modify_status() {
        // SAFETY: the number exists.
        unsafe { irq_modify_status(line, IRQ_NOREQUEST | IRQ_NOPROBE, 0) };
    } else if let Some(set_irq_flags) = irq::set_irq_flags() {
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
    // SAFETY, for all three: this is the interrupt handler, and the kernel
    // itself made `regs`.
    if let Some(handle_irq) = irq::handle_IRQ() {
        // SAFETY: see above.
        unsafe { handle_irq(line, regs) };
    } else if let Some(asm_do_irq) = irq::asm_do_IRQ() {
        // SAFETY: see above.
        unsafe { asm_do_irq(line, regs) };
    } else if let Some(generic_handle_irq) = irq::generic_handle_irq() {
        // SAFETY: see above.
        unsafe { generic_handle_irq(line) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chips::mock::{Mock, registers};

    // As words from the start of the page.
    const STATUS: usize = 0;
    const ENABLE: usize = 4;
    const ENABLE_CLEAR: usize = 5;
    const SOFT_CLEAR: usize = 7;

    fn controller(mock: &Mock) -> *mut [u32; 1024] {
        let page: *mut [u32; 1024] = registers();
        mock.fill(&pl190::va::SLOT, page.expose_provenance());
        page
    }

    fn read(page: *mut [u32; 1024], word: usize) -> u32 {
        // SAFETY: the page lives for ever and has no other user now.
        unsafe { (*page)[word] }
    }

    #[test]
    fn registers_are_where_the_manual_has_them() {
        assert_eq!(core::mem::offset_of!(Registers, int_select), 0x0c);
        assert_eq!(core::mem::offset_of!(Registers, int_en_clear), 0x14);
        assert_eq!(core::mem::offset_of!(Registers, soft_int_clear), 0x1c);
    }

    #[test]
    fn init_irq_gives_fifteen_lines_to_a_modern_kernel() {
        let mock = Mock::new();
        mock.modern_irq();
        let page = controller(&mock);
        init_irq();
        let calls = mock.calls();
        assert_eq!(calls[..2], ["chip 1 PL190 level", "status 1 -0xc00 +0x0"]);
        assert_eq!(
            calls[28..],
            [
                "chip 15 PL190 level",
                "status 15 -0xc00 +0x0",
                "set_handle_irq"
            ]
        );
        assert_eq!(read(page, ENABLE_CLEAR), u32::MAX);
        assert_eq!(read(page, SOFT_CLEAR), u32::MAX);
    }

    #[test]
    fn init_irq_knows_the_functions_of_an_old_kernel() {
        let mock = Mock::new();
        mock.old_irq();
        controller(&mock);
        init_irq();
        let calls = mock.calls();
        assert_eq!(
            calls[..3],
            ["chip 1 PL190", "handler 1 0 level", "flags 1 3"]
        );
        assert_eq!(calls.len(), 45);
    }

    #[test]
    fn handle_arch_irq_is_written_where_it_is_known() {
        let mock = Mock::new();
        mock.modern_irq();
        controller(&mock);
        let mut variable = 0usize;
        mock.fill(
            &irq::handle_arch_irq::SLOT,
            (&raw mut variable).expose_provenance(),
        );
        init_irq();
        assert!(!mock.calls().contains(&"set_handle_irq".to_owned()));
        assert_eq!(variable, handle_irq as *const () as usize);
    }

    #[test]
    fn callbacks_take_the_line_from_irq_data() {
        let mock = Mock::new();
        mock.modern_irq();
        let page = controller(&mock);
        // The number is at offset 16, where the mock says it is.
        let data = [0u32, 0, 0, 0, 4];
        let data: *const IrqData = data.as_ptr().cast();
        mask(data);
        assert_eq!(read(page, ENABLE_CLEAR), 1 << 4);
        unmask(data);
        assert_eq!(read(page, ENABLE), 1 << 4);
        mask_ack(data);
        assert_eq!(read(page, SOFT_CLEAR), 1 << 4);
    }

    #[test]
    fn callbacks_of_an_old_kernel_take_the_number() {
        let mock = Mock::new();
        mock.old_irq();
        let page = controller(&mock);
        unmask(core::ptr::without_provenance(5));
        assert_eq!(read(page, ENABLE), 1 << 5);
        unmask(core::ptr::without_provenance(99));
        assert_eq!(read(page, ENABLE), 0);
    }

    #[test]
    fn every_line_that_is_up_is_handled_lowest_first() {
        for (old, name) in [(false, "handle_IRQ"), (true, "asm_do_IRQ")] {
            let mock = Mock::new();
            if old {
                mock.old_irq()
            } else {
                mock.modern_irq()
            }
            let page = controller(&mock);
            // SAFETY: the page lives for ever and has no other user now.
            unsafe { (*page)[STATUS] = 1 << 5 | 1 << 4 };
            handle_irq(page.cast());
            assert_eq!(mock.calls(), [format!("{name} 4"), format!("{name} 5")]);
        }
    }
}
