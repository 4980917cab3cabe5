//! A driver of the 16550 on the kernel's serial core, for kernels that have no
//! 8250 driver: a tty, driven by interrupts, and a console.

use core::ffi::{c_char, c_void};

use super::buffer::Ring;
use super::registers::{
    self, BREAK_RECEIVED, DATA_READY, FIFO, FRAMING_ERROR, PARITY_ERROR, TRANSMITTER_EMPTY,
    TRANSMITTER_FREE,
};
use super::uart16550;
use crate::kernel::irq::{self, IRQ_HANDLED, PtRegs};
use crate::kernel::platform::UPIO_MEM;
use crate::kernel::serial::{
    self, CON_PRINTBUFFER, Console, LINES_UP, PORT_16550A, Receiver, TTY_BREAK, TTY_FRAME,
    TTY_MAJOR, TTY_NORMAL, TTY_PARITY, TTYS_MINOR, TtyPort, UartDriver, UartOps, UartPort,
    UartState, WAKEUP_CHARS,
};
use crate::kit::Storage;

crate::forward! {
    /// Brings the kernel a driver for the UART, where it has none of its own.
    optional("uart", 1) machine_desc.init_machine => fn init_machine();
}

/// Room for `struct uart_driver`: 36 bytes in every version.
static DRIVER: Storage<UartDriver, 128> = Storage::zeroed();
/// Room for `struct uart_port`: 150 bytes in 2.6.12, some 450 in 6.x, more with
/// lock debugging.
static PORT: Storage<UartPort, 1024> = Storage::zeroed();
/// Room for `struct uart_ops`: 80 to 110 bytes.
static OPS: Storage<UartOps, 256> = Storage::zeroed();
/// Room for `struct console`: 48 to 130 bytes.
static CONSOLE: Storage<Console, 512> = Storage::zeroed();

/// How many characters an interrupt hands to the tty layer at most.
const MOST_AT_ONCE: u32 = 256;

/// `machine_desc.init_machine`.
pub(super) extern "C" fn init_machine() {
    registers::reset();
    let driver = DRIVER.get();
    // SAFETY: the storage is large enough for the structs, which are not yet
    // known to the kernel and live for ever.
    unsafe {
        UartDriver::driver_name().set(driver, c"ecmo-16550".as_ptr());
        UartDriver::dev_name().set(driver, c"ttyS".as_ptr());
        UartDriver::major().set(driver, TTY_MAJOR);
        UartDriver::minor().set(driver, TTYS_MINOR);
        UartDriver::nr().set(driver, 1);
        UartDriver::cons().set(driver, console(driver));
        // init_machine runs as an initcall, behind those of the tty layer and
        // before those of drivers, where a driver may register.
        if serial::uart_register_driver(driver) == 0 {
            serial::uart_add_one_port(driver, port());
        }
    }
}

/// Fills in the console.
///
/// # Safety
///
/// It must not be known to the kernel yet.
unsafe fn console(driver: *mut UartDriver) -> *mut Console {
    let console = CONSOLE.get();
    // SAFETY: the caller vouches for the console.
    unsafe {
        Console::name().set(console, u64::from_le_bytes(*b"ttyS\0\0\0\0"));
        Console::write().set(console, write_console);
        Console::device().set(console, serial::uart_console_device());
        Console::flags().set(console, CON_PRINTBUFFER);
        Console::index().set(console, -1);
        Console::data().set(console, driver);
    }
    console
}

/// Fills in the port.
///
/// # Safety
///
/// It must not be known to the kernel yet.
unsafe fn port() -> *mut UartPort {
    let port = PORT.get();
    // SAFETY: the caller vouches for the port.
    unsafe {
        UartPort::membase().set(port, uart16550::va());
        UartPort::mapbase().set(port, uart16550::phys() as u32);
        UartPort::irq().set(port, uart16550::irq() as u32);
        UartPort::uartclk().set(port, uart16550::clock_hz() as u32);
        UartPort::fifosize().set(port, FIFO);
        UartPort::iotype().set(port, UPIO_MEM);
        UartPort::type_().set(port, PORT_16550A);
        UartPort::line().set(port, 0);
        UartPort::ops().set(port, operations());
    }
    port
}

