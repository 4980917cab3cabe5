//! Programs of today on kernels that know the old ABI alone, or are older than
//! flags and calls that all programs use.
//!
//! Most system calls are the same in both. Here are those that are not: a number
//! of 64 bits lies in an even and the next register with the EABI and in any two
//! with the old ABI, and within a struct on a multiple of 8 or of 4 bytes. What a
//! shell needs of them is served; locks on files (`fcntl64`), `epoll` and System
//! V's `ipc` are not.

use core::ffi::{c_char, c_void};

use crate::kernel::calls::{self, Stat64, Statfs64};

crate::forward! {
    /// As the EABI has it.
    optional system_call.stat64 => fn stat64(path: *const c_char, to: *mut Stat64) -> isize;
    /// As the EABI has it.
    optional system_call.lstat64 => fn lstat64(path: *const c_char, to: *mut Stat64) -> isize;
    /// As the EABI has it.
    optional system_call.fstat64 => fn fstat64(file: u32, to: *mut Stat64) -> isize;
    /// As the EABI has it, and with `AT_EMPTY_PATH`.
    optional system_call.fstatat64 => fn fstatat64(
        folder: i32, path: *const c_char, to: *mut Stat64, flags: i32,
    ) -> isize;
    /// As the EABI has it.
    optional system_call.pread64 => fn pread64(
        file: u32, to: *mut c_void, size: usize, unused: u32, low: u32, high: u32,
    ) -> isize;
    /// As the EABI has it.
    optional system_call.pwrite64 => fn pwrite64(
        file: u32, from: *const c_void, size: usize, unused: u32, low: u32, high: u32,
    ) -> isize;
    /// As the EABI has it.
    optional system_call.truncate64 => fn truncate64(
        path: *const c_char, unused: u32, low: u32, high: u32,
    ) -> isize;
    /// As the EABI has it.
    optional system_call.ftruncate64 => fn ftruncate64(
        file: u32, unused: u32, low: u32, high: u32,
    ) -> isize;
    /// As the EABI has it.
    optional system_call.statfs64 => fn statfs64(
        path: *const c_char, size: usize, to: *mut Statfs64,
    ) -> isize;
    /// As the EABI has it.
    optional system_call.fstatfs64 => fn fstatfs64(
        file: u32, size: usize, to: *mut Statfs64,
    ) -> isize;
    /// With `F_DUPFD_CLOEXEC`.
    optional system_call.fcntl => fn fcntl(file: u32, command: u32, argument: usize) -> isize;
    /// `pipe2` and `dup3`.
    optional system_call.unknown => fn unknown() -> isize;
    /// With `F_DUPFD_CLOEXEC`.
    optional system_call.fcntl64 => fn fcntl64(file: u32, command: u32, argument: usize) -> isize;
}

/// Words of a `struct stat64` of the old ABI, and of the EABI's.
const OLD_WORDS: usize = 24;
const NEW_WORDS: usize = 26;
/// The word of the size, in front of which the EABI has a gap, and of the count of
/// blocks, in front of which it has another.
const SIZE: usize = 11;
const BLOCKS: usize = 14;

/// Bytes of a `struct statfs64`, and of the EABI's, which ends on a multiple of 8
/// and is else the same.
const STATFS: usize = 84;
const STATFS_OF_EABI: usize = 88;

/// Makes the gaps.
fn spread(words: &mut [u32; NEW_WORDS]) {
    words.copy_within(BLOCKS..OLD_WORDS, BLOCKS + 2);
    words[BLOCKS + 1] = 0;
    words.copy_within(SIZE..BLOCKS, SIZE + 1);
    words[SIZE] = 0;
}

/// What a call that has filled in a struct answers.
///
/// # Safety
///
/// `to` must be where the kernel has just written its struct.
unsafe fn spread_at(to: *mut Stat64, answer: isize) -> isize {
    if answer == 0 && calls::OLD_ABI_ALONE() == Some(1) {
        // SAFETY: the kernel has written there, so the program has memory there; it
        // made room for the EABI's struct, and the kernel provides the page of the
        // last two words as for every access of its own.
        unsafe { spread(&mut *to.cast()) };
    }
    answer
}

extern "C" fn stat64(path: *const c_char, to: *mut Stat64) -> isize {
    // SAFETY: the arguments are the program's, which the kernel checks.
    unsafe { spread_at(to, calls::sys_stat64(path, to)) }
}

extern "C" fn lstat64(path: *const c_char, to: *mut Stat64) -> isize {
    // SAFETY: as above.
    unsafe { spread_at(to, calls::sys_lstat64(path, to)) }
}

