//! Tags: how a kernel without a device tree is told about RAM, initial RAM disk
//! and command line. Format: `arch/arm/include/uapi/asm/setup.h`.

use super::{Error, Ram};

/// Distance of the tags from the start of RAM: where boot loaders put them, and
/// where kernels look that do not take the address from r2.
pub const OFFSET: u32 = 0x100;
/// The first page tables begin 16 KiB below the kernel, or 20 KiB with long
/// descriptors, at the earliest at 0x3000; tags end before that.
const ROOM: usize = 0x3000 - OFFSET as usize;
/// `COMMAND_LINE_SIZE` of the kernel, its NUL included.
const COMMAND_LINE: usize = 1024;

const CORE: u32 = 0x5441_0001;
const MEM: u32 = 0x5441_0002;
const INITRD2: u32 = 0x5442_0005;
const CMDLINE: u32 = 0x5441_0009;
const NONE: u32 = 0;

/// The list as it lies in memory. `initrd` is address and size.
pub fn build(ram: Ram, command_line: &str, initrd: Option<(u32, u32)>) -> Result<Vec<u8>, Error> {
    if command_line.len() >= COMMAND_LINE {
        return Err(Error::CommandLine {
            length: command_line.len(),
            limit: COMMAND_LINE - 1,
        });
    }
    let mut words = Vec::new();
    // Flags (bit 0: root is read-only), page size, root device.
    tag(&mut words, CORE, &[1, 0x1000, 0]);
    tag(&mut words, MEM, &[ram.size, ram.base]);
    if let Some((address, size)) = initrd {
        tag(&mut words, INITRD2, &[address, size]);
    }
    let mut text = command_line.as_bytes().to_vec();
    text.push(0);
    text.resize(text.len().next_multiple_of(4), 0);
    let text: Vec<u32> = text
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect();
    tag(&mut words, CMDLINE, &text);
    // The end has a size of 0, unlike every other tag.
    words.extend([0, NONE]);
    debug_assert!(words.len() * 4 <= ROOM);
    Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
}

fn tag(words: &mut Vec<u32>, kind: u32, payload: &[u32]) {
    words.push(payload.len() as u32 + 2);
    words.push(kind);
    words.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_walks_from_core_to_none() {
        let ram = Ram {
            base: 0x2000_0000,
            size: 0x0800_0000,
        };
        let bytes = build(ram, "console=ttyS0", Some((0x2700_0000, 0x1234))).unwrap();
        let word =
            |offset: usize| u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap());
        let mut seen = Vec::new();
        let mut offset = 0;
        while word(offset) != 0 {
            seen.push((word(offset), word(offset + 4)));
            offset += word(offset) as usize * 4;
        }
        assert_eq!(seen, [(5, CORE), (4, MEM), (4, INITRD2), (6, CMDLINE)]);
        assert_eq!(bytes.len(), offset + 8);
    }

    #[test]
    fn a_command_line_that_the_kernel_would_cut_is_refused() {
        let ram = Ram {
            base: 0,
            size: 0x0800_0000,
        };
        assert!(build(ram, &"x".repeat(1023), None).is_ok());
        assert!(build(ram, &"x".repeat(1024), None).is_err());
    }
}
