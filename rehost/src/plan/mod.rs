//! The boot plan: which processor, how much RAM and where, what lies in it when
//! the kernel's first instruction runs, and what the registers hold.
//!
//! Everything is decided by rule from the facts that the kernel's bytes show
//! (`linker::kernel::Facts`), its processor table and its machine descriptors.

pub mod command_line;
pub mod cpu;
pub mod memory;
pub mod tags;
pub mod tree;

use linker::kernel::Kernel;
use linker::machine::{Descriptor, Machines};
use linker::transplant::ChipPage;
use thiserror::Error;

pub use cpu::{Cpu, Model};
pub use memory::Ram;

/// Why no plan could be made.
#[derive(Debug, Error)]
pub enum Error {
    /// The kernel and what goes with it need more RAM than there is.
    #[error("{needed} MiB of RAM are needed for {what}, and there are {given}; use --ram")]
    TooLittleRam {
        /// What does not fit.
        what: &'static str,
        /// MiB that would do.
        needed: u32,
        /// MiB that were asked for.
        given: u32,
    },
    /// RAM reaches beyond the 32-bit physical address space.
    #[error(
        "{size_mib} MiB of RAM from {base:#x} reach beyond the last physical address; use a smaller --ram"
    )]
    RamTooLarge {
        /// Physical address of the first byte.
        base: u32,
        /// Size in MiB.
        size_mib: u32,
    },
    /// A board whose chips only its own tree can tell of.
    #[error("this kernel needs the board's device tree: give it with --dtb")]
    NoTree,
    /// The user's device tree cannot be read.
    #[error("device tree: {0}")]
    Tree(String),
    /// The tags are larger than the room that kernels expect them in.
    #[error("the command line has {length} bytes, and tags hold {limit} at most")]
    CommandLine {
        /// Length of the command line.
        length: usize,
        /// What fits.
        limit: usize,
    },
}

/// The machine that the kernel finds itself in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// Three chips in opaque memory, with drivers transplanted into the kernel.
    Transplant,
    /// ARM's Versatile/PB, the kernel as it is.
    Versatile,
}

impl Board {
    /// The kernel's name of the UART that is the console.
    pub fn console(self) -> &'static str {
        match self {
            Board::Transplant => "ttyS0",
            Board::Versatile => "ttyAMA0",
        }
    }

    /// Where the board has its RAM (Versatile/PB user guide, DUI 0225, memory
    /// map); `None` where it may be anywhere.
    pub fn ram_base(self) -> Option<u32> {
        match self {
            Board::Transplant => None,
            Board::Versatile => Some(0),
        }
    }
}

/// Versatile/PB in the registry of ARM machines (`arch/arm/tools/mach-types`).
const VERSATILE_PB: u32 = 387;

/// What the user fixed; everything else is found by rule.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// RAM in MiB.
    pub ram_mib: Option<u32>,
    /// Added to the end of the command line.
    pub append: Option<String>,
    /// Physical address at which the image says that the kernel is to be loaded.
    pub load_address: Option<u32>,
    /// A device tree of the user's: used as it is but for `/chosen`.
    pub tree: Option<Vec<u8>>,
    /// Physical address of a page of memory of the chip's, outside of RAM.
    pub chip_memory: Option<u32>,
    /// Line of the interrupt controller for the UART, where it is not the usual one.
    pub uart_line: Option<u32>,
}

/// The user space that goes with the kernel.
#[derive(Debug, Clone, Copy)]
pub enum UserSpace<'a> {
    /// This archive as initial RAM disk; `/init` in it is started.
    Archive(&'a [u8]),
    /// This archive in a memory of the machine's, which is not compressed: the
    /// driver unpacks it, and the kernel starts `/init` in it.
    Rom(&'a [u8]),
    /// The one inside the kernel.
    InKernel,
    /// None: the kernel looks for a root file system and panics.
    None,
}

/// Bytes that lie in RAM when the kernel starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// What it is, for a person.
    pub what: &'static str,
    /// Physical address.
    pub address: u32,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// How the kernel is told about the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A list of tags, and the machine number in r1.
    Tags {
        /// The number, as in the kernel's machine descriptor.
        machine: u32,
    },
    /// A flattened device tree.
    Tree,
}

/// Everything that has to be so when the kernel's first instruction runs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The processor.
    pub cpu: Cpu,
    /// The one bank of RAM.
    pub ram: Ram,
    /// Physical address of a page of memory of the chip's, outside of it.
    pub chip_memory: Option<u32>,
    /// What lies in it, the kernel excepted.
    pub loads: Vec<Load>,
    /// Physical address of the kernel's first byte, which is its entry.
    pub entry: u32,
    /// r0, r1 and r2 at entry.
    pub registers: [u32; 3],
    /// Tags or tree.
    pub protocol: Protocol,
    /// What the kernel reads as its command line.
    pub command_line: String,
}

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The kernel, before patches.
    pub kernel: &'a Kernel,
    /// Its machine descriptors and processor table.
    pub machines: &'a Machines,
    /// The descriptor under which it is to boot.
    pub descriptor: Option<&'a Descriptor>,
    /// The user space that goes with it.
    pub user_space: UserSpace<'a>,
    /// The machine.
    pub board: Board,
    /// A UART that the kernel's own driver serves, told of by a node of the tree.
    pub uart_node: Option<&'a ChipPage>,
    /// What the user fixed.
    pub wishes: &'a Wishes,
}

