//! A decompressed kernel: entry code, texts and code of any bytes, and behind
//! them the list heads without which nothing is taken for a kernel.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::kernel::{Kernel, MIN_SIZE};

const BASE: u32 = 0xc000_8000;
const LISTS: u32 = 32;

fuzz_target!(|bytes: &[u8]| {
    let mut image = bytes.to_vec();
    image.resize(image.len().max(MIN_SIZE).next_multiple_of(8), 0);
    for _ in 0..LISTS {
        let own = (BASE + image.len() as u32).to_le_bytes();
        image.extend(own);
        image.extend(own);
    }
    if let Ok(kernel) = Kernel::from_raw(image) {
        let text_offset = kernel.base - kernel.facts.page_offset;
        assert_eq!(text_offset, kernel.facts.text_offset);
        assert_eq!(kernel.offset(kernel.base), Some(0));
    }
});
