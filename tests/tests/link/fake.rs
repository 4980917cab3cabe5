//! A kernel of our own making: as many bytes as wanted, with functions and
//! values at known addresses.

use std::collections::BTreeMap;

use linker::kernel::{Facts, Kernel, Version};
use linker::link::{Place, Provide, Resolved};

/// What the fake kernel answers.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fake {
    pub(crate) functions: BTreeMap<String, u32>,
    pub(crate) data: BTreeMap<String, u32>,
    pub(crate) layouts: BTreeMap<String, u32>,
    pub(crate) constants: BTreeMap<String, u32>,
    pub(crate) places: BTreeMap<String, Vec<u32>>,
}

fn look(map: &BTreeMap<String, u32>, name: &str) -> Result<Resolved, String> {
    let value = *map.get(name).ok_or("not in the fake kernel")?;
    let evidence = "fake".to_owned();
    Ok(Resolved { value, evidence })
}

impl Provide for Fake {
    fn function(&self, name: &str) -> Result<Resolved, String> {
        look(&self.functions, name)
    }
    fn data(&self, name: &str) -> Result<Resolved, String> {
        look(&self.data, name)
    }
    fn layout(&self, name: &str) -> Result<Resolved, String> {
        look(&self.layouts, name)
    }
    fn constant(&self, name: &str) -> Result<Resolved, String> {
        look(&self.constants, name)
    }
    fn place(&self, name: &str) -> Result<Place, String> {
        let words = self
            .places
            .get(name)
            .ok_or("not in the fake kernel")?
            .clone();
        let evidence = "fake".to_owned();
        Ok(Place::words(words, evidence))
    }
}

/// A kernel of these bytes.
pub(crate) fn kernel(bytes: Vec<u8>, base: u32) -> Kernel {
    Kernel {
        bytes,
        base,
        facts: Facts {
            release: "6.1.0-fake".to_owned(),
            banner: "Linux version 6.1.0-fake".to_owned(),
            ..Facts::usual(Version(6, 1, 0))
        },
    }
}
