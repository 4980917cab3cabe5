//! The serial core, consoles and what a UART's driver hands to the tty layer:
//! drivers/tty/serial/serial_core.c (drivers/serial before 2.6.39).

use core::ffi::{c_char, c_void};

use crate::kit::Function;

crate::opaque! {
    /// What received characters are handed to: the struct tty_struct to 3.8, then the struct
    /// tty_port.
    pub(crate) struct tty as Receiver;
    /// include/linux/kfifo.h.
    pub(crate) struct kfifo as Kfifo;
}

crate::constant! {
    /// Whether tty_flip_buffer_push and its like take a struct tty_port: 3.9 and later. Not known
    /// means that they take a struct tty_struct.
    pub(crate) optional TTY_FLIP_TAKES_PORT;
}

crate::layout! {
    /// include/linux/serial_core.h.
    pub(crate) struct uart_driver as UartDriver {
        /// Shown in /proc/tty/driver.
        required driver_name: *const c_char,
        /// The device's name without its number.
        required dev_name: *const c_char,
        /// Number of the character devices; 0 lets the kernel choose.
        required major: i32,
        /// The first minor number.
        required minor: i32,
        /// How many ports there may be.
        required nr: i32,
        /// The console on one of the ports.
        required cons: *mut Console,
    }

    /// include/linux/serial_core.h.
    pub(crate) struct uart_port as UartPort {
        /// Where the registers are mapped. The core asks only that it is not 0.
        required membase: usize,
        /// Their physical address: the low word, 64 bits with CONFIG_ARM_LPAE.
        required mapbase: u32,
        /// The Linux interrupt number.
        required irq: u32,
        /// Frequency of the clock that the divisor divides.
        required uartclk: u32,
        /// Bytes of the transmit FIFO.
        required fifosize: u32,
        /// A character to send before all others.
        required x_char: u8,
        /// UPIO_ kind of access.
        required iotype: u8,
        /// PORT_ kind of UART.
        required type_: u32 as "uart_port.type",
        /// Number within the driver.
        required line: u32,
        /// What the core calls.
        required ops: *mut UartOps,
        /// The port as the core knows it; made by uart_register_driver.
        required state: *mut UartState as "uart_port.state|uart_port.info",
    }

    /// include/linux/serial_core.h. All of them are called without a look whether they are there,
    /// but for those that are not listed here.
    pub(crate) struct uart_ops as UartOps {
        /// Whether the last character has left the wire.
        required tx_empty: extern "C" fn(*mut UartPort) -> u32,
        /// Sets RTS, DTR and loopback.
        required set_mctrl: extern "C" fn(*mut UartPort, u32),
        /// Reads the modem's lines.
        required get_mctrl: extern "C" fn(*mut UartPort) -> u32,
        /// Stops sending.
        required stop_tx: extern "C" fn(*mut UartPort),
        /// Sends what is in the buffer.
        required start_tx: extern "C" fn(*mut UartPort),
        /// Stops receiving.
        required stop_rx: extern "C" fn(*mut UartPort),
        /// Watches the modem's lines; called where it is there, since 3.19.
        required enable_ms: extern "C" fn(*mut UartPort),
        /// Sends a break, or ends it.
        required break_ctl: extern "C" fn(*mut UartPort, i32),
        /// The port is opened.
        required startup: extern "C" fn(*mut UartPort) -> i32,
        /// The port is closed.
        required shutdown: extern "C" fn(*mut UartPort),
        /// Speed and form of the characters.
        required set_termios: extern "C" fn(*mut UartPort, *mut c_void, *mut c_void),
        /// A name for the kind of UART.
        required type_: extern "C" fn(*mut UartPort) -> *const c_char as "uart_ops.type",
        /// Gives the registers back.
        required release_port: extern "C" fn(*mut UartPort),
        /// Takes the registers.
        required request_port: extern "C" fn(*mut UartPort) -> i32,
        /// Finds out what the UART is.
        required config_port: extern "C" fn(*mut UartPort, i32),
        /// Whether a user's setting is possible.
        required verify_port: extern "C" fn(*mut UartPort, *mut c_void) -> i32,
    }

    /// include/linux/serial_core.h; `struct uart_info` in the time of `uart_port.info`.
    pub(crate) struct uart_state as UartState {
        /// Characters to send, a struct circ_buf to 6.9: the bytes,
        group("transmit buffer") xmit_buf: *const u8 as "uart_state.xmit.buf|uart_info.xmit.buf",
        /// where the core puts the next,
        optional xmit_head: u32 as "uart_state.xmit.head|uart_info.xmit.head",
        /// and where the next one to send is.
        optional xmit_tail: u32 as "uart_state.xmit.tail|uart_info.xmit.tail",
        /// The port as the tty layer knows it, 2.6.28 and later.
        group("receiver") port: TtyPort as "uart_state.port|uart_info.port",
        /// The terminal that has it open, to 2.6.27.
        group("receiver") tty: *mut Receiver as "uart_info.tty",
    }

    /// include/linux/tty.h, include/linux/tty_port.h.
    pub(crate) struct tty_port as TtyPort {
        /// The terminal that has it open.
        optional tty: *mut Receiver,
        /// Characters to send: a struct kfifo, 6.10 and later.
        group("transmit buffer") xmit_fifo: Kfifo,
    }

    /// include/linux/console.h.
    pub(crate) struct console as Console {
        /// The name as `console=` has it, 8 bytes, since 2.6.3x 16.
        required name: u64,
        /// Writes text.
        required write: extern "C" fn(*mut Console, *const u8, u32),
        /// The tty that /dev/console stands for.
        required device: Function,
        /// CON_ bits: 16 of them, later more.
        required flags: u16,
        /// The number in `console=`, -1 for whichever is given.
        required index: i16,
        /// What `device` finds the tty by.
        required data: *mut UartDriver,
    }
}

