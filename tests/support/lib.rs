//! What the integration tests share: where fixtures are, how a command is run
//! under a time limit, and how the peer emulator is run.
//!
//! * [`fixtures`]: kernels and user space from the cache, images of the corpus
//! * [`command`]: `ecmo` and `ecmo-link` as processes, with time and memory taken
//! * [`evaluation`]: kernels measured with their names hidden
//! * [`parallel`]: work on many things at once
//! * [`qemu`]: `qemu-system-arm` until a text stands on its console
//! * [`userland`]: the built-in user space with a script in it

pub mod command;
pub mod console;
pub mod evaluation;
pub mod fixtures;
pub mod parallel;
pub mod qemu;
pub mod userland;
