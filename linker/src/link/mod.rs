//! Placement in opaque memory, relocation, slots, veneers and patches.
//!
//! | file | what |
//! |---|---|
//! | `provide` | what is asked of the one who knows the kernel |
//! | `identified` | the answers that identification has |
//! | `choosing` | the same, with a candidate where it could not decide |
//! | `board` | the chips beside the driver |
//! | `names` | symbols: which definition counts, which archive members come in |
//! | `reach` | which sections a function needs |
//! | `fill` | slots and their values |
//! | `forwards` | which functions of the driver the kernel will call |
//! | `layout` | addresses for sections, veneers and chains |
//! | `reloc` | relocations: formulas and instruction fields |
//! | `apply` | the contents |
//! | `debug` | DWARF and symbols for `driver.elf` |

mod apply;
mod board;
mod choosing;
mod debug;
mod fill;
mod forwards;
mod identified;
mod layout;
mod names;
mod provide;
mod reach;
mod reloc;

use serde::Serialize;

pub use board::{Board, Chip};
pub use choosing::{Choosing, WITHOUT};
pub use provide::{Place, Provide, Resolved, Spot};
pub use reloc::Fault;

use crate::kernel::Kernel;
use crate::object::{self, Driver, Need};
use crate::transplant::elf::{self, Load};
use crate::transplant::{
    ByName, ChipPage, DEFAULT_OPAQUE_BASE, DEFAULT_OPAQUE_SIZE, FilledSlot, InstalledForward,
    Opaque, PAGE, Patch, Segment, Transplant,
};

/// The range that the driver and the chips' pages get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OpaqueRequest {
    /// First virtual address, page-aligned.
    pub base: u32,
    /// Size in bytes, a multiple of a page.
    pub size: u32,
}

impl Default for OpaqueRequest {
    fn default() -> Self {
        Self {
            base: DEFAULT_OPAQUE_BASE,
            size: DEFAULT_OPAQUE_SIZE,
        }
    }
}

/// The largest opaque range: an ARM branch reaches from one end to the other.
const MAX_OPAQUE_SIZE: u32 = 0x200_0000;

/// Why drivers cannot be linked into a kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A driver library is broken.
    #[error(transparent)]
    Object(#[from] object::Error),
    /// The opaque range is none.
    #[error("opaque range {base:#010x}+{size:#x}: {why}")]
    Range {
        /// First address asked for.
        base: u32,
        /// Size asked for.
        size: u32,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// The opaque range and the kernel share addresses.
    #[error(
        "opaque range {base:#010x}..{end:#010x} overlaps the kernel at {kernel:#010x}..{kernel_end:#010x}"
    )]
    Overlap {
        /// First address of the range.
        base: u32,
        /// The address behind it.
        end: u32,
        /// First address of the kernel.
        kernel: u32,
        /// The address behind it.
        kernel_end: u32,
    },
    /// Two definitions of one name in one driver.
    #[error("symbol {symbol} is defined in {first} and in {second}")]
    Duplicate {
        /// The name.
        symbol: String,
        /// The member that came first.
        first: String,
        /// The other one.
        second: String,
    },
    /// Code needs a section of a COMDAT group that was discarded, and the group
    /// that was kept has no such section.
    #[error("{member}: {section} is needed, but another member's group of its name was taken")]
    Discarded {
        /// The member.
        member: String,
        /// The section.
        section: String,
    },
    /// Code needs a section that cannot be loaded.
    #[error("{section} is needed, but it is {why}")]
    Unloadable {
        /// Member and section.
        section: String,
        /// What it is.
        why: &'static str,
    },
    /// A note points to nothing sensible.
    #[error("{place}: {why}")]
    BadNote {
        /// Member, section and offset of the note.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// More forwards than any kernel has places.
    #[error("more than {limit} forward notes")]
    TooManyForwards {
        /// How many are accepted.
        limit: usize,
    },
    /// A required forward cannot be installed.
    #[error("{driver}: {forward} is required and cannot be installed:\n  {}", reasons.join("\n  "))]
    Unresolved {
        /// The driver.
        driver: String,
        /// The place by its names.
        forward: String,
        /// What the kernel lacks.
        reasons: Vec<String>,
    },
    /// No forward could be installed, so that nothing would ever run.
    #[error(
        "nothing of {drivers} can be installed: {}",
        if left_out.is_empty() { "no forward notes".to_owned() } else { left_out.join("; ") }
    )]
    NothingInstalled {
        /// The drivers.
        drivers: String,
        /// What was left out, and why.
        left_out: Vec<String>,
    },
    /// A relocation that cannot be applied.
    #[error("{section}+{offset:#x} ({symbol}): {fault}")]
    Relocation {
        /// Member and section.
        section: String,
        /// Offset within the section.
        offset: u32,
        /// The symbol that it names.
        symbol: String,
        /// What is wrong.
        fault: Fault,
    },
    /// The driver does not fit.
    #[error(
        "driver too large: it needs {needed:#x} bytes of opaque memory and there are {available:#x}: \
         code and constants {executable:#x}, data {writable:#x}, chips' pages {chips:#x}; biggest:\n  {}",
        biggest.iter().map(|(name, size)| format!("{size:#7x} {name}")).collect::<Vec<_>>().join("\n  ")
    )]
    TooLarge {
        /// Bytes needed, whole pages.
        needed: u64,
        /// Bytes there are.
        available: u32,
        /// Bytes of code, veneers, constants and slots.
        executable: u64,
        /// Bytes of variables.
        writable: u64,
        /// Bytes of chips' register pages.
        chips: u64,
        /// The biggest sections and their sizes.
        biggest: Vec<(String, u32)>,
    },
    /// A place is no word of the kernel.
    #[error("{place}: the kernel has no word at {va:#010x}")]
    Place {
        /// The forward's place.
        place: String,
        /// The address.
        va: u32,
    },
    /// `driver.elf` cannot be written.
    #[error("driver.elf: {0}")]
    Elf(String),
}

