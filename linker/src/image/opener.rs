//! What a piece of an image is, and what takes it apart.
//!
//! A [`Span`] is a piece of the file or of an unpacked stream. [`Opener::open`]
//! looks at its first bytes and hands it to the file that knows the container;
//! that file notes a layer and hands the parts back, until a kernel comes out.
//! A failed attempt takes its notes with it.

use super::compress::{self, Format, Work};
use super::error::LISTED;
use super::{
    Error, Extracted, Extractor, FileSystem, Firmware, Layer, LayerKind, Limits, Options, Packed,
    Place, Ramdisk, Tree, android, carve, config, elf, fit, initramfs, tree, uimage, vendor,
    zimage,
};
use crate::files;
use crate::kernel::{self, Foreign, Kernel};

/// A piece of the file or of what was unpacked from it.
#[derive(Clone, Copy)]
pub(super) struct Span<'a> {
    pub(super) place: Place,
    pub(super) bytes: &'a [u8],
}

impl<'a> Span<'a> {
    /// The piece from `offset` on, at most `len` bytes.
    pub(super) fn part(self, offset: usize, len: usize) -> Span<'a> {
        Span {
            place: self.at(offset),
            bytes: crate::bytes::part(self.bytes, offset, len),
        }
    }

    /// The piece from `offset` to the end.
    pub(super) fn from(self, offset: usize) -> Span<'a> {
        self.part(offset, usize::MAX)
    }

    /// The piece from `offset` with `len` bytes, or an error which says that it
    /// is not all there.
    pub(super) fn whole(
        self,
        offset: usize,
        len: usize,
        what: &'static str,
        part: &'static str,
    ) -> Result<Span<'a>, Error> {
        let result = self.part(offset, len);
        if result.bytes.len() < len {
            return Err(self.cut_off(offset.saturating_add(len), what, part));
        }
        Ok(result)
    }

    /// The error that says that something should reach up to `end`.
    pub(super) fn cut_off(self, end: usize, what: &'static str, part: &'static str) -> Error {
        Error::Truncated {
            what,
            place: self.place,
            part,
            end: (self.place.offset as u64).saturating_add(end as u64),
            available: self.place.offset + self.bytes.len(),
        }
    }

    /// The place of a byte.
    pub(super) fn at(self, offset: usize) -> Place {
        Place {
            offset: self.place.offset.saturating_add(offset),
            ..self.place
        }
    }
}

/// Takes one image apart, and keeps what it finds.
pub(super) struct Opener {
    pub(super) limits: Limits,
    pub(super) decoders: bool,
    extractor: Option<Extractor>,
    /// How often the extractor may still be asked.
    extractions: usize,
    pub(super) work: Work,
    layers: Vec<Layer>,
    trees: Vec<Tree>,
    ramdisks: Vec<Ramdisk>,
    /// From headers, the innermost last.
    pub(super) load_address: Option<u32>,
    /// From the code of a zImage.
    pub(super) decompress_address: Option<u32>,
    pub(super) command_line: Option<String>,
    pub(super) warnings: Vec<String>,
    /// Unpacked parts so far.
    spaces: usize,
}

/// How many notes there are, to go back to.
struct Mark {
    layers: usize,
    trees: usize,
    ramdisks: usize,
    warnings: usize,
    load_address: Option<u32>,
    decompress_address: Option<u32>,
    command_line: Option<String>,
}

/// See [`super::open`].
pub(super) fn open(bytes: &[u8], options: Options) -> Result<Firmware, Error> {
    /// Running code is slow; an image of nothing but such headers must not take
    /// longer for it.
    const EXTRACTIONS: usize = 2;
    let Options {
        limits,
        decoders,
        extractor,
    } = options;
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    let mut opener = Opener {
        limits,
        decoders,
        extractor,
        extractions: EXTRACTIONS,
        work: Work::new(limits.work),
        layers: Vec::new(),
        trees: Vec::new(),
        ramdisks: Vec::new(),
        load_address: None,
        decompress_address: None,
        command_line: None,
        warnings: Vec::new(),
        spaces: 0,
    };
    let file = Span {
        place: Place {
            space: 0,
            offset: 0,
        },
        bytes,
    };
    let kernel = opener.open_all(file, 0)?;
    Ok(opener.finish(file, kernel))
}

