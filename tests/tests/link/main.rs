//! Linking drivers that real compilers made: the result is compared with what
//! GNU ld makes for the same addresses, and executed.
//!
//! Needs `gcc-arm-linux-gnueabi`, `gcc-arm-none-eabi` and `clang`.

mod compile;
mod drivers;
mod execute;
mod fake;
mod library;
mod reference;
mod relocations;