/// Fills in what the core calls.
///
/// # Safety
///
/// The struct must not be known to the kernel yet.
unsafe fn operations() -> *mut UartOps {
    let ops = OPS.get();
    // SAFETY: the caller vouches for the struct.
    unsafe {
        UartOps::tx_empty().set(ops, tx_empty);
        UartOps::set_mctrl().set(ops, set_mctrl);
        UartOps::get_mctrl().set(ops, get_mctrl);
        UartOps::stop_tx().set(ops, stop_tx);
        UartOps::start_tx().set(ops, start_tx);
        UartOps::stop_rx().set(ops, stop_rx);
        UartOps::enable_ms().set(ops, nothing);
        UartOps::break_ctl().set(ops, break_ctl);
        UartOps::startup().set(ops, startup);
        UartOps::shutdown().set(ops, shutdown);
        UartOps::set_termios().set(ops, set_termios);
        UartOps::type_().set(ops, type_);
        UartOps::release_port().set(ops, nothing);
        UartOps::request_port().set(ops, allowed);
        UartOps::config_port().set(ops, config_port);
        UartOps::verify_port().set(ops, verify_port);
    }
    ops
}

extern "C" fn nothing(_: *mut UartPort) {}

extern "C" fn allowed(_: *mut UartPort) -> i32 {
    0
}

extern "C" fn verify_port(_: *mut UartPort, _: *mut c_void) -> i32 {
    0
}

extern "C" fn config_port(port: *mut UartPort, _: i32) {
    // SAFETY: the core hands us our own port.
    unsafe { UartPort::type_().set(port, PORT_16550A) };
}

extern "C" fn type_(_: *mut UartPort) -> *const c_char {
    c"16550A".as_ptr()
}

extern "C" fn tx_empty(_: *mut UartPort) -> u32 {
    /// TIOCSER_TEMT of include/uapi/asm-generic/ioctls.h.
    const EMPTY: u32 = 1;
    match registers::status() & TRANSMITTER_EMPTY {
        0 => 0,
        _ => EMPTY,
    }
}

/// The other side is always ready, so there is nothing to tell it.
extern "C" fn set_mctrl(_: *mut UartPort, _: u32) {}

extern "C" fn get_mctrl(_: *mut UartPort) -> u32 {
    LINES_UP
}

extern "C" fn stop_tx(_: *mut UartPort) {
    registers::want_room(false);
}

extern "C" fn start_tx(_: *mut UartPort) {
    // The chip interrupts at once when its FIFO is empty.
    registers::want_room(true);
}

extern "C" fn stop_rx(_: *mut UartPort) {
    registers::listen(false);
}

extern "C" fn break_ctl(_: *mut UartPort, state: i32) {
    registers::send_break(state != 0);
}

pub(super) extern "C" fn startup(port: *mut UartPort) -> i32 {
    registers::reset();
    // SAFETY: the port lives for ever, and startup may sleep.
    let error =
        unsafe { irq::request(uart16550::irq() as u32, interrupt, 0, c"ttyS0", port.cast()) };
    if error == 0 {
        registers::listen(true);
    }
    error
}

pub(super) extern "C" fn shutdown(port: *mut UartPort) {
    registers::reset();
    // SAFETY: the handler was installed by `startup` with the same argument.
    unsafe { irq::free_irq(uart16550::irq() as u32, port.cast()) };
}

/// Every speed is as fast, but the core wants to know how long characters take.
extern "C" fn set_termios(port: *mut UartPort, termios: *mut c_void, old: *mut c_void) {
    /// Offset of c_cflag: struct ktermios begins with c_iflag, c_oflag, c_cflag.
    const CFLAG: usize = 8;
    let (Some(get_baud_rate), Some(update_timeout)) =
        (serial::uart_get_baud_rate(), serial::uart_update_timeout())
    else {
        return;
    };
    let fastest = (uart16550::clock_hz() / 16) as u32;
    // SAFETY: the core hands us our port and termios of its own.
    unsafe {
        let baud = get_baud_rate(port, termios, old, 0, fastest);
        let cflag = termios.wrapping_byte_add(CFLAG).cast::<u32>().read();
        update_timeout(port, cflag, baud);
    }
}

/// Writes to the console, from any context.
pub(super) extern "C" fn write_console(_: *mut Console, text: *const u8, length: u32) {
    for index in 0..length as usize {
        // SAFETY: the kernel says how long its text is.
        let character = unsafe { text.add(index).read() };
        if character == b'\n' {
            send_now(b'\r');
        }
        send_now(character);
    }
}

