//! One byte of marks for every halfword of the image.

use std::ops::Range;

use super::{
    decode::{self, Insn},
    regions::Region,
};
use crate::kernel::Kernel;

/// Loaded by an instruction that knows its address: no code.
pub(super) const LITERAL: u8 = 1;
/// Target of a call.
pub(super) const CALLED: u8 = 2;
/// First halfword of an instruction that was reached.
pub(super) const CODE: u8 = 4;
/// Reached from the instruction before it.
pub(super) const FALLEN: u8 = 8;
/// Reached by a jump from within its function.
pub(super) const JUMPED: u8 = 16;
/// A function starts here.
pub(super) const START: u8 = 32;
/// A table in data says that it may jump elsewhere.
pub(super) const EDGE: u8 = 64;
/// Code that an exception table jumps to: not the start of anything.
pub(super) const FIXUP: u8 = 128;

/// Marks, and the bytes that they are about.
pub(super) struct Map<'a> {
    bytes: &'a [u8],
    base: u32,
    marks: Vec<u8>,
    /// From the first to the last address of code.
    span: Range<u32>,
    /// Where code lies, by address.
    pub regions: Vec<Region>,
    /// Instructions with [`EDGE`] and where they may jump, sorted.
    pub edges: Vec<(u32, u32)>,
}

impl<'a> Map<'a> {
    pub(super) fn new(kernel: &'a Kernel, regions: Vec<Region>) -> Self {
        Self {
            bytes: &kernel.bytes,
            base: kernel.base,
            marks: vec![0; kernel.bytes.len() / 2 + 1],
            span: match (regions.first(), regions.last()) {
                (Some(first), Some(last)) => first.range.start..last.range.end,
                _ => 0..0,
            },
            regions,
            edges: Vec::new(),
        }
    }

    /// Halfwords of the image.
    pub(super) fn units(&self) -> usize {
        self.marks.len()
    }

    fn unit(&self, va: u32) -> usize {
        (va.wrapping_sub(self.base) / 2) as usize
    }

    /// The marks at an address; none outside the image.
    pub(super) fn get(&self, va: u32) -> u8 {
        self.marks.get(self.unit(va)).copied().unwrap_or(0)
    }

    pub(super) fn has(&self, va: u32, marks: u8) -> bool {
        self.get(va) & marks != 0
    }

    pub(super) fn set(&mut self, va: u32, marks: u8) {
        let unit = self.unit(va);
        if let Some(mark) = self.marks.get_mut(unit) {
            *mark |= marks;
        }
    }

    pub(super) fn unset(&mut self, va: u32, marks: u8) {
        let unit = self.unit(va);
        if let Some(mark) = self.marks.get_mut(unit) {
            *mark &= !marks;
        }
    }

    /// Marks every halfword of `len` bytes.
    pub(super) fn set_all(&mut self, va: u32, len: u32, marks: u8) {
        let from = self.unit(va).min(self.marks.len());
        let to = from.saturating_add(len as usize / 2).min(self.marks.len());
        for mark in &mut self.marks[from..to] {
            *mark |= marks;
        }
    }

    /// Takes marks away within a range of addresses.
    pub(super) fn clear(&mut self, range: &Range<u32>, marks: u8) {
        let from = self.unit(range.start).min(self.marks.len());
        let to = self.unit(range.end).clamp(from, self.marks.len());
        for mark in &mut self.marks[from..to] {
            *mark &= !marks;
        }
    }

    pub(super) fn half(&self, va: u32) -> Option<u16> {
        let offset = va.wrapping_sub(self.base) as usize;
        let bytes = self.bytes.get(offset..offset.checked_add(2)?)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn word(&self, va: u32) -> Option<u32> {
        let offset = va.wrapping_sub(self.base) as usize;
        let bytes = self.bytes.get(offset..offset.checked_add(4)?)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(super) fn byte(&self, va: u32) -> Option<u8> {
        self.bytes.get(va.wrapping_sub(self.base) as usize).copied()
    }

    /// The instruction at an address.
    pub(super) fn insn(&self, va: u32, thumb: bool) -> Option<Insn> {
        if thumb {
            let first = self.half(va)?;
            let second = self.half(va.wrapping_add(2)).unwrap_or(0);
            return Some(decode::thumb(va, first, second));
        }
        Some(decode::arm(va, self.word(va)?))
    }

    /// Whether the instruction there may be a call, at a glance.
    pub(super) fn may_call(&self, va: u32, thumb: bool) -> bool {
        match thumb {
            false => self
                .word(va)
                .is_some_and(|word| word >> 25 & 7 == 5 && word >> 28 >= 14),
            true => self.half(va).is_some_and(|half| half & 0xf800 == 0xf000),
        }
    }

    /// Whether the instruction there may be a branch, at a glance.
    pub(super) fn may_branch(&self, va: u32, thumb: bool) -> bool {
        match thumb {
            false => self.word(va).is_some_and(|word| word >> 25 & 7 == 5),
            true => self
                .half(va)
                .is_some_and(|half| matches!(half >> 12, 0xd..=0xf) || half & 0xf500 == 0xb100),
        }
    }

    /// Size of the instruction there.
    pub(super) fn size(&self, va: u32, thumb: bool) -> u32 {
        match thumb && self.half(va).is_none_or(|half| half >> 11 < 0x1d) {
            true => 2,
            false => 4,
        }
    }

    /// The region that an address lies in.
    pub(super) fn region(&self, va: u32) -> Option<&Region> {
        if !self.span.contains(&va) {
            return None;
        }
        let after = self.regions.partition_point(|r| r.range.start <= va);
        let region = self.regions.get(after.checked_sub(1)?)?;
        region.range.contains(&va).then_some(region)
    }

    /// Whether code may lie at an address.
    pub(super) fn in_code(&self, va: u32) -> bool {
        self.region(va).is_some()
    }
}
