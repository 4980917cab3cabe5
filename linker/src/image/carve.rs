//! Images that do not begin with a container: everything that may be one is
//! looked for by its magic number, and the first that gives a kernel is taken.

use memchr::memmem;

use super::opener::{Opener, Span, Tried};
use super::{Error, LayerKind, android, compress, elf, jffs2, tree, uimage, zimage};
use crate::bytes::part;
use crate::files;
use crate::kernel::{self, Kernel};

/// A container that may lie at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    // Of two at one place the first is tried first.
    UImage,
    Android,
    Fit,
    ZImage,
    Elf,
    Jffs2,
    Ubi,
}

/// All candidates in the order in which they lie in the image.
fn candidates(bytes: &[u8]) -> Vec<(usize, Kind)> {
    /// More than this many of one kind are not a firmware.
    const MOST: usize = 64;
    let from = |offset: usize| bytes.get(offset..).unwrap_or_default();
    let mut result = Vec::new();
    let mut add = |offsets: &mut dyn Iterator<Item = usize>, kind| {
        result.extend(offsets.take(MOST).map(|offset| (offset, kind)));
    };
    add(
        &mut memmem::find_iter(bytes, &uimage::MAGIC.to_be_bytes())
            .filter(|offset| uimage::is_sound(from(*offset))),
        Kind::UImage,
    );
    add(&mut memmem::find_iter(bytes, android::MAGIC), Kind::Android);
    add(
        &mut memmem::find_iter(bytes, &zimage::MAGIC)
            .filter_map(|magic| magic.checked_sub(zimage::MAGIC_AT))
            .filter(|offset| zimage::length(from(*offset)).is_some()),
        Kind::ZImage,
    );
    add(
        &mut memmem::find_iter(bytes, goblin::elf32::header::ELFMAG)
            .filter(|offset| elf::is_kernel(from(*offset))),
        Kind::Elf,
    );
    add(&mut tree::find_images(bytes).into_iter(), Kind::Fit);
    add(&mut jffs2::find(bytes).into_iter(), Kind::Jffs2);
    add(&mut files::erase_blocks(bytes).into_iter(), Kind::Ubi);
    result.sort_unstable();
    result
}

/// Opens whatever in the span gives a kernel.
pub(super) fn open(opener: &mut Opener, span: Span<'_>, depth: usize) -> Result<Kernel, Error> {
    let mut tried = Tried::default();
    opener.spend_scan(span)?;
    for (offset, kind) in candidates(span.bytes) {
        // What the span begins with has been tried; an unpacked part within an
        // unpacked part would double the work with each.
        if offset == 0 && !matches!(kind, Kind::Jffs2 | Kind::Ubi) {
            continue;
        }
        let part = span.from(offset);
        let result = opener.attempt(|opener| match kind {
            Kind::Jffs2 => jffs2::open(opener, part, depth),
            Kind::Ubi => volumes(opener, part, depth),
            _ => opener.open(part, depth),
        });
        match result {
            Ok(kernel) => return Ok(kernel),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => tried.add(error),
        }
    }
    if let Some(kernel) = stream(opener, span, depth, &mut tried)? {
        return Ok(kernel);
    }
    if let Some(kernel) = raw(opener, span, depth, &mut tried)? {
        return Ok(kernel);
    }
    Err(tried.into_error(|tried| Error::Nothing {
        len: span.bytes.len(),
        tried,
    }))
}

/// Opens the first volume of UBI that has a kernel in it.
fn volumes(opener: &mut Opener, span: Span<'_>, depth: usize) -> Result<Kernel, Error> {
    const WHAT: &str = "UBI";
    let mut tried = Tried::default();
    opener.spend_scan(span)?;
    for volume in files::volumes(span.bytes) {
        opener.spend(volume.bytes.len() as u64)?;
        let text = format!("{:?}, {} bytes", volume.name, volume.bytes.len());
        let joined = (span, volume.bytes.as_slice());
        let result = opener.open_joined(joined, depth, LayerKind::Volume, text);
        if let Some(end) = tried.ended(result) {
            return end;
        }
    }
    Err(tried.into_error(|tried| Error::NoKernel {
        what: WHAT,
        place: span.place,
        tried,
    }))
}

/// A compressed stream whose contents begin as a kernel or one of its
/// containers does.
fn stream(
    opener: &mut Opener,
    span: Span<'_>,
    depth: usize,
    tried: &mut Tried,
) -> Result<Option<Kernel>, Error> {
    const PEEK: usize = 0x400;
    if !opener.decoders {
        return Ok(None);
    }
    opener.spend_scan(span)?;
    for (offset, format) in compress::streams(span.bytes, 1).filter(|(offset, _)| *offset > 0) {
        let stream = span.from(offset);
        let start = opener.peek(format, stream, PEEK)?;
        let promising = kernel::begins(&start)
            || uimage::begins(&start)
            || android::begins(&start)
            || elf::begins(&start)
            || part(&start, zimage::MAGIC_AT, 4) == zimage::MAGIC;
        if !promising {
            continue;
        }
        match opener.attempt(|opener| opener.open_stream(format, stream, depth)) {
            Ok(kernel) => return Ok(Some(kernel)),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => tried.add(error),
        }
    }
    Ok(None)
}

/// A kernel that lies in the span as it is.
pub(super) fn raw(
    opener: &mut Opener,
    span: Span<'_>,
    depth: usize,
    tried: &mut Tried,
) -> Result<Option<Kernel>, Error> {
    opener.spend_scan(span)?;
    for offset in (0..span.bytes.len()).step_by(4) {
        let inner = span.from(offset);
        if !kernel::begins(inner.bytes) {
            continue;
        }
        opener.spend(inner.bytes.len() as u64)?;
        let bytes = inner.bytes.to_vec();
        match opener.attempt(|opener| opener.take_kernel(inner.place, bytes, depth)) {
            Ok(kernel) => return Ok(Some(kernel)),
            Err(error) => tried.add(error),
        }
    }
    Ok(None)
}
