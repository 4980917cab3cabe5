//! One relocatable ELF object: sections, symbols, relocations.

mod read;

use std::ops::Range;
use std::sync::Arc;

use goblin::elf::section_header as shdr;
use goblin::elf32::reloc::{Rel, Rela};
use goblin::elf32::section_header::SectionHeader;
use scroll::{LE, Pread};

use super::Error;
use super::note::Note;

/// What becomes of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SectionKind {
    /// Instructions.
    Code,
    /// Data that nothing writes at run time; slots too.
    ReadOnly,
    /// Initialised variables.
    Data,
    /// Variables that start as zero.
    Zero,
    /// Records for the linker.
    Note,
    /// DWARF.
    Debug,
    /// Not for us: unwind index, attributes, comments, tables of the object itself.
    Other,
}

impl SectionKind {
    /// Whether the section takes place in guest memory.
    pub fn is_loaded(self) -> bool {
        matches!(self, Self::Code | Self::ReadOnly | Self::Data | Self::Zero)
    }
}

/// A section of an object.
#[derive(Debug, Clone)]
pub struct Section {
    /// The name.
    pub name: String,
    /// What becomes of it.
    pub kind: SectionKind,
    /// Size in bytes.
    pub size: u32,
    /// Alignment in bytes, a power of two.
    pub align: u32,
    /// Index of its COMDAT group in [`Member::groups`].
    pub group: Option<usize>,
    /// Written at run time *and* executable, or thread-local: cannot be loaded.
    pub refused: Option<&'static str>,
    /// Its bytes are compressed (`SHF_COMPRESSED`): some compilers do that to DWARF.
    pub compressed: bool,
    bytes: Range<usize>,
    relocations: Vec<usize>,
}

/// A COMDAT group: of all groups with one signature a link keeps one.
#[derive(Debug, Clone)]
pub struct Group {
    /// The name by which groups are the same.
    pub signature: String,
}

/// How a symbol is seen from other objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// Not at all.
    Local,
    /// As the only one of its name.
    Global,
    /// Unless there is a global one.
    Weak,
}

/// Where a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// Elsewhere.
    Undefined,
    /// A fixed value.
    Absolute(u32),
    /// In a section of the same object.
    Section {
        /// Index in [`Member::sections`].
        section: usize,
        /// Offset within it, without the Thumb bit.
        offset: u32,
    },
}

impl Definition {
    /// Whether the symbol is here.
    pub fn is_definition(self) -> bool {
        self != Self::Undefined
    }
}

/// A symbol of an object.
#[derive(Debug, Clone)]
pub struct Symbol {
    /// The name; empty for section symbols.
    pub name: String,
    /// Where it is.
    pub definition: Definition,
    /// Size in bytes, 0 when not known.
    pub size: u32,
    /// How it is seen.
    pub binding: Binding,
    /// `STT_FUNC` or the like: the linker may change instruction sets on the way to it.
    pub function: bool,
    /// `STT_OBJECT`.
    pub object: bool,
    /// `STT_SECTION`: stands for the section as such.
    pub section: bool,
    /// A function in Thumb code.
    pub thumb: bool,
}

/// A relocation, not yet interpreted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// Offset within the section.
    pub offset: u32,
    /// `R_ARM_*`.
    pub kind: u32,
    /// Index in [`Member::symbols`].
    pub symbol: usize,
    /// The addend of a RELA section; of a REL section it is in the bytes.
    pub addend: Option<i32>,
}

/// One relocatable object.
#[derive(Debug, Clone)]
pub struct Member {
    name: String,
    bytes: Arc<[u8]>,
    range: Range<usize>,
    headers: Vec<SectionHeader>,
    sections: Vec<Section>,
    symbols: Vec<Symbol>,
    groups: Vec<Group>,
    notes: Vec<Note>,
}

