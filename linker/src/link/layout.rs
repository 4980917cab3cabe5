//! Placement in opaque memory: an executable segment with code, veneers and
//! read-only data, then a writable one, then the chips' pages at the very end.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::forwards::Function;
use super::names::{KernelNames, SectionId, Target};
use super::reach::{Graph, Reached};
use super::{Board, Error, OpaqueRequest};
use crate::object::SectionKind;
use crate::transplant::PAGE;

/// How many of the biggest sections "driver too large" names.
const BIGGEST: usize = 8;
/// `ldr pc, [pc, #-4]`: loads the word behind itself and changes to the
/// instruction set that its bit 0 names (from Armv5T on).
const LDR_PC_NEXT: u32 = 0xe51f_f004;
/// `bx pc` and `nop`: from Thumb to the ARM instruction behind them.
const BX_PC_NOP: u32 = 0x46c0_4778;

/// A piece of code that takes a branch to where the branch cannot go itself:
/// Figure 11 of the paper with interworking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Veneer {
    pub(super) destination: Target,
    /// Starts with Thumb instructions.
    pub(super) thumb: bool,
}

impl Veneer {
    /// Offset of the literal that holds the destination.
    pub(super) fn literal(self) -> u32 {
        if self.thumb { 8 } else { 4 }
    }

    fn size(self) -> u32 {
        self.literal() + 4
    }

    /// The instructions and the literal.
    pub(super) fn bytes(self, destination: u32) -> Vec<u8> {
        let words = [BX_PC_NOP, LDR_PC_NEXT, destination];
        let words = if self.thumb { &words[..] } else { &words[1..] };
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// Code that calls several functions of drivers, in order, for one place of the
/// kernel: each gets the arguments, the last one's result is returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) functions: Vec<Function>,
}

impl Chain {
    /// `ldm sp, {r0-r3}; ldr ip, [pc, ..]; blx ip` for each, around it three
    /// instructions, behind it the literals.
    fn size(&self) -> u32 {
        (4 + 4 * self.functions.len() as u32) * 4
    }

