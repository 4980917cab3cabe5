//! ELF kernels (`vmlinux`): the loadable segments are laid out as `objcopy -O
//! binary` does it, by their physical addresses.

use goblin::elf32::header::{EM_ARM, Header, SIZEOF_EHDR};
use goblin::elf32::program_header::{PT_LOAD, ProgramHeader, SIZEOF_PHDR};
use scroll::Pread;

use super::opener::{Opener, Span};
use super::{Error, LayerKind};
use crate::bytes::{le32, u16_at};
use crate::kernel::{self, Foreign, Kernel};

const WHAT: &str = "ELF file";

pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(goblin::elf32::header::ELFMAG)
}

/// Only little-endian 32-bit ARM executables go on.
fn check_machine(span: Span<'_>) -> Result<(), Error> {
    const LITTLE: u8 = 1;
    const WORD: u8 = 1;
    const MACHINE_AT: usize = 18;
    let big = span.bytes.get(5) != Some(&LITTLE);
    let endian = if big { scroll::BE } else { scroll::LE };
    let foreign = match u16_at(span.bytes, MACHINE_AT, endian) {
        Some(EM_ARM) if big => Foreign::BigEndianArm,
        Some(EM_ARM) if span.bytes.get(4) == Some(&WORD) => return Ok(()),
        other => Foreign::Elf(other.unwrap_or(0)),
    };
    Err(Error::Kernel {
        place: span.place,
        source: kernel::Error::Foreign(foreign),
    })
}

pub(super) fn open(opener: &mut Opener, span: Span<'_>, depth: usize) -> Result<Kernel, Error> {
    check_machine(span)?;
    let short = |part, end| span.cut_off(end, WHAT, part);
    let header: Header = span
        .bytes
        .pread(0)
        .map_err(|_| short("header", SIZEOF_EHDR))?;
    let mut segments = Vec::new();
    for index in 0..usize::from(header.e_phnum) {
        let at = (header.e_phoff as usize).saturating_add(index * SIZEOF_PHDR);
        let segment: ProgramHeader = span
            .bytes
            .pread(at)
            .map_err(|_| short("program header", at.saturating_add(SIZEOF_PHDR)))?;
        if segment.p_type == PT_LOAD && segment.p_filesz > 0 {
            segments.push(segment);
        }
    }
    let flat = flatten(opener, span, &segments)?;
    opener.note(
        span,
        depth,
        LayerKind::Elf,
        format!("{} loadable segments", segments.len()),
    );
    let place = opener.new_space();
    let kernel = opener.take_kernel(place, flat, depth + 1)?;
    let linked = segments
        .iter()
        .min_by_key(|segment| segment.p_paddr)
        .map(|segment| segment.p_vaddr);
    if let Some(linked) = linked.filter(|linked| *linked != kernel.base) {
        opener.warnings.push(format!(
            "{WHAT} at {}: its first segment is linked to {linked:#010x}, its data say {:#010x}",
            span.place, kernel.base
        ));
    }
    Ok(kernel)
}

/// One image of all segments.
fn flatten(
    opener: &mut Opener,
    span: Span<'_>,
    segments: &[ProgramHeader],
) -> Result<Vec<u8>, Error> {
    let base = segments.iter().map(|s| s.p_paddr).min().unwrap_or(0);
    let end = segments
        .iter()
        .map(|s| u64::from(s.p_paddr) + u64::from(s.p_filesz))
        .max()
        .unwrap_or(0);
    let size = end.saturating_sub(u64::from(base));
    let limit = opener.limits.output;
    if size == 0 || size > limit as u64 {
        return Err(Error::Field {
            what: WHAT,
            place: span.place,
            field: "room that the loadable segments take",
            found: format!("{size:#x}"),
            expected: format!("1 to {limit:#x}"),
        });
    }
    opener.spend(size)?;
    let mut flat = vec![0; size as usize];
    for segment in segments {
        let data = span.whole(
            segment.p_offset as usize,
            segment.p_filesz as usize,
            WHAT,
            "segment",
        )?;
        opener.spend(data.bytes.len() as u64)?;
        let start = (segment.p_paddr - base) as usize;
        let target = flat.get_mut(start..start + data.bytes.len());
        if let Some(target) = target {
            target.copy_from_slice(data.bytes);
        }
    }
    Ok(flat)
}

/// An executable for ARM whose entry point lies where kernels are linked: a
/// firmware's file systems are full of programs.
pub(super) fn is_kernel(bytes: &[u8]) -> bool {
    const EXECUTABLE: u16 = 2;
    const LOWEST: u32 = 0x4000_0000;
    begins(bytes)
        && u16_at(bytes, 16, scroll::LE) == Some(EXECUTABLE)
        && u16_at(bytes, 18, scroll::LE) == Some(EM_ARM)
        && le32(bytes, 24).is_some_and(|entry| entry >= LOWEST)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::fixture::{self, refused};
    use super::super::open;

    /// An executable with the kernel in two segments, the second at a virtual
    /// address of its own as the exception vectors are.
    fn elf(kernel: &[u8]) -> Vec<u8> {
        let (first, second) = kernel.split_at(0x7000);
        let mut bytes = b"\x7fELF\x01\x01\x01".to_vec();
        bytes.resize(16, 0);
        bytes.extend([2, 0, 40, 0]);
        for word in [1, fixture::BASE, 52, 0, 0x0500_0200] {
            bytes.extend(u32::to_le_bytes(word));
        }
        for half in [52u16, 32, 2, 40, 0, 0] {
            bytes.extend(half.to_le_bytes());
        }
        let mut offset = 0x1000;
        let mut physical = fixture::BASE;
        for (data, address) in [(first, fixture::BASE), (second, 0xffff_0000)] {
            let size = data.len() as u32;
            for word in [1, offset, address, physical, size, size, 5, 0x1000] {
                bytes.extend(u32::to_le_bytes(word));
            }
            offset += size;
            physical += size;
        }
        bytes.resize(0x1000, 0);
        bytes.extend(kernel);
        bytes
    }

    #[test]
    fn lays_segments_out_by_physical_address() {
        let kernel = fixture::kernel();
        let firmware = open(&elf(&kernel)).unwrap();
        assert!(firmware.kernel.bytes == kernel);
        assert_eq!(firmware.warnings, [""; 0]);
    }

    #[test]
    fn says_what_is_wrong() {
        let image = elf(&fixture::kernel());
        refused(
            &image[..0x2000],
            expect![
                "ELF file at 0x0 is cut off: its segment should end at 0x8000, but the data end at 0x2000"
            ],
        );
        refused(
            &image[..0x40],
            expect![
                "ELF file at 0x0 is cut off: its program header should end at 0x54, but the data end at 0x40"
            ],
        );
        let head = &image[..0x1000];
        let mut other = head.to_vec();
        other[18] = 62;
        refused(
            &other,
            expect![
                "at 0x0: an ELF file for x86-64 (machine number 62 at 0x12); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used"
            ],
        );
        other[18] = 99;
        refused(
            &other,
            expect![
                "at 0x0: an ELF file for machine number 99 at 0x12, expected 40 (ARM); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used"
            ],
        );
        let mut big = head.to_vec();
        big[5] = 2;
        big.swap(18, 19);
        refused(
            &big,
            expect![
                "at 0x0: a big-endian ARM kernel, which is not supported; only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used"
            ],
        );
        let mut wide = head.to_vec();
        wide[52 + 32 + 15] = 0xff;
        refused(
            &wide,
            expect![
                "ELF file: room that the loadable segments take at 0x0 is 0x3f018000, expected 1 to 0x8000000"
            ],
        );
    }
}
