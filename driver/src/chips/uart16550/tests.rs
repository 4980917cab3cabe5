//! The driver on the serial core, against registers in memory and the mock
//! kernel's serial core and tty layer.

use core::ffi::c_void;

use super::serial_core::*;
use super::uart16550;
use crate::chips::mock::{Mock, record, registers};
use crate::kernel::irq;
use crate::kernel::serial::{
    self, Console, Receiver, TtyPort, UartDriver, UartPort, UartState, console, tty_port,
    uart_driver, uart_ops, uart_port, uart_state,
};
use crate::kit::{Slot, UNKNOWN};

// As bytes from the start of the page.
const DATA: usize = 0;
const INTERRUPT_ENABLE: usize = 1;
const LINE_STATUS: usize = 5;

/// The page of the chip's registers.
struct Page(*mut u8);

impl Page {
    fn get(&self, register: usize) -> u8 {
        // SAFETY: the page lives for ever and has no other user now.
        unsafe { self.0.add(register).read() }
    }

    fn set(&self, register: usize, value: u8) {
        // SAFETY: as above.
        unsafe { self.0.add(register).write(value) }
    }
}

fn uart(mock: &Mock) -> Page {
    let page: *mut [u32; 1024] = registers();
    mock.fill(&uart16550::va::SLOT, page.expose_provenance());
    mock.fill(&uart16550::phys::SLOT, 0xfeec_2000);
    mock.fill(&uart16550::irq::SLOT, 5);
    mock.fill(&uart16550::clock_hz::SLOT, 1_843_200);
    mock.modern_irq();
    for fields in STRUCTS {
        mock.lay_out(fields);
    }
    for (slot, function) in [
        (
            &serial::uart_register_driver::SLOT,
            uart_register_driver as *const () as usize,
        ),
        (
            &serial::uart_add_one_port::SLOT,
            uart_add_one_port as *const () as usize,
        ),
        (
            &serial::uart_write_wakeup::SLOT,
            uart_write_wakeup as *const () as usize,
        ),
        (
            &serial::tty_insert_flip_string_fixed_flag::SLOT,
            insert as *const () as usize,
        ),
        (
            &serial::tty_flip_buffer_push::SLOT,
            push as *const () as usize,
        ),
        (&serial::uart_console_device::SLOT, 0x1000),
        (&irq::free_irq::SLOT, free_irq as *const () as usize),
    ] {
        mock.fill(slot, function);
    }
    mock.fill(&serial::TTY_FLIP_TAKES_PORT::SLOT, 1);
    mock.fill(&uart_state::tty::SLOT, UNKNOWN);
    Page(page.cast())
}

const STRUCTS: [&[&Slot]; 5] = [
    &[
        &uart_driver::driver_name::SLOT,
        &uart_driver::dev_name::SLOT,
        &uart_driver::major::SLOT,
        &uart_driver::minor::SLOT,
        &uart_driver::nr::SLOT,
        &uart_driver::cons::SLOT,
    ],
    &[
        &uart_port::membase::SLOT,
        &uart_port::mapbase::SLOT,
        &uart_port::irq::SLOT,
        &uart_port::uartclk::SLOT,
        &uart_port::fifosize::SLOT,
        &uart_port::x_char::SLOT,
        &uart_port::iotype::SLOT,
        &uart_port::type_::SLOT,
        &uart_port::line::SLOT,
        &uart_port::ops::SLOT,
        &uart_port::state::SLOT,
    ],
    &[
        &uart_ops::tx_empty::SLOT,
        &uart_ops::set_mctrl::SLOT,
        &uart_ops::get_mctrl::SLOT,
        &uart_ops::stop_tx::SLOT,
        &uart_ops::start_tx::SLOT,
        &uart_ops::stop_rx::SLOT,
        &uart_ops::enable_ms::SLOT,
        &uart_ops::break_ctl::SLOT,
        &uart_ops::startup::SLOT,
        &uart_ops::shutdown::SLOT,
        &uart_ops::set_termios::SLOT,
        &uart_ops::type_::SLOT,
        &uart_ops::release_port::SLOT,
        &uart_ops::request_port::SLOT,
        &uart_ops::config_port::SLOT,
        &uart_ops::verify_port::SLOT,
    ],
    &[
        &console::name::SLOT,
        &console::write::SLOT,
        &console::device::SLOT,
        &console::flags::SLOT,
        &console::index::SLOT,
        &console::data::SLOT,
    ],
    &[&uart_state::port::SLOT, &tty_port::tty::SLOT],
];

