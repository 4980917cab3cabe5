//! Small made-up kernels for the tests of this phase and those around it.

use super::flow::{self, Event};
use crate::kernel::{Arch, Facts, Kernel, Version};

/// Where they lie.
pub(crate) const BASE: u32 = 0xc000_8000;

/// An image that is filled piece by piece.
pub(crate) struct Image {
    bytes: Vec<u8>,
    facts: Facts,
}

impl Image {
    /// An empty image of this many bytes and this version, for Armv7.
    pub(crate) fn new(size: usize, version: Version) -> Self {
        Self {
            bytes: vec![0; size],
            facts: Facts::usual(version),
        }
    }

    /// Compiled to Thumb-2.
    pub(crate) fn thumb2(mut self) -> Self {
        self.facts.thumb2 = true;
        self
    }

    /// Built with `CONFIG_SMP`.
    pub(crate) fn smp(mut self) -> Self {
        self.facts.smp = true;
        self
    }

    /// For Armv5TE.
    pub(crate) fn v5(mut self) -> Self {
        self.facts.arch = Arch::V5;
        self
    }

    /// Writes words at an address, which must lie in the image.
    pub(crate) fn words(&mut self, va: u32, words: &[u32]) -> &mut Self {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(va, &bytes)
    }

    /// Writes halfwords at an address.
    pub(crate) fn halves(&mut self, va: u32, halves: &[u16]) -> &mut Self {
        let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        self.put(va, &bytes)
    }

    /// Writes a text and its NUL at an address.
    pub(crate) fn text(&mut self, va: u32, text: &str) -> &mut Self {
        self.put(va, text.as_bytes())
            .put(va + text.len() as u32, &[0])
    }

    /// Writes bytes at an address.
    pub(crate) fn put(&mut self, va: u32, bytes: &[u8]) -> &mut Self {
        let start = (va - BASE) as usize;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// The kernel.
    pub(crate) fn kernel(&self) -> Kernel {
        Kernel {
            bytes: self.bytes.clone(),
            base: BASE,
            facts: self.facts.clone(),
        }
    }
}

/// What a function of these words, ARM code, does in a kernel of this version.
pub(crate) fn events(words: &[u32], version: Version) -> Vec<Event> {
    let mut image = Image::new(0x1000, version);
    image.words(BASE, words);
    let end = BASE + 4 * words.len() as u32;
    flow::trace(&image.kernel(), BASE, false, Some(end))
}
