//! The interrupt controller's driver, against registers in memory and the mock
//! kernel.

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
    assert_eq!(calls[..2], ["chip 1 PL190", "status 1 -0xc00 +0x100"]);
    assert_eq!(
        calls[28..],
        ["chip 15 PL190", "status 15 -0xc00 +0x100", "set_handle_irq"]
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
    assert_eq!(calls[..3], ["chip 1 PL190", "handler 1 0", "flags 1 3"]);
    assert_eq!(calls.len(), 45);
}

#[test]
fn status_bits_that_may_be_old_ones_are_not_written() {
    let mock = Mock::new();
    mock.modern_irq();
    mock.old_irq();
    mock.fill(&irq::irq_set_chip_and_handler_name::SLOT, 0);
    controller(&mock);
    init_irq();
    assert_eq!(mock.calls()[2], "flags 1 3");
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
    let kernels = [
        (Mock::modern_irq as fn(&Mock), "handle_IRQ"),
        (Mock::old_irq, "asm_do_IRQ"),
        (Mock::domain_irq, "__handle_domain_irq"),
    ];
    for (fill, name) in kernels {
        let mock = Mock::new();
        fill(&mock);
        let page = controller(&mock);
        // SAFETY: the page lives for ever and has no other user now.
        unsafe { (*page)[STATUS] = 1 << 5 | 1 << 4 };
        handle_irq(page.cast());
        assert_eq!(mock.calls(), [format!("{name} 4"), format!("{name} 5")]);
    }
}
