//! Unpacking, against words in memory and the mock kernel.

use super::*;
use crate::chips::mock::{self, Mock};

/// A buffer that begins with these bytes. The mock's memory gives the same word at
/// every read, so the tests fill it themselves.
fn buffer_with(bytes: &[u8]) -> Buffer {
    let mut buffer = Buffer::new();
    for (at, byte) in bytes.iter().enumerate() {
        buffer.put_byte(at, *byte);
    }
    buffer
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
    let bytes = header(0o100_755, 0x1abc, (0, 0), "bin/busybox");
    let found = Header::read(&bytes).expect("a header");
    assert_eq!(
        (found.mode, found.size, found.name),
        (0o100_755, 0x1abc, 12)
    );
    assert!(same(&header(0, 0, (0, 0), "TRAILER!!!")[HEADER..], TRAILER));
    assert!(Header::read(b"070702").is_none());
    assert!(Header::read(&bytes[..60]).is_none());
    let long = "x".repeat(CONTENTS);
    assert!(Header::read(&header(0, 0, (0, 0), &long)).is_none());
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
        (0o100_755, 516, (0, 0), "bin/busybox"),
    ] {
        let bytes = header(mode, size, numbers, name);
        let found = Header::read(&bytes).expect("a header");
        let mut buffer = buffer_with(&bytes);
        assert_eq!(entry(&mut registers(), &mut buffer, &found), Some(()));
    }
    assert_eq!(
        mock.calls(),
        [
            "mkdir dev 755",
            "mknod dev/console 20600 0x501",
            "symlink init -> abcdab",
            "open bin/busybox 0x241 755",
            "write 512 abcd",
            "write 4 abcd",
            "close",
        ]
    );
}

#[test]
fn a_later_kernel_has_functions_for_itself() {
    let mock = Mock::new();
    mock.files();
    mock.fill(&files::INIT_MAKES_FILES::SLOT, 1);
    let page: *mut [u32; 1024] = mock::registers();
    mock.fill(&rom::va::SLOT, page.expose_provenance());
    let bytes = header(0o100_644, 516, (0, 0), "etc/rc");
    let found = Header::read(&bytes).expect("a header");
    let mut buffer = buffer_with(&bytes);
    assert_eq!(entry(&mut registers(), &mut buffer, &found), Some(()));
    assert_eq!(
        mock.calls(),
        [
            "filp_open etc/rc 0x241 644",
            "kernel_write 512 0",
            "kernel_write 4 512",
            "filp_close",
        ]
    );
}
