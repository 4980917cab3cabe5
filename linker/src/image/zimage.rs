//! The self-extracting kernel of ARM (`arch/arm/boot/compressed/head.S`).
//!
//! At 0x24 a magic word, the start and the end address; the start is 0 unless
//! it was linked to a fixed place, so that only the difference counts. Vendors
//! put a few instructions in front that set the machine number.

use scroll::{Pread, SizeWith};

use super::opener::{Opener, Span, Tried};
use super::{Error, LayerKind, Packed};
use super::{carve, compress};
use crate::bytes::{le32, words};
use crate::kernel::{self, Kernel};

/// The magic word as it lies in a little-endian image.
pub(super) const MAGIC: [u8; 4] = 0x016f_2818u32.to_le_bytes();
/// Its offset from the first instruction.
pub(super) const MAGIC_AT: usize = 0x24;
/// A vendor's stub ends before this.
const LONGEST_STUB: usize = 0x1000;
const WHAT: &str = "zImage";

/// What stands behind the magic word.
#[derive(Debug, Clone, Copy, Pread, SizeWith)]
struct Header {
    magic: u32,
    start: u32,
    end: u32,
}

/// The offset of the zImage when the bytes begin with one or with a stub in
/// front of one.
pub(super) fn begins(bytes: &[u8]) -> Option<usize> {
    let head = crate::bytes::part(bytes, MAGIC_AT, LONGEST_STUB);
    memchr::memmem::find_iter(head, &MAGIC).find(|stub| stub % 4 == 0)
}

/// The length that the header claims, when it is a possible one.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    const LONGEST: u32 = 256 << 20;
    let header: Header = bytes.pread_with(MAGIC_AT, scroll::LE).ok()?;
    let length = header.end.checked_sub(header.start)?;
    (header.magic.to_le_bytes() == MAGIC && (0x100..LONGEST).contains(&length))
        .then_some(length as usize)
}

/// Finds the kernel in the zImage that begins at `stub` of the span.
///
/// Where the compressed kernel begins is known to the code only, and that is
/// different in every version. So every place is tried where the header of a
/// stream stands; the right one decodes to a kernel.
pub(super) fn open(
    opener: &mut Opener,
    span: Span<'_>,
    stub: usize,
    depth: usize,
) -> Result<Kernel, Error> {
    let claimed = length(span.from(stub).bytes);
    let image = span.part(stub, claimed.unwrap_or(usize::MAX));
    let cut = claimed.is_some_and(|length| length > image.bytes.len());
    let mut text = if stub > 0 {
        format!("behind a stub of {stub} bytes")
    } else {
        String::from("self-extracting kernel")
    };
    if claimed.is_none() {
        text += ", its own length is impossible";
    }
    opener.decompress_address = decompress_address(image.bytes);
    if let Some(address) = opener.decompress_address {
        text += &format!(", decompresses to {address:#010x}");
    }
    opener.note(image, depth, LayerKind::ZImage, text);

    let mut tried = Tried::default();
    match payload(opener, image, depth + 1, &mut tried) {
        Ok(Some(kernel)) => return Ok(kernel),
        Ok(None) => {}
        Err(error) => return Err(error),
    }
    if let (true, Some(length)) = (cut, claimed) {
        // Whatever failed, this is why.
        image.whole(0, length, WHAT, "code and data")?;
    }
    if tried.is_empty() {
        tried.push("no stream of a known compression with contents".into());
    }
    if !tried.is_telling() {
        let whole = span.part(0, claimed.map_or(usize::MAX, |length| stub + length));
        match extract(opener, whole, depth + 1) {
            Some(Ok(kernel)) => return Ok(kernel),
            Some(Err(why)) => tried.push(why),
            None => {}
        }
    }
    Err(tried.into_error(|tried| Error::NoKernel {
        what: WHAT,
        place: image.place,
        tried,
    }))
}

/// Tries the streams in an image; those first whose contents begin as a kernel
/// does.
fn payload(
    opener: &mut Opener,
    image: Span<'_>,
    depth: usize,
    tried: &mut Tried,
) -> Result<Option<Kernel>, Error> {
    /// Enough of the contents to know the entry code by.
    const PEEK: usize = 512;
    if !opener.decoders {
        return Ok(None);
    }
    opener.spend_scan(image)?;
    let mut others = Vec::new();
    for (offset, format) in compress::streams(image.bytes, 1) {
        let stream = image.from(offset);
        let start = opener.peek(format, stream, PEEK)?;
        if !kernel::begins(&start) {
            if start.len() == PEEK {
                others.push((format, stream));
            }
            continue;
        }
        match opener.attempt(|opener| opener.open_stream(format, stream, depth)) {
            Ok(kernel) => return Ok(Some(kernel)),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => tried.add(error),
        }
    }
    for (format, stream) in others {
        let result = opener.attempt(|opener| {
            let (bytes, place) = opener.decode(format, stream, depth)?;
            opener.take_kernel(place, bytes, depth + 1)
        });
        match result {
            Ok(kernel) => return Ok(Some(kernel)),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => tried.add(error),
        }
    }
    // Not compressed at all.
    carve::raw(opener, image.from(MAGIC_AT), depth, tried)
}

