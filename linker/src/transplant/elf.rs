//! Writing executable ELF files for debuggers.

use std::ops::Range;

use object::Endianness;
use object::elf as e;
use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, Sym, Writer};

use super::PAGE;

/// What is in a file.
#[derive(Debug, Default)]
pub(crate) struct Image<'a> {
    /// Where execution starts, 0 when nowhere.
    pub(crate) entry: u32,
    /// What lies in memory.
    pub(crate) loads: Vec<Load<'a>>,
    /// Named pieces of it.
    pub(crate) parts: Vec<Part>,
    /// Names for addresses, in any order.
    pub(crate) symbols: Vec<Symbol>,
    /// DWARF sections.
    pub(crate) debug: Vec<(String, Vec<u8>)>,
    /// `.ARM.attributes`: by them a debugger knows which instructions there are.
    pub(crate) attributes: Vec<u8>,
}

/// The name of the section of build attributes.
pub(crate) const ATTRIBUTES: &str = ".ARM.attributes";
const SHT_ARM_ATTRIBUTES: e::SectionType = e::SectionType(0x7000_0003);

/// A piece of memory.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    /// Virtual address.
    pub(crate) va: u32,
    /// What it holds; zeros follow up to `size`.
    pub(crate) bytes: &'a [u8],
    /// Bytes of memory.
    pub(crate) size: u32,
    /// `PF_W`.
    pub(crate) writable: bool,
    /// `PF_X`.
    pub(crate) executable: bool,
}

/// A section of a load.
#[derive(Debug)]
pub(crate) struct Part {
    /// The name.
    pub(crate) name: &'static str,
    /// Its addresses, within one load.
    pub(crate) range: Range<u32>,
    /// Takes no place in the file.
    pub(crate) zero: bool,
}

/// `STT_FUNC`, `STT_OBJECT`, `STT_NOTYPE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SymbolKind {
    /// A function; bit 0 of its value is set for Thumb code.
    Function,
    /// A variable.
    Object,
    /// Anything else: mapping symbols.
    Other,
}

/// A named address.
#[derive(Debug)]
pub(crate) struct Symbol {
    /// The name.
    pub(crate) name: String,
    /// The address.
    pub(crate) value: u32,
    /// Bytes, 0 when not known.
    pub(crate) size: u32,
    /// What it is.
    pub(crate) kind: SymbolKind,
    /// Seen from everywhere.
    pub(crate) global: bool,
}

