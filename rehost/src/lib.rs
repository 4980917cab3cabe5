//! Firmware image in, verdict out: the whole pipeline, and the command `ecmo`.
//!
//! 1. [`userland`], [`embedded`]: what the program brings along
//! 2. [`plan`]: processor, RAM, tags or tree, command line
//! 3. [`verdict`]: milestones, shell detection, reasons
//! 4. [`report`]: the result as JSON

pub mod embedded;
pub mod plan;
pub mod report;
pub mod userland;
pub mod verdict;