impl Opener {
    /// Opens the whole of a file or of an unpacked part: what it begins with,
    /// else whatever can be found in it.
    pub(super) fn open_all(&mut self, span: Span<'_>, depth: usize) -> Result<Kernel, Error> {
        let first = match self.attempt(|opener| opener.open(span, depth)) {
            Err(error) if !error.is_final() => error,
            result => return result,
        };
        // What is plainly another machine's is not searched for a kernel.
        if matches!(
            first,
            Error::Kernel {
                source: kernel::Error::Foreign(_),
                ..
            }
        ) {
            return Err(first);
        }
        match carve::open(self, span, depth) {
            Ok(kernel) => {
                if first.is_container() {
                    self.warnings.push(first.to_string());
                }
                Ok(kernel)
            }
            Err(error) if error.is_final() => Err(error),
            Err(_) if first.is_container() || first.is_telling() => Err(first),
            Err(error) => Err(error),
        }
    }

    /// An error when there are too many layers already.
    fn check_depth(&self, place: Place, depth: usize) -> Result<(), Error> {
        let limit = self.limits.depth;
        if depth > limit {
            return Err(Error::Depth { place, limit });
        }
        Ok(())
    }

    /// Opens what the span begins with.
    pub(super) fn open(&mut self, span: Span<'_>, depth: usize) -> Result<Kernel, Error> {
        self.check_depth(span.place, depth)?;
        if let Some(foreign) = Foreign::of(span.bytes) {
            return Err(Error::Kernel {
                place: span.place,
                source: kernel::Error::Foreign(foreign),
            });
        }
        if elf::begins(span.bytes) {
            return elf::open(self, span, depth);
        }
        if android::begins(span.bytes) {
            return android::open(self, span, depth);
        }
        if uimage::begins(span.bytes) {
            return uimage::open(self, span, depth);
        }
        if let Some(header) = vendor::Header::of(span.bytes) {
            return vendor::open(self, header, span, depth);
        }
        if fit::begins(span.bytes) {
            return fit::open(self, span, depth);
        }
        if let Some(length) = tree::cut_off(span.bytes) {
            return Err(span.cut_off(length, "device tree or FIT image", "data"));
        }
        if let Some(stub) = zimage::begins(span.bytes) {
            return zimage::open(self, span, stub, depth);
        }
        if let Some(format) = compress::recognise(span.bytes) {
            return self.open_stream(format, span, depth);
        }
        self.spend(span.bytes.len() as u64)?;
        self.take_kernel(span.place, span.bytes.to_vec(), depth)
    }

    /// Decodes the stream that the span begins with and opens its contents.
    pub(super) fn open_stream(
        &mut self,
        format: Format,
        span: Span<'_>,
        depth: usize,
    ) -> Result<Kernel, Error> {
        self.check_depth(span.place, depth)?;
        let (decoded, place) = self.decode(format, span, depth)?;
        let contents = Span {
            place,
            bytes: &decoded,
        };
        if kernel::begins(contents.bytes) {
            // Without a copy: this is the way that most images take.
            return self.take_kernel(place, decoded, depth + 1);
        }
        let result = self.open_all(contents, depth + 1)?;
        self.find_trees(contents, depth + 1);
        Ok(result)
    }

    /// Decodes the stream that the span begins with; notes its layer and gives
    /// the contents the place of a new part.
    pub(super) fn decode(
        &mut self,
        format: Format,
        span: Span<'_>,
        depth: usize,
    ) -> Result<(Vec<u8>, Place), Error> {
        let decoded = compress::decode(format, span.bytes, self.limits.output, &mut self.work)
            .map_err(|source| Error::stream(format, span.place, source))?;
        let text = format!("{} bytes unpacked", decoded.bytes.len());
        self.note(
            span.part(0, decoded.consumed),
            depth,
            LayerKind::Stream(format),
            text,
        );
        Ok((decoded.bytes, self.new_space()))
    }

    /// Has a self-extracting kernel run; `None` when nobody here can.
    pub(super) fn extract(&mut self, packed: &Packed<'_>) -> Option<Result<Extracted, String>> {
        let extractor = self.extractor?;
        self.extractions = self.extractions.checked_sub(1)?;
        Some(extractor(packed))
    }

    /// The first bytes of the contents of the stream that the span begins with.
    pub(super) fn peek(
        &mut self,
        format: Format,
        span: Span<'_>,
        count: usize,
    ) -> Result<Vec<u8>, Error> {
        compress::peek(format, span.bytes, count, &mut self.work)
            .map_err(|source| Error::stream(format, span.place, source))
    }

