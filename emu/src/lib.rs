//! A repeatable ARM machine for transplanted Linux kernels.
//!
//! [`machine::Machine`] is what a user of this crate holds. It is made of
//!
//! 1. [`cpu`]: Unicorn's core behind safe calls; the only `unsafe` of the crate
//! 2. [`mmu`]: our own page walk: opaque memory first, the kernel's tables after
//! 3. [`exception`]: exception entry by writing the banked registers
//! 4. [`clock`]: virtual time from retired instructions
//! 5. [`devices`]: chips as pure values: registers, line levels, virtual time
//! 6. [`board`]: which chips there are, where, and wired to what
//! 7. [`machine`]: the run loop, milestones, the account of unassigned accesses

pub mod board;
pub mod clock;
pub mod cpu;
pub mod devices;
pub mod exception;
pub mod machine;
pub mod mmu;
