//! How far a boot came, and in words a person can act on why no further.

pub mod fault;
pub mod kernel_log;
pub mod milestone;
pub mod reason;
pub mod shell;

pub use milestone::Milestone;
