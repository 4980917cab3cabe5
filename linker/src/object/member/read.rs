//! Reading an object: header, sections, symbols, groups, notes.

use std::collections::HashMap;

use goblin::elf::section_header as shdr;
use goblin::elf32::section_header::SectionHeader;
use goblin::elf32::sym::Sym;
use goblin::elf32::{header, sym};
use scroll::{LE, Pread};

use super::{Binding, Definition, Group, Member, Relocation, Section, SectionKind, Symbol};
use crate::bytes::{le32, u16_at};
use crate::object::{Error, NOTE_SECTION, SLOT_SECTION, note};

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

impl Member {
    pub(super) fn read_header(&mut self) -> Result<(), Error> {
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

    fn name_at(&self, table: &[u8], offset: u32, of: &str) -> Result<String, Error> {
        let rest = table.get(offset as usize..).unwrap_or(&[]);
        let rest = &rest[..rest.len().min(MAX_NAME)];
        let end = memchr::memchr(0, rest)
            .ok_or_else(|| self.malformed(of, offset.into(), "name without an end"))?;
        Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    pub(super) fn read_sections(&mut self) -> Result<(), Error> {
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

    pub(super) fn read_symbols(&mut self) -> Result<(), Error> {
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

    pub(super) fn read_groups(&mut self) -> Result<(), Error> {
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

    pub(super) fn read_notes(&mut self) -> Result<(), Error> {
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
