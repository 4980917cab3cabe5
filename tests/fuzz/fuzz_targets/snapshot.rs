//! A snapshot's file of any bytes, its checksums made right: what can be opened
//! runs for a while, whatever state the chips are in.

#![no_main]

use emu::machine::Machine;
use emu::machine::file::seal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    seal(&mut bytes);
    if let Ok((mut machine, _)) = Machine::open(&mut &bytes[..]) {
        for _ in 0..4 {
            let _ = machine.run(500);
            machine.take_output();
            machine.type_in(b"x");
        }
        machine.chips();
    }
});
