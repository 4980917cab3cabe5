//! How well the parts that look without symbols do, against kernels that have
//! them.
//!
//! * [`mask`]: a kernel without its own tables
//! * [`boundaries`]: starts of functions, against the text symbols

pub mod boundaries;
pub mod mask;
