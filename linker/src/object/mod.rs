//! Driver libraries: archive members, their sections and symbols, and the notes
//! by which they say what they need and offer.
//!
//! | file | what |
//! |---|---|
//! | `archive` | the members of a static library |
//! | `member` | one relocatable ELF object: sections, symbols, relocations |
//! | `needs` | what the notes require of a kernel |
//! | `note` | the records of sections `.ecmo.note*` (`driver/src/note.rs`) |
//! | `text` | a library as text |
//!
//! Everything is untrusted. No member may say more than its bytes can hold: the
//! sections of an object together are never longer than the object, so what is
//! read later is bounded by what the user passed in.

mod archive;
mod member;
mod needs;
mod note;
mod text;

use std::collections::HashMap;
use std::sync::Arc;

pub use member::{Binding, Definition, Group, Member, Relocation, Section, SectionKind, Symbol};
pub use needs::Need;
pub use note::{Note, NoteKind};

/// Section names that start with this hold notes.
pub const NOTE_SECTION: &str = ".ecmo.note";
/// Section names that start with this hold one slot each.
pub const SLOT_SECTION: &str = ".ecmo.slot.";

/// More members than any library has that was made by a compiler.
pub(crate) const MAX_MEMBERS: usize = 0x1_0000;

/// Why a driver library cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file is neither a static library nor an object.
    #[error("{file}: neither a static library nor an ELF object: it starts with {found:02x?}")]
    UnknownFormat {
        /// Name of the file.
        file: String,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// The archive's own structure is broken.
    #[error("{file}: broken archive: {why}")]
    Archive {
        /// Name of the file.
        file: String,
        /// What is wrong, and where.
        why: String,
    },
    /// An ELF object that is not for us.
    #[error("{member}: {what} at offset {offset:#x} is {found:#x}, expected {expected}")]
    NotForUs {
        /// Name of the archive member or file.
        member: String,
        /// The field of the ELF header.
        what: &'static str,
        /// Where it stands.
        offset: u32,
        /// What it holds.
        found: u32,
        /// What it must hold.
        expected: &'static str,
    },
    /// Something lies outside of the file or of its section.
    #[error("{member}: {what} at offset {offset:#x} lies outside of its container")]
    Truncated {
        /// Name of the archive member or file.
        member: String,
        /// What was to be read.
        what: String,
        /// Where it was expected.
        offset: u64,
    },
    /// A field holds what it must not.
    #[error("{member}: {section}+{offset:#x}: {why}")]
    Malformed {
        /// Name of the archive member or file.
        member: String,
        /// The section, or `section headers`.
        section: String,
        /// Offset within the section.
        offset: u64,
        /// What was found and what was expected.
        why: String,
    },
    /// A limit that no compiler's output reaches.
    #[error("{member}: {what}: {found}, at most {limit} are accepted")]
    TooMany {
        /// Name of the archive member or file.
        member: String,
        /// What there is too much of.
        what: &'static str,
        /// How many or how much.
        found: u64,
        /// The limit.
        limit: u64,
    },
}

/// A driver: a static library or one relocatable object.
///
/// Members are read when this is made; their relocations only when the linker
/// reaches them.
#[derive(Debug, Clone)]
pub struct Driver {
    name: String,
    members: Vec<Member>,
    defined: HashMap<String, Vec<usize>>,
    library: bool,
}

impl Driver {
    /// Reads a static library (`ar`, as rustc, LLVM and GNU make it) or one
    /// relocatable ELF32 ARM little-endian object.
    ///
    /// Archive members that are no ELF objects (rustc's metadata, LLVM bitcode)
    /// are skipped.
    ///
    /// # Errors
    ///
    /// [`Error`] names the member, the section and the offset.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, Error> {
        let bytes: Arc<[u8]> = bytes.into();
        let library = bytes.starts_with(b"!<arch>\n") || bytes.starts_with(b"!<thin>\n");
        let members = if library {
            archive::members(name, &bytes)?
        } else if bytes.starts_with(b"\x7fELF") {
            vec![Member::read(name, bytes.clone(), 0..bytes.len())?]
        } else {
            let found = bytes.iter().take(8).copied().collect();
            return Err(Error::UnknownFormat {
                file: name.to_owned(),
                found,
            });
        };
        let mut defined: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, member) in members.iter().enumerate() {
            for symbol in member.symbols() {
                if symbol.binding != Binding::Local && symbol.definition.is_definition() {
                    let list = defined.entry(symbol.name.clone()).or_default();
                    if list.last() != Some(&index) {
                        list.push(index);
                    }
                }
            }
        }
        Ok(Self {
            name: name.to_owned(),
            members,
            defined,
            library,
        })
    }

    /// The name under which it was read: for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All objects, in the order of the archive.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether it came as a library, of which members are pulled on demand.
    pub fn is_library(&self) -> bool {
        self.library
    }

    /// Indices of the members that define a global symbol of this name.
    pub fn defining(&self, symbol: &str) -> &[usize] {
        self.defined.get(symbol).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
pub(crate) mod build;
#[cfg(test)]
mod tests;
