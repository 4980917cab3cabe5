//! xz, one stream, with any filter chain (the kernel's build uses the BCJ
//! filter for ARM in front of LZMA2).

use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

use super::{Error, Sink};

/// Enough for the 128 MiB dictionary of `scripts/xz_wrap.sh`.
pub(super) const MEMORY: u64 = 160 << 20;

/// Magic, and stream flags of which only the check's type is set.
pub(super) fn begins(input: &[u8]) -> bool {
    match input.strip_prefix(b"\xfd7zXZ\0") {
        Some([0, check, ..]) => check & 0xf0 == 0,
        // So that a header cut short is still known for what it is.
        Some(_) => true,
        None => false,
    }
}

pub(super) fn decode(input: &[u8], sink: &mut Sink) -> Result<(), Error> {
    let stream =
        Stream::new_stream_decoder(MEMORY, 0).map_err(|error| sink.broken(error.to_string()))?;
    let mut rest = input;
    let result = sink.drain(XzDecoder::new_stream(&mut rest, stream));
    sink.consumed = input.len() - rest.len();
    result
}

#[cfg(test)]
mod tests {
    use super::super::{Format, tests};

    #[test]
    fn decodes_with_the_filter_for_arm() {
        tests::check(Format::Xz);
    }
}