/// The bytes of a file.
///
/// # Errors
///
/// Its size is more than ELF32 can hold.
pub(crate) fn write(image: &Image<'_>) -> Result<Vec<u8>, String> {
    let mut file = Vec::new();
    let mut out = Writer::new(Endianness::Little, false, &mut file);
    out.reserve_file_header();
    out.reserve_program_headers(image.loads.len() as u32);
    let loads: Vec<u64> = image
        .loads
        .iter()
        .map(|load| out.reserve(load.bytes.len() as u64, PAGE.into()))
        .collect();
    let attributes = out.reserve(image.attributes.len() as u64, 1);
    let debug: Vec<u64> = image
        .debug
        .iter()
        .map(|(_, bytes)| out.reserve(bytes.len() as u64, 1))
        .collect();
    let part_names: Vec<_> = image
        .parts
        .iter()
        .map(|part| {
            (
                out.add_section_name(part.name.as_bytes()),
                out.reserve_section_index(),
            )
        })
        .collect();
    let debug_names: Vec<_> = image
        .debug
        .iter()
        .map(|(name, _)| {
            out.reserve_section_index();
            out.add_section_name(name.as_bytes())
        })
        .collect();
    out.reserve_section_index();
    let attributes_name = out.add_section_name(ATTRIBUTES.as_bytes());
    // Local symbols come first in a symbol table.
    let mut symbols: Vec<&Symbol> = image.symbols.iter().collect();
    symbols.sort_by_key(|symbol| (symbol.global, symbol.value));
    let names: Vec<_> = symbols
        .iter()
        .map(|symbol| {
            out.reserve_symbol_index(None);
            out.add_string(symbol.name.as_bytes())
        })
        .collect();
    if symbols.is_empty() {
        out.reserve_null_symbol_index();
    }
    out.reserve_symtab_section_index();
    out.reserve_strtab_section_index();
    out.reserve_shstrtab_section_index();
    out.reserve_symtab();
    out.reserve_strtab().map_err(|error| error.to_string())?;
    out.reserve_shstrtab().map_err(|error| error.to_string())?;
    out.reserve_section_headers();

    out.write_file_header(&FileHeader {
        os_abi: e::ELFOSABI_NONE,
        abi_version: 0,
        e_type: e::ET_EXEC,
        e_machine: e::EM_ARM,
        e_entry: image.entry.into(),
        e_flags: e::EF_ARM_EABI_VER5,
    })
    .map_err(|error| error.to_string())?;
    out.write_align_program_headers();
    for (load, &offset) in image.loads.iter().zip(&loads) {
        let flag = |on, flag| if on { flag } else { e::ProgramFlags(0) };
        out.write_program_header(&ProgramHeader {
            p_type: e::PT_LOAD,
            p_flags: e::PF_R | flag(load.writable, e::PF_W) | flag(load.executable, e::PF_X),
            p_offset: offset,
            p_vaddr: load.va.into(),
            p_paddr: load.va.into(),
            p_filesz: load.bytes.len() as u64,
            p_memsz: u64::from(load.size).max(load.bytes.len() as u64),
            p_align: PAGE.into(),
        });
    }
    for (load, &offset) in image.loads.iter().zip(&loads) {
        out.pad_until(offset);
        out.write(load.bytes);
    }
    out.pad_until(attributes);
    out.write(&image.attributes);
    for ((_, bytes), &offset) in image.debug.iter().zip(&debug) {
        out.pad_until(offset);
        out.write(bytes);
    }
    out.write_null_symbol();
    for (symbol, name) in symbols.iter().zip(names) {
        let part = image
            .parts
            .iter()
            .position(|part| part.range.contains(&symbol.value));
        let section = part.map(|part| part_names[part].1.0);
        let binding = if symbol.global {
            e::STB_GLOBAL
        } else {
            e::STB_LOCAL
        };
        let kind = match symbol.kind {
            SymbolKind::Function => e::STT_FUNC,
            SymbolKind::Object => e::STT_OBJECT,
            SymbolKind::Other => e::STT_NOTYPE,
        };
        out.write_symbol(&Sym {
            section,
            st_name: out.string_offset(Some(name)),
            st_info: e::SymbolInfo::new(binding, kind),
            st_other: e::SymbolOther(0),
            st_shndx: e::SHN_ABS,
            st_value: symbol.value.into(),
            st_size: symbol.size.into(),
        });
    }
    out.write_strtab();
    out.write_shstrtab();
    out.write_null_section_header();
    for (part, &(name, _)) in image.parts.iter().zip(&part_names) {
        let header = part_header(image, &loads, part, out.section_name_offset(Some(name)));
        out.write_section_header(&header);
    }
    for (((_, bytes), &name), &offset) in image.debug.iter().zip(&debug_names).zip(&debug) {
        let sh_name = out.section_name_offset(Some(name));
        let header = plain_header(sh_name, e::SHT_PROGBITS, offset, bytes.len());
        out.write_section_header(&header);
    }
    let sh_name = out.section_name_offset(Some(attributes_name));
    let length = image.attributes.len();
    out.write_section_header(&plain_header(
        sh_name,
        SHT_ARM_ATTRIBUTES,
        attributes,
        length,
    ));
    let locals = symbols.iter().filter(|symbol| !symbol.global).count() as u32;
    out.write_symtab_section_header(locals + 1);
    out.write_strtab_section_header();
    out.write_shstrtab_section_header();
    Ok(file)
}

fn part_header(image: &Image<'_>, loads: &[u64], part: &Part, sh_name: u32) -> SectionHeader {
    let start = part.range.start;
    // A part lies in the last load that starts at or below it.
    let mut within = image.loads.iter().zip(loads).rev();
    let load = within.find(|(load, _)| load.va <= start);
    let (offset, flags) = load.map_or((0, e::SHF_ALLOC), |(load, &offset)| {
        let mut flags = e::SHF_ALLOC;
        if load.writable {
            flags |= e::SHF_WRITE;
        }
        if load.executable {
            flags |= e::SHF_EXECINSTR;
        }
        (offset + u64::from(start - load.va), flags)
    });
    SectionHeader {
        sh_name,
        sh_type: if part.zero {
            e::SHT_NOBITS
        } else {
            e::SHT_PROGBITS
        },
        sh_flags: flags,
        sh_addr: start.into(),
        sh_offset: offset,
        sh_size: part.range.len() as u64,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: 4,
        sh_entsize: 0,
    }
}

fn plain_header(
    sh_name: u32,
    sh_type: e::SectionType,
    offset: u64,
    length: usize,
) -> SectionHeader {
    SectionHeader {
        sh_name,
        sh_type,
        sh_flags: e::SectionFlags(0),
        sh_addr: 0,
        sh_offset: offset,
        sh_size: length as u64,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: 1,
        sh_entsize: 0,
    }
}
