//! What one pass has told the next one.

use std::ops::{Range, RangeInclusive};

use rayon::prelude::*;

use crate::code::{
    Origin,
    decode::Op,
    map::{CODE, Map},
};

/// What is to be looked at again.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Everything.
    pub all: bool,
    /// Addresses at which something is different, sorted.
    pub places: Vec<u32>,
}

impl Changes {
    /// Starts that came or went, and calls of functions of which it is now known, or
    /// known no more, that they never return.
    pub(super) fn between(
        map: &Map,
        starts_before: &[(u32, Origin)],
        starts: &[(u32, Origin)],
        never_before: &[u32],
        never: &[u32],
    ) -> Self {
        let addresses =
            |starts: &[(u32, Origin)]| -> Vec<u32> { starts.iter().map(|start| start.0).collect() };
        let mut places = difference(&addresses(starts_before), &addresses(starts));
        let callees = difference(never_before, never);
        if !callees.is_empty() {
            calls_of(map, &callees, &mut places);
        }
        places.sort_unstable();
        Self { all: false, places }
    }

    /// Whether nothing has changed within a range of addresses.
    pub(super) fn none_in(&self, range: RangeInclusive<u32>) -> bool {
        let first = self.places.partition_point(|place| place < range.start());
        let place = self.places.get(first);
        !self.all && place.is_none_or(|place| !range.contains(place))
    }
}

/// What is in one of two sorted lists only.
fn difference(left: &[u32], right: &[u32]) -> Vec<u32> {
    let only = |these: &[u32], those: &[u32]| -> Vec<u32> {
        let new = |address: &&u32| those.binary_search(address).is_err();
        these.iter().filter(new).copied().collect()
    };
    let mut both = only(left, right);
    both.extend(only(right, left));
    both
}

/// Adds the addresses of all calls of these functions.
fn calls_of(map: &Map, callees: &[u32], places: &mut Vec<u32>) {
    for region in &map.regions {
        let calls = |at: &u32| {
            map.may_call(*at, region.thumb)
                && map.insn(*at, region.thumb).is_some_and(|insn| {
                    matches!(insn.op, Op::Call { target, .. }
                        if callees.binary_search(&target).is_ok())
                })
        };
        let pieces: Vec<Range<u32>> = region.pieces().collect();
        places.par_extend(
            pieces
                .par_iter()
                .flat_map_iter(|piece| map.marked(piece, region.step(), CODE).filter(calls)),
        );
    }
}
