//! Our own page walk: opaque memory first, the kernel's tables after.
//!
//! * [`walk`]: the walk of short and of long descriptors as a pure function
//! * [`fault`]: fault status codes
//! * [`operand`]: the address that a load or store uses, for the exact fault
//!   address
//! * [`opaque`]: memory that the guest cannot see
//! * [`ranges`]: the whole address space at a glance
//! * `translate`: what the TLB hook does with all of them
//!
//! # Known differences to a real processor
//!
//! * A page of the emulator has 4 KiB. The four 1 KiB subpages of an old small
//!   page can have permissions of their own, and a tiny page is 1 KiB: the
//!   strictest of the four subpages counts, and of four tiny pages the first.
//! * No alignment fault for plain loads and stores (Unicorn has none).
//! * Physical addresses above 4 GiB, of tables too, are refused with an external
//!   abort.
//! * A page from which code was fetched and which is also written again and
//!   again stays executable for whoever may write it, whatever its descriptor
//!   says: only so does Unicorn notice every store to it.

pub mod fault;
pub mod opaque;
pub mod operand;
pub mod ranges;
pub(crate) mod translate;
pub mod walk;

/// What an access wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// A load.
    Read,
    /// A store, or a load and a store in one (`swp`).
    Write,
    /// An instruction fetch.
    Fetch,
}
