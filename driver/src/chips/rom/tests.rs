//! Unpacking, against words in memory and the mock kernel.

use super::*;
use crate::chips::mock::{self, Mock};

/// The mock's memory gives the same word at every read, so the tests fill the
/// pages themselves.
fn page_with(bytes: &[u8]) -> Pages {
    let mut pages = Pages::new().expect("the mock has memory");
    for (at, chunk) in bytes.chunks(4).enumerate() {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        pages.put(at * 4, u32::from_le_bytes(word));
    }
    pages
}

fn header(mode: u32, size: usize, device: (u32, u32), name: &str) -> Vec<u8> {
    let fields = [
        1,
        mode,
        0,
        0,
        1,
        0,
        size as u32,
        0,
        0,
        device.0,
        device.1,
        name.len() as u32 + 1,
        0,
    ];
    let mut bytes = b"070701".to_vec();
    bytes.extend(
        fields
            .iter()
            .flat_map(|field| format!("{field:08X}").into_bytes()),
    );
    bytes.extend(name.as_bytes());
    bytes.push(0);
    bytes
}

#[test]
fn a_header_is_read_and_anything_else_is_not() {
    let mock = Mock::new();
    mock.files();
    let pages = page_with(&header(0o100_755, 0x1abc, (0, 0), "bin/busybox"));
    let found = Header::read(&pages).expect("a header");
    assert_eq!(
        (found.mode, found.size, found.name),
        (0o100_755, 0x1abc, 12)
    );
    assert!(!found.is_trailer(&pages));
    let end = page_with(&header(0, 0, (0, 0), "TRAILER!!!"));
    assert!(Header::read(&end).is_some_and(|found| found.is_trailer(&end)));
    assert!(Header::read(&page_with(b"070702")).is_none());
    let long = "x".repeat(CONTENTS);
    assert!(Header::read(&page_with(&header(0, 0, (0, 0), &long)[..200])).is_none());
}

#[test]
fn devices_have_their_numbers_as_mknod_takes_them() {
    let device = |major, minor| {
        Header {
            mode: 0,
            size: 0,
            major,
            minor,
            name: 1,
        }
        .device()
    };
    assert_eq!(device(5, 1), 0x501);
    assert_eq!(device(4, 0x140), 0x10_0440);
}

#[test]
fn each_kind_of_file_is_made_in_its_way() {
    let mock = Mock::new();
    mock.files();
    let page: *mut [u32; 1024] = mock::registers();
    mock.fill(&rom::va::SLOT, page.expose_provenance());
    // What is read as contents: the same four letters again and again.
    // SAFETY: the page lives for ever and has no other user now.
    unsafe { (*page)[2] = u32::from_le_bytes(*b"abcd") };
    for (mode, size, numbers, name) in [
        (0o040_755, 0, (0, 0), "dev"),
        (0o020_600, 0, (5, 1), "dev/console"),
        (0o120_777, 6, (0, 0), "init"),
        (0o100_755, 4100, (0, 0), "bin/busybox"),
    ] {
        let mut pages = page_with(&header(mode, size, numbers, name));
        let found = Header::read(&pages).expect("a header");
        assert_eq!(entry(&mut registers(), &mut pages, &found), Some(()));
    }
    assert_eq!(
        mock.calls(),
        [
            "mkdir dev 755",
            "mknod dev/console 20600 0x501",
            "symlink init -> abcdab",
            "open bin/busybox 0x241 755",
            "write 4096 0 abcd",
            "write 4 4096 abcd",
            "close",
        ]
    );
}
