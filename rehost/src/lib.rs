//! Firmware image in, verdict out: the whole pipeline, and the command `ecmo`.
//!
//! The parts in the order in which a run goes through them:
//!
//! 1. [`pipeline`]: the steps of a run and what joins them
//! 2. [`plan`]: processor, RAM, tags or tree, command line
//! 3. [`userland`], [`embedded`]: what the program brings along
//! 4. [`session`]: a running machine and what is noted of it
//!    and [`names`]: what its addresses are called
//! 5. [`remedy`]: what a kernel's code for absent chips stops on, and how it goes on
//! 6. [`verdict`]: milestones, shell detection, reasons
//! 7. [`report`]: the result as JSON
//! 8. [`console`], [`debugger`], [`cli`]: the terminal, GDB, and the commands

pub mod cli;
pub mod console;
pub mod debugger;
pub mod embedded;
pub mod names;
pub mod pipeline;
pub mod plan;
pub mod remedy;
pub mod report;
pub mod script;
pub mod session;
pub mod userland;
pub mod verdict;
