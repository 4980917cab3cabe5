//! How a kernel takes its system calls: the table of its functions, whose places
//! are the same in every kernel, and what is to be done for programs of today in
//! one that is older than they are.
//!
//! Some know the old way alone: the number stands in the `swi` instruction
//! (0x900000 and more), and not in r7 (the EABI, an option since 2.6.16). The code
//! that takes the number is in arch/arm/kernel/entry-common.S, the same in every
//! kernel. One that knows both ways has the same code with another register and
//! two conditions, so that four words make the one the other. What the two ways
//! differ in besides, and what a kernel does not know yet, is for the driver,
//! which takes the place of functions in the table of system calls.

use std::collections::BTreeMap;

mod thumb;

use crate::kernel::{Kernel, Version};

/// Words on either side of one in which the others are looked for.
const WINDOW: usize = 24;
/// `ldrcc pc, [r8, rN, lsl #2]`, the register taken out: goes to the function of the
/// call. It is r7; where a number is not to be used before it is known to be good (since
/// 4.19), another.
const GO: u32 = 0x3798_f100;
/// `addne r7, r7, #0x900000`: the number of a call from Thumb code.
const THUMB_NUMBER: u32 = 0x1287_7609;
/// `ldr r7, [lr, #-4]`, and the same unless the caller is Thumb code.
const LOAD: u32 = 0xe51e_7004;
const LOAD_ARM: u32 = 0x051e_7004;
/// `bic r7, r7, #0xff000000`: what is left of the instruction is the number.
const NUMBER: u32 = 0xe3c7_74ff;
/// `eor r7, r7, #0x900000`.
const FROM_ZERO: u32 = 0xe227_7609;

/// The same words in a kernel that knows both ways: r10 holds the instruction's
/// number, and only when it is not 0 that of the call comes from it.
const BOTH: [(u32, u32); 5] = [
    (THUMB_NUMBER, 0x13a0_a000), // movne r10, #0
    (LOAD, 0xe51e_a004),         // ldr   r10, [lr, #-4]
    (LOAD_ARM, 0x051e_a004),     // ldreq r10, [lr, #-4]
    (NUMBER, 0xe3da_a4ff),       // bics  r10, r10, #0xff000000
    (FROM_ZERO, 0x122a_7609),    // eorne r7, r10, #0x900000
];

/// Numbers of the calls that the two ways do not have alike
/// (arch/arm/include/asm/unistd.h), by what serves them: `sys_` in front.
const DIFFERENT: [(&str, u32); 10] = [
    ("pread64", 180),
    ("pwrite64", 181),
    ("truncate64", 193),
    ("ftruncate64", 194),
    ("stat64", 195),
    ("lstat64", 196),
    ("fstat64", 197),
    ("statfs64", 266),
    ("fstatfs64", 267),
    ("fstatat64", 327),
];

/// Calls that programs make with a flag that came with a later version:
/// `F_DUPFD_CLOEXEC` and `AT_EMPTY_PATH`.
const GROWN: [(&str, u32, Version); 3] = [
    ("fcntl", 55, Version(2, 6, 24)),
    ("fcntl64", 221, Version(2, 6, 24)),
    ("fstatat64", 327, Version(2, 6, 39)),
];
/// Calls that all programs make came up to here: `pipe2` and its like.
const COMPLETE_IN: Version = Version(2, 6, 27);

/// Numbers of calls whose functions a driver may want to call, by these
/// functions' names. None of them goes through a wrapper of the table's own.
const FUNCTIONS: [(&str, u32); 20] = [
    ("sys_write", 4),
    ("sys_open", 5),
    ("sys_close", 6),
    ("sys_mknod", 14),
    ("sys_mkdir", 39),
    ("sys_pipe", 42),
    ("sys_fcntl", 55),
    ("sys_dup2", 63),
    ("sys_symlink", 83),
    ("sys_pread64", 180),
    ("sys_pwrite64", 181),
    ("sys_truncate64", 193),
    ("sys_ftruncate64", 194),
    ("sys_stat64", 195),
    ("sys_lstat64", 196),
    ("sys_fstat64", 197),
    ("sys_fcntl64", 221),
    ("sys_statfs64", 266),
    ("sys_fstatfs64", 267),
    ("sys_fstatat64", 327),
];

/// A word of the kernel's code, and what makes it understand both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// Virtual address.
    pub va: u32,
    /// What stands there.
    pub old: u32,
    /// What is to stand there.
    pub new: u32,
}

/// How a kernel takes its system calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemCalls {
    /// The code that takes the number, where it knows the old way alone.
    pub code: Vec<Word>,
    /// Virtual address of the table of functions.
    pub table: u32,
    /// Entries of the table.
    pub count: u32,
    /// Virtual address of the function that refuses every other number, where it is
    /// to be made up for.
    pub refusal: Option<u32>,
    /// Addresses of functions in the table.
    functions: BTreeMap<&'static str, u32>,
    /// The kernel's version.
    version: Version,
}