extern "C" fn fstat64(file: u32, to: *mut Stat64) -> isize {
    // SAFETY: as above.
    unsafe { spread_at(to, calls::sys_fstat64(file, to)) }
}

extern "C" fn fstatat64(folder: i32, path: *const c_char, to: *mut Stat64, flags: i32) -> isize {
    // SAFETY: as above. The path is read, where the kernel has not done so, as the
    // kernel reads it.
    unsafe {
        let answer = without_empty_path(
            flags,
            |flags| calls::sys_fstatat64(folder, path, to, flags),
            || path.read() == 0,
            || calls::sys_fstat64(folder.cast_unsigned(), to),
        );
        spread_at(to, answer)
    }
}

/// `AT_EMPTY_PATH`, which is unknown up to 2.6.38: glibc asks in this way about every
/// open file.
fn without_empty_path(
    flags: i32,
    by_path: impl Fn(i32) -> isize,
    is_empty: impl Fn() -> bool,
    by_file: impl Fn() -> isize,
) -> isize {
    /// include/uapi/linux/fcntl.h.
    const AT_EMPTY_PATH: i32 = 0x1000;
    /// EINVAL of include/asm-generic/errno-base.h.
    const INVALID: isize = -22;
    /// ENOENT of the same, which an empty path is too.
    const ABSENT: isize = -2;
    match by_path(flags) {
        INVALID if flags & AT_EMPTY_PATH != 0 => {}
        other => return other,
    }
    // The flag was looked at first; now the kernel has read the path, so that it can
    // be read where nothing would bring it from a file.
    match by_path(flags & !AT_EMPTY_PATH) {
        ABSENT if is_empty() => by_file(),
        other => other,
    }
}

extern "C" fn pread64(
    file: u32,
    to: *mut c_void,
    size: usize,
    _: u32,
    low: u32,
    high: u32,
) -> isize {
    // SAFETY: as above.
    unsafe { calls::sys_pread64(file, to, size, low, high) }
}

extern "C" fn pwrite64(
    file: u32,
    from: *const c_void,
    size: usize,
    _: u32,
    low: u32,
    high: u32,
) -> isize {
    // SAFETY: as above.
    unsafe { calls::sys_pwrite64(file, from, size, low, high) }
}

extern "C" fn truncate64(path: *const c_char, _: u32, low: u32, high: u32) -> isize {
    // SAFETY: as above.
    unsafe { calls::sys_truncate64(path, low, high) }
}

extern "C" fn ftruncate64(file: u32, _: u32, low: u32, high: u32) -> isize {
    // SAFETY: as above.
    unsafe { calls::sys_ftruncate64(file, low, high) }
}

/// The size of the struct as the kernel knows it.
fn old_size(size: usize) -> usize {
    match size {
        STATFS_OF_EABI => STATFS,
        other => other,
    }
}

extern "C" fn statfs64(path: *const c_char, size: usize, to: *mut Statfs64) -> isize {
    // SAFETY: as above.
    unsafe { calls::sys_statfs64(path, old_size(size), to) }
}

extern "C" fn fstatfs64(file: u32, size: usize, to: *mut Statfs64) -> isize {
    // SAFETY: as above.
    unsafe { calls::sys_fstatfs64(file, old_size(size), to) }
}

/// Commands of fcntl: include/asm-generic/fcntl.h, include/linux/fcntl.h.
const F_DUPFD: u32 = 0;
const F_SETFD: u32 = 2;
const F_DUPFD_CLOEXEC: u32 = 1030;
const FD_CLOEXEC: usize = 1;
/// The flag with which `pipe2` and `dup3` do the same at once.
const O_CLOEXEC: u32 = 0o2_000_000;

/// `F_DUPFD_CLOEXEC` by the two commands that it joins. Somebody else who shares the
/// files could start a program in between; a shell's files are its own.
fn duplicate(
    fcntl: unsafe fn(u32, u32, usize) -> isize,
    file: u32,
    command: u32,
    argument: usize,
) -> isize {
    // SAFETY: the arguments are the program's, which the kernel checks.
    unsafe {
        if command != F_DUPFD_CLOEXEC {
            return fcntl(file, command, argument);
        }
        let new = fcntl(file, F_DUPFD, argument);
        if new >= 0 {
            fcntl(new as u32, F_SETFD, FD_CLOEXEC);
        }
        new
    }
}

extern "C" fn fcntl(file: u32, command: u32, argument: usize) -> isize {
    duplicate(calls::sys_fcntl, file, command, argument)
}

