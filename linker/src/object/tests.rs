//! Reading objects, archives and notes, whole and broken.

use expect_test::expect;
use object::SectionKind as Kind;
use proptest::prelude::*;

use super::build::{ABS32, Builder, archive, note};
use super::*;

fn sample() -> Vec<u8> {
    let mut object = Builder::new();
    let (text, function) = object.function("start", &[0xe12f_ff1e, 0]);
    let slot = object.slot(NoteKind::Backward, 1, "_printk|printk", "say");
    object.relocation(text, 4, ABS32, slot);
    object.note(
        NoteKind::Forward,
        1,
        function,
        [
            "machine_desc.init_irq",
            "",
            "void start(void)",
            "For a test.",
        ],
    );
    object.finish()
}

/// What is wrong with an object that holds one note of these bytes.
fn note_error(bytes: &[u8], relocated: bool) -> String {
    let mut object = Builder::new();
    let (_, function) = object.function("start", &[0xe12f_ff1e]);
    let section = object.section(".ecmo.note.x", Kind::ReadOnlyData, bytes);
    if relocated {
        object.relocation(section, 8, ABS32, function);
    }
    let error = Driver::read("test.o", &object.finish()).expect_err("a broken note");
    error.to_string()
}

#[test]
fn notes_and_symbols_of_an_object() {
    let driver = Driver::read("test.o", &sample()).unwrap();
    expect![[r#"
        test.o: 1 objects, 1 with notes

        forwards: 1
          machine_desc.init_irq (required)
            is start in test.o
            void start(void)
            For a test.

        backward pointers: 1
          _printk|printk (one of group say)

        layouts: 0

        constants: 0

        chips: 0
    "#]]
    .assert_eq(&driver.to_string());
    assert_eq!(driver.defining("start"), [0]);
    assert!(driver.defining("printk").is_empty());
}

#[test]
fn members_that_are_no_objects_are_skipped() {
    let library = archive(&[
        ("lib.rmeta", b"rust".to_vec()),
        ("a.o", sample()),
        ("bitcode.o", b"BC\xc0\xde".to_vec()),
    ]);
    let driver = Driver::read("lib.a", &library).unwrap();
    assert!(driver.is_library());
    let names: Vec<_> = driver.members().iter().map(Member::name).collect();
    assert_eq!(names, ["lib.a(a.o)"]);
}

#[test]
fn broken_notes_say_where() {
    let good = note(NoteKind::Forward, 1, ["place", "", "", ""]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        note_error(&bytes, true)
    };
    expect!["test.o: .ecmo.note.x+0x0: magic 0x314e43ff, expected 0x314e4345 (.ecmo.note)"]
        .assert_eq(&with(0, 0xff));
    expect!["test.o: .ecmo.note.x+0x4: kind 9, expected 1 to 5"].assert_eq(&with(4, 9));
    expect!["test.o: .ecmo.note.x+0x6: flags 0x5, only bits 0, 1 and 8 to 15 are known"]
        .assert_eq(&with(6, 5));
    expect!["test.o: .ecmo.note.x+0xc: text of 0xc8 bytes leaves the section"]
        .assert_eq(&with(12, 200));
    expect!["test.o: .ecmo.note.x+0xc: text of 0xff000009 bytes, at most 0x10000"]
        .assert_eq(&with(15, 0xff));
    expect!["test.o: .ecmo.note.x+0x10: text holds less than four strings with their ends"]
        .assert_eq(&with(21, b'x'));
    expect!["test.o: .ecmo.note.x+0x10: text is not UTF-8"].assert_eq(&with(17, 0xff));
    expect!["test.o: .ecmo.note.x+0x8: no R_ARM_ABS32 for the address"]
        .assert_eq(&note_error(&good, false));
    let empty = note(NoteKind::Forward, 1, ["a||b", "", "", ""]);
    expect!["test.o: .ecmo.note.x+0x10: empty or overlong name"]
        .assert_eq(&note_error(&empty, true));
}

#[test]
fn objects_that_are_not_for_us() {
    let error = |at: usize, byte: u8| {
        let mut bytes = sample();
        bytes[at] = byte;
        Driver::read("test.o", &bytes)
            .expect_err("not for us")
            .to_string()
    };
    expect!["test.o: EI_CLASS at offset 0x4 is 0x2, expected 1 (32 bit)"].assert_eq(&error(4, 2));
    expect!["test.o: EI_DATA at offset 0x5 is 0x2, expected 1 (little-endian)"]
        .assert_eq(&error(5, 2));
    expect!["test.o: e_machine at offset 0x12 is 0x3, expected 40 (ARM)"].assert_eq(&error(18, 3));
    expect!["test.o: e_type at offset 0x10 is 0x2, expected 1 (relocatable object)"]
        .assert_eq(&error(16, 2));
    let other = Driver::read("x", b"\x1f\x8b\x08\0")
        .expect_err("no object")
        .to_string();
    expect!["x: neither a static library nor an ELF object: it starts with [1f, 8b, 08, 00]"]
        .assert_eq(&other);
    let thin = Driver::read("x", b"!<thin>\n")
        .expect_err("a thin archive")
        .to_string();
    expect!["x: broken archive: a thin archive holds only the names of its members; make it with `ar rc`"]
        .assert_eq(&thin);
}

#[test]
fn sections_that_share_bytes_are_refused() {
    // Every section of the file is said to be all of the file.
    let mut bytes = sample();
    let headers = u32::from_le_bytes(bytes[32..36].try_into().unwrap()) as usize;
    let count = u16::from_le_bytes(bytes[48..50].try_into().unwrap()) as usize;
    let length = bytes.len() as u32;
    for index in 1..count {
        let at = headers + 40 * index;
        bytes[at + 16..at + 20].copy_from_slice(&0u32.to_le_bytes());
        bytes[at + 20..at + 24].copy_from_slice(&length.to_le_bytes());
    }
    let error = Driver::read("test.o", &bytes).expect_err("overlapping sections");
    assert!(
        matches!(
            error,
            Error::TooMany {
                what: "bytes in all sections",
                ..
            }
        ),
        "{error}"
    );
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = Driver::read("x", &bytes);
        let _ = Driver::read("x", &[b"!<arch>\n", &bytes[..]].concat());
        let _ = Driver::read("x", &[b"\x7fELF\x01\x01\x01", &bytes[..]].concat());
    }

    #[test]
    fn mutated_objects(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = sample();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Driver::read("x", &bytes);
        let _ = Driver::read("x", &archive(&[("a.o", bytes)]));
    }

    #[test]
    fn truncated(end in any::<prop::sample::Index>()) {
        let bytes = archive(&[("a.o", sample()), ("b.o", sample())]);
        let _ = Driver::read("x", &bytes[..end.index(bytes.len())]);
    }
}