impl SystemCalls {
    /// The table's entry for a call that new programs make in a way that this
    /// kernel does not know; `None` for every other.
    pub fn entry(&self, name: &str) -> Option<u32> {
        let different = DIFFERENT.iter().filter(|_| self.old_abi_alone());
        let grown = GROWN
            .iter()
            .filter(|(_, _, since)| self.version < *since)
            .map(|(name, number, _)| (*name, *number));
        let (_, number) = different
            .copied()
            .chain(grown)
            .find(|(known, _)| *known == name)?;
        (number < self.count).then(|| self.table.wrapping_add(number * 4))
    }
}

impl SystemCalls {
    /// Whether the kernel knows the old way alone.
    pub fn old_abi_alone(&self) -> bool {
        !self.code.is_empty()
    }

    /// The address of a function such as `sys_open`.
    pub fn function(&self, name: &str) -> Option<u32> {
        self.functions.get(name).copied()
    }
}

/// Finds the code and the table. There is one of either in a kernel.
pub(super) fn find(kernel: &Kernel) -> Option<SystemCalls> {
    let words: Vec<u32> = kernel
        .bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect();
    let all = |wanted: &dyn Fn(u32) -> bool| -> Vec<usize> {
        let words = words.iter().enumerate();
        words
            .filter_map(|(at, &word)| wanted(word).then_some(at))
            .collect()
    };
    // A second jump, for programs that are traced, may be as near.
    let jumps = all(&|word| word & !0xf == GO);
    let mut tables = jumps
        .iter()
        .filter_map(|&at| Some((at, table(kernel, &words, at)?)));
    let Some((go, (table, count))) = tables.next() else {
        if !kernel.facts.thumb2 {
            return None;
        }
        let (table, count) = thumb::table(kernel)?;
        return Some(SystemCalls {
            code: Vec::new(),
            table,
            count,
            refusal: None,
            functions: functions(kernel, table, count),
            version: kernel.facts.version,
        });
    };
    if !tables.all(|(_, other)| other == (table, count)) {
        return None;
    }
    let loads = all(&|word| matches!(word, LOAD | LOAD_ARM));
    let mut codes = loads.iter().filter_map(|&at| code(kernel, &words, at));
    let code = codes.next().filter(|_| codes.next().is_none());
    Some(SystemCalls {
        code: code.unwrap_or_default(),
        table,
        count,
        refusal: refusal(kernel, &words, go).filter(|_| kernel.facts.version < COMPLETE_IN),
        functions: functions(kernel, table, count),
        version: kernel.facts.version,
    })
}

/// The functions in the table, where all of them are in the kernel.
fn functions(kernel: &Kernel, table: u32, count: u32) -> BTreeMap<&'static str, u32> {
    let known = FUNCTIONS.iter().filter(|(_, number)| *number < count);
    known
        .map(|&(name, number)| {
            let function = kernel.word(table.wrapping_add(number * 4))?;
            kernel.offset(function & !1).map(|_| (name, function))
        })
        .collect::<Option<_>>()
        .unwrap_or_default()
}

/// Virtual address of a word.
fn va(kernel: &Kernel, index: usize) -> u32 {
    kernel.base.wrapping_add(4 * index as u32)
}

/// The table, and how many entries it has, by the code in front of the jump.
fn table(kernel: &Kernel, words: &[u32], go: usize) -> Option<(u32, u32)> {
    let start = go.checked_sub(WINDOW)?;
    let before = words.get(start..go)?;
    let last = |wanted: u32| {
        let at = before
            .iter()
            .rposition(|word| word & 0xffff_f000 == wanted)?;
        Some((start + at, immediate(before[at])))
    };
    // add r8, pc, #table; cmp rN, #count.
    let (at, distance) = last(0xe28f_8000)?;
    let (_, count) = last(0xe350_0000 | (words[go] & 0xf) << 16)?;
    let table = va(kernel, at).wrapping_add(8).wrapping_add(distance);
    Some((table, count))
}

/// Where the code goes on that follows the jump by the table: calls of numbers that
/// the table has not, but for ARM's own, end in one jump.
fn refusal(kernel: &Kernel, words: &[u32], go: usize) -> Option<u32> {
    let behind = words.get(go..go + WINDOW)?;
    let at = behind.iter().position(|word| word >> 24 == 0xea)?;
    let distance = (behind[at] << 8).cast_signed() >> 6;
    let target = va(kernel, go + at)
        .wrapping_add(8)
        .wrapping_add_signed(distance);
    // Room for a jump to anywhere.
    kernel.word(target.wrapping_add(4)).map(|_| target)
}

/// The code around the load of the instruction, in a kernel that knows the old way
/// alone.
fn code(kernel: &Kernel, words: &[u32], load: usize) -> Option<Vec<Word>> {
    let window = words.get(load..load + WINDOW)?;
    let behind = |wanted: u32| {
        let at = window.iter().position(|&word| word == wanted)?;
        Some(load + at)
    };
    let mut places = vec![load, behind(NUMBER)?, behind(FROM_ZERO)?];
    if words[load] == LOAD_ARM {
        let before = load.checked_sub(1).filter(|&at| words[at] == THUMB_NUMBER);
        places.push(before?);
    }
    let changed = |index: usize| {
        let old = words[index];
        let (_, new) = BOTH.iter().find(|(known, _)| *known == old)?;
        Some(Word {
            va: va(kernel, index),
            old,
            new: *new,
        })
    };
    places.into_iter().map(changed).collect()
}

