//! Unicorn's core behind safe calls; the only `unsafe` of the crate.
//!
//! * [`model`]: which processors there are
//! * `ram`: guest memory
//! * `image`: what it held at one moment
//! * [`state`]: the processor's state as a value
//! * `live`: registers, for callbacks and between runs
//! * `count`: what the block hook touches: the count of instructions
//! * `split`: which blocks are the rest of one that was too long
//! * `callbacks`: what Unicorn calls, and the trait that answers
//! * `engine`: the engine and its memory map
//! * `exit_checks`: what translated code does not have to ask behind every access
//!
//! The callbacks are plain functions with C linkage, given to Unicorn through
//! its raw interface: the closures of the `unicorn-engine` crate cost twice as
//! much per block.
//!
//! # What to know of Unicorn 2.1.5
//!
//! * Where an access to a device is made from: the program counter is not in
//!   the state while an MMIO callback runs. It is brought there (from the tables
//!   that were kept when the block was translated) for hooks of forbidden
//!   accesses. So regions of absent chips are mapped with callbacks *and* no
//!   permission: the hook notes the program counter and allows the access, then
//!   the callback makes it. Regions of chips do without, and cost less.
//! * Bringing the state up to date in the middle of a block also writes the
//!   If-Then bits, which translated code keeps at 0 and never writes back if the
//!   access is then allowed: the instructions behind the block would become
//!   conditional. Every callback that comes after it clears them again.
//! * A stop that is asked for in a callback of a memory access takes effect
//!   behind that access with the program counter *at* it: it would be made
//!   twice. Only hooks of blocks and of instructions stop; an access is refused
//!   instead, from a hook of forbidden ones, and then was not made at all.
//! * Taking a hook away looks up code by virtual address, as if the guest had
//!   fetched from there. The TLB hook must not believe that
//!   (`Live::forget_while`).
//! * Memory hooks of the kinds READ, WRITE and READ_AFTER send every access of
//!   the guest down the slow path, wherever they are bounded to. The kinds
//!   READ_PROT and WRITE_PROT do not.
//! * The counters of the generic timer (Cortex-A7, A15) read the host's clock.
//!   Nothing can be done about it, and a run of a kernel that reads them is not
//!   repeatable. Kernels do when their device tree names the timer, so a tree
//!   should not; user mode may not unless the kernel lets it.
//! * Reading or writing a coprocessor register that a model does not have prints
//!   a warning.

pub(crate) mod callbacks;
pub(crate) mod count;
pub(crate) mod engine;
mod exit_checks;
pub(crate) mod image;
pub(crate) mod live;
pub mod model;
pub(crate) mod ram;
mod split;
pub mod state;

pub use model::{Architecture, CpuModel};