    /// The instructions and the literals.
    pub(super) fn bytes(&self, addresses: &[u32]) -> Vec<u8> {
        const PUSH_R0_R3_R4_LR: u32 = 0xe92d_401f;
        const LDM_SP_R0_R3: u32 = 0xe89d_000f;
        const LDR_IP_PC: u32 = 0xe59f_c000;
        const BLX_IP: u32 = 0xe12f_ff3c;
        const ADD_SP_16: u32 = 0xe28d_d010;
        const POP_R4_LR: u32 = 0xe8bd_4010;
        const BX_LR: u32 = 0xe12f_ff1e;
        let count = addresses.len() as u32;
        let mut words = vec![PUSH_R0_R3_R4_LR];
        for index in 0..count {
            // The load stands at word 2 + 3 index, its literal at 4 + 3 count + index.
            let distance = 4 * (4 + 3 * count + index) - 4 * (2 + 3 * index) - 8;
            words.extend([LDM_SP_R0_R3, LDR_IP_PC | distance, BLX_IP]);
        }
        words.extend([ADD_SP_16, POP_R4_LR, BX_LR]);
        words.extend(addresses);
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// Where everything lies.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) sections: HashMap<SectionId, u32>,
    pub(super) veneers: BTreeMap<Veneer, u32>,
    pub(super) chains: Vec<(Chain, u32)>,
    pub(super) got: BTreeMap<Target, u32>,
    pub(super) got_base: u32,
    /// Instructions, veneers included.
    pub(super) code: Range<u32>,
    /// Constants, slots and the table of addresses.
    pub(super) constants: Range<u32>,
    /// Initialised variables.
    pub(super) data: Range<u32>,
    /// Variables that start as zero.
    pub(super) zero: Range<u32>,
}

/// What beside the sections has to be placed.
#[derive(Debug, Default)]
pub(super) struct Extras {
    pub(super) veneers: Vec<Veneer>,
    pub(super) chains: Vec<Chain>,
    pub(super) got: Vec<Target>,
}

impl Layout {
    /// Places all sections.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub(super) fn new(
        graph: &Graph<'_>,
        kept: &Reached,
        extras: &Extras,
        request: OpaqueRequest,
        board: &Board,
    ) -> Result<Self, Error> {
        let mut layout = Self::default();
        let mut cursor = Cursor(u64::from(request.base));
        let place = |layout: &mut Self, cursor: &mut Cursor, kind: SectionKind| {
            let start = cursor.0;
            for &id in &kept.sections {
                let section = graph.section(id);
                if section.kind == kind {
                    let at = cursor.take(section.size, section.align);
                    layout.sections.insert(id, at as u32);
                }
            }
            start
        };

        let start = place(&mut layout, &mut cursor, SectionKind::Code);
        for chain in &extras.chains {
            let at = cursor.take(chain.size(), 4);
            layout.chains.push((chain.clone(), at as u32));
        }
        for &veneer in &extras.veneers {
            layout
                .veneers
                .insert(veneer, cursor.take(veneer.size(), 4) as u32);
        }
        layout.code = cursor.since(start);
        let start = place(&mut layout, &mut cursor, SectionKind::ReadOnly);
        layout.got_base = cursor.take(0, 4) as u32;
        for &entry in &extras.got {
            layout.got.insert(entry, cursor.take(4, 4) as u32);
        }
        layout.constants = cursor.since(start);
        let executable = cursor.0 - u64::from(request.base);
        cursor.take(0, PAGE);
        let writable = cursor.0;
        let start = place(&mut layout, &mut cursor, SectionKind::Data);
        layout.data = cursor.since(start);
        let start = place(&mut layout, &mut cursor, SectionKind::Zero);
        layout.zero = cursor.since(start);

        let end = cursor.0.next_multiple_of(u64::from(PAGE));
        let chips = u64::from(PAGE) * board.chips.len() as u64;
        let needed = end - u64::from(request.base) + chips;
        if needed > u64::from(request.size) {
            return Err(Error::TooLarge {
                needed,
                available: request.size,
                executable,
                writable: cursor.0 - writable,
                chips,
                biggest: biggest(graph, kept),
            });
        }
        Ok(layout)
    }

    /// The address of a function, bit 0 set for Thumb.
    pub(super) fn function(&self, function: Function) -> u32 {
        let start = self.sections.get(&function.id).copied().unwrap_or(0);
        start.wrapping_add(function.offset) | u32::from(function.thumb)
    }

    /// S and T of the manual: a symbol's address, and whether it is a Thumb
    /// function.
    pub(super) fn address(&self, target: Target, kernel: &KernelNames<'_>) -> (u32, bool) {
        match target {
            Target::Section {
                id,
                offset,
                function,
                thumb,
            } => {
                let start = self.sections.get(&id).copied().unwrap_or(0);
                (start.wrapping_add(offset), function && thumb)
            }
            Target::Absolute(value) => (value, false),
            Target::Kernel(name) => {
                let value = kernel.value(name).unwrap_or(0);
                if kernel.get(name).function {
                    (value & !1, value & 1 != 0)
                } else {
                    (value, false)
                }
            }
            Target::GotBase => (self.got_base, false),
            Target::Nothing => (0, false),
        }
    }
}

fn biggest(graph: &Graph<'_>, kept: &Reached) -> Vec<(String, u32)> {
    let mut sections: Vec<_> = kept.sections.iter().copied().collect();
    sections.sort_by_key(|&id| std::cmp::Reverse(graph.section(id).size));
    sections.truncate(BIGGEST);
    let named = sections.into_iter();
    named
        .map(|id| (graph.describe(id), graph.section(id).size))
        .collect()
}

/// The next free address. Sums of sizes are far below 64 bits: a library has at
/// most 2^16 members of 2^16 sections of 2^32 bytes.
struct Cursor(u64);

impl Cursor {
    fn take(&mut self, size: u32, align: u32) -> u64 {
        let at = self.0.next_multiple_of(u64::from(align));
        self.0 = at.saturating_add(size.into());
        at
    }

    fn since(&self, start: u64) -> Range<u32> {
        start as u32..self.0 as u32
    }
}
