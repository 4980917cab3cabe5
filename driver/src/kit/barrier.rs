//! Memory barriers of the architecture that the driver is compiled for.
//!
//! Armv7 has instructions for them, wrapped by `aarch32-cpu`. Before it they
//! are operations on CP15 register c7, which `aarch32-cpu` leaves to its users;
//! the driver for Armv5 runs on Armv6 too, where the same encodings hold.

/// Waits until every memory access before it is done, as seen by the devices.
#[inline(always)]
pub fn dsb() {
    #[cfg(all(target_arch = "arm", armv7_or_higher))]
    aarch32_cpu::asm::dsb();
    // SAFETY: "drain write buffer" (ARM926EJ-S TRM 2.3.8; in Armv6 the data
    // synchronization barrier) takes any value and touches no register.
    #[cfg(all(target_arch = "arm", not(armv7_or_higher)))]
    unsafe {
        core::arch::asm!("mcr p15, 0, {}, c7, c10, 4", in(reg) 0, options(nostack, preserves_flags));
    }
}

/// Keeps memory accesses before it in front of those behind it.
#[inline(always)]
pub fn dmb() {
    #[cfg(all(target_arch = "arm", armv7_or_higher))]
    aarch32_cpu::asm::dmb();
    // Armv5 has only the stronger one.
    #[cfg(not(all(target_arch = "arm", armv7_or_higher)))]
    dsb();
}

/// Makes the instructions behind it be fetched anew.
#[inline(always)]
pub fn isb() {
    #[cfg(all(target_arch = "arm", armv7_or_higher))]
    aarch32_cpu::asm::isb();
    // SAFETY: "flush prefetch buffer" in Armv6; Armv5 has no such operation and
    // a short pipeline that a drained write buffer is enough for.
    #[cfg(all(target_arch = "arm", not(armv7_or_higher)))]
    unsafe {
        core::arch::asm!("mcr p15, 0, {}, c7, c10, 4", in(reg) 0, options(nostack, preserves_flags));
    }
}
