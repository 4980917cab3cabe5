//! One pass over a region: its functions, one behind the other.

use std::ops::Range;

use super::{Found, changes::Changes, entry};
use crate::code::{
    Origin,
    decode::Op,
    map::{CODE, FALLEN, FIXUP, JUMPED, LITERAL, Map, START},
    regions::Region,
    walk::{Walk, Walker},
};

/// A pass, and what it is told and tells.
pub(super) struct Pass<'p, 'm, 'k> {
    pub walker: &'p mut Walker<'m, 'k>,
    /// A region, or a part of one that begins with a function that is called.
    pub region: &'p Region,
    /// Known starts, sorted.
    pub starts: &'p [(u32, Origin)],
    /// Functions of the pass before.
    pub before: &'p [Found],
    /// What is different since then.
    pub changes: &'p Changes,
    /// Functions found.
    pub functions: &'p mut Vec<Found>,
    /// Starts that turned out to be none.
    pub banned: &'p mut Vec<u32>,
}

/// A place where a function or a piece of one starts.
struct Place {
    at: u32,
    /// The reason for which a function is known to start there.
    known: Option<Origin>,
    /// The next known start.
    limit: u32,
}

impl Pass<'_, '_, '_> {
    pub(super) fn run(&mut self) {
        let region = self.region.range.clone();
        let step = self.step();
        let first = self.functions.len();
        let mut next = self.starts.partition_point(|start| start.0 < region.start);
        let mut old = self.before.partition_point(|f| f.start < region.start);
        self.clear(region.start, old);
        let mut at = region.start;
        while at < region.end {
            while self.before.get(old).is_some_and(|f| f.start < at) {
                old += 1;
            }
            if let Some(behind) = self.unchanged(old, at) {
                at = behind;
                continue;
            }
            while self.starts.get(next).is_some_and(|start| start.0 < at) {
                next += 1;
            }
            let known = self.starts.get(next).filter(|start| start.0 == at);
            if known.is_none() && is_gap(self.walker.map, at, self.region.thumb) {
                at += step;
                continue;
            }
            let after = self.starts.get(next + usize::from(known.is_some()));
            let place = Place {
                at,
                known: known.map(|start| start.1),
                limit: after.map_or(region.end, |start| start.0.min(region.end)),
            };
            at = self.piece(&place, first);
        }
    }

    fn step(&self) -> u32 {
        if self.region.thumb { 2 } else { 4 }
    }

    /// Where the function behind the old one with this index starts.
    fn behind(&self, old: usize) -> u32 {
        let end = self.region.range.end;
        self.before.get(old + 1).map_or(end, |f| f.start.min(end))
    }

    /// Forgets what was reached from `from` on to the first old function, and in all
    /// old functions that are looked at again.
    fn clear(&mut self, from: u32, first: usize) {
        if self.changes.all {
            return;
        }
        let end = self.region.range.end;
        let marks = CODE | FALLEN | JUMPED | START;
        let to = self.before.get(first).map_or(end, |f| f.start.min(end));
        self.walker.map.clear(&(from..to), marks);
        let functions = self.before.iter().enumerate().skip(first);
        for (index, function) in functions.take_while(|(_, f)| f.start < end) {
            let behind = self.behind(index);
            if !self.changes.none_in(function.start..=behind) {
                self.walker.map.clear(&(function.start..behind), marks);
            }
        }
    }

    /// Takes over the old function that starts at `at` when nothing about it has
    /// changed; where to go on.
    fn unchanged(&mut self, old: usize, at: u32) -> Option<u32> {
        let function = self.before.get(old).filter(|f| f.start == at)?;
        let behind = self.behind(old).max(at + self.step());
        self.changes.none_in(at..=behind).then(|| {
            self.functions.push(function.clone());
            behind
        })
    }

    /// Walks what starts at a place; where to go on.
    fn piece(&mut self, place: &Place, first: usize) -> u32 {
        let (at, limit, thumb) = (place.at, place.limit, self.region.thumb);
        let map = &*self.walker.map;
        let mut starts = place.known.is_some()
            || entry::plausible(map, at, limit, thumb) && !entry::stands_still(map, at, thumb);
        let last = self.functions.get(first..).and_then(|own| own.last());
        let last = last.map(|last| last.start..last.end);
        let start = last.clone().filter(|_| !starts).map_or(at, |l| l.start);
        let mut walk = self.walker.walk(start, at, limit, thumb);
        let strong = place.known.is_some_and(|origin| origin <= Origin::Entry);
        if starts
            && !strong
            && let Some(last) = last
            && goes_into(&walk, &last)
        {
            // No function jumps into the middle of the one before it: this is a part
            // of that.
            if place.known.is_some() {
                self.banned.push(at);
            }
            starts = false;
            let range = at..walk.end;
            self.walker.map.clear(&range, CODE | FALLEN | JUMPED);
            walk = self.walker.walk(last.start, at, limit, thumb);
        }
        // A Thumb instruction may stand across the limit.
        let end = walk.end.max(at + self.step()).min(limit);
        let map = &mut *self.walker.map;
        if place.known.is_none() && (map.has(at, FIXUP) || goes_back(map, at, &walk)) {
            return end;
        }
        if walk.falls_out {
            // The function runs into the next one: no start, unless a call says so.
            self.banned.push(limit);
        }
        match self
            .functions
            .get_mut(first..)
            .and_then(|own| own.last_mut())
        {
            Some(last) if !starts => {
                // A piece of the function before it that nothing was seen to reach.
                last.tails.extend(walk.tails);
                last.tail_calls.extend(walk.tail_calls);
                last.returns |= walk.returns;
            }
            _ if starts && walk.end > at => {
                map.set(at, START);
                let mut framed = walk.tails.clone();
                framed.retain(|it| !walk.tail_calls.contains(it));
                self.functions.push(Found {
                    start: at,
                    end,
                    thumb,
                    origin: place.known.unwrap_or(Origin::AfterEnd),
                    tails: walk.tails,
                    tail_calls: walk.tail_calls,
                    returns: walk.returns,
                    framed,
                    falls_out: walk.falls_out,
                });
            }
            _ => return end,
        }
        let mut behind = end;
        while behind < limit && map.has(behind, LITERAL) {
            behind += if thumb { 2 } else { 4 };
        }
        if let Some(last) = self.functions.last_mut() {
            last.end = behind;
        }
        behind
    }
}

/// Whether a piece jumps behind the start of the function before it.
fn goes_into(walk: &Walk, last: &Range<u32>) -> bool {
    let mut tails = walk.tails.iter();
    tails.any(|&target| target > last.start && target < last.end)
}

/// Whether all that a piece does is to jump into the middle of functions before it:
/// what the compiler or an `asm` put out of their way.
fn goes_back(map: &Map, at: u32, walk: &Walk) -> bool {
    let middle = |&target: &u32| target < at && map.has(target, FALLEN);
    !walk.returns && !walk.tails.is_empty() && walk.tails.iter().all(middle)
}

/// Padding, data and fixups between functions.
fn is_gap(map: &Map, at: u32, thumb: bool) -> bool {
    if map.has(at, LITERAL) {
        return true;
    }
    match map.insn(at, thumb) {
        None => true,
        Some(insn) => {
            matches!(insn.op, Op::Undefined | Op::Nop | Op::Trap)
                // No code that nothing is seen to reach depends on a flag at once.
                || !thumb && insn.conditional()
                || map.word(at) == Some(0)
                || thumb && map.half(at) == Some(0)
        }
    }
}