    /// Accounts for looking through a span once.
    pub(super) fn spend_scan(&mut self, span: Span<'_>) -> Result<(), Error> {
        self.spend(span.bytes.len() as u64 / 8)
    }

    /// Accounts for `bytes` read or written.
    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), Error> {
        self.work.spend(bytes).map_err(|_| Error::Work {
            limit: self.limits.work,
        })
    }

    /// The beginning of a new unpacked part.
    pub(super) fn new_space(&mut self) -> Place {
        self.spaces += 1;
        Place {
            space: self.spaces,
            offset: 0,
        }
    }

    /// The bytes are a kernel or an error says why not.
    pub(super) fn take_kernel(
        &mut self,
        place: Place,
        bytes: Vec<u8>,
        depth: usize,
    ) -> Result<Kernel, Error> {
        let kernel = Kernel::from_raw(bytes).map_err(|source| Error::Kernel { place, source })?;
        let text = format!(
            "Linux {}, {:?}, at {:#010x}",
            kernel.facts.release, kernel.facts.arch, kernel.base
        );
        let span = Span {
            place,
            bytes: &kernel.bytes,
        };
        self.note(span, depth, LayerKind::Kernel, text);
        Ok(kernel)
    }

    /// Notes a layer.
    pub(super) fn note(&mut self, span: Span<'_>, depth: usize, what: LayerKind, text: String) {
        self.layers.push(Layer {
            space: span.place.space,
            offset: span.place.offset,
            len: span.bytes.len(),
            depth,
            what,
            text,
        });
    }

    /// Keeps a ramdisk.
    pub(super) fn keep_ramdisk(&mut self, span: Span<'_>, depth: usize) {
        let compression = compress::recognise(span.bytes);
        let text = match compression {
            Some(format) => format!("{format}-compressed"),
            None => "not compressed".to_owned(),
        };
        self.note(span, depth, LayerKind::Ramdisk, text);
        self.ramdisks.push(Ramdisk {
            place: span.place,
            bytes: span.bytes.to_vec(),
            compression,
        });
    }

    /// Keeps the device trees that lie anywhere in the span.
    pub(super) fn find_trees(&mut self, span: Span<'_>, depth: usize) {
        for (offset, len) in tree::find(span.bytes) {
            let part = span.part(offset, len);
            self.note(part, depth, LayerKind::Tree, tree::describe(part.bytes));
            self.trees.push(Tree {
                place: part.place,
                bytes: part.bytes.to_vec(),
            });
        }
    }

    /// Opens what was put together from pieces of a span, as a part of its own.
    pub(super) fn open_joined(
        &mut self,
        (span, bytes): (Span<'_>, &[u8]),
        depth: usize,
        what: LayerKind,
        text: String,
    ) -> Result<Kernel, Error> {
        self.attempt(|opener| {
            opener.note(span, depth, what, text);
            let contents = Span {
                place: opener.new_space(),
                bytes,
            };
            let kernel = opener.open(contents, depth + 1)?;
            opener.find_trees(contents, depth + 1);
            Ok(kernel)
        })
    }

    /// Runs `work`; when it fails, what it noted is forgotten.
    pub(super) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Opener) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mark = Mark {
            layers: self.layers.len(),
            trees: self.trees.len(),
            ramdisks: self.ramdisks.len(),
            warnings: self.warnings.len(),
            load_address: self.load_address,
            decompress_address: self.decompress_address,
            command_line: self.command_line.clone(),
        };
        let result = work(self);
        if result.is_err() {
            self.layers.truncate(mark.layers);
            self.trees.truncate(mark.trees);
            self.ramdisks.truncate(mark.ramdisks);
            self.warnings.truncate(mark.warnings);
            self.load_address = mark.load_address;
            self.decompress_address = mark.decompress_address;
            self.command_line = mark.command_line;
        }
        result
    }

    /// Keeps the file systems of the file, and of ramdisks that are one.
    fn find_file_systems(&mut self, file: Span<'_>) -> Vec<FileSystem> {
        let mut kept = Vec::new();
        self.keep_file_systems(file, 0, &mut kept);
        for ramdisk in std::mem::take(&mut self.ramdisks) {
            if let Some(format) = ramdisk.compression
                && let Ok(decoded) =
                    compress::decode(format, &ramdisk.bytes, self.limits.output, &mut self.work)
            {
                let contents = Span {
                    place: self.new_space(),
                    bytes: &decoded.bytes,
                };
                self.keep_file_systems(contents, 1, &mut kept);
            }
            self.ramdisks.push(ramdisk);
        }
        kept
    }

    /// Those in a span, and in the volumes of flash in it.
    fn keep_file_systems(&mut self, span: Span<'_>, depth: usize, kept: &mut Vec<FileSystem>) {
        for found in files::find(span.bytes) {
            let part = span.part(found.offset, found.len);
            self.note(part, depth, LayerKind::FileSystem, found.text);
            if found.kind != files::Kind::Ubi {
                kept.push(FileSystem {
                    place: part.place,
                    kind: found.kind,
                    bytes: part.bytes.to_vec(),
                });
            } else if self.check_depth(part.place, depth).is_ok() {
                for volume in files::volumes(part.bytes) {
                    let contents = Span {
                        place: self.new_space(),
                        bytes: &volume.bytes,
                    };
                    let text = format!("{:?}", volume.name);
                    self.note(contents, depth + 1, LayerKind::Volume, text);
                    self.keep_file_systems(contents, depth + 2, kept);
                }
            }
        }
    }

    /// Looks for what lies beside the kernel and in it, and gives it all.
    fn finish(mut self, file: Span<'_>, kernel: Kernel) -> Firmware {
        let inner = self
            .layers
            .iter()
            .rfind(|layer| layer.what == LayerKind::Kernel)
            .cloned();
        let (space, depth) = inner.map_or((0, 0), |layer| (layer.space, layer.depth + 1));
        let contents = Span {
            place: Place { space, offset: 0 },
            bytes: &kernel.bytes,
        };
        let initramfs = initramfs::find(&kernel.bytes, self.limits.output, &mut self.work);
        if let Some(found) = &initramfs {
            let span = contents.part(found.offset, found.len);
            self.note(span, depth, LayerKind::Initramfs, found.to_string());
        }
        let config = config::find(&kernel.bytes, &mut self.work);
        if let Some((offset, len, text)) = &config {
            let lines = format!("{} lines", text.lines().count());
            let span = contents.part(*offset, *len);
            self.note(span, depth, LayerKind::Config, lines);
        }
        // Those beside the kernel are the ones that it was meant for.
        let unpacked = std::mem::take(&mut self.trees);
        self.find_trees(contents, depth);
        let within = std::mem::take(&mut self.trees);
        if space != file.place.space {
            self.find_trees(file, 0);
        }
        self.trees.extend(unpacked.into_iter().chain(within));
        let file_systems = self.find_file_systems(file);
        let text_offset = kernel.facts.text_offset;
        // A constant that is not RAM plus text offset is not what it seems.
        let decompress_address = self
            .decompress_address
            .filter(|address| address.wrapping_sub(text_offset) % 0x10_0000 == 0);
        Firmware {
            layers: self.layers,
            load_address: decompress_address.or(self.load_address),
            kernel,
            command_line: self.command_line,
            trees: self.trees,
            ramdisks: self.ramdisks,
            file_systems,
            initramfs,
            config: config.map(|(_, _, text)| text),
            warnings: self.warnings,
        }
    }
}

