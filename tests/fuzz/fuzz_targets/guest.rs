//! A hostile guest of any bytes: processor, board, registers, page tables, vectors,
//! code, and what the host does meanwhile. Runs come back within their bounds, and
//! a snapshot from before works as it did.

#![no_main]

#[path = "../../../emu/tests/machine/hostile/encode.rs"]
mod encode;
#[path = "../../../emu/tests/machine/hostile/scenario.rs"]
mod scenario;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    scenario::run(bytes);
});
