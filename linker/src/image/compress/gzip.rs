//! gzip (RFC 1952), one member.

use flate2::bufread::GzDecoder;

use super::{Error, Sink};

/// Magic, method "deflate", no reserved flags.
pub(super) fn begins(input: &[u8]) -> bool {
    matches!(input, [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0)
}

pub(super) fn decode(input: &[u8], sink: &mut Sink) -> Result<(), Error> {
    let mut rest = input;
    let result = sink.drain(GzDecoder::new(&mut rest));
    sink.consumed = input.len() - rest.len();
    result
}

#[cfg(test)]
mod tests {
    use super::super::{Format, tests};

    #[test]
    fn decodes() {
        tests::check(Format::Gzip);
    }
}