extern "C" fn uart_register_driver(driver: *mut UartDriver) -> i32 {
    // SAFETY: the driver has filled it in before it hands it out.
    unsafe {
        let console = UartDriver::cons().get(driver);
        let name = Console::name().get(console).to_le_bytes();
        assert_eq!(Console::data().get(console), driver);
        record(format!(
            "driver {} {} {} console {} {}",
            UartDriver::major().get(driver),
            UartDriver::minor().get(driver),
            UartDriver::nr().get(driver),
            String::from_utf8_lossy(&name).trim_end_matches('\0'),
            Console::index().get(console),
        ));
    }
    0
}

extern "C" fn uart_add_one_port(_: *mut UartDriver, port: *mut UartPort) -> i32 {
    // SAFETY: as above.
    unsafe {
        record(format!(
            "port {} irq {} clock {} type {}",
            UartPort::line().get(port),
            UartPort::irq().get(port),
            UartPort::uartclk().get(port),
            UartPort::type_().get(port),
        ));
    }
    0
}

extern "C" fn uart_write_wakeup(_: *mut UartPort) {
    record("wakeup".to_owned());
}

extern "C" fn insert(_: *mut Receiver, characters: *const u8, flag: u8, size: usize) -> i32 {
    // SAFETY: the driver says how many there are.
    let text = unsafe { core::slice::from_raw_parts(characters, size) };
    record(format!("insert {text:?} {flag}"));
    size as i32
}

extern "C" fn push(_: *mut Receiver) {
    record("push".to_owned());
}

extern "C" fn free_irq(irq: u32, _: *mut c_void) {
    record(format!("free {irq}"));
}

/// A port that the core has taken on: its state is a page of zeros.
fn open_port(port: &mut [u64; 64], state: &mut [u64; 64]) -> *mut UartPort {
    let port = port.as_mut_ptr().cast::<UartPort>();
    // SAFETY: the offsets that the mock made up lie within the array.
    unsafe { UartPort::state().set(port, state.as_mut_ptr().cast::<UartState>()) };
    port
}

#[test]
fn init_machine_brings_a_driver_with_one_port_and_a_console() {
    let mock = Mock::new();
    uart(&mock);
    init_machine();
    assert_eq!(
        mock.calls(),
        [
            "driver 4 64 1 console ttyS -1",
            "port 0 irq 5 clock 1843200 type 4"
        ]
    );
}

#[test]
fn opening_asks_for_the_interrupt_and_listens() {
    let mock = Mock::new();
    let page = uart(&mock);
    let mut port = [0; 64];
    let port = port.as_mut_ptr().cast();
    assert_eq!(startup(port), 0);
    assert_eq!(mock.calls(), ["request 5 0x0 ttyS0"]);
    assert_eq!(page.get(INTERRUPT_ENABLE), 5);
    shutdown(port);
    assert_eq!(mock.calls(), ["free 5"]);
    assert_eq!(page.get(INTERRUPT_ENABLE), 0);
}

#[test]
fn received_characters_go_to_the_port_at_most_so_many_at_once() {
    let mock = Mock::new();
    let page = uart(&mock);
    let (mut port, mut state) = ([0; 64], [0; 64]);
    let port = open_port(&mut port, &mut state);
    // Registers in memory never run dry.
    page.set(LINE_STATUS, 1);
    page.set(DATA, b'x');
    interrupt(5, port.cast(), core::ptr::null_mut());
    let calls = mock.calls();
    assert_eq!(calls.len(), 257);
    assert_eq!(calls[0], "insert [120] 0");
    assert_eq!(calls[256], "push");
}

#[test]
fn nobody_is_handed_anything_while_no_terminal_is_open() {
    let mock = Mock::new();
    let page = uart(&mock);
    mock.fill(&serial::TTY_FLIP_TAKES_PORT::SLOT, UNKNOWN);
    let (mut port, mut state) = ([0; 64], [0; 64]);
    let port = open_port(&mut port, &mut state);
    page.set(LINE_STATUS, 1);
    interrupt(5, port.cast(), core::ptr::null_mut());
    assert_eq!(mock.calls(), [""; 0]);
    // With one, it is what the tty layer of 3.8 and before wants.
    let (Some(tty), Some(of)) = (TtyPort::tty(), UartState::port()) else {
        panic!("both are laid out");
    };
    // SAFETY: the offsets lie within the arrays.
    unsafe {
        let state = UartPort::state().get(port);
        tty.set(of.of(state), core::ptr::dangling_mut());
    }
    interrupt(5, port.cast(), core::ptr::null_mut());
    assert_eq!(mock.calls().len(), 257);
}

#[test]
fn the_console_ends_its_lines_with_both() {
    let mock = Mock::new();
    let page = uart(&mock);
    page.set(LINE_STATUS, 0x60);
    write_console(core::ptr::null_mut(), b"a\n".as_ptr(), 2);
    assert_eq!(page.get(DATA), b'\n');
}

#[test]
fn what_is_wrong_with_a_character_is_said() {
    assert_eq!([0x01, 0x11, 0x05, 0x09].map(flag), [0, 1, 3, 2]);
}
