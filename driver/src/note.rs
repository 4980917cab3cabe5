//! Notes: how a driver object tells the linker what it needs and offers.
//!
//! A note is a record in a section whose name starts with `.ecmo.note`. Notes
//! are read by `ecmo-link` and never loaded; what they describe (a slot, a
//! function) lies in a section of its own, so that a slot that no live code
//! uses asks for nothing. The format, in the byte order of the target:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic, `0x314e_4345` (`ECN1`) |
//! | 4 | 2 | kind: 1 backward, 2 forward, 3 layout, 4 constant, 5 chip |
//! | 6 | 2 | flags: bit 0 required, bit 1 data (a backward pointer to a variable), bits 8 to 15 rank (of a forward in its group) |
//! | 8 | 4 | address of the slot (kinds 1, 3, 4, 5) or function (kind 2), relocated |
//! | 12 | 4 | length of the text in bytes |
//! | 16 | n | text, then zeros up to a multiple of 4 |
//!
//! The text is `names NUL group NUL signature NUL doc NUL`:
//!
//! * `names`: one name, or several by `|` in the order of preference
//!   (`_printk|printk`): the first that the kernel has is taken. For a forward
//!   it is the place (`machine_desc.init_irq`), for a layout `struct.field` or
//!   `struct` (its size), for a constant its name, for a chip
//!   `chip.va`, `chip.phys`, `chip.irq` or `chip.clock_hz`.
//! * `group`: empty, or a word; of all required notes of one group it is enough
//!   that one is satisfied.
//! * `signature`: the C declaration, for a person.
//! * `doc`: source file and versions, for a person.
//!
//! A slot is one 32-bit word in a section named `.ecmo.slot.` plus its name. The linker writes the
//! value into it: the address of a function (bit 0 set when it is Thumb), an
//! offset, a constant. A function that the kernel lacks reads 0; a layout or a
//! constant that is not known reads `0xffff_ffff`.
//!
//! A forward without the required flag is left out, and the linker says so,
//! when something required that it reaches cannot be had. Of a group's forwards
//! for one place the one of the lowest rank that can be had is installed: an
//! object keeps no order among its records, so the record has to say it.
//!
//! The rest of this module makes such records, all of it while compiling: the
//! macros of [`kit`](crate::kit) call it, a driver author does not.

use crate::kit::c::{self, Writer};

/// `ECN1` read as a little-endian word: the first word of every note.
pub const MAGIC: u32 = 0x314e_4345;

/// What a note describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// A slot for the address of a kernel function or variable.
    Backward = 1,
    /// A function of the driver that the kernel must call.
    Forward = 2,
    /// A slot for the offset of a field, or the size of a struct.
    Layout = 3,
    /// A slot for the value of a constant.
    Constant = 4,
    /// A slot for a fact about one of the modelled chips.
    Chip = 5,
}

/// Flag: linking fails, or the forward is left out, without it.
pub const REQUIRED: u16 = 1;
/// Flag: a backward pointer to a variable, not to a function.
pub const DATA: u16 = 2;

/// Flags: the rank of a forward in its group, the lowest first.
pub const fn rank(rank: u8) -> u16 {
    (rank as u16) << 8
}