/// Links drivers into a kernel.
///
/// Every driver has its own symbols. Where several have a function for one
/// place, a small piece of code calls them in the order of `drivers`.
///
/// # Errors
///
/// [`Error`] says which driver, member, section and offset, or which pointer of
/// the kernel is missing.
pub fn link(
    kernel: &Kernel,
    provide: &dyn Provide,
    drivers: &[Driver],
    request: OpaqueRequest,
    board: &Board,
) -> Result<Transplant, Error> {
    check_range(kernel, request, board)?;
    let mut graph = reach::Graph::new(drivers, provide)?;
    let slots = fill::slots(&mut graph, provide, request, board)?;
    let forwards::Decision {
        installed,
        kept,
        mut left_out,
    } = forwards::decide(&mut graph, provide, &slots)?;
    let mut extras = layout::Extras::default();
    for forward in installed
        .iter()
        .filter(|forward| forward.functions.len() > 1)
    {
        extras.chains.push(layout::Chain {
            functions: forward.functions.clone(),
        });
    }
    let layout = apply::settle(&mut graph, &kept, extras, request, board)?;
    let (executable, writable) = apply::contents(&mut graph, &kept, &slots, &layout)?;

    let (forwards, patches) = install(kernel, &installed, &layout)?;
    left_out.sort_by(|a, b| (&a.what, &a.why).cmp(&(&b.what, &b.why)));
    left_out.dedup();
    let segments = segments(&layout, executable, writable);
    let driver_elf = elf::write(&elf::Image {
        entry: 0,
        loads: segments
            .iter()
            .map(|segment| Load {
                va: segment.va,
                bytes: &segment.bytes,
                size: segment.size,
                writable: segment.writable,
                executable: !segment.writable,
            })
            .collect(),
        parts: debug::parts(&layout),
        symbols: debug::symbols(&graph, &kept, &layout),
        debug: debug::sections(&mut graph, &kept, &layout)?,
        attributes: debug::attributes(&graph, &kept)?,
    })
    .map_err(Error::Elf)?;
    Ok(Transplant {
        release: kernel.facts.release.clone(),
        opaque: Opaque {
            base: request.base,
            size: request.size,
            segments,
            chips: chips(request, board),
        },
        slots: filled(&kept, &slots, &layout),
        by_name: by_name(&graph, &kept, &layout),
        forwards,
        left_out,
        patches,
        driver_elf,
    })
}

/// What drivers cannot do without on a kernel: of the parts that it gets by what
/// `provide` knows, every function and variable that is required, and the places
/// where they are installed.
///
/// # Errors
///
/// As [`link`], when a driver cannot be linked at all.
pub fn requirements(provide: &dyn Provide, drivers: &[Driver]) -> Result<Vec<Need>, Error> {
    let mut graph = reach::Graph::new(drivers, provide)?;
    let request = OpaqueRequest::default();
    let slots = fill::slots(&mut graph, provide, request, &Board::default())?;
    let decision = forwards::decide(&mut graph, provide, &slots)?;
    let places = decision.installed.into_iter().map(|forward| Need {
        names: vec![forward.place],
    });
    let required = fill::required(&slots, &decision.kept.sections);
    Ok(places.chain(required).collect())
}

