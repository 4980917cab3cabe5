//! The whole machine at one moment: processor, memory, chips, time, and what was
//! noted of the guest until then.
//!
//! A machine that goes back to a snapshot runs on as it did the first time,
//! instruction by instruction. Not part of it are watches, traps, breakpoints and
//! the moment at which time is held: they stay as they are.
//!
//! # Cost
//!
//! Memory is copied page by page, and only what changed: every page that the
//! guest may write to is known, because it has to be handed out for that first.
//! A snapshot shares with the one before it what did not change in between, and
//! going back copies the pages in which the two moments differ. The first
//! snapshot of a machine copies all memory that was ever written.

use std::rc::Rc;

use crate::cpu::count;
use crate::cpu::image::Image;
use crate::cpu::live::psr;
use crate::cpu::state::State;
use crate::mmu::translate;

use super::{Config, Error, Machine, Milestone, guest};

/// See the head of [`this module`](self).
pub struct Snapshot {
    pub(super) config: Rc<Config>,
    pub(super) started: bool,
    instructions: u64,
    pub(super) cpu: State,
    pub(super) count: count::Kept,
    pub(super) mmu: translate::Kept,
    pub(super) guest: guest::Kept,
    pub(super) image: Image,
    /// For the file alone.
    pub(super) watches: Vec<(u32, Milestone)>,
}

impl Snapshot {
    /// Instructions that had retired.
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// Pages of 4 KiB of memory that are not zero.
    pub fn pages(&self) -> usize {
        self.image.pages().count()
    }
}

impl Machine {
    /// The machine as it is. Between two runs only; that is, whenever there is
    /// somebody to call this.
    pub fn snapshot(&mut self) -> Snapshot {
        let (model, number) = (self.config.cpu, self.engine.number());
        let instructions = self.instructions();
        let (guest, count, cpu) = self.engine.parts();
        // Nothing may be held for writing any more: what is written from now on is to
        // be noticed.
        cpu.flush_tlb();
        let mmu = guest.mmu.keep();
        let kept = guest.keep();
        let count = count.kept();
        let state = State::of(&cpu, model, number);
        let changed = self.engine.ram().take_dirty();
        self.image.take(self.engine.ram(), &changed);
        Snapshot {
            config: Rc::clone(&self.config),
            started: self.started,
            instructions,
            cpu: state,
            count,
            mmu,
            guest: kept,
            image: self.image.clone(),
            watches: self.engine.host().watches.clone(),
        }
    }

    /// Goes back to a snapshot, or on to one, of this machine or of another that
    /// is made of the same.
    ///
    /// # Errors
    /// When it is of another kind of machine; nothing is changed then.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let guest = self.engine.host();
        if self.config != snapshot.config
            || !guest.mmu.fits(&snapshot.mmu)
            || !snapshot.guest.fits(&guest.board)
        {
            return Err(Error::OtherMachine);
        }
        let mut changed = self.engine.ram().take_dirty();
        changed.extend(self.image.difference(&snapshot.image));
        changed.sort_unstable();
        changed.dedup();
        for &page in &changed {
            self.engine.ram().fill_page(page, snapshot.image.page(page));
        }
        self.image = snapshot.image.clone();
        self.enter(
            &snapshot.cpu,
            &snapshot.count,
            &snapshot.mmu,
            &snapshot.guest,
            &changed,
        );
        self.started = snapshot.started;
        Ok(())
    }

    /// Puts everything but memory into a state; the pages of memory that are
    /// different from before are `changed`.
    pub(super) fn enter(
        &mut self,
        state: &State,
        counted: &count::Kept,
        mmu: &translate::Kept,
        kept: &guest::Kept,
        changed: &[u32],
    ) {
        let (model, number) = (self.config.cpu, self.engine.number());
        let (guest, count, cpu) = self.engine.parts();
        state.apply(&cpu, model, number);
        cpu.flush_tlb();
        guest.mmu.restore(&cpu, mmu, changed);
        guest.restore(kept);
        count.keep(counted);
        // Where it stands code may be new to this engine.
        count.starts_at(cpu.pc(), cpu.cpsr() & psr::THUMB != 0);
    }
}

#[cfg(test)]
mod tests;