/// The kernel that the image's own code unpacks, or why it did not.
fn extract(opener: &mut Opener, span: Span<'_>, depth: usize) -> Option<Result<Kernel, String>> {
    let address = opener.decompress_address;
    let extracted = opener.extract(&Packed {
        bytes: span.bytes,
        address,
    })?;
    Some(extracted.and_then(|extracted| {
        let place = opener.new_space();
        opener
            .attempt(|opener| {
                opener.note(span, depth, LayerKind::Extracted, extracted.text);
                opener.take_kernel(place, extracted.bytes, depth + 1)
            })
            .map_err(|error| error.to_string())
    }))
}

/// The physical address to which the code decompresses, when it is a constant
/// (`zreladdr`, without `AUTO_ZRELADDR`): up to 2.6.36 in the table that is
/// loaded at the start (`adr r0, LC0; ldmia r0, {r1, r2, r3, r4, ...}`), later
/// `ldr r4, =zreladdr`.
fn decompress_address(bytes: &[u8]) -> Option<u32> {
    /// The start of the code, in which the constant is loaded.
    const START: usize = 0x200;
    const R4: u32 = 1 << 4;
    let head = crate::bytes::part(bytes, 0, START);
    let code: Vec<u32> = words(head).collect();
    code.windows(2)
        .zip((0usize..).step_by(4))
        .find_map(|(pair, offset)| {
            let &[first, second] = pair else { return None };
            // LDR r4, [pc, #...]
            if first & 0xffff_f000 == 0xe59f_4000 {
                return le32(bytes, offset + 8 + (first & 0xfff) as usize);
            }
            // ADD r0, pc, #...; LDMIA r0, {...}
            let table = first & 0xffff_ff00 == 0xe28f_0000;
            if table && second & 0xffff_0000 == 0xe890_0000 && second & R4 != 0 {
                let before = (second & (R4 - 1)).count_ones() as usize;
                return le32(bytes, offset + 8 + (first & 0xff) as usize + before * 4);
            }
            None
        })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::fixture::{self, refused};
    use super::super::{
        Extracted, Extractor, Firmware, Options, compress::Format, open, open_with,
    };
    use super::*;

    fn layers(firmware: &Firmware) -> String {
        let line = |layer: &super::super::Layer| {
            format!("{}{} {}", "  ".repeat(layer.depth), layer.what, layer.text)
        };
        let lines: Vec<String> = firmware.layers.iter().map(line).collect();
        lines.join("\n")
    }

    #[test]
    fn opens_with_every_compression() {
        let kernel = fixture::kernel();
        for format in [
            Format::Gzip,
            Format::Xz,
            Format::Lzma,
            Format::Lzo,
            Format::Lz4,
            Format::Zstd,
            Format::Bzip2,
        ] {
            let image = fixture::zimage(&fixture::compress(format, &kernel));
            let firmware = open(&image).unwrap();
            assert!(firmware.kernel.bytes == kernel, "{format}");
            assert_eq!(firmware.kernel.base, fixture::BASE);
            assert_eq!(firmware.kernel.facts.release, fixture::RELEASE);
        }
    }

    #[test]
    fn opens_without_compression() {
        let mut kernel = fixture::kernel();
        let firmware = open(&fixture::zimage(&kernel)).unwrap();
        // Where the kernel ends nothing says; the length word is behind it.
        kernel.extend([0x12, 0x34, 0x56, 0, 0, 0, 0, 0]);
        kernel.truncate(firmware.kernel.bytes.len());
        assert!(firmware.kernel.bytes == kernel);
    }

    #[test]
    fn opens_behind_a_stub_and_before_trees() {
        let stub = [0x06, 0x1c, 0xa0, 0xe3, 0x61, 0x10, 0x81, 0xe3];
        let image = fixture::zimage(&fixture::compress(Format::Gzip, &fixture::kernel()));
        let tree = fixture::tree();
        let trees = [tree.as_slice(), &[0; 12], &tree].concat();
        let whole = [stub.as_slice(), &image, &trees].concat();
        let firmware = open(&whole).unwrap();
        let places: Vec<usize> = firmware
            .trees
            .iter()
            .map(|tree| tree.place.offset)
            .collect();
        let first = stub.len() + image.len();
        assert_eq!(places, [first, first + tree.len() + 12]);
        assert!(firmware.trees[1].bytes == tree);
        expect![[r#"
            zImage behind a stub of 8 bytes
              gzip stream 98304 bytes unpacked
                kernel Linux 5.4.3-test, V7, at 0xc0008000
            device tree "Test board", compatible with "test,board"
            device tree "Test board", compatible with "test,board""#]]
        .assert_eq(&layers(&firmware));
    }

    #[test]
    fn a_stream_that_is_no_kernel_is_passed_over() {
        let other = fixture::compress(Format::Gzip, b"not a kernel");
        let kernel = fixture::compress(Format::Lzma, &fixture::kernel());
        let image = fixture::zimage(&[other, kernel].concat());
        assert!(open(&image).is_ok());
    }

    #[test]
    fn says_what_is_missing() {
        let stream = fixture::compress(Format::Gzip, &fixture::kernel());
        let image = fixture::zimage(&stream);
        refused(
            &image[..image.len() - 300],
            expect![
                "zImage at 0x0 is cut off: its code and data should end at 0x978, but the data end at 0x84c"
            ],
        );
        refused(
            &fixture::zimage(&[0x55; 5000]),
            expect![
                "zImage at 0x0: no kernel in it (tried: no stream of a known compression with contents)"
            ],
        );
        let mut damaged = image.clone();
        damaged[0x900] ^= 0xff;
        refused(
            &damaged,
            expect![
                "zImage at 0x0: no kernel in it (tried: gzip stream at 0x800: corrupt gzip stream does not have a matching checksum (after 98794 bytes of output))"
            ],
        );
    }

    fn extracting(extractor: Extractor) -> Options {
        Options {
            extractor: Some(extractor),
            ..Options::default()
        }
    }

    #[test]
    fn what_no_decoder_knows_its_own_code_unpacks() {
        let options = extracting(|packed| {
            assert!(packed.bytes == fixture::zimage(&[0x55; 5000]));
            Ok(Extracted {
                bytes: fixture::kernel(),
                text: "unpacked somehow".to_owned(),
            })
        });
        let image = fixture::zimage(&[0x55; 5000]);
        let firmware = open_with(&image, options).unwrap();
        assert!(firmware.kernel.bytes == fixture::kernel());
        expect![[r#"
            zImage self-extracting kernel
              own decompressor unpacked somehow
                kernel Linux 5.4.3-test, V7, at 0xc0008000"#]]
        .assert_eq(&layers(&firmware));
    }

    #[test]
    fn its_own_code_is_run_when_it_can_help_and_not_often() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let options = extracting(|_| {
            RUNS.fetch_add(1, Ordering::Relaxed);
            Err("it gives up".to_owned())
        });
        let image = fixture::zimage(&[0x55; 5000]);
        expect!["zImage at 0x0: no kernel in it (tried: no stream of a known compression with contents; it gives up)"]
            .assert_eq(&open_with(&image, options).unwrap_err().to_string());
        // The whole is looked at once, as what it begins with.
        assert_eq!(RUNS.swap(0, Ordering::Relaxed), 1);
        // What is cut off has no end to run to.
        assert!(open_with(&image[..3000], options).is_err());
        assert_eq!(RUNS.swap(0, Ordering::Relaxed), 0);
        let many = [vec![0xff; 0x1000], image.repeat(9)].concat();
        assert!(open_with(&many, options).is_err());
        assert_eq!(RUNS.swap(0, Ordering::Relaxed), 2);
    }

    #[test]
    fn finds_the_address_in_the_code() {
        let head = |words: &[(usize, u32)]| {
            let mut bytes = vec![0; 0x400];
            for (offset, word) in words {
                bytes[*offset..*offset + 4].copy_from_slice(&word.to_le_bytes());
            }
            bytes
        };
        // adr r0, 0x148; ldmia r0, {r1 - r6, ip, sp}
        let old = head(&[
            (0x6c, 0xe28f_00d4),
            (0x70, 0xe890_307e),
            (0x154, 0x3000_8000),
        ]);
        assert_eq!(decompress_address(&old), Some(0x3000_8000));
        // ldr r4, [pc, #0x100]
        let newer = head(&[(0x60, 0xe59f_4100), (0x168, 0x8000_8000)]);
        assert_eq!(decompress_address(&newer), Some(0x8000_8000));
        assert_eq!(decompress_address(&head(&[])), None);
    }
}
