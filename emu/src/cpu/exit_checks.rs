//! Whether translated ARM code asks behind every access to memory if it is to
//! stop.
//!
//! Unicorn 2.1.5 translates a call for that behind each load and store. The call
//! makes translated code write all of the guest's registers back and read them
//! again, and costs more than the access. A run that goes on by itself does not
//! need it: it ends at the starts of blocks, where it is asked once more, or in the
//! TLB hook. Only a stop in the middle of a block (at a breakpoint, a watched
//! access, a step) is noticed by such a check.
//!
//! Unicorn does without these calls inside of an If-Then block of Thumb code, which
//! must not be left in the middle (`uc->no_exit_request`, target/arm/translate.c),
//! and it keeps to what it decided for the Thumb instruction that it translated
//! last until it translates another. So a Thumb instruction decides for all ARM
//! code that is translated after it. [`Engine::run`](super::engine::Engine::run)
//! lets Unicorn translate one, inside of such a block or outside of one, in a
//! page of its own, when that was lost or when there is a breakpoint now.

use std::cell::Cell;
use std::ffi::c_void;

use super::count::if_then;
use super::live::psr;
use super::ram::PAGE;

/// Where the page with the instruction is: beyond the window of watchpoints.
pub(super) const PAGE_AT: u64 = 3 << 32;
/// The virtual address that stands for it meanwhile.
pub(super) const ADDRESS: u32 = 0x1000;
/// The page is full of `b .`, which ends a block and may be the last instruction of
/// an If-Then block. It is translated and not executed.
pub(super) static INSTRUCTIONS: Page = Page([0xe7fe; PAGE as usize / 2]);

/// A page of instructions.
#[repr(align(4096))]
pub(super) struct Page([u16; PAGE as usize / 2]);

impl Page {
    /// For Unicorn, which takes memory that it may write to. The guest never gets
    /// at this, and nobody else writes to it.
    pub(super) fn as_ptr(&self) -> *mut c_void {
        self.0.as_ptr().cast_mut().cast()
    }
}

/// Instructions between two times that a guest which changes between ARM and
/// Thumb code is interrupted for this.
const INTERVAL: u64 = 200_000;

/// What Unicorn does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Checks,
    None,
    Unknown,
}

/// What is known and wanted; it is shared with callbacks.
pub(super) struct ExitChecks {
    state: Cell<State>,
    /// The guest may be stopped in the middle of a block.
    pub(super) wanted: Cell<bool>,
    /// The run is to be interrupted for it.
    asked: Cell<bool>,
    /// The count at which that is worth it again.
    next: Cell<u64>,
}

impl ExitChecks {
    pub(super) fn new() -> Self {
        Self {
            state: Cell::new(State::Unknown),
            wanted: Cell::new(false),
            asked: Cell::new(false),
            next: Cell::new(0),
        }
    }

    fn wanted(&self) -> State {
        if self.wanted.get() {
            State::Checks
        } else {
            State::None
        }
    }

    /// Whether it is to be decided anew before a run that starts in ARM or Thumb
    /// code, with this many instructions retired; then it is taken as done. Thumb
    /// code decides for itself.
    pub(super) fn decides(&self, thumb: bool, retired: u64) -> bool {
        self.asked.set(false);
        if thumb {
            // The first block of a run is not announced.
            self.state.set(State::Unknown);
            return false;
        }
        let decides = self.state.replace(self.wanted()) != self.wanted();
        if decides {
            self.next.set(retired.saturating_add(INTERVAL));
        }
        decides
    }

    /// A block was translated; of one of Thumb code it is told whether its last
    /// instruction is in an If-Then block. Whether the run is to be interrupted at
    /// the next block.
    pub(super) fn translated(&self, thumb_in_if_then: Option<bool>, retired: u64) -> bool {
        match thumb_in_if_then {
            Some(true) => self.state.set(State::None),
            Some(false) => self.state.set(State::Checks),
            None if self.state.get() != self.wanted() => {
                // In vain checks are an expense, without them a stop is missed.
                let now = self.wanted.get() || retired >= self.next.get();
                self.asked.set(self.asked.get() || now);
            }
            None => {}
        }
        self.asked.get()
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.get()
    }

    /// The status with which the instruction is translated.
    pub(super) fn status(&self, cpsr: u32) -> u32 {
        /// ITSTATE of the last instruction of a block, condition "always"
        /// (DDI 0406C A2.5.2).
        const LAST_ALWAYS: u32 = 0xe8;
        let rest = cpsr & !(psr::IF_THEN | psr::JAZELLE) | psr::THUMB;
        match self.wanted() {
            State::None => rest | if_then(LAST_ALWAYS),
            _ => rest,
        }
    }
}

#[cfg(test)]
mod tests;
