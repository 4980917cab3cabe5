//! Objects and archives for unit tests, made without a compiler.

use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind,
    SymbolFlags, SymbolKind, SymbolScope,
};

use super::NoteKind;
use crate::bytes::le32;

/// `R_ARM_ABS32`.
pub(crate) const ABS32: u32 = 2;
/// `R_ARM_CALL`.
pub(crate) const CALL: u32 = 28;

/// An object in the making.
pub(crate) struct Builder {
    object: Object<'static>,
    texts: Vec<SectionId>,
    /// Offset and kind of relocations that the `object` crate does not write.
    kinds: Vec<(u64, u32)>,
}

impl Builder {
    /// An empty object.
    pub(crate) fn new() -> Self {
        Self {
            object: Object::new(BinaryFormat::Elf, Architecture::Arm, Endianness::Little),
            texts: Vec::new(),
            kinds: Vec::new(),
        }
    }

    /// Adds a section.
    pub(crate) fn section(&mut self, name: &str, kind: SectionKind, bytes: &[u8]) -> SectionId {
        let id = self.object.add_section(Vec::new(), name.into(), kind);
        self.object.append_section_data(id, bytes, 4);
        if kind == SectionKind::Text {
            self.texts.push(id);
        }
        id
    }

    /// A function at the start of a section of its own.
    pub(crate) fn function(&mut self, name: &str, words: &[u32]) -> (SectionId, SymbolId) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let section = self.section(&format!(".text.{name}"), SectionKind::Text, &bytes);
        let symbol = self.symbol(name, SymbolSection::Section(section), false);
        (section, symbol)
    }

    /// A variable at the start of a section.
    pub(crate) fn symbol(&mut self, name: &str, section: SymbolSection, weak: bool) -> SymbolId {
        let text = match section {
            SymbolSection::Section(id) => self.texts.contains(&id),
            _ => false,
        };
        self.object.add_symbol(Symbol {
            name: name.into(),
            value: 0,
            size: 4,
            kind: if text {
                SymbolKind::Text
            } else {
                SymbolKind::Data
            },
            scope: SymbolScope::Linkage,
            weak,
            section,
            flags: SymbolFlags::None,
        })
    }

    /// A symbol that is elsewhere.
    pub(crate) fn undefined(&mut self, name: &str) -> SymbolId {
        self.symbol(name, SymbolSection::Undefined, false)
    }

    /// A relocation; its addend stays what the bytes hold.
    pub(crate) fn relocation(
        &mut self,
        section: SectionId,
        offset: u64,
        kind: u32,
        symbol: SymbolId,
    ) {
        let addend = match self.object.section(section).data().get(offset as usize..) {
            Some([a, b, c, d, ..]) => i64::from(i32::from_le_bytes([*a, *b, *c, *d])),
            _ => 0,
        };
        if kind != ABS32 {
            self.kinds.push((offset, kind));
        }
        let flags = RelocationFlags::Elf {
            r_type: object::elf::RelocationType(ABS32),
        };
        let relocation = Relocation {
            offset,
            symbol,
            addend,
            flags,
        };
        self.object
            .add_relocation(section, relocation)
            .expect("a relocation of a test");
    }

    /// A note about `symbol`.
    pub(crate) fn note(&mut self, kind: NoteKind, flags: u16, symbol: SymbolId, text: [&str; 4]) {
        let bytes = note(kind, flags, text);
        let section = self.section(".ecmo.note.test", SectionKind::ReadOnlyData, &bytes);
        self.relocation(section, 8, ABS32, symbol);
    }

    /// A slot and its note.
    pub(crate) fn slot(
        &mut self,
        kind: NoteKind,
        flags: u16,
        names: &str,
        group: &str,
    ) -> SymbolId {
        let name = format!(".ecmo.slot.{names}");
        let section = self.section(&name, SectionKind::Data, &[0; 4]);
        let symbol = self.symbol(
            &format!("SLOT_{names}"),
            SymbolSection::Section(section),
            false,
        );
        self.note(kind, flags, symbol, [names, group, "", ""]);
        symbol
    }

    /// Flags of a section as in the ELF file.
    pub(crate) fn flags(&mut self, section: SectionId, flags: u64) {
        self.object.section_mut(section).flags = SectionFlags::Elf {
            sh_type: object::elf::SHT_PROGBITS,
            sh_flags: object::elf::SectionFlags(flags),
        };
    }

    /// The bytes of the object. Kinds of relocations go by their offsets: only
    /// one section of a test may have other kinds than `R_ARM_ABS32`.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut bytes = self.object.write().expect("an object of a test");
        let word = |bytes: &[u8], at: usize| le32(bytes, at).expect("our own object") as usize;
        let count = usize::from(bytes[48]);
        let headers = word(&bytes, 32);
        let mut kinds = self.kinds;
        for index in 0..count {
            let header = headers + 40 * index;
            const SHT_REL: usize = 9;
            if word(&bytes, header + 4) != SHT_REL {
                continue;
            }
            let (start, size) = (word(&bytes, header + 16), word(&bytes, header + 20));
            for entry in (start..start + size).step_by(8) {
                let offset = word(&bytes, entry) as u64;
                if let Some(found) = kinds.iter().position(|kind| kind.0 == offset) {
                    bytes[entry + 4] = kinds.remove(found).1 as u8;
                }
            }
        }
        bytes
    }
}

/// The bytes of a note; its address is yet to be relocated.
pub(crate) fn note(kind: NoteKind, flags: u16, text: [&str; 4]) -> Vec<u8> {
    let kind: u16 = match kind {
        NoteKind::Backward => 1,
        NoteKind::Forward => 2,
        NoteKind::Layout => 3,
        NoteKind::Constant => 4,
        NoteKind::Chip => 5,
    };
    let text: String = text.iter().map(|part| format!("{part}\0")).collect();
    let mut bytes = 0x314e_4345u32.to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A static library of these members.
pub(crate) fn archive(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let name = format!("{name}/");
        let size = content.len();
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
        bytes.extend(header.as_bytes());
        bytes.extend(content);
        if !bytes.len().is_multiple_of(2) {
            bytes.push(b'\n');
        }
    }
    bytes
}
