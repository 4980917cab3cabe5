#![cfg_attr(target_os = "none", no_std)]
//! What runs inside the guest kernel.
//!
//! [`kit`] is the kit to write drivers with that `ecmo-link` transplants into a
//! kernel binary; it knows no kernel version and no address. With the feature
//! `chips`, which is on by default, the crate is also the drivers of the three
//! chips that a kernel needs to boot: the PL190 interrupt controller, the SP804
//! timer and the 16550 UART. A driver crate of somebody else takes the kit
//! alone (`default-features = false`).
//!
//! | module | is |
//! |---|---|
//! | [`note`] | the contract with the linker, as bytes |
//! | [`kit`] | macros and types that make slots and notes |
//! | `kernel` | the kernel's functions and structs that the chips' drivers use |
//! | `chips` | the drivers |
//! | `old_abi` | system calls of new programs, on kernels that are older |

pub mod kit;
pub mod note;

#[cfg(feature = "chips")]
mod chips;
#[cfg(feature = "chips")]
mod kernel;
#[cfg(feature = "chips")]
mod old_abi;

#[cfg(target_os = "none")]
mod panic;
