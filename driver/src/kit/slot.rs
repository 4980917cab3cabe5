//! Slots: words that the linker fills in.

use core::cell::UnsafeCell;
use core::ptr;

/// What a layout or constant slot holds when the linker does not know the
/// value.
pub const UNKNOWN: usize = 0xffff_ffff;

/// One word that is empty in the object file and filled in by `ecmo-link`.
///
/// A slot is never written to while the driver runs. It is read as volatile
/// nevertheless, because the compiler, which sees only the empty word, would
/// otherwise be right to fold it into the code.
#[derive(Debug)]
#[repr(transparent)]
pub struct Slot(UnsafeCell<usize>);

// SAFETY: on the target nothing writes to a slot after linking. On the host
// `fill` does, a whole word, before the code under test runs.
unsafe impl Sync for Slot {}

impl Slot {
    /// A slot for a pointer: 0 when the kernel has no such thing.
    pub const fn pointer() -> Self {
        Slot(UnsafeCell::new(0))
    }

    /// A slot for an offset, size, constant or chip fact: [`UNKNOWN`] until the
    /// linker knows better.
    pub const fn value() -> Self {
        Slot(UnsafeCell::new(UNKNOWN))
    }

    /// The word as it is.
    #[inline(always)]
    pub fn read(&self) -> usize {
        // SAFETY: the cell is valid, aligned and initialised for as long as
        // `self` is.
        unsafe { ptr::read_volatile(self.0.get()) }
    }

    /// The pointer in it, unless the kernel has no such thing.
    #[inline(always)]
    pub fn pointer_if_any(&self) -> Option<usize> {
        match self.read() {
            0 => None,
            address => Some(address),
        }
    }

    /// The value in it, unless it is not known.
    #[inline(always)]
    pub fn value_if_known(&self) -> Option<usize> {
        match self.read() {
            UNKNOWN => None,
            value => Some(value),
        }
    }

    /// Does what the linker does, for tests on the host.
    ///
    /// # Safety
    ///
    /// No other thread may use the slot meanwhile, and what is written must be
    /// what the declaration of the slot says, or the driver calls something
    /// that is not a function.
    #[cfg(not(target_os = "none"))]
    pub unsafe fn fill(&self, value: usize) {
        // SAFETY: the cell is valid and aligned, and the caller keeps other
        // threads away.
        unsafe { ptr::write_volatile(self.0.get(), value) }
    }
}
