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

/// Marks, and the bytes that they are about. A map is of the whole image or of a
/// stretch of it ([`Map::split`]).
pub(super) struct Map<'a> {
    bytes: &'a [u8],
    base: u32,
    /// Of the stretch.
    marks: &'a mut [u8],
    /// The halfword of the image that the first of `marks` is for.
    first: usize,
    /// Marks of the whole image as they were when the map was split; none for the map
    /// of the whole.
    before: &'a [u8],
    /// Marks that are to be set outside the stretch.
    outside: Vec<(u32, u8)>,
    /// From the first to the last address of code.
    span: Range<u32>,
    /// Where code lies, by address.
    pub regions: Vec<Region>,
    /// Instructions with [`EDGE`] and where they may jump, sorted.
    pub edges: Vec<(u32, u32)>,
}

impl<'a> Map<'a> {
    /// How many marks a kernel has.
    pub(super) fn len(kernel: &Kernel) -> usize {
        kernel.bytes.len() / 2 + 1
    }

    /// The map of a kernel, with room for [`Map::len`] marks.
    pub(super) fn new(kernel: &'a Kernel, regions: Vec<Region>, marks: &'a mut [u8]) -> Self {
        Self {
            bytes: &kernel.bytes,
            base: kernel.base,
            marks,
            first: 0,
            before: &[],
            outside: Vec::new(),
            span: match (regions.first(), regions.last()) {
                (Some(first), Some(last)) => first.range.start..last.range.end,
                _ => 0..0,
            },
            regions,
            edges: Vec::new(),
        }
    }

    /// A copy of all marks.
    pub(super) fn copy(&self) -> Vec<u8> {
        self.marks.to_vec()
    }

    /// Maps of stretches that do not overlap, sorted, for work on all of them at once.
    /// Each sees of the others only what was marked `before`; what it wants marked
    /// there waits in its [`Map::outside`].
    pub(super) fn split<'s>(
        &'s mut self,
        stretches: &[Range<u32>],
        before: &'s [u8],
    ) -> Vec<Map<'s>> {
        let (bytes, base) = (self.bytes, self.base);
        let units: Vec<Range<usize>> = stretches
            .iter()
            .map(|it| self.unit(it.start)..self.unit(it.end))
            .collect();
        let mut rest = &mut *self.marks;
        let mut done = 0;
        let mut maps = Vec::with_capacity(stretches.len());
        for (stretch, units) in stretches.iter().zip(units) {
            let skipped = units.start.saturating_sub(done).min(rest.len());
            let (_, from) = std::mem::take(&mut rest).split_at_mut(skipped);
            let length = units.end.saturating_sub(units.start).min(from.len());
            let (marks, behind) = from.split_at_mut(length);
            let edge = |at: u32| self.edges.partition_point(|edge| edge.0 < at);
            maps.push(Map {
                bytes,
                base,
                marks,
                first: done + skipped,
                before,
                outside: Vec::new(),
                span: self.span.clone(),
                regions: self.regions.clone(),
                edges: self.edges[edge(stretch.start)..edge(stretch.end)].to_vec(),
            });
            done += skipped + length;
            rest = behind;
        }
        maps
    }

    /// What was to be marked outside of the stretch.
    pub(super) fn outside(self) -> Vec<(u32, u8)> {
        self.outside
    }

    /// Halfwords of the stretch.
    pub(super) fn units(&self) -> usize {
        self.marks.len()
    }

    fn unit(&self, va: u32) -> usize {
        (va.wrapping_sub(self.base) / 2) as usize
    }

    /// Index into the marks of the stretch, if it is there.
    fn own(&self, va: u32) -> usize {
        self.unit(va).wrapping_sub(self.first)
    }

    /// The marks at an address; none outside the image.
    pub(super) fn get(&self, va: u32) -> u8 {
        match self.marks.get(self.own(va)) {
            Some(mark) => *mark,
            None => self.before.get(self.unit(va)).copied().unwrap_or(0),
        }
    }

    pub(super) fn has(&self, va: u32, marks: u8) -> bool {
        self.get(va) & marks != 0
    }

    pub(super) fn set(&mut self, va: u32, marks: u8) {
        let (own, whole) = (self.own(va), self.unit(va));
        if let Some(mark) = self.marks.get_mut(own) {
            *mark |= marks;
        } else if whole < self.before.len() {
            self.outside.push((va, marks));
        }
    }

    pub(super) fn unset(&mut self, va: u32, marks: u8) {
        let unit = self.own(va);
        if let Some(mark) = self.marks.get_mut(unit) {
            *mark &= !marks;
        }
    }

    /// Marks every halfword of `len` bytes, as far as they are in the stretch.
    pub(super) fn set_all(&mut self, va: u32, len: u32, marks: u8) {
        for mark in self.stretch(&(va..va.saturating_add(len))) {
            *mark |= marks;
        }
    }

    /// Takes marks away within a range of addresses.
    pub(super) fn clear(&mut self, range: &Range<u32>, marks: u8) {
        for mark in self.stretch(range) {
            *mark &= !marks;
        }
    }

    /// The marks of a range of addresses, without those outside the stretch.
    fn stretch(&mut self, range: &Range<u32>) -> &mut [u8] {
        let last = self.marks.len();
        let place = |va: u32| self.unit(va).saturating_sub(self.first).min(last);
        let (from, to) = (place(range.start), place(range.end));
        self.marks.get_mut(from..to).unwrap_or_default()
    }

    /// Addresses of a range, `step` bytes apart, at which one of these is marked.
    pub(super) fn marked(
        &self,
        range: &Range<u32>,
        step: u32,
        marks: u8,
    ) -> impl Iterator<Item = u32> {
        /// Marks that are looked at together.
        const WIDE: usize = 8;
        let (from, to) = (self.own(range.start), self.own(range.end));
        let own = self.marks.get(from..to).unwrap_or_default();
        let start = range.start;
        let wide = u64::from_ne_bytes([marks; WIDE]);
        let any = move |eight: &[u8]| match eight.first_chunk() {
            Some(eight) => u64::from_ne_bytes(*eight) & wide != 0,
            None => true,
        };
        let eights = own.chunks(WIDE).enumerate().filter(move |it| any(it.1));
        eights.flat_map(move |(index, eight)| {
            let first = start + (2 * WIDE * index) as u32;
            let places = (first..).step_by(2).zip(eight);
            let marked =
                move |it: &(u32, &u8)| it.1 & marks != 0 && (it.0 - start).is_multiple_of(step);
            places.filter(marked).map(|it| it.0)
        })
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

    /// Whether the instruction there may be a `movt`, at a glance.
    pub(super) fn may_movt(&self, va: u32, thumb: bool) -> bool {
        match thumb {
            false => {
                va & 2 == 0
                    && self
                        .word(va)
                        .is_some_and(|it| it & 0x0ff0_0000 == 0x0340_0000)
            }
            true => self.half(va).is_some_and(|it| it & 0xfbf0 == 0xf2c0),
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
