//! A firmware image of any bytes: opening it ends within its limits, and what
//! it says about the image lies within the image.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::image::{self, Limits};

/// Small enough that an input takes no second.
const LIMITS: Limits = Limits {
    output: 4 << 20,
    work: 16 << 20,
    depth: 6,
};

fuzz_target!(|bytes: &[u8]| {
    let firmware = match image::open_with(bytes, LIMITS) {
        Ok(firmware) => firmware,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(firmware.kernel.bytes.len() <= LIMITS.output.max(bytes.len()));
    for layer in &firmware.layers {
        let whole = if layer.space == 0 {
            bytes.len()
        } else {
            LIMITS.output
        };
        assert!(layer.offset + layer.len <= whole, "{layer:?}");
        assert!(layer.depth <= LIMITS.depth + 2, "{layer:?}");
    }
    if let Some(found) = &firmware.initramfs {
        assert!(found.offset + found.len <= firmware.kernel.bytes.len());
    }
});
