//! What happens when the driver panics: the guest stops where it is.

use core::panic::PanicInfo;

/// An undefined instruction: the kernel answers with an oops that shows the
/// registers, and the emulator's debugger stops at the line. The message is not
/// formatted, as the code for it would be larger than the driver.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        // SAFETY: `udf` never completes.
        unsafe { core::arch::asm!("udf #0xec", options(nomem, nostack)) };
    }
}
