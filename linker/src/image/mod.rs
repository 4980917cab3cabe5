//! image
pub mod compress;
