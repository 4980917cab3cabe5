//! The configuration that a kernel carries with `CONFIG_IKCONFIG`: a gzip stream
//! between two marks (`kernel/configs.c`).

use super::compress::{self, Format, Work};

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
}
