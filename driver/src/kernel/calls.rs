//! The kernel's own functions behind system calls that programs of the EABI make
//! in another way than a kernel of the old ABI expects: fs/stat.c, fs/read_write.c,
//! fs/open.c. A number of 64 bits is two arguments here, as the old ABI passes it.

use core::ffi::{c_char, c_void};

crate::opaque! {
    /// include/asm-arm/stat.h.
    pub(crate) struct stat64 as Stat64;
    /// include/asm-arm/statfs.h.
    pub(crate) struct statfs64 as Statfs64;
}

crate::constant! {
    /// arch/arm/kernel/entry-common.S: 1 in kernels without CONFIG_AEABI.
    pub(crate) optional OLD_ABI_ALONE;
}

crate::backward! {
    /// 2.4 and later.
    pub(crate) required fn sys_stat64(path: *const c_char, to: *mut Stat64) -> isize;
    /// 2.4 and later.
    pub(crate) required fn sys_lstat64(path: *const c_char, to: *mut Stat64) -> isize;
    /// 2.4 and later.
    pub(crate) required fn sys_fstat64(file: u32, to: *mut Stat64) -> isize;
    /// 2.6.16 and later.
    pub(crate) required fn sys_fstatat64(
        folder: i32, path: *const c_char, to: *mut Stat64, flags: i32,
    ) -> isize;
    /// 2.4 and later.
    pub(crate) required fn sys_pread64(
        file: u32, to: *mut c_void, size: usize, low: u32, high: u32,
    ) -> isize;
    /// 2.4 and later.
    pub(crate) required fn sys_pwrite64(
        file: u32, from: *const c_void, size: usize, low: u32, high: u32,
    ) -> isize;
    /// 2.4 and later.
    pub(crate) required fn sys_truncate64(path: *const c_char, low: u32, high: u32) -> isize;
    /// 2.4 and later.
    pub(crate) required fn sys_ftruncate64(file: u32, low: u32, high: u32) -> isize;
    /// 2.6 and later.
    pub(crate) required fn sys_statfs64(
        path: *const c_char, size: usize, to: *mut Statfs64,
    ) -> isize;
    /// In every version.
    pub(crate) required fn sys_fcntl(file: u32, command: u32, argument: usize) -> isize;
    /// 2.4 and later.
    pub(crate) required fn sys_fcntl64(file: u32, command: u32, argument: usize) -> isize;
    /// arch/arm/kernel/sys_arm.c, later fs/pipe.c.
    pub(crate) required fn sys_pipe(ends: *mut i32) -> isize;
    /// In every version.
    pub(crate) required fn sys_dup2(old: u32, new: u32) -> isize;
    /// 2.6 and later.
    pub(crate) required fn sys_fstatfs64(file: u32, size: usize, to: *mut Statfs64) -> isize;
}
