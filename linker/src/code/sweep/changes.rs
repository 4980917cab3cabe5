//! What one pass has told the next one.

use std::ops::RangeInclusive;

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
        let step = if region.thumb { 2 } else { 4 };
        let mut at = region.range.start;
        while at < region.range.end {
            if map.has(at, CODE)
                && map.may_call(at, region.thumb)
                && let Some(insn) = map.insn(at, region.thumb)
                && let Op::Call { target, .. } = insn.op
                && callees.binary_search(&target).is_ok()
            {
                places.push(at);
            }
            at += step;
        }
    }
}