/// The reasons of failed attempts, for an error that lists them.
#[derive(Default)]
pub(super) struct Tried {
    reasons: Vec<String>,
    /// The first that says more than "not a kernel".
    telling: Option<Error>,
}

impl Tried {
    /// Takes a reason.
    pub(super) fn add(&mut self, error: Error) {
        self.push(error.to_string());
        if self.telling.is_none() && error.is_telling() {
            self.telling = Some(error);
        }
    }

    /// Takes a reason that only adds to others.
    pub(super) fn push(&mut self, reason: String) {
        if self.reasons.len() < LISTED {
            self.reasons.push(reason);
        }
    }

    /// Whether there is no reason yet.
    pub(super) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Whether a reason was that the image is known for what it is and cannot be
    /// used.
    pub(super) fn is_telling(&self) -> bool {
        self.telling.is_some()
    }

    /// What ends a search: a kernel, or an error that is final. Others are noted.
    pub(super) fn ended(&mut self, result: Result<Kernel, Error>) -> Option<Result<Kernel, Error>> {
        match result {
            Err(error) if !error.is_final() => {
                self.add(error);
                None
            }
            other => Some(other),
        }
    }

    /// The most telling reason, or what `all` makes of all of them.
    pub(super) fn into_error(self, all: impl FnOnce(Vec<String>) -> Error) -> Error {
        self.telling.unwrap_or_else(|| all(self.reasons))
    }
}
