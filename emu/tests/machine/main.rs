//! The machine as its users see it, run with short programs without a kernel.

mod bench;
mod exceptions;
mod faults;
mod hostile;
mod long;
mod memory;
mod opaque;
mod programs;
mod running;
mod snapshots;
mod stops;
