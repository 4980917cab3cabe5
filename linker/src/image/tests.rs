//! Tests of opening as a whole: looking through flash images, limits, images of
//! other machines, and that no input does harm.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::compress::Format;
use super::fixture::{self, refused};
use super::{LayerKind, Limits, open, open_with};

fn zimage() -> Vec<u8> {
    fixture::zimage(&fixture::compress(Format::Gzip, &fixture::kernel()))
}

/// Blank flash with pieces at offsets.
fn flash(size: usize, pieces: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0xff; size];
    for (offset, piece) in pieces {
        bytes[*offset..*offset + piece.len()].copy_from_slice(piece);
    }
    bytes
}

#[test]
fn a_raw_kernel_is_its_own_image() {
    let kernel = fixture::kernel();
    let firmware = open(&kernel).unwrap();
    assert!(firmware.kernel.bytes == kernel);
    assert_eq!(firmware.layers.len(), 1);
    assert!(firmware.kernel.facts.smp);
}

#[test]
fn a_compressed_kernel_is_found_anywhere() {
    for format in [Format::Gzip, Format::Xz, Format::Lzma, Format::Zstd] {
        let stream = fixture::compress(format, &fixture::kernel());
        for image in [
            stream.clone(),
            flash(0x10_0000, &[(0x4_0000, &stream)]),
            fixture::compress(Format::Bzip2, &stream),
        ] {
            let firmware = open(&image).unwrap();
            assert!(firmware.kernel.bytes == fixture::kernel(), "{format}");
        }
    }
}

#[test]
fn flash_images_are_looked_through() {
    let image = zimage();
    let wrapped = fixture::uimage(2, 0, &image);
    let script = fixture::uimage(6, 0, b"a script before the kernel");
    for (pieces, what) in [
        (vec![(0x1_0000, image.as_slice())], LayerKind::ZImage),
        (vec![(0x1_0000, &wrapped)], LayerKind::UImage),
        (vec![(0, &script), (0x1_0000, &wrapped)], LayerKind::UImage),
        (vec![(0x2_0004, &fixture::kernel())], LayerKind::Kernel),
    ] {
        let bytes = flash(0x8_0000, &pieces);
        let firmware = open(&bytes).unwrap();
        let (offset, _) = pieces.last().unwrap();
        assert_eq!(firmware.layers[0].offset, *offset);
        assert_eq!(firmware.layers[0].what, what);
    }
}

#[test]
fn file_systems_are_noted() {
    let mut squashfs = vec![0; 0x60];
    squashfs[..4].copy_from_slice(b"hsqs");
    // Blocks of 128 KiB.
    squashfs[14] = 2;
    squashfs[20] = 4;
    squashfs[28] = 4;
    squashfs[40..44].copy_from_slice(&0x1_0000u32.to_le_bytes());
    let bytes = flash(0x8_0000, &[(0, &zimage()), (0x4_0000, &squashfs)]);
    let firmware = open(&bytes).unwrap();
    let layer = firmware.layers.last().unwrap();
    assert_eq!(layer.what, LayerKind::FileSystem);
    assert_eq!((layer.offset, layer.len), (0x4_0000, 0x1_0000));
    expect!["squashfs 4.0, xz"].assert_eq(&layer.text);
}

#[test]
fn images_of_other_machines_are_named() {
    let with = |offset: usize, value: &[u8]| flash(0x1000, &[(offset, value)]);
    refused(&[], expect!["the image is empty"]);
    let mut x86 = with(0x1fe, &[0x55, 0xaa]);
    x86[0x202..0x206].copy_from_slice(b"HdrS");
    refused(
        &x86,
        expect![[
            r#"at 0x0: an x86 bzImage ("HdrS" at 0x202); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used"#
        ]],
    );
    refused(
        &with(0x38, b"ARM\x64"),
        expect![[
            r#"at 0x0: an arm64 Image ("ARM\x64" at 0x38); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used"#
        ]],
    );
    let magic = 0x016f_2818u32;
    refused(
        &with(0x24, &magic.to_be_bytes()),
        expect![
            "at 0x0: a big-endian ARM kernel, which is not supported; only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used"
        ],
    );
    let mut vectors = 0x2000_4000u32.to_le_bytes().to_vec();
    for handler in 1..64u32 {
        vectors.extend((0x0800_0101 + handler * 0x20).to_le_bytes());
    }
    refused(
        &vectors,
        expect![
            "at 0x0: code for a microcontroller (Cortex-M); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used"
        ],
    );
    refused(
        &b"This is no firmware. ".repeat(500),
        expect![
            "no ARM Linux kernel found in 10500 bytes: no raw kernel, zImage, uImage, FIT, Android boot image, ELF kernel, JFFS2 nor compressed stream with one"
        ],
    );
    // A kernel of another architecture, alone and in a stream.
    let mut mips = fixture::kernel();
    mips[..12].fill(0x24);
    mips[0x5000..0x500c].fill(0);
    refused(
        &mips,
        expect![[
            r#"at 0x0: Linux 5.4.3-test, but not for ARM: no processor table entry ("armv7", "v7" or alike), and the first bytes are not arch/arm/kernel/head.S"#
        ]],
    );
    refused(
        &fixture::compress(Format::Gzip, &mips),
        expect![[
            r#"at 0x0 of unpacked part 1: Linux 5.4.3-test, but not for ARM: no processor table entry ("armv7", "v7" or alike), and the first bytes are not arch/arm/kernel/head.S"#
        ]],
    );
}

