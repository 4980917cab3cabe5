//! A compressed stream of any format: the output keeps its limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::image::compress::{self, Work};

const OUTPUT: usize = 1 << 20;
const WORK: u64 = 8 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Some(format) = compress::recognise(bytes) else {
        return;
    };
    if let Ok(decoded) = compress::decode(format, bytes, OUTPUT, &mut Work::new(WORK)) {
        assert!(decoded.bytes.len() <= OUTPUT);
        assert!(decoded.consumed <= bytes.len());
    }
});