/// The C declaration in a note.
#[derive(Debug, Clone, Copy)]
pub enum Declaration {
    /// A function: what it returns, its name, its arguments with their names.
    Function(c::Name, &'static str, &'static [(&'static str, c::Name)]),
    /// A variable or a field: its type and name.
    Variable(c::Name, &'static str),
    /// Text as it is: `sizeof(struct irqaction)`, or nothing.
    Text(&'static str),
}

/// The four strings of a note, before they are laid out.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// One name, or several by `|`.
    pub names: &'static str,
    /// The group, or nothing.
    pub group: &'static str,
    /// The C declaration.
    pub declaration: Declaration,
    /// The doc comment, as rustc hands it to a macro: a space stands in front.
    pub doc: &'static str,
}

impl Text {
    /// Length of the text in bytes, with its four NULs and without padding.
    pub const fn len(&self) -> usize {
        let mut writer = Writer::<0>::new();
        self.write(&mut writer);
        writer.len()
    }

    /// Never: the four NULs are always there.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Length of the text with its padding: the `N` of [`Note`].
    pub const fn padded_len(&self) -> usize {
        self.len().next_multiple_of(4)
    }

    const fn write<const N: usize>(&self, writer: &mut Writer<N>) {
        writer.text(self.names);
        writer.byte(0);
        writer.text(self.group);
        writer.byte(0);
        match &self.declaration {
            Declaration::Function(returns, name, arguments) => {
                returns.write_function(name, arguments, writer);
            }
            Declaration::Variable(of, name) => of.write_named(name, writer),
            Declaration::Text(text) => writer.text(text),
        }
        writer.byte(0);
        let (mut at, doc) = (0, self.doc.as_bytes());
        while at < doc.len() {
            // Several lines of a doc comment arrive joined; each brings the
            // space that separates it, of which the first is one too many.
            if at > 0 || doc[at] != b' ' {
                writer.byte(doc[at]);
            }
            at += 1;
        }
        writer.byte(0);
    }
}

/// One record, ready to stand in the section `.ecmo.note`.
///
/// On the target its bytes are the table above; on a 64-bit host, where it
/// exists for the tests only, `address` is wider.
#[derive(Debug)]
#[repr(C)]
pub struct Note<const N: usize> {
    magic: u32,
    kind: u16,
    flags: u16,
    address: *const (),
    len: u32,
    text: [u8; N],
}

// SAFETY: a note is never written to, and its address is never followed by
// the driver.
unsafe impl<const N: usize> Sync for Note<N> {}

impl<const N: usize> Note<N> {
    /// Lays the record out. `N` must be [`Text::padded_len`] of the same text;
    /// another value fails while compiling.
    pub const fn new(kind: Kind, flags: u16, address: *const (), text: &Text) -> Self {
        let mut writer = Writer::<N>::new();
        text.write(&mut writer);
        let len = writer.len();
        assert!(
            N == len.next_multiple_of(4),
            "the note's room does not fit its text"
        );
        Note {
            magic: MAGIC,
            kind: kind as u16,
            flags,
            address,
            len: len as u32,
            text: writer.bytes(),
        }
    }

    /// What the note describes, as the number in the record.
    pub const fn kind(&self) -> u16 {
        self.kind
    }

    /// [`REQUIRED`], [`DATA`] and [`rank`].
    pub const fn flags(&self) -> u16 {
        self.flags
    }

    /// The text without its padding.
    pub fn text(&self) -> &[u8] {
        self.text.get(..self.len as usize).unwrap_or(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::c::Type;

    const SETUP: Text = Text {
        names: "setup_irq|request_irq",
        group: "request irq",
        declaration: Declaration::Function(
            i32::NAME,
            "setup_irq",
            &[("irq", u32::NAME), ("name", <*const u8>::NAME)],
        ),
        doc: " kernel/irq/manage.c, \"up to\" 5.7.",
    };

    /// What the linker reads: the four strings.
    fn strings<const N: usize>(note: &Note<N>) -> Vec<&str> {
        let text = std::str::from_utf8(note.text()).unwrap_or_default();
        assert!(text.ends_with('\0'));
        text.trim_end_matches('\0').split('\0').collect()
    }

    #[test]
    fn a_note_reads_back() {
        static NOTE: Note<{ SETUP.padded_len() }> =
            Note::new(Kind::Backward, REQUIRED | DATA, core::ptr::null(), &SETUP);
        assert_eq!((NOTE.magic, NOTE.kind(), NOTE.flags()), (MAGIC, 1, 3));
        assert_eq!(
            strings(&NOTE),
            [
                "setup_irq|request_irq",
                "request irq",
                "int setup_irq(unsigned int irq, const char *name)",
                "kernel/irq/manage.c, \"up to\" 5.7.",
            ]
        );
        assert_eq!(NOTE.len as usize, SETUP.len());
        assert_eq!(NOTE.text.len() % 4, 0);
        assert!(NOTE.text[SETUP.len()..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn empty_strings_keep_their_end() {
        const EMPTY: Text = Text {
            names: "x",
            group: "",
            declaration: Declaration::Text(""),
            doc: "",
        };
        static NOTE: Note<{ EMPTY.padded_len() }> =
            Note::new(Kind::Chip, 0, core::ptr::null(), &EMPTY);
        assert_eq!(NOTE.text(), b"x\0\0\0\0");
        assert_eq!(NOTE.text.len(), 8);
        assert!(!EMPTY.is_empty());
    }

    #[test]
    fn on_the_target_the_header_has_sixteen_bytes() {
        // The address is the only field that is wider on a 64-bit host.
        let wider = size_of::<usize>() - 4;
        assert_eq!(core::mem::offset_of!(Note<4>, address), 8);
        assert_eq!(core::mem::offset_of!(Note<4>, len), 12 + wider);
        assert_eq!(core::mem::offset_of!(Note<4>, text), 16 + wider);
    }
}
