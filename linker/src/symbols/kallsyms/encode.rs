//! Writes kallsyms in every layout, for the tests of its reader.
pub(super) struct Dummy;
