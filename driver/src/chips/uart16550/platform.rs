//! For kernels that have an 8250 driver: the kernel is told of a platform
//! device, and its own driver does the rest.
//!
//! Nothing here touches the chip's registers.

use crate::kernel::platform::{
    self, PLAT8250_DEV_PLATFORM, Plat8250Port, UPF_BOOT_AUTOCONF, UPF_SKIP_TEST, UPIO_MEM,
};
use crate::kit::{Storage, Struct};

use super::uart16550;

crate::forward! {
    /// Tells the kernel of the UART. Left out when the kernel has no 8250 driver
    /// that can be a console.
    optional("uart", 0) machine_desc.init_machine => fn init_machine();
}

/// Room for one entry; the struct has 40 to 88 bytes.
const ENTRY: usize = 256;

/// The port and the empty entry that ends the list.
static PORTS: Storage<Plat8250Port, { 2 * ENTRY }, 2> = Storage::zeroed();

/// `machine_desc.init_machine`.
extern "C" fn init_machine() {
    // Says to the linker that all this is for nothing without the driver.
    if platform::serial8250_driver().address() == 0 || platform::serial8250_console().address() == 0
    {
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
        let device = platform::platform_device_alloc(c"serial8250".as_ptr(), PLAT8250_DEV_PLATFORM);
        if !device.is_null()
            && platform::platform_device_add_data(device, port.cast(), 2 * size) == 0
        {
            platform::platform_device_add(device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chips::mock::Mock;
    use crate::kernel::platform::plat_serial8250_port as layout;

    fn uart(mock: &Mock) {
        mock.platform();
        mock.fill(&uart16550::va::SLOT, 0xd001_7000);
        mock.fill(&uart16550::phys::SLOT, 0xfeec_2000);
        mock.fill(&uart16550::irq::SLOT, 5);
        mock.fill(&uart16550::clock_hz::SLOT, 1_843_200);
        // As in 6.1, but for membase, which is wider on the host.
        for (slot, offset) in [
            (&layout::membase::SLOT, 0),
            (&layout::mapbase::SLOT, 8),
            (&layout::irq::SLOT, 12),
            (&layout::uartclk::SLOT, 20),
            (&layout::regshift::SLOT, 28),
            (&layout::iotype::SLOT, 29),
            (&layout::flags::SLOT, 32),
        ] {
            mock.fill(slot, offset);
        }
    }

    #[test]
    fn the_kernel_is_told_of_one_port() {
        let mock = Mock::new();
        uart(&mock);
        mock.fill(&layout::size::SLOT, 80);
        init_machine();
        assert_eq!(
            mock.calls(),
            [
                "alloc serial8250 0",
                "data 160 d0017000 0 feec2000 5 0 1c2000 0 200 10000040",
                "add",
            ]
        );
    }

    #[test]
    fn a_struct_of_unknown_size_is_followed_by_zeros() {
        let mock = Mock::new();
        uart(&mock);
        init_machine();
        assert!(mock.calls()[1].starts_with("data 512 "));
    }

    #[test]
    #[should_panic(expected = "larger than the room")]
    fn a_struct_that_is_too_large_is_refused() {
        let mock = Mock::new();
        uart(&mock);
        mock.fill(&layout::size::SLOT, 257);
        // Not through `init_machine`: a panic cannot leave an `extern "C"` function.
        PORTS.get();
    }

    #[test]
    fn without_the_driver_there_is_no_device() {
        let mock = Mock::new();
        uart(&mock);
        mock.fill(&platform::serial8250_driver::SLOT, 0);
        init_machine();
        assert_eq!(mock.calls(), [""; 0]);
    }
}
