//! 16550 UART, for kernels that have an 8250 driver: the kernel is told of a
//! platform device, and its own driver does the rest. The port becomes `ttyS0`.
//!
//! Nothing here touches the chip's registers.

use crate::kernel::platform::{
    self, PLAT8250_DEV_PLATFORM, Plat8250Port, UPF_BOOT_AUTOCONF, UPF_SKIP_TEST, UPIO_MEM,
};
use crate::kit::{Storage, Struct};

crate::chip! {
    /// PC16550D, National Semiconductor, June 1995.
    chip uart16550 { va, phys, irq, clock_hz }
}

crate::forward! {
    /// Tells the kernel of the UART. Left out when the kernel has no 8250 driver: then it keeps
    /// its own init_machine.
    optional machine_desc.init_machine => fn init_machine();
}

/// Room for one entry; the struct has 40 to 88 bytes.
const ENTRY: usize = 256;

/// The port and the empty entry that ends the list.
static PORTS: Storage<Plat8250Port, { 2 * ENTRY }, 2> = Storage::zeroed();

/// `machine_desc.init_machine`.
extern "C" fn init_machine() {
    // Says to the linker that all this is for nothing without the driver.
    if platform::serial8250_driver().address() == 0 {
        return;
    }
    let port = PORTS.get();
    // SAFETY: the storage is large enough for two entries and is used once.
    unsafe {
        Plat8250Port::membase().set(port, uart16550::va());
        Plat8250Port::mapbase().set(port, uart16550::phys() as u32);
        Plat8250Port::irq().set(port, uart16550::irq() as u32);
        Plat8250Port::uartclk().set(port, uart16550::clock_hz() as u32);
        Plat8250Port::regshift().set(port, 0);
        Plat8250Port::iotype().set(port, UPIO_MEM);
        Plat8250Port::flags().set(port, UPF_BOOT_AUTOCONF | UPF_SKIP_TEST);
    }

    // A struct of unknown size is followed by zeros in any case.
    let size = Plat8250Port::size().unwrap_or(ENTRY);
    // SAFETY: init_machine runs as an initcall, where devices may be made; the
    // data are copied.
    unsafe {
        let device =
            platform::platform_device_alloc(c"serial8250".as_ptr(), PLAT8250_DEV_PLATFORM);
        if !device.is_null()
            && platform::platform_device_add_data(device, port.cast(), 2 * size) == 0
        {
            platform::platform_device_add(device);
        }
    }
}
