//! Prints a sign of life from inside a kernel: a line with the processor's
//! identification, read by the driver itself, then the kernel's own banner.
//!
//! Build it in this folder with
//! `cargo build --release --target armv7a-none-eabi` and hand
//! `target/armv7a-none-eabi/release/libheartbeat.a` to `ecmo-link` beside the
//! project's own driver. With `--features chips` the two are one library, for
//! `ecmo run --driver`.
#![no_std]

use core::ffi::c_char;

use driver::kit::cpu::register::Midr;
use driver::kit::print;

driver::backward! {
    /// init/version.c, in every version; with CONFIG_KALLSYMS_ALL its address is in the kernel.
    optional static linux_banner: c_char;
}

driver::forward! {
    /// Printed when the kernel sets its machine up.
    required machine_desc.init_machine => fn beat();
}

extern "C" fn beat() {
    let cpu = Midr::read().raw_value();
    // SAFETY: one conversion, one number.
    unsafe { print::print_value(c"heartbeat: a driver runs on CPU %08x\n", cpu as usize) };
    match linux_banner() {
        // SAFETY: one conversion, and the banner is a string.
        Some(banner) => unsafe { print::print_value(c"heartbeat: in %s", banner.addr()) },
        None => print::print(c"heartbeat: in a kernel that does not tell its banner\n"),
    }
}
