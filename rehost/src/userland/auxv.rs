//! What programs for a later kernel miss in an older one, made up for between the
//! kernel and the program.
//!
//! A kernel hands every program a list of facts (the auxiliary vector). Before
//! 2.6.29 there is no `AT_RANDOM` in it, which glibc takes for granted since it
//! needs no kernel older than that. So the program names an interpreter, as one
//! with shared libraries does: a page of code that puts the entry in and goes on
//! to the program.

/// Where the interpreter is to lie in the file system.
pub const INTERPRETER_PATH: &str = "lib/auxv";

/// The interpreter: it replaces `AT_FLAGS`, which says nothing on any Linux.
const CODE: [u32; 19] = [
    0xe1a0_000d, //    mov   r0, sp
    0xe490_1004, //    ldr   r1, [r0], #4       the number of arguments
    0xe080_0101, //    add   r0, r0, r1, lsl #2
    0xe280_0004, //    add   r0, r0, #4
    0xe490_1004, // 1: ldr   r1, [r0], #4       the environment, up to its end
    0xe351_0000, //    cmp   r1, #0
    0x1aff_fffc, //    bne   1b
    0xe490_1008, // 2: ldr   r1, [r0], #8       the facts, up to AT_NULL
    0xe351_0009, //    cmp   r1, #9             AT_ENTRY: where the program begins
    0x0510_2004, //    ldreq r2, [r0, #-4]
    0xe351_0008, //    cmp   r1, #8             AT_FLAGS
    0x0240_3008, //    subeq r3, r0, #8
    0xe351_0000, //    cmp   r1, #0
    0x1aff_fff8, //    bne   2b
    0xe3a0_0019, //    mov   r0, #25            AT_RANDOM
    0xe28f_1008, //    add   r1, pc, #8         the bytes behind this code
    0xe883_0003, //    stm   r3, {r0, r1}
    0xe3a0_0000, //    mov   r0, #0             nothing to call at the exit
    0xe1a0_f002, //    mov   pc, r2
];

/// What `AT_RANDOM` points to. The same in every run, as all else is.
const RANDOM: [u8; 16] = *b"not at all so!!!";

/// Sizes of an ELF file's header and of an entry in its table of segments.
const HEADER: usize = 52;
const SEGMENT: usize = 32;
/// Offsets in the header: the table's place, and how many entries it has.
const TABLE: usize = 0x1c;
const COUNT: usize = 0x2c;
/// Kinds of segments.
const LOAD: u32 = 1;
const INTERPRETER: u32 = 3;
const NOTE: u32 = 4;

/// The interpreter as an ELF file, which may be loaded anywhere.
pub fn interpreter() -> Vec<u8> {
    let entry = HEADER + SEGMENT;
    let size = (entry + CODE.len() * 4 + RANDOM.len()) as u32;
    let halves = |values: &[u16]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let words = |values: &[u32]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    // A shared object for ARM.
    file.extend(halves(&[3, 40]));
    // Version, entry, place of the segments and of no sections, flags (EABI 5).
    file.extend(words(&[1, entry as u32, HEADER as u32, 0, 0x0500_0000]));
    file.extend(halves(&[HEADER as u16, SEGMENT as u16, 1, 40, 0, 0]));
    // Kind, offset, both addresses, both sizes, rights, alignment. All rights: these
    // kernels write zeros behind the end of an interpreter's last segment.
    file.extend(words(&[LOAD, 0, 0, 0, size, size, 7, 0x1000]));
    file.extend(words(&CODE));
    file.extend(RANDOM);
    file
}

/// A static program that goes through the interpreter: the segment that holds
/// notes, which nobody reads, names it. None when the file has no such segment.
pub fn interpreted(program: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| {
        let bytes = program.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let table = word(TABLE)? as usize;
    let count = (word(COUNT)? & 0xffff) as usize;
    let note = (0..count)
        .map(|index| table + index * SEGMENT)
        .find(|&at| word(at) == Some(NOTE))?;
    let mut path = format!("/{INTERPRETER_PATH}").into_bytes();
    path.push(0);
    let (offset, size) = (program.len() as u32, path.len() as u32);
    let mut file = program.to_vec();
    file.extend(path);
    for (index, value) in [INTERPRETER, offset, 0, 0, size, size, 4, 1]
        .into_iter()
        .enumerate()
    {
        let at = note + index * 4;
        file.get_mut(at..at + 4)?
            .copy_from_slice(&value.to_le_bytes());
    }
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded;

    #[test]
    fn the_interpreter_is_a_whole_elf_file() {
        let file = interpreter();
        assert_eq!(&file[..4], b"\x7fELF");
        assert_eq!(file.len(), HEADER + SEGMENT + CODE.len() * 4 + 16);
        // The code reaches the bytes behind itself from its 16th instruction.
        let from = HEADER + SEGMENT + 15 * 4 + 8;
        assert_eq!(&file[from + 8..], RANDOM);
    }

    #[test]
    fn the_program_names_the_interpreter() {
        let file = interpreted(embedded::BUSYBOX_ARMEL).unwrap();
        assert!(file.ends_with(b"/lib/auxv\0"));
        assert_eq!(interpreted(&file), None, "it has no notes any more");
        assert_eq!(interpreted(b"no ELF file"), None);
    }
}