fn check_range(kernel: &Kernel, request: OpaqueRequest, board: &Board) -> Result<(), Error> {
    let OpaqueRequest { base, size } = request;
    let wrong = |why| Error::Range { base, size, why };
    if base % PAGE != 0 || size % PAGE != 0 {
        return Err(wrong("base and size must be multiples of 0x1000"));
    }
    if size > MAX_OPAQUE_SIZE {
        return Err(wrong(
            "at most 0x2000000 bytes, which an ARM branch reaches",
        ));
    }
    let end = base
        .checked_add(size)
        .ok_or_else(|| wrong("it runs over the end of memory"))?;
    if board.chips.len() >= (size / PAGE) as usize {
        return Err(wrong(
            "the chips' register pages leave no room for a driver",
        ));
    }
    let kernel_end = kernel.end();
    if base < kernel_end && kernel.base < end {
        return Err(Error::Overlap {
            base,
            end,
            kernel: kernel.base,
            kernel_end,
        });
    }
    Ok(())
}

fn install(
    kernel: &Kernel,
    installed: &[forwards::Installed],
    layout: &layout::Layout,
) -> Result<(Vec<InstalledForward>, Vec<Patch>), Error> {
    let mut forwards = Vec::new();
    let mut patches = Vec::new();
    for forward in installed {
        let target = match forward.functions.as_slice() {
            [only] => layout.function(*only),
            several => {
                let chain = layout
                    .chains
                    .iter()
                    .find(|(chain, _)| chain.functions == several);
                chain.map_or(0, |&(_, at)| at)
            }
        };
        for spot in &forward.words.spots {
            let words: Vec<u32> = spot.code.iter().copied().chain([target]).collect();
            let va = spot.va.wrapping_sub(4 * spot.code.len() as u32);
            let at = (0..words.len() as u32).map(|index| va.wrapping_add(4 * index));
            let old: Option<Vec<u32>> = at.map(|va| kernel.word(va)).collect();
            let old = old.ok_or_else(|| Error::Place {
                place: forward.place.clone(),
                va,
            })?;
            patches.push(Patch {
                va,
                old: bytes(&old),
                new: bytes(&words),
                why: format!(
                    "{} calls the driver ({})",
                    forward.place, forward.words.evidence
                ),
            });
        }
        forwards.push(InstalledForward {
            place: forward.place.clone(),
            target,
            at: forward.words.spots.iter().map(|spot| spot.va).collect(),
        });
    }
    Ok((forwards, patches))
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn segments(layout: &layout::Layout, executable: Vec<u8>, writable: Vec<u8>) -> Vec<Segment> {
    let segment = |va: u32, bytes: Vec<u8>, end: u32, writable| Segment {
        va,
        bytes,
        size: (end - va).next_multiple_of(PAGE),
        writable,
    };
    let mut segments = vec![segment(
        layout.code.start,
        executable,
        layout.constants.end,
        false,
    )];
    if layout.zero.end > layout.data.start {
        segments.push(segment(layout.data.start, writable, layout.zero.end, true));
    }
    segments
}

fn chips(request: OpaqueRequest, board: &Board) -> Vec<ChipPage> {
    let chips = board.chips.iter().enumerate();
    chips
        .map(|(index, chip)| ChipPage {
            chip: chip.name.clone(),
            va: fill::chip_page(request, board, index),
            phys: chip.phys,
            irq: chip.irq,
            clock_hz: chip.clock_hz,
        })
        .collect()
}

fn filled(
    kept: &reach::Reached,
    slots: &fill::Slots<'_>,
    layout: &layout::Layout,
) -> Vec<FilledSlot> {
    let mut filled = Vec::new();
    for id in &kept.sections {
        let start = layout.sections.get(id).copied().unwrap_or(0);
        for slot in slots.get(id).into_iter().flatten() {
            if let Ok((name, found)) = &slot.value {
                filled.push(FilledSlot {
                    name: name.clone(),
                    va: start.wrapping_add(slot.offset),
                    value: found.value,
                    evidence: found.evidence.clone(),
                });
            }
        }
    }
    filled.sort_by(|a, b| (&a.name, a.va).cmp(&(&b.name, b.va)));
    filled
}

fn by_name(
    graph: &reach::Graph<'_>,
    kept: &reach::Reached,
    layout: &layout::Layout,
) -> Vec<ByName> {
    let mut used: Vec<ByName> = kept
        .kernel
        .iter()
        .filter_map(|&name| {
            let found = graph.kernel.get(name);
            let value = found.value.as_ref().ok()?;
            let veneers = layout.veneers.iter();
            Some(ByName {
                name: found.name.clone(),
                value: value.value,
                evidence: value.evidence.clone(),
                veneers: veneers
                    .filter(|(veneer, _)| veneer.destination == names::Target::Kernel(name))
                    .map(|(_, &at)| at)
                    .collect(),
            })
        })
        .collect();
    used.sort_by(|a, b| a.name.cmp(&b.name));
    used
}

#[cfg(test)]
mod tests;