/// CON_PRINTBUFFER of include/linux/console.h: print what was said before.
pub(crate) const CON_PRINTBUFFER: u16 = 1;
/// PORT_16550A of include/uapi/linux/serial_core.h. A port whose type is set is
/// not looked at for what it is.
pub(crate) const PORT_16550A: u32 = 4;
/// TIOCM_CAR, TIOCM_CTS and TIOCM_DSR of include/asm-generic/termios.h: the
/// other side is there, and ready.
pub(crate) const LINES_UP: u32 = 0x040 | 0x020 | 0x100;
/// TTY_MAJOR of include/linux/major.h, and the first minor of /dev/ttyS0.
pub(crate) const TTY_MAJOR: i32 = 4;
pub(crate) const TTYS_MINOR: i32 = 64;
/// TTY_NORMAL, TTY_BREAK, TTY_FRAME, TTY_PARITY of include/linux/tty.h.
pub(crate) const TTY_NORMAL: u8 = 0;
pub(crate) const TTY_BREAK: u8 = 1;
pub(crate) const TTY_FRAME: u8 = 2;
pub(crate) const TTY_PARITY: u8 = 3;
/// UART_XMIT_SIZE of include/linux/serial_core.h: one page.
pub(crate) const XMIT_SIZE: u32 = 4096;
/// WAKEUP_CHARS: with fewer left to send, the writer is woken.
pub(crate) const WAKEUP_CHARS: u32 = 256;

crate::backward! {
    /// In every version.
    pub(crate) required fn uart_register_driver(driver: *mut UartDriver) -> i32;
    /// In every version.
    pub(crate) required fn uart_add_one_port(driver: *mut UartDriver, port: *mut UartPort) -> i32;
    /// In every version.
    pub(crate) required fn uart_write_wakeup(port: *mut UartPort);
    /// In every version: the tty of a console whose data is a uart_driver.
    pub(crate) required fn uart_console_device;
    /// In every version: how long sending takes.
    pub(crate) optional fn uart_update_timeout(port: *mut UartPort, cflag: u32, baud: u32);
    /// In every version.
    pub(crate) optional fn uart_get_baud_rate(
        port: *mut UartPort, termios: *mut c_void, old: *const c_void, min: u32, max: u32,
    ) -> u32;
    /// drivers/tty/tty_buffer.c (tty_io.c before 2.6.36), 2.6.34 and later.
    pub(crate) group("receive") fn tty_insert_flip_string_fixed_flag(
        to: *mut Receiver, characters: *const u8, flag: u8, size: usize,
    ) -> i32;
    /// The same, 2.6.16 and later, with a flag for each character.
    pub(crate) group("receive") fn tty_insert_flip_string_flags(
        to: *mut Receiver, characters: *const u8, flags: *const u8, size: usize,
    ) -> i32;
    /// The same, 2.6.16 to 2.6.33, of characters without a fault.
    pub(crate) group("receive") fn tty_insert_flip_string(
        to: *mut Receiver, characters: *const u8, size: usize,
    ) -> i32;
    /// The same, 6.6 and later, with one flag for all unless told otherwise.
    pub(crate) group("receive") fn __tty_insert_flip_string_flags(
        to: *mut Receiver, characters: *const u8, flags: *const u8, each: u32, size: usize,
    ) -> usize;
    /// drivers/tty/tty_buffer.c (tty_io.c before 2.6.36), in every version.
    pub(crate) required fn tty_flip_buffer_push(to: *mut Receiver);
}
