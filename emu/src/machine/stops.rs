//! Where the guest is to be stopped: breakpoints, watchpoints, steps.
//!
//! A page with a watchpoint is not handed out as it is: reads and writes go to a
//! page of the *window*, physical addresses beyond everything else where each
//! access is announced before it is made. So the rest of memory costs nothing.

use std::collections::BTreeSet;

/// Where the window lies.
pub(crate) const WINDOW: u64 = 2 << 32;
/// Pages that it has.
pub(crate) const WINDOW_PAGES: u64 = 256;

/// Which accesses a watchpoint stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// Loads.
    Reads,
    /// Stores.
    Writes,
    /// Both.
    Both,
}

/// Virtual addresses whose accesses stop the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watchpoint {
    /// First address.
    pub address: u32,
    /// Bytes.
    pub length: u32,
    /// Which accesses.
    pub watched: Watched,
}

impl Watchpoint {
    /// Whether it has one of `size` addresses from `start` on.
    fn meets(&self, start: u32, size: u32) -> bool {
        let (start, end) = (u64::from(start), u64::from(start) + u64::from(size));
        let first = u64::from(self.address);
        start < first + u64::from(self.length) && first < end
    }

    fn wants(&self, write: bool) -> bool {
        match self.watched {
            Watched::Reads => !write,
            Watched::Writes => write,
            Watched::Both => true,
        }
    }
}

/// An access that a watchpoint stopped; it has not been made yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Whose.
    pub watchpoint: Watchpoint,
    /// The virtual address.
    pub address: u32,
    /// Bytes: 1, 2, 4 or 8. An access that is not aligned may come in parts.
    pub size: u32,
    /// What is there; 0 for a register of a chip, which a look might change.
    pub old: u64,
    /// What is to be written; none for a read.
    pub new: Option<u64>,
}

/// When a run by steps ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    /// It does not.
    Endless,
    /// Before the instruction behind the next one.
    One,
    /// Before the next instruction.
    Now,
    /// Before the instruction with this many before it.
    Until(u64),
}

/// The page of the window that stands for a virtual page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    page: u32,
    physical: u64,
}

/// Everything that stops the guest.
#[derive(Debug)]
pub(super) struct Stops {
    breakpoints: BTreeSet<u32>,
    watchpoints: BTreeSet<Watchpoint>,
    places: Vec<Place>,
    pub(super) steps: Steps,
    /// Exceptions stop the guest.
    pub(super) exceptions: bool,
    /// The instruction, and the count before it, at which the guest was stopped
    /// last: it is not stopped there again when it goes on.
    passed: Option<(u32, u64)>,
    /// The same for an access.
    passed_access: Option<(u32, u64)>,
}

impl Default for Stops {
    fn default() -> Self {
        Self {
            breakpoints: BTreeSet::new(),
            watchpoints: BTreeSet::new(),
            places: Vec::new(),
            steps: Steps::Endless,
            exceptions: false,
            passed: None,
            passed_access: None,
        }
    }
}

impl Stops {
    /// Whether this one is new.
    pub(super) fn add_breakpoint(&mut self, va: u32) -> bool {
        self.breakpoints.insert(va)
    }

    pub(super) fn remove_breakpoint(&mut self, va: u32) {
        self.breakpoints.remove(&va);
    }

    pub(super) fn breaks_at(&self, va: u32) -> bool {
        self.breakpoints.contains(&va)
    }

    pub(super) fn breakpoints(&self) -> impl Iterator<Item = u32> {
        self.breakpoints.iter().copied()
    }

    pub(super) fn add_watchpoint(&mut self, watchpoint: Watchpoint) {
        self.watchpoints.insert(watchpoint);
    }

    /// Whether it was there.
    pub(super) fn remove_watchpoint(&mut self, watchpoint: &Watchpoint) -> bool {
        self.watchpoints.remove(watchpoint)
    }

    pub(super) fn watchpoints(&self) -> impl Iterator<Item = Watchpoint> {
        self.watchpoints.iter().copied()
    }

    /// Whether the guest may be stopped inside of a block.
    pub(super) fn any(&self) -> bool {
        !self.breakpoints.is_empty() || !self.watchpoints.is_empty() || self.steps != Steps::Endless
    }

    /// Time goes back: nothing was passed.
    pub(super) fn forget(&mut self) {
        self.passed = None;
        self.passed_access = None;
    }

    /// The guest stops, or stands, before this instruction.
    pub(super) fn pass(&mut self, address: u32, instructions: u64) {
        self.passed = Some((address, instructions));
    }

    pub(super) fn has_passed(&self, address: u32, instructions: u64) -> bool {
        self.passed == Some((address, instructions))
    }

