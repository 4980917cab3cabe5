//! All of the guest's address space, as ranges.

use super::fault::{Level, Status};
use super::opaque::Opaque;
use super::walk::{Descriptors, Mapping, Regime, Rights, walk};

/// Pages of 4 KiB in an address space, and in a MiB of it.
const PAGES: u32 = 1 << 20;
const SECTION: u32 = 256;

/// Virtual addresses that are mapped alike, to physical ones in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First virtual address.
    pub va: u32,
    /// Bytes.
    pub size: u64,
    /// First physical address; above 4 GiB for opaque memory.
    pub physical: u64,
    /// What privileged modes may do.
    pub privileged: Rights,
    /// What user mode may do.
    pub user: Rights,
    /// Whether it is of our own table rather than the guest's.
    pub opaque: bool,
}

impl Range {
    fn of(page: u32, mapping: &Mapping, opaque: bool) -> Self {
        Self {
            va: page << 12,
            size: 0x1000,
            physical: mapping.physical,
            privileged: mapping.privileged,
            user: mapping.user,
            opaque,
        }
    }

    fn goes_on_with(&self, next: &Self) -> bool {
        u64::from(self.va) + self.size == u64::from(next.va)
            && self.physical + self.size == next.physical
            && (self.privileged, self.user, self.opaque)
                == (next.privileged, next.user, next.opaque)
    }
}

/// Everything that is mapped, in the order of virtual addresses.
pub(crate) fn ranges(
    memory: &impl Descriptors,
    regime: &Regime,
    opaque: Option<&Opaque>,
) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    let mut page = 0;
    while page < PAGES {
        let va = page << 12;
        let found = match opaque.filter(|opaque| opaque.contains(va)) {
            Some(opaque) => opaque
                .page(va)
                .map(|mapping| Range::of(page, &mapping, true)),
            None => match walk(memory, regime, va) {
                Ok(mapping) => Some(Range::of(page, &mapping, false)),
                // A descriptor of the first level stands for a MiB at least.
                Err(fault) if fault.status == Status::Translation(Level::First) => {
                    page = skipped(page, opaque);
                    continue;
                }
                _ => None,
            },
        };
        match (ranges.last_mut(), found) {
            (Some(last), Some(next)) if last.goes_on_with(&next) => last.size += next.size,
            (_, Some(next)) => ranges.push(next),
            (_, None) => {}
        }
        page += 1;
    }
    ranges
}

/// The first page of the next MiB, or of opaque memory if that comes before.
fn skipped(page: u32, opaque: Option<&Opaque>) -> u32 {
    let next = page + SECTION - page % SECTION;
    let start = opaque.map_or(next, |opaque| opaque.range().0 >> 12);
    if start > page { next.min(start) } else { next }
}
