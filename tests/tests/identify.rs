//! Kernels that set-up fetches and builds, identified with their names hidden;
//! the truth is their own symbol table.

use tests::{
    evaluation::{self, Case},
    fixtures,
};

/// Names in the cache, and the image's file.
const KERNELS: [(&str, &str); 4] = [
    ("bcm5301x-6.1", "zImage"),
    ("debian-marvell", "vmlinuz"),
    ("debian-rpi", "vmlinuz"),
    ("versatile-6.1", "zImage"),
];

#[test]
fn kernels_of_the_cache_with_their_names_hidden() {
    let cases = KERNELS.map(|(name, file)| Case {
        name: name.to_owned(),
        image: fixtures::kernel(name, file),
        truth: None,
    });
    let faults = evaluation::faults(&evaluation::all(&cases));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