    /// Whether a run by steps ends before an instruction.
    pub(super) fn ends_at(&mut self, instructions: u64) -> bool {
        match self.steps {
            Steps::Endless => false,
            Steps::Now => true,
            Steps::Until(count) => instructions >= count,
            Steps::One => {
                self.steps = Steps::Now;
                false
            }
        }
    }

    /// Whether a virtual page has a watchpoint.
    #[inline]
    pub(super) fn watches_page(&self, address: u32) -> bool {
        let page = address & !0xfff;
        !self.watchpoints.is_empty() && self.watchpoints.iter().any(|one| one.meets(page, 0x1000))
    }

    /// The page of the window for a virtual page; none when the window is full.
    pub(super) fn place(&mut self, address: u32, physical: u64) -> Option<u64> {
        let place = Place {
            page: address & !0xfff,
            physical,
        };
        let known = self.places.iter().position(|one| *one == place);
        let index = known.or_else(|| {
            let room = (self.places.len() as u64) < WINDOW_PAGES;
            room.then(|| {
                self.places.push(place);
                self.places.len() - 1
            })
        })?;
        Some(WINDOW + ((index as u64) << 12))
    }

    /// The same in a window that is empty now: nobody may hold a page of it.
    pub(super) fn first_place(&mut self, address: u32, physical: u64) -> u64 {
        self.places.clear();
        self.place(address, physical).unwrap_or(WINDOW)
    }

    fn place_of(&self, offset: u32) -> Option<Place> {
        self.places.get(offset as usize >> 12).copied()
    }

    /// The physical address behind an offset into the window.
    pub(super) fn behind(&self, offset: u32) -> Option<u64> {
        Some(self.place_of(offset)?.physical | u64::from(offset & 0xfff))
    }

    /// The watchpoint that an access by way of the window meets; `at` is the
    /// instruction and the count before it. What is there is for the caller to say.
    pub(super) fn hit(
        &mut self,
        offset: u32,
        size: u32,
        new: Option<u64>,
        at: (u32, u64),
    ) -> Option<Hit> {
        let address = self.place_of(offset)?.page | offset & 0xfff;
        let write = new.is_some();
        let mut met = self.watchpoints.iter();
        let watchpoint = *met.find(|one| one.meets(address, size) && one.wants(write))?;
        if self.passed_access == Some(at) {
            return None;
        }
        self.passed_access = Some(at);
        // A breakpoint there was reported before.
        self.passed = Some(at);
        Some(Hit {
            watchpoint,
            address,
            size,
            old: 0,
            new,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(watched: Watched) -> Stops {
        let mut stops = Stops::default();
        stops.add_watchpoint(Watchpoint {
            address: 0x1ffe,
            length: 4,
            watched,
        });
        stops
    }

    #[test]
    fn a_watchpoint_over_the_end_of_a_page_watches_both() {
        let stops = stops(Watched::Both);
        let pages = [0x0fff, 0x1000, 0x2004, 0x3000].map(|page| stops.watches_page(page));
        assert_eq!(pages, [false, true, true, false]);
    }

    #[test]
    fn accesses_that_overlap_are_hit_once() {
        let mut stops = stops(Watched::Writes);
        let window = stops.place(0x1000, 0x8000_1000).unwrap();
        assert_eq!((window, stops.behind(0x123)), (WINDOW, Some(0x8000_1123)));
        assert_eq!(stops.hit(0xffa, 4, Some(1), (8, 1)), None);
        assert_eq!(stops.hit(0xffc, 4, None, (8, 1)), None);
        let hit = stops.hit(0xffc, 4, Some(1), (8, 1)).unwrap();
        assert_eq!((hit.address, hit.new), (0x1ffc, Some(1)));
        assert_eq!(stops.hit(0xffc, 4, Some(1), (8, 1)), None);
        assert!(stops.hit(0xffc, 4, Some(1), (8, 2)).is_some());
    }

    #[test]
    fn a_full_window_is_emptied() {
        let mut stops = stops(Watched::Both);
        for page in 0..WINDOW_PAGES as u32 {
            let place = stops.place(page << 12, 0);
            assert_eq!(place, Some(WINDOW + (u64::from(page) << 12)));
        }
        assert_eq!(stops.place(0x3000, 0), Some(WINDOW + 0x3000));
        assert_eq!(stops.place(0x8000_0000, 0), None);
        assert_eq!(stops.first_place(0x8000_0000, 0x5000), WINDOW);
        assert_eq!(
            (stops.behind(4), stops.behind(0x1000)),
            (Some(0x5004), None)
        );
    }
}
