//! The kit to write a driver with that `ecmo-link` transplants into a kernel.
//!
//! Such a driver is compiled once per instruction set and serves every kernel
//! version. What differs between kernels it *asks for*, and the linker answers
//! with data:
//!
//! * [`backward!`](crate::backward) declares kernel functions and variables;
//! * [`forward!`](crate::forward) says what the kernel shall call in the driver;
//! * [`layout!`](crate::layout) declares the fields of kernel structs, and
//!   [`Storage`] gives room for one whose size is not known while compiling;
//! * [`constant!`](crate::constant) asks for constants that changed, and
//!   [`chip!`](crate::chip) for the place of a modelled chip.
//!
//! Every declaration makes a *slot*, a word that the linker fills in, and a
//! *note* that tells it what belongs there ([`note`](crate::note)). A slot that
//! no code in use reads asks for nothing, so a driver may know more ways than
//! any one kernel offers.
//!
//! # A driver in full
//!
//! ```
//! use core::ffi::c_char;
//!
//! driver::backward! {
//!     /// kernel/printk/printk.c; called `printk` before 5.15.
//!     required fn printk(format: *const c_char, argument: usize) -> i32 as "_printk|printk";
//! }
//!
//! driver::forward! {
//!     /// Says hello when the kernel sets its machine up.
//!     required machine_desc.init_machine => fn hello();
//! }
//!
//! extern "C" fn hello() {
//!     // SAFETY: the format takes one number.
//!     unsafe { printk(c"hello from a transplanted driver, %d\n".as_ptr(), 1) };
//! }
//! # fn main() {}
//! ```
//!
//! Its crate is a static library that takes this one with
//! `default-features = false`, and is built for `armv7a-none-eabi` or with the
//! specifications in `target-specs/`. The kit brings the panic handler. One to
//! start from is `tests/drivers/heartbeat`.
//!
//! # What such code must know
//!
//! It runs in the kernel, with the kernel's stack, and follows the kernel's
//! rules: what may sleep, what holds which lock. It is loaded into memory that
//! the kernel has not mapped and cannot see: a pointer to it can be called and
//! followed as any other, but has no `struct page` and no physical address, so it
//! must not be handed to DMA or freed. Strings for the kernel end with NUL: use
//! `c"..."` literals.

mod backward;
pub mod barrier;
pub mod c;
mod declare;
mod forward;
mod layout;
pub mod print;
mod slot;
mod value;

pub use backward::Function;
pub use layout::{Field, Storage, Struct};
pub use slot::{Slot, UNKNOWN};

/// The coprocessor registers: `kit::cpu::register::Midr::read()`.
#[cfg(target_arch = "arm")]
pub use aarch32_cpu as cpu;
