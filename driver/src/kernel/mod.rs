//! The kernel's functions, structs and constants that the chips' drivers use,
//! each declared once. Versions are those of the mainline sources.

pub(crate) mod calls;
pub(crate) mod clock;
pub(crate) mod files;
pub(crate) mod irq;
mod machine;
pub(crate) mod platform;
pub(crate) mod serial;
