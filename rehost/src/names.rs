//! Names for addresses of a running kernel: what a person is shown.

use emu::machine::Machine;
use linker::kernel::{Facts, Kernel};
use linker::symbols::{SymbolTable, system_map};
use linker::transplant::Transplant;
use serde::{Deserialize, Serialize};

use crate::pipeline::prepare::Prepared;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Range {
    base: u32,
    size: u32,
}

impl Range {
    fn contains(self, address: u32) -> bool {
        address.wrapping_sub(self.base) < self.size
    }
}

/// The names of a kernel, and where it and the driver lie.
#[derive(Debug, Clone, Default)]
pub struct Names {
    symbols: SymbolTable,
    ranges: Ranges,
    /// Not kept in files.
    facts: Option<Facts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Ranges {
    kernel: Range,
    page_offset: u32,
    driver: Range,
}

/// What a file keeps of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    ranges: Ranges,
    /// In the form of System.map.
    symbols: String,
}

impl Names {
    /// The names of a kernel that was prepared, and of what was linked into it.
    pub fn of(prepared: &Prepared, transplant: Option<&Transplant>) -> Self {
        let Kernel { bytes, base, facts } = &prepared.firmware.kernel;
        let mut names = Self {
            symbols: prepared.symbols.clone(),
            ranges: Ranges {
                kernel: Range {
                    base: *base,
                    size: bytes.len() as u32,
                },
                page_offset: facts.page_offset,
                driver: Range::default(),
            },
            facts: Some(facts.clone()),
        };
        if let Some(transplant) = transplant {
            names.link(transplant);
        }
        names
    }

    /// A driver was linked into the kernel.
    pub fn link(&mut self, transplant: &Transplant) {
        self.ranges.driver = Range {
            base: transplant.opaque.base,
            size: transplant.opaque.size,
        };
    }

    /// What a file keeps.
    pub fn keep(&self) -> Kept {
        let lines = self.symbols.iter();
        let lines = lines.map(|one| format!("{:08x} {} {}\n", one.address, one.kind, one.name));
        Kept {
            ranges: self.ranges,
            symbols: lines.collect(),
        }
    }

    /// What a file kept. Lines that are no symbols leave it without any.
    pub fn kept(kept: &Kept) -> Self {
        Self {
            symbols: system_map::parse(&kept.symbols).unwrap_or_default(),
            ranges: kept.ranges,
            facts: None,
        }
    }

    /// What is known of the kernel itself, when it was opened for this run.
    pub fn facts(&self) -> Option<&Facts> {
        self.facts.as_ref()
    }

    /// Where a name lies.
    pub fn address(&self, name: &str) -> Option<u32> {
        self.symbols.address(name)
    }

    /// The symbols.
    pub fn symbols(&self) -> &SymbolTable {
        &self.symbols
    }

    /// First address of the kernel and its length.
    pub fn kernel(&self) -> (u32, u32) {
        (self.ranges.kernel.base, self.ranges.kernel.size)
    }

    /// Whether an address is the driver's.
    pub fn is_driver(&self, address: u32) -> bool {
        self.ranges.driver.contains(address)
    }

    /// `calibrate_delay+0x34` for an address within the kernel that has a name.
    pub fn name(&self, address: u32) -> Option<String> {
        if self.is_driver(address) {
            let offset = address - self.ranges.driver.base;
            return Some(format!("the driver+{offset:#x}"));
        }
        // Far behind the last symbol there is no code of the kernel.
        let within = self.ranges.kernel.contains(address);
        let (symbol, offset) = self.symbols.nearest(address).filter(|_| within)?;
        Some(format!("{}+{offset:#x}", symbol.name))
    }

    /// An address as a person reads it: `calibrate_delay+0x34 (0xc0301234)`.
    pub fn place(&self, machine: &Machine, address: u32) -> String {
        let user = address < self.ranges.page_offset && machine.in_user_mode();
        match self.name(address) {
            None if user => format!("user space ({address:#010x})"),
            Some(name) => format!("{name} ({address:#010x})"),
            None => format!("{address:#010x}"),
        }
    }
}
