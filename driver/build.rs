//! Sets `armv7_or_higher` and the other `cfg`s of `arm-targets`: stable rustc
//! does not tell a crate which version of the architecture it is compiled for.

fn main() {
    arm_targets::process();
}
