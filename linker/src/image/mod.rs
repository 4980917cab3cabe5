//! From a firmware image to the kernel in it, and to what lies beside it.
//!
//! * [`opener`]: what a piece of an image is, and which of the files below takes
//!   it apart; limits on depth and work
//! * `zimage`, `uimage`, `android`, `fit`, `elf`: the containers of kernels
//! * `vendor`: headers in front of such containers
//! * `carve`, `jffs2`: flash images without a header of their own, with the
//!   volumes of UBI as [`crate::files`] finds them
//! * [`compress`]: compressed streams
//! * `tree`, `initramfs`, `config`: what lies beside or in the kernel
//! * `error`: what can be wrong
//!
//! Every byte of an image may lie. Nothing here panics on any input, and time
//! and memory are bounded by the input's length and by [`Limits`].

mod android;
mod carve;
pub mod compress;
pub(crate) mod config;
mod elf;
mod error;
mod fit;
#[cfg(test)]
mod fixture;
mod initramfs;
pub(crate) mod jffs2;
mod opener;
#[cfg(test)]
mod tests;
mod tree;
mod uimage;
mod vendor;
mod zimage;

use std::fmt;

use serde::Serialize;

use crate::files;
use crate::kernel::Kernel;
use compress::Format;

pub use error::{Error, Place};
pub use initramfs::Initramfs;
pub use tree::Tree;

/// How much an image may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that one compressed stream may give, and an ELF kernel may span.
    pub output: usize,
    /// Bytes that all decoders together may read and write.
    pub work: u64,
    /// Containers within each other.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // The largest distribution kernels have 40 MiB.
        Limits {
            output: 128 << 20,
            work: 512 << 20,
            depth: 8,
        }
    }
}

/// A self-extracting kernel that the decoders here can do nothing with.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    /// All of it, from its first instruction on; a vendor's stub in front
    /// included.
    pub bytes: &'a [u8],
    /// The physical address to which it decompresses, when that is a constant in
    /// its code.
    pub address: Option<u32>,
}

/// What a self-extracting kernel gave when its own code was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// The kernel; zeroes may follow it.
    pub bytes: Vec<u8>,
    /// How it was come by, for a person.
    pub text: String,
}

/// Runs a self-extracting kernel to the point where it would start the kernel, or
/// says why that did not work. It has to bound its own time and memory.
pub type Extractor = fn(&Packed<'_>) -> Result<Extracted, String>;

/// How an image is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How much it may ask for.
    pub limits: Limits,
    /// Whether compressed streams within kernels and flash are decoded here. Without
    /// that only `extractor` can open a self-extracting kernel, which is how it is
    /// tested.
    pub decoders: bool,
    /// Asked when a self-extracting kernel has no stream that can be decoded here.
    pub extractor: Option<Extractor>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Limits::default(),
            decoders: true,
            extractor: None,
        }
    }
}

impl From<Limits> for Options {
    fn from(limits: Limits) -> Self {
        Options {
            limits,
            ..Options::default()
        }
    }
}

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LayerKind {
    /// U-Boot's image with a header of 64 bytes.
    UImage,
    /// The self-extracting kernel of ARM.
    ZImage,
    /// Android's boot image.
    Android,
    /// U-Boot's image in the form of a device tree.
    Fit,
    /// An ELF file.
    Elf,
    /// Broadcom's image with a header and offsets.
    Trx,
    /// Netgear's image.
    Chk,
    /// D-Link's image.
    Seama,
    /// A file in a JFFS2 file system.
    Jffs2,
    /// A compressed stream.
    Stream(Format),
    /// What a self-extracting kernel's own code unpacked.
    Extracted,
    /// The decompressed kernel.
    Kernel,
    /// A device tree.
    Tree,
    /// A ramdisk beside the kernel.
    Ramdisk,
    /// The initramfs within the kernel.
    Initramfs,
    /// The kernel's own configuration (`CONFIG_IKCONFIG`).
    Config,
    /// A file system; [`crate::files`] reads what is in it.
    FileSystem,
    /// A volume of UBI.
    Volume,
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LayerKind::UImage => "uImage",
            LayerKind::ZImage => "zImage",
            LayerKind::Android => "Android boot image",
            LayerKind::Fit => "FIT image",
            LayerKind::Elf => "ELF",
            LayerKind::Trx => "TRX image",
            LayerKind::Chk => "CHK image",
            LayerKind::Seama => "Seama image",
            LayerKind::Jffs2 => "JFFS2 file",
            LayerKind::Stream(format) => return write!(f, "{format} stream"),
            LayerKind::Extracted => "own decompressor",
            LayerKind::Kernel => "kernel",
            LayerKind::Tree => "device tree",
            LayerKind::Ramdisk => "ramdisk",
            LayerKind::Initramfs => "initramfs",
            LayerKind::Config => "configuration",
            LayerKind::FileSystem => "file system",
            LayerKind::Volume => "UBI volume",
        })
    }
}

/// One thing that was found in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// 0 when `offset` counts in the file, else the number of the unpacked part
    /// (as in [`Place`]).
    pub space: usize,
    /// Offset of the first byte.
    pub offset: usize,
    /// Length in bytes.
    pub len: usize,
    /// How many layers it lies in.
    pub depth: usize,
    /// What it is.
    pub what: LayerKind,
    /// What its header says, for a person.
    pub text: String,
}

/// An initial RAM disk beside the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ramdisk {
    /// Where it begins.
    pub place: Place,
    /// As it lies in the image, without its container's header.
    pub bytes: Vec<u8>,
    /// Its compression, `None` for a plain archive or file system.
    pub compression: Option<Format>,
}

/// A file system beside the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// Where it begins.
    pub place: Place,
    /// Its format.
    pub kind: files::Kind,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// An image, taken apart.
#[derive(Debug, Clone)]
pub struct Firmware {
    /// Everything found, from the outside inwards.
    pub layers: Vec<Layer>,
    /// The kernel.
    pub kernel: Kernel,
    /// Physical address of the decompressed kernel's first byte, as far as the
    /// image says: the constant in the zImage's own decompressor, else the load
    /// address in a header.
    pub load_address: Option<u32>,
    /// The command line in an Android boot image's header.
    pub command_line: Option<String>,
    /// Device trees: those beside the kernel first, then those within it.
    pub trees: Vec<Tree>,
    /// Ramdisks beside the kernel.
    pub ramdisks: Vec<Ramdisk>,
    /// File systems beside the kernel, also those that a ramdisk is.
    pub file_systems: Vec<FileSystem>,
    /// The archive that the kernel unpacks into its root file system.
    pub initramfs: Option<Initramfs>,
    /// The kernel's own configuration, when it carries it.
    pub config: Option<String>,
    /// What is odd about the image, but did not keep it from being opened.
    pub warnings: Vec<String>,
}

/// Takes an image apart down to the kernel.
///
/// Accepts raw kernels, zImages (also with a vendor's stub in front or trees
/// behind), uImages, FIT images, Android boot images, ELF kernels, any of them
/// compressed, behind a TRX, CHK or Seama header, and flash images in which one of
/// them lies.
///
/// # Errors
///
/// Says which container cannot be used, at which offset, and what was expected
/// there.
pub fn open(bytes: &[u8]) -> Result<Firmware, Error> {
    open_with(bytes, Options::default())
}

/// [`open`] with other limits or means.
///
/// # Errors
///
/// As [`open`].
pub fn open_with(bytes: &[u8], options: impl Into<Options>) -> Result<Firmware, Error> {
    opener::open(bytes, options.into())
}
