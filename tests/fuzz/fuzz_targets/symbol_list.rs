//! Symbols from a file of any bytes: a list, or an ELF file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::symbols::{elf, system_map};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(table) = system_map::parse(text)
    {
        assert!(table.len() <= text.lines().count());
    }
    if let Ok(table) = elf::read(bytes) {
        assert!(!table.is_empty());
    }
});
