//! Which processor the kernel gets: one that an entry of its processor table
//! (`.proc.info.init`, struct `proc_info_list`) accepts, as it is or with another
//! main identification register.

use linker::kernel::{Arch, Facts, Version};
use linker::machine::Processor;

/// A processor that the machine can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// ARM926EJ-S, Armv5TEJ
    Arm926,
    /// ARM1176JZF-S, Armv6K
    Arm1176,
    /// ARM11 MPCore, Armv6K with the multiprocessing extensions
    Arm11MpCore,
    /// Cortex-A8, Armv7-A
    CortexA8,
    /// Cortex-A9, Armv7-A with the multiprocessing extensions
    CortexA9,
    /// Cortex-A15, Armv7-A with virtualisation and large physical addresses
    CortexA15,
}

impl Model {
    /// Main identification register (MIDR) of the part as modelled.
    pub fn midr(self) -> u32 {
        match self {
            Model::Arm926 => 0x4106_9265,
            Model::Arm1176 => 0x410f_b767,
            Model::Arm11MpCore => 0x410f_b022,
            Model::CortexA8 => 0x410f_c080,
            Model::CortexA9 => 0x410f_c090,
            Model::CortexA15 => 0x412f_c0f1,
        }
    }

    /// The name as a person writes it.
    pub fn name(self) -> &'static str {
        match self {
            Model::Arm926 => "ARM926EJ-S",
            Model::Arm1176 => "ARM1176JZF-S",
            Model::Arm11MpCore => "ARM11 MPCore",
            Model::CortexA8 => "Cortex-A8",
            Model::CortexA9 => "Cortex-A9",
            Model::CortexA15 => "Cortex-A15",
        }
    }

    /// The name as a device tree writes it.
    pub fn compatible(self) -> &'static str {
        match self {
            Model::Arm926 => "arm,arm926ej-s",
            Model::Arm1176 => "arm,arm1176jzf-s",
            Model::Arm11MpCore => "arm,arm11mpcore",
            Model::CortexA8 => "arm,cortex-a8",
            Model::CortexA9 => "arm,cortex-a9",
            Model::CortexA15 => "arm,cortex-a15",
        }
    }
}

/// The processor of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// What it is.
    pub model: Model,
    /// Main identification register to write when the model's own would not be
    /// accepted.
    pub midr: Option<u32>,
}

/// Kernels before this one ask whether the memory system is exactly that of
/// Armv7 (`cpu_architecture`, arch/arm/kernel/setup.c). Cortex-A15 has a later one;
/// they take it for an architecture before Armv4 and set bits in page tables that
/// mean "never execute".
const LATER_MEMORY_SYSTEMS: Version = Version(2, 6, 38);

/// The models for a kernel, the first choice first.
fn models(facts: &Facts) -> &'static [Model] {
    let version = facts.version;
    match (facts.arch, facts.smp) {
        // No other model has long descriptors.
        (Arch::V7, _) if facts.lpae => &[Model::CortexA15],
        (Arch::V7, true) if version < LATER_MEMORY_SYSTEMS => &[Model::CortexA9],
        (Arch::V7, false) if version < LATER_MEMORY_SYSTEMS => &[Model::CortexA8, Model::CortexA9],
        (Arch::V4 | Arch::V5, _) => &[Model::Arm926],
        (Arch::V6, false) => &[Model::Arm1176, Model::Arm11MpCore],
        (Arch::V6, true) => &[Model::Arm11MpCore, Model::Arm1176],
        // Kernels built for SMP alone use `pldw`, which Cortex-A8 has not.
        (Arch::V7, true) => &[Model::CortexA15, Model::CortexA9],
        (Arch::V7, false) => &[Model::CortexA15, Model::CortexA8, Model::CortexA9],
    }
}

/// Chooses a processor that the table accepts: a model as it is if there is one,
/// else the first choice with the identification of the table's first entry.
/// With an empty table (not found) the first choice is taken as it is.
pub fn choose(facts: &Facts, table: &[Processor]) -> Cpu {
    let models = models(facts);
    let accepts = |midr: u32| {
        table
            .iter()
            .any(|entry| entry.mask != 0 && midr & entry.mask == entry.value)
    };
    let first = models[0];
    if table.is_empty() {
        return Cpu {
            model: first,
            midr: None,
        };
    }
    if let Some(&model) = models.iter().find(|model| accepts(model.midr())) {
        return Cpu { model, midr: None };
    }
    let midr = table
        .iter()
        .find(|entry| entry.mask != 0)
        .map(|entry| entry.value | (first.midr() & !entry.mask));
    Cpu { model: first, midr }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Version = Version(6, 1, 0);

    fn choose(arch: Arch, smp: bool, version: Version, table: &[Processor]) -> Cpu {
        let facts = Facts {
            arch,
            smp,
            ..Facts::usual(version)
        };
        super::choose(&facts, table)
    }

    fn entry(value: u32, mask: u32) -> Processor {
        Processor {
            va: 0xc050_0000,
            value,
            mask,
            arch_name: "armv5te".into(),
            elf_name: "v5".into(),
        }
    }

    #[test]
    fn a_model_that_the_table_accepts_is_taken_as_it_is() {
        let table = [entry(0x4106_9260, 0xff0f_fff0)];
        let chosen = choose(Arch::V5, false, NEW, &table);
        assert_eq!(
            chosen,
            Cpu {
                model: Model::Arm926,
                midr: None
            }
        );
    }

    #[test]
    fn another_vendors_core_is_had_by_its_identification() {
        let table = [entry(0x5625_1310, 0xffff_fff0)];
        let chosen = choose(Arch::V5, false, NEW, &table);
        assert_eq!(
            chosen,
            Cpu {
                model: Model::Arm926,
                midr: Some(0x5625_1315)
            }
        );
    }

    #[test]
    fn a_narrow_table_of_v7_picks_the_core_it_names() {
        let table = [entry(0x410f_c090, 0xff0f_fff0)];
        assert_eq!(choose(Arch::V7, true, NEW, &table).model, Model::CortexA9);
        let table = [entry(0x000f_0000, 0x000f_0000)];
        assert_eq!(choose(Arch::V7, true, NEW, &table).model, Model::CortexA15);
    }

    #[test]
    fn an_old_kernel_gets_no_processor_that_it_cannot_know() {
        let table = [entry(0x000f_0000, 0x000f_0000)];
        let chosen = |smp| choose(Arch::V7, smp, Version(2, 6, 35), &table).model;
        assert_eq!(chosen(false), Model::CortexA8);
        assert_eq!(chosen(true), Model::CortexA9);
    }

    #[test]
    fn long_descriptors_need_a_processor_that_has_them() {
        let facts = Facts {
            arch: Arch::V7,
            smp: true,
            lpae: true,
            ..Facts::usual(NEW)
        };
        let chosen = super::choose(&facts, &[entry(0x410f_c090, 0xff0f_fff0)]);
        assert_eq!(chosen.model, Model::CortexA15);
        assert!(chosen.midr.is_some());
    }

    #[test]
    fn an_entry_that_accepts_everything_does_not_count() {
        let table = [entry(0, 0)];
        let chosen = choose(Arch::V6, true, NEW, &table);
        assert_eq!(
            chosen,
            Cpu {
                model: Model::Arm11MpCore,
                midr: None
            }
        );
    }
}
