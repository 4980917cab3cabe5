//! Read-only memory with an archive in it, on machines whose kernel cannot unpack
//! an initial RAM disk (no CONFIG_BLK_DEV_INITRD): the archive is unpacked into
//! the root file system from here, through the kernel's own files. A kernel
//! starts `/init` where it is there, however it came to be.
//!
//! The archive is cpio `newc`, not compressed: kernel documentation
//! `driver-api/early-userspace/buffer-format`.

use core::ptr::NonNull;

use safe_mmio::fields::{ReadOnly, ReadPure, ReadPureWrite};
use safe_mmio::{UniqueMmioPointer, field};

use crate::kernel::files::{self, Buffer, NewFile};
use crate::kit::print::print;

crate::chip! {
    /// None: a chip of the machine's own.
    chip rom { va }
}

crate::forward! {
    /// Unpacks the archive. Left out when the kernel can do that itself, and the machine then has
    /// no such memory.
    optional machine_desc.init_machine => fn unpack();
}

#[repr(C)]
struct Registers {
    /// Bytes that there are.
    size: ReadPure<u32>,
    /// Where the next word is read.
    position: ReadPureWrite<u32>,
    /// The word at the position; reading moves on behind it.
    data: ReadOnly<u32>,
}

/// Length of an entry's header, in front of its name.
const HEADER: usize = 110;
/// Words that hold a header, and the first bytes of the name.
const HEADER_WORDS: usize = HEADER.div_ceil(4);
const MAGIC: &[u8] = b"070701";
/// The name that ends an archive.
const TRAILER: &[u8] = b"TRAILER!!!\0";
/// Where in the buffer contents are collected; header and name lie before.
const CONTENTS: usize = Buffer::SIZE / 2;

/// The kind of file in a mode, include/uapi/linux/stat.h.
const KIND: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

/// What a header says.
struct Header {
    mode: u32,
    size: usize,
    major: u32,
    minor: u32,
    /// Length of the name with its NUL.
    name: usize,
}

impl Header {
    /// None when there is no header, or a name that does not fit.
    fn read(bytes: &[u8]) -> Option<Self> {
        if !same(bytes.get(..MAGIC.len())?, MAGIC) {
            return None;
        }
        let header = Header {
            mode: number(bytes, 1)?,
            size: number(bytes, 6)? as usize,
            major: number(bytes, 9)?,
            minor: number(bytes, 10)?,
            name: number(bytes, 11)? as usize,
        };
        let fits = (1..CONTENTS - HEADER).contains(&header.name);
        fits.then_some(header)
    }

    /// The device's number as mknod takes it (`new_encode_dev`).
    fn device(&self) -> u32 {
        (self.minor & 0xff) | (self.major << 8) | ((self.minor & !0xff) << 12)
    }
}

/// The number in the header's field of this index: eight digits.
fn number(bytes: &[u8], index: usize) -> Option<u32> {
    let start = MAGIC.len() + index * 8;
    let digits = bytes.get(start..start + 8)?;
    digits.iter().try_fold(0u32, |value, &digit| {
        Some(value << 4 | (digit as char).to_digit(16)?)
    })
}

/// Whether two texts are the same. Comparing slices would call a function that the
/// driver does not have.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(left, right)| left == right)
}

/// `machine_desc.init_machine`: an initcall, behind those that make the file
/// systems and before those that look for `/init`.
extern "C" fn unpack() {
    let mut buffer = Buffer::new();
    let mut rom = registers();
    while let Some(header) = next_header(&mut rom, &mut buffer) {
        // SAFETY: the header and the name were written just now.
        let bytes = unsafe { buffer.written(HEADER + header.name) };
        if bytes.get(HEADER..).is_some_and(|name| same(name, TRAILER)) {
            return;
        }
        if entry(&mut rom, &mut buffer, &header).is_none() {
            break;
        }
    }
    print(c"ecmo: the archive could not be unpacked to its end\n");
}

fn registers() -> UniqueMmioPointer<'static, Registers> {
    let registers = core::ptr::with_exposed_provenance_mut(rom::va());
    // SAFETY: the linker fills the slot with the address of the chip's page, which
    // is mapped for as long as the driver; nothing else uses the chip.
    unsafe { UniqueMmioPointer::new(NonNull::new_unchecked(registers)) }
}

/// Copies the next words to a place in the buffer.
fn fetch(rom: &mut UniqueMmioPointer<Registers>, buffer: &mut Buffer, at: usize, words: usize) {
    for word in 0..words {
        buffer.put(at + word * 4, field!(*rom, data).read());
    }
}

/// The next entry's header; its name follows it in the buffer.
fn next_header(rom: &mut UniqueMmioPointer<Registers>, buffer: &mut Buffer) -> Option<Header> {
    fetch(rom, buffer, 0, HEADER_WORDS);
    // SAFETY: that was written just now.
    let header = Header::read(unsafe { buffer.written(HEADER) })?;
    let words = (HEADER + header.name).div_ceil(4);
    fetch(rom, buffer, HEADER_WORDS * 4, words - HEADER_WORDS);
    Some(header)
}

/// Makes one file. What is there already stays; None when its contents cannot be
/// written.
fn entry(
    rom: &mut UniqueMmioPointer<Registers>,
    buffer: &mut Buffer,
    header: &Header,
) -> Option<()> {
    let path = buffer.at(HEADER).cast_const().cast();
    match header.mode & KIND {
        FILE => return contents(rom, buffer, header),
        SYMLINK => {
            if header.size >= CONTENTS {
                return None;
            }
            fetch(rom, buffer, CONTENTS, header.size.div_ceil(4));
            buffer.put_byte(CONTENTS + header.size, 0);
            let target = buffer.at(CONTENTS).cast_const().cast();
            // SAFETY: both are texts in the kernel's memory.
            unsafe { files::symlink(target, path) };
        }
        // SAFETY: as above.
        DIRECTORY => unsafe { files::mkdir(path, header.mode & !KIND) },
        // SAFETY: as above.
        _ => unsafe { files::mknod(path, header.mode, header.device()) },
    }
    Some(())
}

/// Makes a regular file.
fn contents(
    rom: &mut UniqueMmioPointer<Registers>,
    buffer: &mut Buffer,
    header: &Header,
) -> Option<()> {
    let path = buffer.at(HEADER).cast_const().cast();
    // SAFETY: the path is a text in the kernel's memory.
    let mut file = unsafe { NewFile::create(path, header.mode & !KIND) }?;
    let mut left = header.size;
    while left > 0 {
        let size = left.min(Buffer::SIZE - CONTENTS);
        fetch(rom, buffer, CONTENTS, size.div_ceil(4));
        // SAFETY: so many bytes are there.
        if !unsafe { file.write(buffer.at(CONTENTS).cast_const().cast(), size) } {
            break;
        }
        left -= size;
    }
    file.close();
    (left == 0).then_some(())
}

#[cfg(test)]
mod tests;
