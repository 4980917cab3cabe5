//! Images made up for the tests of this folder.

use super::compress::Format;
use crate::bytes::crc32;
use dtoolkit::ToPropertyValue;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use std::io::Write;

/// Virtual address of [`kernel`].
pub(crate) const BASE: u32 = 0xc000_8000;
/// Release of [`kernel`].
pub(crate) const RELEASE: &str = "5.4.3-test";

pub(crate) fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

/// Opening fails with this message.
pub(crate) fn refused(image: &[u8], expected: expect_test::Expect) {
    let error = super::open(image).expect_err("an error");
    expected.assert_eq(&error.to_string());
}

/// As little as is taken for a kernel: entry code, banner, a processor's names,
/// list heads.
pub(crate) fn kernel() -> Vec<u8> {
    let mut bytes = vec![0; 96 << 10];
    for (index, word) in [0xe321_f0d3u32, 0xee10_9f10, 0xeb00_0010]
        .into_iter()
        .enumerate()
    {
        put(&mut bytes, index * 4, &word.to_le_bytes());
    }
    let banner =
        format!("Linux version {RELEASE} (me@here) (gcc version 9.1) #1 SMP Mon Jan 1\n\0");
    put(&mut bytes, 0x4000, banner.as_bytes());
    put(&mut bytes, 0x5000, b"\0armv7\0v7\0");
    for index in 0..64u32 {
        let offset = 0x8000 + index * 8;
        let own = (BASE + offset).to_le_bytes();
        put(&mut bytes, offset as usize, &own);
        put(&mut bytes, offset as usize + 4, &own);
    }
    bytes
}

/// A stream as the host's tools make it.
pub(crate) fn compress(format: Format, contents: &[u8]) -> Vec<u8> {
    use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
    let options = || LzmaOptions::new_preset(6).unwrap();
    let lzma = |stream| {
        let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(contents).unwrap();
        encoder.finish().unwrap()
    };
    match format {
        Format::Gzip => {
            let level = flate2::Compression::best();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(contents).unwrap();
            encoder.finish().unwrap()
        }
        Format::Xz => {
            let mut filters = Filters::new();
            filters.arm().lzma2(&options());
            lzma(Stream::new_stream_encoder(&filters, Check::Crc32).unwrap())
        }
        Format::Lzma => lzma(Stream::new_lzma_encoder(&options()).unwrap()),
        Format::Lzo => lzo(contents, 0),
        Format::Lz4 => {
            let mut stream = 0x184c_2102u32.to_le_bytes().to_vec();
            for block in contents.chunks(8 << 20) {
                let block = lz4_flex::block::compress(block);
                stream.extend((block.len() as u32).to_le_bytes());
                stream.extend(block);
            }
            stream
        }
        Format::Zstd => {
            use ruzstd::encoding::{CompressionLevel, compress_to_vec};
            compress_to_vec(contents, CompressionLevel::Fastest)
        }
        Format::Bzip2 => {
            let level = bzip2::Compression::best();
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), level);
            encoder.write_all(contents).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// What `lzop -9` writes, with header flags.
pub(crate) fn lzo(contents: &[u8], flags: u32) -> Vec<u8> {
    let mut stream = b"\x89LZO\0\r\n\x1a\n\x10\x30\x20\x60\x09\x40\x03\x09".to_vec();
    for word in [flags, 0o100_644, 0, 0] {
        stream.extend(word.to_be_bytes());
    }
    stream.extend(b"\x05piggy\0\0\0\0");
    if flags & 0x40 != 0 {
        stream.extend(b"\0\0\0\x03abc\0\0\0\0");
    }
    for block in contents.chunks(256 << 10) {
        let data = lzokay::compress::compress(block).unwrap();
        let stored = data.len() >= block.len();
        let data = if stored { block } else { &data };
        stream.extend((block.len() as u32).to_be_bytes());
        stream.extend((data.len() as u32).to_be_bytes());
        let of_data = if stored {
            0
        } else {
            (flags & 0x202).count_ones()
        };
        let checksums = (flags & 0x101).count_ones() + of_data;
        stream.extend(vec![0; checksums as usize * 4]);
        stream.extend(data);
    }
    stream.extend([0; 4]);
    stream
}

/// A zImage around a payload, and the word of its length that the build adds.
pub(crate) fn zimage(payload: &[u8]) -> Vec<u8> {
    let mut bytes = 0xe1a0_0000u32.to_le_bytes().repeat(0x200);
    bytes.extend(payload);
    bytes.extend([0x12, 0x34, 0x56, 0]);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let end = bytes.len() as u32;
    put(&mut bytes, 0x20, &0xea00_0010u32.to_le_bytes());
    for (index, word) in [0x016f_2818, 0, end, 0x0403_0201].into_iter().enumerate() {
        put(&mut bytes, 0x24 + index * 4, &u32::to_le_bytes(word));
    }
    bytes
}

/// A uImage: type and compression as U-Boot numbers them.
pub(crate) fn uimage(kind: u8, compression: u8, data: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 64];
    for (index, word) in [
        0x2705_1956,
        0,
        0x5f00_0000,
        data.len() as u32,
        0x8000_8000,
        0x8000_8000,
        !crc32(!0, data),
    ]
    .into_iter()
    .enumerate()
    {
        put(&mut header, index * 4, &u32::to_be_bytes(word));
    }
    put(&mut header, 28, &[5, 2, kind, compression]);
    put(&mut header, 32, b"Linux-5.4.3");
    seal(&mut header);
    header.extend(data);
    header
}

/// Makes the checksum of a uImage's header right.
pub(crate) fn seal(image: &mut [u8]) {
    put(image, 4, &[0; 4]);
    let checksum = !crc32(!0, &image[..64]);
    put(image, 4, &checksum.to_be_bytes());
}

/// A small device tree.
pub(crate) fn tree() -> Vec<u8> {
    let mut tree = DeviceTree::new();
    set(&mut tree.root, "model", "Test board");
    let compatible: &[&str] = &["test,board", "test,chip"];
    set(&mut tree.root, "compatible", compatible);
    tree.to_dtb()
}

/// Gives a node of a device tree a property.
pub(crate) fn set(node: &mut DeviceTreeNode, name: &str, value: impl ToPropertyValue) {
    node.add_property(DeviceTreeProperty::new_unchecked(name, value));
}
