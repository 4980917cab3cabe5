//! The configuration that a kernel carries with `CONFIG_IKCONFIG`: a gzip stream
//! between two marks (`kernel/configs.c`).

use super::compress::{self, Format, Work};
use crate::kernel::{Version, banner};

const MARK: &[u8] = b"IKCFG_ST";
/// Configurations have about 200 KiB.
const LONGEST: usize = 4 << 20;

/// Offset and length of the stream, and its text.
pub(super) fn find(kernel: &[u8], work: &mut Work) -> Option<(usize, usize, String)> {
    memchr::memmem::find_iter(kernel, MARK).find_map(|mark| {
        let offset = mark + MARK.len();
        let stream = kernel.get(offset..)?;
        let format = compress::recognise(stream).filter(|format| *format == Format::Gzip)?;
        let decoded = compress::decode(format, stream, LONGEST, work).ok()?;
        let text = String::from_utf8(decoded.bytes).ok()?;
        text.contains("CONFIG_ARM=")
            .then_some((offset, decoded.consumed, text))
    })
}

/// The version of the source that was configured: the head of the text says
/// `Linux kernel version: 2.6.35.7`, or `Linux/arm 3.10.54 Kernel Configuration`.
pub(crate) fn version(kernel: &[u8]) -> Option<Version> {
    let (_, _, text) = find(kernel, &mut Work::new(2 * LONGEST as u64))?;
    let comments = text.lines().take_while(|line| line.starts_with('#'));
    comments
        .filter(|line| line.contains("Linux"))
        .flat_map(str::split_whitespace)
        .find_map(banner::version)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn reads_the_stream_behind_the_mark() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder
            .write_all(b"CONFIG_ARM=y\n# CONFIG_SMP is not set\n")
            .unwrap();
        let stream = encoder.finish().unwrap();
        let kernel = [b"code IKCFG_ST code ", MARK, &stream, b"IKCFG_ED"].concat();
        let (offset, len, text) = find(&kernel, &mut Work::new(1 << 20)).unwrap();
        assert_eq!((offset, len), (27, stream.len()));
        assert!(text.ends_with("is not set\n"));
        assert_eq!(find(b"IKCFG_ST", &mut Work::new(1 << 20)), None);
    }

    #[test]
    fn the_head_says_the_version() {
        let kernel = |head: &str| {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder
                .write_all(format!("#\n# {head}\n#\nCONFIG_ARM=y\n# 1.2.3\n").as_bytes())
                .unwrap();
            [MARK, &encoder.finish().unwrap(), b"IKCFG_ED"].concat()
        };
        let of = |head: &str| version(&kernel(head));
        assert_eq!(
            of("Linux kernel version: 2.6.35.7"),
            Some(Version(2, 6, 35))
        );
        let arm = "Linux/arm 3.10.54 Kernel Configuration";
        assert_eq!(of(arm), Some(Version(3, 10, 54)));
        assert_eq!(of("Automatically generated"), None);
    }
}