/// Makes the plan.
pub fn plan(input: &Input) -> Result<Plan, Error> {
    let kernel = input.kernel;
    let facts = &kernel.facts;
    let archive = match input.user_space {
        UserSpace::Archive(bytes) | UserSpace::Rom(bytes) => bytes,
        UserSpace::InKernel | UserSpace::None => &[],
    };
    let cpu = cpu(kernel, input.machines);
    let ram = memory::ram(
        input.board,
        facts,
        kernel.bytes.len(),
        archive.len(),
        input.wishes,
    )?;
    let command_line = command_line::build(
        input.board.console(),
        facts.smp,
        !archive.is_empty(),
        input.wishes.append.as_deref(),
    );
    let mut places = memory::Places::new(ram, facts, kernel.bytes.len());
    let mut loads = Vec::new();
    let mut initrd = None;
    let in_ram = matches!(input.user_space, UserSpace::Archive(_));
    if in_ram && !archive.is_empty() {
        let start = places.take("initial RAM disk", archive.len())?;
        loads.push(Load {
            what: "initial RAM disk",
            address: start,
            bytes: archive.to_vec(),
        });
        initrd = Some((start, archive.len() as u32));
    }
    let entry = ram.base.wrapping_add(facts.text_offset);
    // A tree of the user's asks for tree boot whatever the kernel looks like.
    let by_tree =
        input.wishes.tree.is_some() || facts.device_tree && has_tree_machine(input.descriptor);
    let (protocol, registers) = if by_tree {
        let boot = tree::Boot {
            ram,
            command_line: &command_line,
            initrd,
        };
        let bytes = match &input.wishes.tree {
            Some(given) => tree::adapt(given, &boot)?,
            None if input.board == Board::Versatile => return Err(Error::NoTree),
            None => tree::build(&boot, &cpu, input.descriptor, input.uart_node),
        };
        let address = places.take("device tree", bytes.len())?;
        loads.push(Load {
            what: "device tree",
            address,
            bytes,
        });
        // The number says "look at the tree" to kernels that know both.
        (Protocol::Tree, [0, u32::MAX, address])
    } else {
        let machine = input
            .descriptor
            .map_or(u32::MAX, |descriptor| descriptor.nr);
        let bytes = tags::build(ram, &command_line, initrd)?;
        let address = ram.base.wrapping_add(tags::OFFSET);
        loads.push(Load {
            what: "tags",
            address,
            bytes,
        });
        (Protocol::Tags { machine }, [0, machine, address])
    };
    Ok(Plan {
        cpu,
        ram,
        chip_memory: input.wishes.chip_memory,
        loads,
        entry,
        registers,
        protocol,
        command_line,
    })
}

/// Whether a tree can lead to the descriptor: it names what it matches, or it is
/// the one for all trees. A kernel may know trees and have neither, as a board
/// whose support was never turned to them has.
fn has_tree_machine(descriptor: Option<&Descriptor>) -> bool {
    descriptor.is_none_or(|one| !one.compatible.is_empty() || one.nr == u32::MAX)
}

/// The processor for a kernel.
pub fn cpu(kernel: &Kernel, machines: &Machines) -> Cpu {
    cpu::choose(&kernel.facts, &machines.processors)
}

/// The descriptor to boot under when nothing else tells: the board's own, for a
/// tree the first that names something a tree can be matched with, for tags the
/// first.
pub fn descriptor(machines: &Machines, board: Board, device_tree: bool) -> Option<&Descriptor> {
    let all = &machines.descriptors;
    let own = all
        .iter()
        .find(|one| board == Board::Versatile && one.nr == VERSATILE_PB);
    let matched = all
        .iter()
        .find(|one| device_tree && !one.compatible.is_empty());
    own.or(matched).or_else(|| all.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(nr: u32, compatible: &[&str]) -> Descriptor {
        Descriptor {
            va: 0xc050_0000,
            nr,
            name: "a board".into(),
            compatible: compatible.iter().map(|&text| text.into()).collect(),
        }
    }

    #[test]
    fn a_board_of_tags_boots_by_tags_though_the_kernel_knows_trees() {
        assert!(has_tree_machine(Some(&one(7, &["vendor,board"]))));
        assert!(has_tree_machine(Some(&one(u32::MAX, &[]))));
        assert!(has_tree_machine(None));
        assert!(!has_tree_machine(Some(&one(1520, &[]))));
    }
}
