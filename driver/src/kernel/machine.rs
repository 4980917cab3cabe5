//! The machine descriptor's callbacks of which the driver wants nothing but that
//! they are not called: arch/arm/include/asm/mach/arch.h.

crate::forward! {
    /// Says nothing about RAM: the board's own callback corrects what the boot
    /// loader said to what that board has.
    optional machine_desc.fixup => fn fixup();
}

/// `machine_desc.fixup`. Its arguments changed in 3.2 and later; it has none that
/// it looks at.
extern "C" fn fixup() {}
