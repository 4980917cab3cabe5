//! The records of sections `.ecmo.note*`; the format is that of
//! `driver/src/note.rs`.

use std::collections::HashMap;

use scroll::LE;

use super::member::{Member, Relocation, Section};
use super::{Error, NOTE_SECTION};
use crate::bytes::{le32, u16_at};

const MAGIC: u32 = 0x314e_4345;
const HEADER: usize = 16;
const AT: usize = 8;
const MAX_TEXT: u32 = 0x1_0000;
const R_ARM_ABS32: u32 = goblin::elf::reloc::R_ARM_ABS32;
const REQUIRED: u16 = 1;
const DATA: u16 = 2;

/// What a note speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoteKind {
    /// A function or variable of the kernel that the driver wants.
    Backward,
    /// A function of the driver that the kernel is to call.
    Forward,
    /// A field's offset or a struct's size.
    Layout,
    /// A constant of the kernel.
    Constant,
    /// A property of a chip in the machine.
    Chip,
}

impl NoteKind {
    /// One word for a person.
    pub fn word(self) -> &'static str {
        match self {
            Self::Backward => "backward",
            Self::Forward => "forward",
            Self::Layout => "layout",
            Self::Constant => "constant",
            Self::Chip => "chip",
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it speaks of.
    pub kind: NoteKind,
    /// The driver cannot do without.
    pub required: bool,
    /// A backward pointer to a variable.
    pub data: bool,
    /// Index of the symbol by which the slot or function is named.
    pub symbol: usize,
    /// Distance of the slot or function from that symbol.
    pub addend: i32,
    /// Names in the order of preference, at least one.
    pub names: Vec<String>,
    /// Of all required notes of one group it is enough that one is satisfied.
    pub group: Option<String>,
    /// Of a group's forwards for one place the lowest is taken.
    pub rank: u8,
    /// The C declaration, for a person.
    pub signature: String,
    /// Source file and versions, for a person.
    pub doc: String,
    /// Section and offset of the record, for messages.
    pub place: String,
}

impl Note {
    /// The names as they stand in the record: `_printk|printk`.
    pub fn wanted(&self) -> String {
        self.names.join("|")
    }
}

/// Reads every record of one section.
///
/// # Errors
///
/// [`Error::Malformed`] with the offset of the field within the section.
pub(super) fn read(
    member: &Member,
    section: &Section,
    bytes: &[u8],
    relocations: &HashMap<u32, Relocation>,
    notes: &mut Vec<Note>,
) -> Result<(), Error> {
    let mut offset = 0usize;
    while offset < bytes.len() {
        let wrong = |at: usize, why: String| member.malformed(&section.name, at as u64, why);
        let magic = le32(bytes, offset)
            .ok_or_else(|| wrong(offset, "rest of less than a word".to_owned()))?;
        // Compilers pad between records that they put into one section.
        if magic == 0 {
            offset += 4;
            continue;
        }
        if magic != MAGIC {
            let why = format!("magic {magic:#010x}, expected {MAGIC:#010x} ({NOTE_SECTION})");
            return Err(wrong(offset, why));
        }
        let header = u16_at(bytes, offset + 4, LE)
            .zip(u16_at(bytes, offset + 6, LE))
            .zip(le32(bytes, offset + AT).zip(le32(bytes, offset + 12)));
        let Some(((kind, flags), (in_place, length))) = header else {
            return Err(wrong(offset, "record without its header".to_owned()));
        };
        let kind = match kind {
            1 => NoteKind::Backward,
            2 => NoteKind::Forward,
            3 => NoteKind::Layout,
            4 => NoteKind::Constant,
            5 => NoteKind::Chip,
            other => return Err(wrong(offset + 4, format!("kind {other}, expected 1 to 5"))),
        };
        let [bits, rank] = flags.to_le_bytes();
        if u16::from(bits) & !(REQUIRED | DATA) != 0 {
            return Err(wrong(
                offset + 6,
                format!("flags {flags:#x}, only bits 0, 1 and 8 to 15 are known"),
            ));
        }
        if length > MAX_TEXT {
            let why = format!("text of {length:#x} bytes, at most {MAX_TEXT:#x}");
            return Err(wrong(offset + 12, why));
        }
        let start = offset + HEADER;
        let text = bytes.get(start..start + length as usize).ok_or_else(|| {
            wrong(
                offset + 12,
                format!("text of {length:#x} bytes leaves the section"),
            )
        })?;
        let relocation = u32::try_from(offset + AT)
            .ok()
            .and_then(|at| relocations.get(&at));
        let relocation = relocation
            .filter(|relocation| relocation.kind == R_ARM_ABS32)
            .ok_or_else(|| wrong(offset + AT, "no R_ARM_ABS32 for the address".to_owned()))?;
        let [names, group, signature, doc] =
            strings(text).map_err(|why| wrong(start, why.to_owned()))?;
        notes.push(Note {
            kind,
            required: flags & REQUIRED != 0,
            data: flags & DATA != 0,
            rank,
            symbol: relocation.symbol,
            addend: relocation.addend.unwrap_or(in_place.cast_signed()),
            names: names.split('|').map(str::to_owned).collect(),
            group: (!group.is_empty()).then(|| group.to_owned()),
            signature: signature.to_owned(),
            doc: doc.to_owned(),
            place: format!("{}: {}+{offset:#x}", member.name(), section.name),
        });
        offset = start + (length as usize).next_multiple_of(4);
    }
    Ok(())
}

fn strings(text: &[u8]) -> Result<[&str; 4], &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "text is not UTF-8")?;
    // Behind the last end is nothing or, in the fifth part, padding.
    let mut parts = text.splitn(5, '\0');
    let mut next = || {
        parts
            .next()
            .ok_or("text holds less than four strings with their ends")
    };
    let strings = [next()?, next()?, next()?, next()?];
    next()?;
    if strings[0]
        .split('|')
        .any(|name| name.is_empty() || name.len() > 256)
    {
        return Err("empty or overlong name");
    }
    Ok(strings)
}
