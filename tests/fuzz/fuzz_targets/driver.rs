//! A driver object or library of any bytes, linked into a kernel that has
//! whatever it asks for: what comes out lies in the range that was given.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::{
    kernel::{Facts, Kernel, Version},
    link::{Board, OpaqueRequest, Place, Provide, Resolved, link},
    object::Driver,
};

const BASE: u32 = 0xc000_8000;

/// Has everything.
struct Anything;

fn resolved(name: &str) -> Result<Resolved, String> {
    Ok(Resolved {
        value: BASE + 16 * (name.len() as u32 & 63),
        evidence: "fuzz".to_owned(),
    })
}

impl Provide for Anything {
    fn function(&self, name: &str) -> Result<Resolved, String> {
        resolved(name)
    }
    fn data(&self, name: &str) -> Result<Resolved, String> {
        resolved(name)
    }
    fn layout(&self, name: &str) -> Result<Resolved, String> {
        resolved(name)
    }
    fn constant(&self, name: &str) -> Result<Resolved, String> {
        resolved(name)
    }
    fn place(&self, name: &str) -> Result<Place, String> {
        let words = vec![resolved(name)?.value];
        Ok(Place::words(words, "fuzz".to_owned()))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(driver) = Driver::read("fuzz", bytes) else {
        return;
    };
    assert!(!driver.to_string().is_empty());
    let kernel = Kernel {
        bytes: vec![0; 0x1000],
        base: BASE,
        facts: Facts::usual(Version(6, 1, 0)),
    };
    let range = OpaqueRequest::default();
    let board = Board::default();
    if let Ok(transplant) = link(&kernel, &Anything, &[driver], range, &board) {
        let range = u64::from(range.base)..u64::from(range.base) + u64::from(range.size);
        for segment in &transplant.opaque.segments {
            let end = u64::from(segment.va) + segment.bytes.len() as u64;
            assert!(range.contains(&u64::from(segment.va)) && end <= range.end);
        }
    }
});