/// Sends a character without interrupts. The chip always gets room again.
fn send_now(character: u8) {
    while registers::status() & TRANSMITTER_FREE == 0 {}
    registers::send(character);
}

/// The interrupt handler.
pub(super) extern "C" fn interrupt(_: i32, port: *mut c_void, _: *mut PtRegs) -> i32 {
    let port = port.cast::<UartPort>();
    // SAFETY: this is our port, which `startup` passed on; interrupts are off,
    // so on one processor nobody holds its lock.
    unsafe {
        receive(port);
        if registers::status() & TRANSMITTER_FREE != 0 {
            transmit(port);
        }
    }
    IRQ_HANDLED
}

/// Hands what was received to the tty layer.
///
/// # Safety
///
/// `port` must be one that the core has taken on, and interrupts be off.
unsafe fn receive(port: *mut UartPort) {
    // SAFETY: as for this function.
    let to = unsafe { receiver(port) };
    let mut count = 0;
    while count < MOST_AT_ONCE {
        let status = registers::status();
        if status & (DATA_READY | BREAK_RECEIVED) == 0 {
            break;
        }
        let character = registers::receive();
        count += 1;
        if let Some(to) = to {
            // SAFETY: `to` is what this kernel's tty layer takes.
            unsafe { insert(to, character, flag(status)) };
        }
    }
    if let Some(to) = to
        && count != 0
    {
        // SAFETY: as above.
        unsafe { serial::tty_flip_buffer_push(to) };
    }
}

/// What is wrong with a character, as the tty layer says it.
pub(super) fn flag(status: u8) -> u8 {
    match status {
        status if status & BREAK_RECEIVED != 0 => TTY_BREAK,
        status if status & PARITY_ERROR != 0 => TTY_PARITY,
        status if status & FRAMING_ERROR != 0 => TTY_FRAME,
        _ => TTY_NORMAL,
    }
}

/// Where received characters go; None while nobody has the port open.
///
/// # Safety
///
/// As for [`receive`].
unsafe fn receiver(port: *mut UartPort) -> Option<*mut Receiver> {
    // SAFETY: the caller vouches for the port, and `state` is the core's own.
    unsafe {
        let state = UartPort::state().get(port);
        if state.is_null() {
            return None;
        }
        if serial::TTY_FLIP_TAKES_PORT().is_some_and(|takes| takes != 0) {
            return Some(UartState::port()?.of(state).cast());
        }
        let tty = match UartState::tty() {
            Some(tty) => tty.get(state),
            None => TtyPort::tty()?.get(UartState::port()?.of(state)),
        };
        (!tty.is_null()).then_some(tty)
    }
}

/// Hands over one character.
///
/// # Safety
///
/// `to` must be what this kernel's tty layer takes.
unsafe fn insert(to: *mut Receiver, character: u8, flag: u8) {
    // SAFETY: the caller vouches for `to`; one character and one flag are read.
    unsafe {
        if let Some(insert) = serial::tty_insert_flip_string_fixed_flag() {
            insert(to, &character, flag, 1);
        } else if let Some(insert) = serial::tty_insert_flip_string_flags() {
            insert(to, &character, &flag, 1);
        } else if let Some(insert) = serial::__tty_insert_flip_string_flags() {
            insert(to, &character, &flag, 0, 1);
        } else if let Some(insert) = serial::tty_insert_flip_string() {
            insert(to, &character, 1);
        }
    }
}

/// Sends what waits, as much as the FIFO takes.
///
/// # Safety
///
/// `port` must be one that the core has taken on, and interrupts be off.
unsafe fn transmit(port: *mut UartPort) {
    // SAFETY: as for this function.
    unsafe {
        let first = UartPort::x_char().get(port);
        if first != 0 {
            registers::send(first);
            UartPort::x_char().set(port, 0);
            return;
        }
        let Some(mut ring) = Ring::of(port) else {
            registers::want_room(false);
            return;
        };
        for _ in 0..FIFO {
            match ring.take() {
                Some(character) => registers::send(character),
                None => break,
            }
        }
        let left = ring.len();
        if left == 0 {
            registers::want_room(false);
        }
        if left < WAKEUP_CHARS {
            serial::uart_write_wakeup(port);
        }
    }
}
