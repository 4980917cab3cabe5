//! What can be wrong with an image.

use std::fmt;

use serde::Serialize;

use super::compress::{self, Format};
use crate::kernel;

/// Where something lies: an offset in the file, or in what a compressed stream
/// or a file system within it gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// 0 for the file itself, else the number of the unpacked stream or file,
    /// in the order in which they were unpacked.
    pub space: usize,
    /// Offset in bytes.
    pub offset: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.space {
            0 => write!(f, "{:#x}", self.offset),
            space => write!(f, "{:#x} of unpacked part {space}", self.offset),
        }
    }
}

/// Why no kernel could be taken from an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing.
    #[error("the image is empty")]
    Empty,
    /// A container says that it is longer than what is there.
    #[error(
        "{what} at {place} is cut off: its {part} should end at {end:#x}, but the data end at {available:#x}"
    )]
    Truncated {
        /// The container.
        what: &'static str,
        /// Where it begins.
        place: Place,
        /// The part of it that is cut off.
        part: &'static str,
        /// Where it should end, in the same file or stream.
        end: u64,
        /// Where the data ends.
        available: usize,
    },
    /// A field of a header has a value that it cannot have.
    #[error("{what}: {field} at {place} is {found}, expected {expected}")]
    Field {
        /// The container.
        what: &'static str,
        /// Where the field lies.
        place: Place,
        /// Its name.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: String,
    },
    /// A compressed stream cannot be decoded.
    #[error("{format} stream at {place}: {source}")]
    Stream {
        /// Its format.
        format: Format,
        /// Where it begins.
        place: Place,
        /// What is wrong with it.
        source: compress::Error,
    },
    /// The image asks for more decoding than allowed.
    #[error("decoding stopped: the image asks for more than {limit} bytes read and written in all")]
    Work {
        /// The limit in bytes.
        limit: u64,
    },
    /// Containers within containers, too many of them.
    #[error(
        "at {place}: more than {limit} containers within each other, expected a kernel before that"
    )]
    Depth {
        /// Where the innermost begins.
        place: Place,
        /// How many are allowed.
        limit: usize,
    },
    /// What should be a kernel is not one that can be used.
    #[error("at {place}: {source}")]
    Kernel {
        /// Where it begins.
        place: Place,
        /// What is wrong with it.
        source: kernel::Error,
    },
    /// A container without a kernel.
    #[error("{what} at {place}: no kernel in it{}", listed(.tried))]
    NoKernel {
        /// The container.
        what: &'static str,
        /// Where it begins.
        place: Place,
        /// What was found in it and why it is not a kernel.
        tried: Vec<String>,
    },
    /// No container and no kernel anywhere.
    #[error(
        "no ARM Linux kernel found in {len} bytes: no raw kernel, zImage, uImage, FIT, Android boot image, ELF kernel, JFFS2 nor compressed stream with one{}",
        listed(.tried)
    )]
    Nothing {
        /// Length of the image.
        len: usize,
        /// What was found and why it is not a kernel.
        tried: Vec<String>,
    },
}

/// At most this many findings are listed in a message.
pub(super) const LISTED: usize = 6;

fn listed(tried: &[String]) -> String {
    match tried {
        [] => String::new(),
        some => format!(" (tried: {})", some.join("; ")),
    }
}

impl Error {
    /// For a stream that begins at `place`.
    pub(super) fn stream(format: Format, place: Place, source: compress::Error) -> Error {
        match source {
            compress::Error::Work { limit } => Error::Work { limit },
            source => Error::Stream {
                format,
                place,
                source,
            },
        }
    }

    /// As the reason why a container has no kernel, unless it says more itself.
    pub(super) fn within(self, what: &'static str, place: Place) -> Error {
        if self.is_container() || self.is_telling() {
            return self;
        }
        Error::NoKernel {
            what,
            place,
            tried: vec![self.to_string()],
        }
    }

    /// A limit was hit, so that looking further is of no use.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Error::Work { .. } | Error::Depth { .. })
    }

    /// It speaks of a container, as opposed to bytes in which there is none.
    pub(super) fn is_container(&self) -> bool {
        !matches!(
            self,
            Error::Empty | Error::Kernel { .. } | Error::Nothing { .. }
        )
    }

    /// The image is known for what it is, but cannot be used: a better answer
    /// than that nothing was found elsewhere in it.
    pub(super) fn is_telling(&self) -> bool {
        match self {
            Error::Kernel { source, .. } => !matches!(
                source,
                kernel::Error::NoBanner { .. } | kernel::Error::TooSmall { .. }
            ),
            Error::Stream {
                source: compress::Error::Limit { .. },
                ..
            }
            | Error::Truncated { .. }
            | Error::Work { .. }
            | Error::Depth { .. } => true,
            _ => false,
        }
    }
}