#[test]
fn bombs_are_stopped() {
    let limits = Limits {
        output: 1 << 20,
        work: 16 << 20,
        depth: 3,
    };
    let check = |image: &[u8], expected: Expect| {
        expected.assert_eq(&open_with(image, limits).unwrap_err().to_string());
    };
    let zeros = vec![0; 3 << 20];
    let bomb = fixture::compress(Format::Gzip, &zeros);
    check(
        &bomb,
        expect!["gzip stream at 0x0: gives more than the limit of 1048576 bytes"],
    );
    check(
        &fixture::zimage(&bomb),
        expect!["gzip stream at 0x800: gives more than the limit of 1048576 bytes"],
    );
    check(
        &fixture::uimage(2, 0, &bomb),
        expect!["gzip stream at 0x40: gives more than the limit of 1048576 bytes"],
    );

    let mut nested = fixture::kernel();
    for _ in 0..5 {
        nested = fixture::compress(Format::Gzip, &nested);
    }
    check(
        &nested,
        expect![
            "at 0x0 of unpacked part 4: more than 3 containers within each other, expected a kernel before that"
        ],
    );

    let heads = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".repeat(4000);
    check(
        &fixture::zimage(&heads),
        expect![
            "decoding stopped: the image asks for more than 16777216 bytes read and written in all"
        ],
    );
    check(
        &flash(0x10_0000, &[(0x1_0000, &heads)]),
        expect![
            "decoding stopped: the image asks for more than 16777216 bytes read and written in all"
        ],
    );
}

/// Images of every kind, small enough to be mutated many times.
fn samples() -> Vec<Vec<u8>> {
    let kernel = fixture::kernel();
    let zimage = zimage();
    vec![
        fixture::zimage(&fixture::compress(Format::Xz, &kernel)),
        fixture::zimage(&fixture::compress(Format::Lzma, &kernel)),
        fixture::zimage(&fixture::compress(Format::Lzo, &kernel)),
        fixture::zimage(&fixture::compress(Format::Lz4, &kernel)),
        fixture::zimage(&fixture::compress(Format::Zstd, &kernel)),
        fixture::zimage(&fixture::compress(Format::Bzip2, &kernel)),
        fixture::uimage(2, 0, &zimage),
        fixture::uimage(2, 1, &fixture::compress(Format::Gzip, &kernel)),
        [zimage.as_slice(), &fixture::tree()].concat(),
        flash(0x3000, &[(0x800, &fixture::uimage(2, 0, &zimage))]),
        kernel,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Changed, cut or swollen images give a kernel or an error.
    #[test]
    fn damaged_images_do_no_harm(
        index in 0usize..11,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        head in proptest::collection::vec((0usize..0x80, any::<u8>()), 0..4),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut image = samples().swap_remove(index);
        for (place, value) in changes {
            let place = place.index(image.len());
            image[place] = value;
        }
        for (place, value) in head {
            image[place] = value;
        }
        if let Some(cut) = cut {
            let cut = cut.index(image.len());
            image.truncate(cut);
        }
        let limits = Limits { output: 1 << 20, work: 8 << 20, depth: 4 };
        match open_with(&image, limits) {
            Ok(firmware) => prop_assert!(firmware.kernel.bytes.len() <= 1 << 20),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    /// So does anything at all.
    #[test]
    fn junk_does_no_harm(image in proptest::collection::vec(any::<u8>(), 0..4000)) {
        prop_assert!(open(&image).is_err());
    }
}