extern "C" fn fcntl64(file: u32, command: u32, argument: usize) -> isize {
    duplicate(calls::sys_fcntl64, file, command, argument)
}

/// Where a call comes that the kernel does not know. Its number is in r7, and what
/// the program had in its registers lies behind the fifth and the sixth argument.
#[cfg(target_arch = "arm")]
#[unsafe(naked)]
extern "C" fn unknown() -> isize {
    core::arch::naked_asm!(
        "mov r0, r7",
        "add r1, sp, #8",
        "b {newer}",
        newer = sym newer,
    )
}

/// For the unit tests on the host, which do not call it.
#[cfg(not(target_arch = "arm"))]
extern "C" fn unknown() -> isize {
    newer(0, &[0; 3])
}

/// The calls that came with 2.6.27, by older ones.
extern "C" fn newer(number: u32, registers: &[u32; 3]) -> isize {
    /// arch/arm/include/asm/unistd.h.
    const DUP3: u32 = 358;
    const PIPE2: u32 = 359;
    /// ENOSYS of include/asm-generic/errno.h.
    const NO_SUCH_CALL: isize = -38;
    let [first, second, third] = *registers;
    // SAFETY: the arguments are the program's, which the kernel checks; the two
    // words of a pipe's ends are read when the kernel has just written them.
    unsafe {
        match number {
            PIPE2 => {
                let ends: *mut i32 = core::ptr::with_exposed_provenance_mut(first as usize);
                let answer = calls::sys_pipe(ends);
                if answer == 0 {
                    close_for_programs(ends.read(), second);
                    close_for_programs(ends.add(1).read(), second);
                }
                answer
            }
            DUP3 => {
                let answer = calls::sys_dup2(first, second);
                if answer >= 0 {
                    close_for_programs(answer as i32, third);
                }
                answer
            }
            _ => NO_SUCH_CALL,
        }
    }
}

/// Closes an open file when a program is started, if the flags say so.
///
/// # Safety
///
/// The kernel must have given the program this file just now.
unsafe fn close_for_programs(file: i32, flags: u32) {
    if flags & O_CLOEXEC != 0 {
        // SAFETY: the caller vouches for the file.
        unsafe { calls::sys_fcntl(file as u32, F_SETFD, FD_CLOEXEC) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets in words, from include/asm-arm/stat.h of either ABI.
    const FIELDS: [(usize, usize); 6] = [
        (8, 8),   // st_rdev
        (11, 12), // st_size
        (13, 14), // st_blksize
        (14, 16), // st_blocks
        (16, 18), // st_atime
        (22, 24), // st_ino
    ];

    #[test]
    fn every_field_comes_to_its_place() {
        let mut words: [u32; NEW_WORDS] = core::array::from_fn(|index| index as u32);
        spread(&mut words);
        for (old, new) in FIELDS {
            assert_eq!(words[new] as usize, old);
        }
        assert_eq!((words[11], words[15], words[25]), (0, 0, 23));
    }

    #[test]
    fn a_copy_that_is_closed_for_programs_takes_two_calls() {
        /// Answers with what it was asked.
        unsafe fn fcntl(file: u32, command: u32, argument: usize) -> isize {
            match (file, command, argument) {
                (3, 0, 10) => 11,
                (3, 1, 0) => 1,
                (11, 2, 1) => 0,
                _ => -22,
            }
        }
        assert_eq!(duplicate(fcntl, 3, 1030, 10), 11);
        assert_eq!(duplicate(fcntl, 3, 1, 0), 1);
        assert_eq!(duplicate(fcntl, 4, 1030, 10), -22);
    }

    #[test]
    fn a_file_without_a_path_is_asked_about_by_its_number() {
        let ask = |flags, empty| {
            let knows_no_flag = |flags| match (flags & 0x1000, empty) {
                (0, false) => 7,
                (0, true) => -2,
                _ => -22,
            };
            without_empty_path(flags, knows_no_flag, || empty, || 8)
        };
        assert_eq!(ask(0, false), 7);
        assert_eq!(ask(0x1000, true), 8);
        assert_eq!(ask(0x1100, false), 7);
        // No flag, and nothing there.
        assert_eq!(ask(0, true), -2);
        assert_eq!(without_empty_path(0, |_| -22, || true, || 8), -22);
    }

    #[test]
    fn a_struct_is_left_alone_when_there_is_none() {
        let to = core::ptr::null_mut();
        // SAFETY: nothing was written, which the answer says.
        assert_eq!(unsafe { spread_at(to, -14) }, -14);
        assert_eq!((old_size(88), old_size(84), old_size(1)), (84, 84, 1));
    }
}
