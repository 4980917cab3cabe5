//! One relocatable ELF object: sections, symbols, relocations.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use goblin::elf::section_header as shdr;
use goblin::elf32::reloc::{Rel, Rela};
use goblin::elf32::section_header::SectionHeader;
use goblin::elf32::sym::Sym;
use goblin::elf32::{header, sym};
use scroll::{LE, Pread};

use super::note::{self, Note};
use super::{Error, NOTE_SECTION, SLOT_SECTION};
use crate::bytes::{le32, u16_at};

const HEADER_SIZE: usize = 52;
const SECTION_HEADER_SIZE: usize = 40;
const SYMBOL_SIZE: usize = 16;
/// Longest name that is read; mangled Rust names stay far below.
const MAX_NAME: usize = 0x4000;
/// Section whose content does not come from a compiler's section: tentative
/// definitions (`SHN_COMMON`) get one of their own each.
const COMMON_SECTION: &str = ".bss.common.";
const GRP_COMDAT: u32 = 1;
const SHF_COMPRESSED: u32 = 0x800;
const SHN_LORESERVE: u16 = 0xff00;
const SHN_ABS: u16 = 0xfff1;
const SHN_COMMON: u16 = 0xfff2;

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
    pub(super) fn read(name: &str, file: Arc<[u8]>, range: Range<usize>) -> Result<Self, Error> {
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

    pub(super) fn malformed(&self, section: &str, offset: u64, why: impl Into<String>) -> Error {
        Error::Malformed {
            member: self.name.clone(),
            section: section.to_owned(),
            offset,
            why: why.into(),
        }
    }

    fn read_header(&mut self) -> Result<(), Error> {
        let file = self.file();
        if file.len() < HEADER_SIZE {
            return Err(self.truncated("ELF header", 0));
        }
        let wrong = |what, offset: u32, found: u32, expected| Error::NotForUs {
            member: self.name.clone(),
            what,
            offset,
            found,
            expected,
        };
        let half = |offset: usize| u32::from(u16_at(file, offset, LE).unwrap_or(0));
        if file[4] != header::ELFCLASS32 {
            return Err(wrong("EI_CLASS", 4, file[4].into(), "1 (32 bit)"));
        }
        if file[5] != header::ELFDATA2LSB {
            return Err(wrong("EI_DATA", 5, file[5].into(), "1 (little-endian)"));
        }
        if half(18) != u32::from(header::EM_ARM) {
            return Err(wrong("e_machine", 18, half(18), "40 (ARM)"));
        }
        if half(16) != u32::from(header::ET_REL) {
            return Err(wrong("e_type", 16, half(16), "1 (relocatable object)"));
        }
        if half(46) != SECTION_HEADER_SIZE as u32 {
            return Err(wrong("e_shentsize", 46, half(46), "40"));
        }
        let (start, count, names) = (le32(file, 32), half(48), half(50));
        let start = start.unwrap_or(0) as usize;
        let mut headers =
            Vec::with_capacity((count as usize).min(file.len() / SECTION_HEADER_SIZE));
        for index in 0..count as usize {
            let offset = start.checked_add(index * SECTION_HEADER_SIZE);
            let read = offset.and_then(|offset| file.pread_with::<SectionHeader>(offset, LE).ok());
            headers.push(read.ok_or_else(|| {
                self.truncated(&format!("header of section {index}"), start as u64)
            })?);
        }
        if headers.is_empty() || names as usize >= headers.len() {
            return Err(wrong("e_shstrndx", 50, names, "the index of a section"));
        }
        self.headers = headers;
        Ok(())
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

    fn name_at(&self, table: &[u8], offset: u32, of: &str) -> Result<String, Error> {
        let rest = table.get(offset as usize..).unwrap_or(&[]);
        let rest = &rest[..rest.len().min(MAX_NAME)];
        let end = memchr::memchr(0, rest)
            .ok_or_else(|| self.malformed(of, offset.into(), "name without an end"))?;
        Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    fn read_sections(&mut self) -> Result<(), Error> {
        let names_index = u16_at(self.file(), 50, LE).unwrap_or(0).into();
        let names = self.raw(names_index, "section names")?;
        // Sections of an object do not overlap; that they do not together exceed
        // the file keeps all later work within the size of the input.
        let total: u64 = self
            .headers
            .iter()
            .filter(|header| header.sh_type != shdr::SHT_NOBITS)
            .map(|header| u64::from(header.sh_size))
            .sum();
        if total > self.file().len() as u64 {
            return Err(Error::TooMany {
                member: self.name.clone(),
                what: "bytes in all sections",
                found: total,
                limit: self.file().len() as u64,
            });
        }
        let mut sections = Vec::with_capacity(self.headers.len());
        for (index, header) in self.headers.iter().enumerate() {
            let name = self.name_at(names, header.sh_name, "section names")?;
            let align = header.sh_addralign.max(1);
            if !align.is_power_of_two() {
                let why = format!("alignment {align:#x} is no power of two");
                return Err(self.malformed(&name, 0, why));
            }
            let bytes = self.raw(index, &name)?.len();
            let start = self.range.start + header.sh_offset as usize;
            sections.push(Section {
                kind: kind(header, &name),
                size: header.sh_size,
                align,
                group: None,
                refused: refusal(header),
                compressed: header.sh_flags & SHF_COMPRESSED != 0,
                bytes: if bytes == 0 {
                    0..0
                } else {
                    start..start + bytes
                },
                relocations: Vec::new(),
                name,
            });
        }
        for (index, header) in self.headers.iter().enumerate() {
            if matches!(header.sh_type, shdr::SHT_REL | shdr::SHT_RELA) {
                let target = sections.get_mut(header.sh_info as usize).ok_or_else(|| {
                    self.malformed(
                        "section headers",
                        index as u64,
                        format!(
                            "relocations for section {} which is not there",
                            header.sh_info
                        ),
                    )
                })?;
                target.relocations.push(index);
            }
        }
        self.sections = sections;
        Ok(())
    }

    fn read_symbols(&mut self) -> Result<(), Error> {
        let table = self
            .headers
            .iter()
            .position(|header| header.sh_type == shdr::SHT_SYMTAB);
        let Some(table) = table else { return Ok(()) };
        let names = self.raw(self.headers[table].sh_link as usize, "symbol names")?;
        let bytes = self.raw(table, "symbols")?;
        let mut symbols = Vec::with_capacity(bytes.len() / SYMBOL_SIZE);
        let mut common = Vec::new();
        // Names may share their tails, but no table is shared a hundred times over.
        let mut left = self.file().len().saturating_mul(16);
        for (index, entry) in bytes.chunks_exact(SYMBOL_SIZE).enumerate() {
            let raw: Sym = entry
                .pread_with(0, LE)
                .map_err(|_| self.truncated("symbol", index as u64))?;
            let name = self.name_at(names, raw.st_name, "symbol names")?;
            left = left.checked_sub(name.len()).ok_or_else(|| Error::TooMany {
                member: self.name.clone(),
                what: "bytes in all symbol names",
                found: self.file().len() as u64 * 16 + 1,
                limit: self.file().len() as u64 * 16,
            })?;
            let symbol = self.symbol(raw, name, index, &mut common)?;
            symbols.push(symbol);
        }
        self.symbols = symbols;
        self.sections.extend(common);
        Ok(())
    }

    fn symbol(
        &self,
        raw: Sym,
        name: String,
        index: usize,
        common: &mut Vec<Section>,
    ) -> Result<Symbol, Error> {
        let at = (index * SYMBOL_SIZE) as u64;
        let kind = sym::st_type(raw.st_info);
        let function = kind == sym::STT_FUNC;
        let mut binding = match sym::st_bind(raw.st_info) {
            sym::STB_LOCAL => Binding::Local,
            sym::STB_WEAK => Binding::Weak,
            // STB_GNU_UNIQUE differs for dynamic linkers only.
            sym::STB_GLOBAL | sym::STB_GNU_UNIQUE => Binding::Global,
            other => {
                let why = format!("symbol {name} has the unknown binding {other}");
                return Err(self.malformed(".symtab", at, why));
            }
        };
        if kind == sym::STT_GNU_IFUNC {
            let why =
                format!("symbol {name} is an indirect function: nothing in the guest resolves it");
            return Err(self.malformed(".symtab", at, why));
        }
        let thumb = function && raw.st_value & 1 != 0;
        let value = raw.st_value & !u32::from(function);
        let definition = match raw.st_shndx {
            0 => Definition::Undefined,
            SHN_ABS => Definition::Absolute(value),
            SHN_COMMON => {
                if !value.is_power_of_two() {
                    let why = format!("symbol {name}: alignment {value:#x} is no power of two");
                    return Err(self.malformed(".symtab", at, why));
                }
                // Of several tentative definitions one is kept, and a full one
                // goes before them: just what a weak definition does.
                if binding == Binding::Global {
                    binding = Binding::Weak;
                }
                common.push(Section {
                    name: format!("{COMMON_SECTION}{name}"),
                    kind: SectionKind::Zero,
                    size: raw.st_size,
                    align: value,
                    group: None,
                    refused: None,
                    compressed: false,
                    bytes: 0..0,
                    relocations: Vec::new(),
                });
                Definition::Section {
                    section: self.sections.len() + common.len() - 1,
                    offset: 0,
                }
            }
            section if section < SHN_LORESERVE && usize::from(section) < self.sections.len() => {
                Definition::Section {
                    section: section.into(),
                    offset: value,
                }
            }
            other => {
                let why = format!("symbol {name} lies in section {other:#x}, which is not there");
                return Err(self.malformed(".symtab", at, why));
            }
        };
        Ok(Symbol {
            name,
            definition,
            size: raw.st_size,
            binding,
            function,
            object: kind == sym::STT_OBJECT,
            section: kind == sym::STT_SECTION,
            thumb,
        })
    }

    fn read_groups(&mut self) -> Result<(), Error> {
        for index in 0..self.headers.len() {
            let header = &self.headers[index];
            if header.sh_type != shdr::SHT_GROUP {
                continue;
            }
            let signature =
                self.symbols
                    .get(header.sh_info as usize)
                    .map(|symbol| match symbol.definition {
                        Definition::Section { section, .. } if symbol.section => {
                            self.sections[section].name.clone()
                        }
                        _ => symbol.name.clone(),
                    });
            let signature = signature.ok_or_else(|| {
                let why = format!("group {index} is named by symbol {}", header.sh_info);
                self.malformed("section headers", index as u64, why)
            })?;
            let words: Vec<u32> = self
                .raw(index, "group")?
                .chunks_exact(4)
                .filter_map(|word| le32(word, 0))
                .collect();
            if words.first().is_none_or(|flags| flags & GRP_COMDAT == 0) {
                continue;
            }
            let group = self.groups.len();
            self.groups.push(Group { signature });
            for &section in &words[1..] {
                let Some(section) = self.sections.get_mut(section as usize) else {
                    let why = format!("group {group} holds section {section}");
                    return Err(self.malformed("section headers", index as u64, why));
                };
                section.group = Some(group);
            }
        }
        Ok(())
    }

    fn read_notes(&mut self) -> Result<(), Error> {
        let mut notes = Vec::new();
        for (index, section) in self.sections.iter().enumerate() {
            if section.kind == SectionKind::Note {
                let relocations: HashMap<u32, Relocation> = self
                    .relocations(index)?
                    .into_iter()
                    .map(|relocation| (relocation.offset, relocation))
                    .collect();
                note::read(
                    self,
                    section,
                    self.content(index)?,
                    &relocations,
                    &mut notes,
                )?;
            }
        }
        self.notes = notes;
        Ok(())
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

fn kind(header: &SectionHeader, name: &str) -> SectionKind {
    let flag = |flag: u32| header.sh_flags & flag != 0;
    if name.starts_with(NOTE_SECTION) {
        return SectionKind::Note;
    }
    // Slots are written by the linker and never again.
    if name.starts_with(SLOT_SECTION) {
        return SectionKind::ReadOnly;
    }
    if !flag(shdr::SHF_ALLOC) {
        let debug = name.starts_with(".debug_") && header.sh_type == shdr::SHT_PROGBITS;
        return if debug {
            SectionKind::Debug
        } else {
            SectionKind::Other
        };
    }
    match header.sh_type {
        shdr::SHT_PROGBITS | shdr::SHT_INIT_ARRAY | shdr::SHT_FINI_ARRAY => {}
        shdr::SHT_NOBITS if flag(shdr::SHF_WRITE) => return SectionKind::Zero,
        _ => return SectionKind::Other,
    }
    if flag(shdr::SHF_EXECINSTR) {
        SectionKind::Code
    } else if name.starts_with(".ARM.ext") || name.starts_with(".eh_frame") {
        SectionKind::Other
    } else if name.starts_with(".data.rel.ro") {
        // Writable only for a run-time linker, of which there is none.
        SectionKind::ReadOnly
    } else if flag(shdr::SHF_WRITE) {
        SectionKind::Data
    } else {
        SectionKind::ReadOnly
    }
}

fn refusal(header: &SectionHeader) -> Option<&'static str> {
    let flags = header.sh_flags;
    if flags & shdr::SHF_TLS != 0 {
        Some("thread-local data: the guest kernel gives a driver none")
    } else if flags & shdr::SHF_WRITE != 0 && flags & shdr::SHF_EXECINSTR != 0 {
        Some("both writable and executable: opaque memory is one or the other")
    } else {
        None
    }
}
