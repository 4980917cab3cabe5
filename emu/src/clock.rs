//! Virtual time: a count of retired instructions, read as nanoseconds.

/// A moment of virtual time, in nanoseconds since power-on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);
