//! Our device models against QEMU's: random register scripts, run by a
//! bare-metal program (tests/bare) under `qemu-system-arm` and applied to our
//! models; the results must be equal. The page walk is compared in the same way,
//! over random tables.
//!
//! Where the two are known to differ, the scripts keep away from the
//! difference; each such place names the section of the manual that decides.

mod bare;
mod pl011;
mod pl190;
mod random;
mod script;
mod sp804;
mod uart16550;
mod versatile;
mod walk;
