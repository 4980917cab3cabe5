//! Platform devices, and what the kernel's own 8250 driver takes from one.

use core::ffi::{c_char, c_void};

crate::opaque! {
    /// include/linux/platform_device.h.
    pub(crate) struct platform_device as PlatformDevice;
}

crate::layout! {
    /// include/linux/serial_8250.h: an array of these, ended by one whose flags are 0, is the
    /// platform data of a "serial8250" device.
    pub(crate) struct plat_serial8250_port as Plat8250Port {
        /// Where the registers are mapped.
        required membase: usize,
        /// Their physical address: the low word, 64 bits with CONFIG_ARM_LPAE.
        required mapbase: u32,
        /// The Linux interrupt number.
        required irq: u32,
        /// Frequency of the clock that the divisor divides.
        required uartclk: u32,
        /// Registers are 1 << regshift bytes apart.
        required regshift: u8,
        /// UPIO_ kind of access.
        required iotype: u8,
        /// UPF_ bits: the low word, 64 bits in later versions.
        required flags: u32,
    }
}

/// UPIO_MEM of include/linux/serial_core.h: registers accessed by bytes.
pub(crate) const UPIO_MEM: u8 = 2;
/// UPF_SKIP_TEST of include/linux/serial_core.h: no loopback test at start-up.
pub(crate) const UPF_SKIP_TEST: u32 = 1 << 6;
/// UPF_BOOT_AUTOCONF: find out the kind of 16550 by its registers.
pub(crate) const UPF_BOOT_AUTOCONF: u32 = 1 << 28;
/// PLAT8250_DEV_PLATFORM of include/linux/serial_8250.h.
pub(crate) const PLAT8250_DEV_PLATFORM: i32 = 0;

crate::backward! {
    /// drivers/base/platform.c.
    pub(crate) required fn platform_device_alloc(
        name: *const c_char, id: i32,
    ) -> *mut PlatformDevice;
    /// drivers/base/platform.c; copies the data.
    pub(crate) required fn platform_device_add_data(
        device: *mut PlatformDevice, data: *const c_void, size: usize,
    ) -> i32;
    /// drivers/base/platform.c.
    pub(crate) required fn platform_device_add(device: *mut PlatformDevice) -> i32;
    /// drivers/tty/serial/8250 (drivers/serial/8250.c before 2.6.39). Never called: it is there
    /// when the kernel has the driver for the device, and without that the forward is left out.
    pub(crate) required fn serial8250_driver
        as "serial8250_register_8250_port|serial8250_register_port|serial8250_probe|serial8250_init";
    /// The same for the driver's console, which can be left out of a kernel. 8250_core.c and
    /// 8250_port.c of the same folder.
    pub(crate) required fn serial8250_console
        as "serial8250_console_write|univ8250_console_write|serial8250_console_setup|serial8250_console_init|univ8250_console_init";
}
