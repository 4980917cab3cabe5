//! Symbols of a kernel that comes as an ELF file with a symbol table.

use goblin::elf::{Elf, header::EM_ARM, section_header, sym};

use super::{Source, Symbol, SymbolTable};

/// Why there are no symbols.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an ELF file, or a broken one.
    #[error("not a readable ELF file: {0}")]
    Malformed(String),
    /// An ELF file for something else.
    #[error("an ELF file for machine {machine}: expected 32-bit ARM (40)")]
    Machine {
        /// `e_machine` of its header.
        machine: u16,
    },
    /// Stripped.
    #[error("the ELF file has no symbol table")]
    Stripped,
}

/// The symbols of a 32-bit ARM ELF file, without section, file, undefined and
/// mapping symbols (`$a`, `$d`, `$t`).
///
/// # Errors
/// When the bytes are not such a file, or it is stripped.
pub fn read(bytes: &[u8]) -> Result<SymbolTable, Error> {
    let elf = Elf::parse(bytes).map_err(|error| Error::Malformed(error.to_string()))?;
    if elf.header.e_machine != EM_ARM || elf.is_64 {
        return Err(Error::Machine {
            machine: elf.header.e_machine,
        });
    }
    let symbols: Vec<Symbol> = elf
        .syms
        .iter()
        .filter_map(|entry| {
            let name = elf.strtab.get_at(entry.st_name)?;
            let named = matches!(
                entry.st_type(),
                sym::STT_NOTYPE | sym::STT_OBJECT | sym::STT_FUNC
            );
            if !named || name.is_empty() || name.starts_with('$') || entry.is_import() {
                return None;
            }
            let thumb = u64::from(entry.st_type() == sym::STT_FUNC);
            Some(Symbol {
                address: u32::try_from(entry.st_value & !thumb).ok()?,
                kind: letter(&elf, &entry)?,
                name: name.to_owned(),
                source: Source::Elf,
            })
        })
        .collect();
    if symbols.is_empty() {
        return Err(Error::Stripped);
    }
    Ok(SymbolTable::new(symbols))
}

/// The type letter of `nm`: `None` for an undefined symbol.
fn letter(elf: &Elf, entry: &sym::Sym) -> Option<char> {
    let index = entry.st_shndx as u32;
    let letter = if index == section_header::SHN_UNDEF {
        return None;
    } else if index == section_header::SHN_ABS {
        'A'
    } else {
        let section = elf.section_headers.get(entry.st_shndx)?;
        if section.is_executable() {
            'T'
        } else if section.sh_type == section_header::SHT_NOBITS {
            'B'
        } else if section.is_writable() {
            'D'
        } else {
            'R'
        }
    };
    Some(match entry.st_bind() {
        sym::STB_LOCAL => letter.to_ascii_lowercase(),
        sym::STB_WEAK => 'W',
        _ => letter,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(read(b"not an ELF file"), Err(Error::Malformed(_))));
        assert!(matches!(read(&[]), Err(Error::Malformed(_))));
    }

    #[test]
    fn the_thumb_bit_is_cleared_and_letters_are_those_of_nm() {
        use object::write::{Object, Symbol, SymbolFlags, SymbolScope, SymbolSection};
        use object::{Architecture, BinaryFormat, Endianness, SymbolKind, write::StandardSection};
        let mut file = Object::new(BinaryFormat::Elf, Architecture::Arm, Endianness::Little);
        let text = file.section_id(StandardSection::Text);
        let data = file.section_id(StandardSection::Data);
        let mut add = |name: &str, value, kind, section, scope| {
            file.add_symbol(Symbol {
                name: name.into(),
                value,
                size: 4,
                kind,
                scope,
                weak: false,
                section,
                flags: SymbolFlags::None,
            })
        };
        let global = SymbolScope::Dynamic;
        let local = SymbolScope::Compilation;
        add(
            "thumb",
            0x11,
            SymbolKind::Text,
            SymbolSection::Section(text),
            global,
        );
        add(
            "arm",
            0x20,
            SymbolKind::Text,
            SymbolSection::Section(text),
            local,
        );
        add(
            "$t",
            0x10,
            SymbolKind::Label,
            SymbolSection::Section(text),
            local,
        );
        add(
            "table",
            0x5,
            SymbolKind::Data,
            SymbolSection::Section(data),
            global,
        );
        add(
            "gone",
            0,
            SymbolKind::Text,
            SymbolSection::Undefined,
            global,
        );
        let table = read(&file.write().unwrap()).unwrap();
        let found: Vec<_> = table
            .iter()
            .map(|s| (s.address, s.kind, s.name.as_str()))
            .collect();
        assert_eq!(
            found,
            [(5, 'D', "table"), (0x10, 'T', "thumb"), (0x20, 't', "arm")]
        );
    }
}