impl Member {
    pub(in crate::object) fn read(
        name: &str,
        file: Arc<[u8]>,
        range: Range<usize>,
    ) -> Result<Self, Error> {
        let mut member = Self {
            name: name.to_owned(),
            bytes: file,
            range,
            headers: Vec::new(),
            sections: Vec::new(),
            symbols: Vec::new(),
            groups: Vec::new(),
            notes: Vec::new(),
        };
        member.read_header()?;
        member.read_sections()?;
        member.read_symbols()?;
        member.read_groups()?;
        member.read_notes()?;
        Ok(member)
    }

    /// `library(member)` or the file's name: for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sections by their index in the object, then those of tentative definitions.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Symbols by their index in the object.
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// COMDAT groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The notes of all note sections.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn file(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }

    fn truncated(&self, what: &str, offset: u64) -> Error {
        Error::Truncated {
            member: self.name.clone(),
            what: what.to_owned(),
            offset,
        }
    }

    pub(in crate::object) fn malformed(
        &self,
        section: &str,
        offset: u64,
        why: impl Into<String>,
    ) -> Error {
        Error::Malformed {
            member: self.name.clone(),
            section: section.to_owned(),
            offset,
            why: why.into(),
        }
    }

    /// The bytes of a section as they stand in the file.
    fn raw(&self, index: usize, what: &str) -> Result<&[u8], Error> {
        let header = self.headers.get(index).ok_or_else(|| {
            self.malformed("section headers", 0, format!("{what}: no section {index}"))
        })?;
        if header.sh_type == shdr::SHT_NOBITS {
            return Ok(&[]);
        }
        let start = header.sh_offset as usize;
        start
            .checked_add(header.sh_size as usize)
            .and_then(|end| self.file().get(start..end))
            .ok_or_else(|| self.truncated(&format!("section {index}"), start as u64))
    }

    /// The bytes of a section; none for one that starts as zero.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] when there is no such section or it is compressed.
    pub fn content(&self, section: usize) -> Result<&[u8], Error> {
        let Some(found) = self.sections.get(section) else {
            return Err(self.malformed("section headers", 0, format!("no section {section}")));
        };
        if found.compressed {
            return Err(self.malformed(&found.name, 0, "compressed sections are not supported"));
        }
        Ok(&self.bytes[found.bytes.clone()])
    }

    /// The relocations of a section, in the order of the file.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] when one lies outside of its section or names a
    /// symbol that is not there.
    pub fn relocations(&self, section: usize) -> Result<Vec<Relocation>, Error> {
        let Some(found) = self.sections.get(section) else {
            return Ok(Vec::new());
        };
        let mut list = Vec::new();
        for &table in &found.relocations {
            let bytes = self.raw(table, &found.name)?;
            let entry_size = match self.headers[table].sh_type {
                shdr::SHT_REL => 8,
                _ => 12,
            };
            list.reserve(bytes.len() / entry_size);
            for entry in bytes.chunks_exact(entry_size) {
                let (offset, info, addend) = if entry_size == 8 {
                    let rel: Rel = entry.pread_with(0, LE).unwrap_or_default();
                    (rel.r_offset, rel.r_info, None)
                } else {
                    let rela: Rela = entry.pread_with(0, LE).unwrap_or_default();
                    (rela.r_offset, rela.r_info, Some(rela.r_addend))
                };
                let symbol = (info >> 8) as usize;
                if offset >= found.size.max(1) {
                    let why = format!(
                        "relocation behind the end of the section ({:#x})",
                        found.size
                    );
                    return Err(self.malformed(&found.name, offset.into(), why));
                }
                if symbol >= self.symbols.len() {
                    let why = format!(
                        "relocation against symbol {symbol} of {}",
                        self.symbols.len()
                    );
                    return Err(self.malformed(&found.name, offset.into(), why));
                }
                list.push(Relocation {
                    offset,
                    kind: info & 0xff,
                    symbol,
                    addend,
                });
            }
        }
        Ok(list)
    }
}