/// The number in an instruction of data processing.
fn immediate(word: u32) -> u32 {
    (word & 0xff).rotate_right((word >> 8 & 0xf) * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Facts, Version};

    const BASE: u32 = 0xc000_8000;

    fn found_in(version: Version, words: &[u32]) -> Option<SystemCalls> {
        let mut all = vec![0; 32];
        all.extend(words);
        all.resize(512, 0);
        find(&Kernel {
            bytes: all
                .iter()
                .flat_map(|word: &u32| word.to_le_bytes())
                .collect(),
            base: BASE,
            facts: Facts::usual(version),
        })
    }

    fn found(words: &[u32]) -> Option<SystemCalls> {
        found_in(Version(2, 6, 22), words)
    }

    /// From 2.6.22 without Thumb.
    const CODE: [u32; 9] = [
        LOAD,
        0xe321_f013, // msr   cpsr_c, #0x13
        0xe28f_809c, // add   r8, pc, #156
        NUMBER,
        FROM_ZERO,
        0xe357_0e16, // cmp   r7, #352
        GO | 7,
        0x2a00_0100, // bcs   arm_syscall
        0xeaff_fff6, // b     32 bytes back
    ];

    #[test]
    fn the_number_is_taken_from_r7_when_the_instruction_has_none() {
        let calls = found(&CODE).unwrap();
        let new: Vec<(u32, u32)> = calls.code.iter().map(|word| (word.va, word.new)).collect();
        assert_eq!(
            new,
            [
                (BASE + 0x80, 0xe51e_a004),
                (BASE + 0x8c, 0xe3da_a4ff),
                (BASE + 0x90, 0x122a_7609),
            ]
        );
        assert_eq!((calls.table, calls.count), (BASE + 0x88 + 8 + 156, 352));
        assert_eq!(calls.entry("stat64"), Some(calls.table + 195 * 4));
        assert_eq!(calls.entry("fcntl"), Some(calls.table + 55 * 4));
        assert_eq!(calls.entry("read"), None);
        assert_eq!(calls.refusal, Some(BASE + 0x80));
    }

    #[test]
    fn another_register_may_hold_the_number() {
        let mut words = CODE;
        words[6] = GO | 10;
        assert_eq!(found(&words), None);
        words[5] = 0xe35a_0e16; // cmp r10, #352
        assert_eq!(found(&words).unwrap().count, 352);
    }

    #[test]
    fn code_that_thumb_may_call_has_one_word_more() {
        let mut words = vec![THUMB_NUMBER, LOAD_ARM];
        words.extend(&CODE[1..]);
        let calls = found(&words).unwrap();
        assert_eq!(calls.code.len(), 4);
        assert_eq!(calls.code[3].new, 0x13a0_a000);
    }

    #[test]
    fn in_a_kernel_that_knows_both_ways_only_new_flags_are_to_be_served() {
        let both = CODE.map(|word| match BOTH.iter().find(|(old, _)| *old == word) {
            Some((_, new)) => *new,
            None => word,
        });
        let calls = found(&both).unwrap();
        assert_eq!(
            (calls.old_abi_alone(), calls.entry("stat64")),
            (false, None)
        );
        assert_eq!(calls.entry("fstatat64"), Some(calls.table + 327 * 4));
        assert_eq!(calls.entry("fcntl64"), Some(calls.table + 221 * 4));
        let later = found_in(Version(2, 6, 24), &both).unwrap();
        assert_eq!(later.entry("fcntl64"), None);
        assert!(later.refusal.is_some());
        let complete = found_in(Version(2, 6, 27), &both).unwrap();
        assert_eq!(complete.refusal, None);
        let new = found_in(Version(2, 6, 39), &both).unwrap();
        assert_eq!(new.entry("fstatat64"), None);
    }

    #[test]
    fn functions_have_their_places_in_the_table() {
        let mut words = CODE.to_vec();
        let table = |number: usize| (0x88 + 8 + 156) / 4 - 32 + number;
        words.resize(table(352), 0);
        for (index, (_, number)) in FUNCTIONS.iter().enumerate() {
            words[table(*number as usize)] = BASE + 4 * index as u32;
        }
        let calls = found(&words).unwrap();
        assert_eq!(calls.function("sys_mknod"), Some(BASE + 12));
        assert_eq!(calls.function("sys_fork"), None);
        // One that is not in the kernel: this is no such table.
        words[table(4)] = 7;
        assert_eq!(found(&words).unwrap().function("sys_mknod"), None);
    }

    #[test]
    fn what_stands_there_twice_is_not_taken() {
        let apart = [0; WINDOW];
        let twice: Vec<u32> = CODE.iter().chain(&apart).chain(&CODE).copied().collect();
        assert_eq!(found(&twice), None);
    }
}
