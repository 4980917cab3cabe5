//! Files, as the kernel itself makes them: fs/namei.c, fs/open.c,
//! fs/read_write.c. Those for programs do for it too as long as a kernel thread
//! may pass its own memory to them (`set_fs`, to 5.15); later ones have an `init_`
//! in front.

use core::ffi::{c_char, c_void};
use core::mem::MaybeUninit;

crate::opaque! {
    /// include/linux/fs.h.
    pub(crate) struct file as File;
}

/// O_WRONLY, O_CREAT and O_TRUNC of include/uapi/asm-generic/fcntl.h.
const WRITE_A_NEW_FILE: i32 = 0o1 | 0o100 | 0o1000;

crate::constant! {
    /// include/linux/init_syscalls.h: whether the functions with `init_` are these, 5.9 and later.
    pub(crate) optional INIT_MAKES_FILES;
}

crate::backward! {
    /// fs/namei.c.
    pub(crate) group("directories") fn sys_mkdir(path: *const c_char, mode: u32) -> isize;
    /// fs/init.c.
    pub(crate) group("directories") fn init_mkdir(path: *const c_char, mode: u32) -> isize;
    /// fs/namei.c.
    pub(crate) group("device nodes") fn sys_mknod(
        path: *const c_char, mode: u32, device: u32,
    ) -> isize;
    /// fs/init.c.
    pub(crate) group("device nodes") fn init_mknod(
        path: *const c_char, mode: u32, device: u32,
    ) -> isize;
    /// fs/namei.c.
    pub(crate) group("links") fn sys_symlink(target: *const c_char, path: *const c_char) -> isize;
    /// fs/init.c.
    pub(crate) group("links") fn init_symlink(target: *const c_char, path: *const c_char) -> isize;

    /// fs/open.c.
    pub(crate) group("open") fn sys_open(path: *const c_char, flags: i32, mode: u32) -> isize;
    /// fs/open.c. An error is a pointer into the last page.
    pub(crate) group("open") fn filp_open(path: *const c_char, flags: i32, mode: u32) -> *mut File;
    /// fs/read_write.c.
    pub(crate) group("write") fn sys_write(file: u32, from: *const c_void, size: usize) -> isize;
    /// fs/read_write.c, 3.9 and later.
    pub(crate) group("write") fn __kernel_write(
        file: *mut File, from: *const c_void, size: usize, position: *mut i64,
    ) -> isize;
    /// fs/open.c.
    pub(crate) group("close") fn sys_close(file: u32) -> isize;
    /// fs/open.c.
    pub(crate) group("close") fn filp_close(file: *mut File, owner: *mut c_void) -> i32;
}

/// The one of two functions that makes files for the kernel.
fn of_this_kernel<F>(init: Option<F>, sys: Option<F>) -> Option<F> {
    match INIT_MAKES_FILES() {
        Some(1) => init.or(sys),
        _ => sys,
    }
}

/// Makes a directory.
///
/// # Safety
///
/// `path` must be a text in the kernel's memory.
pub(crate) unsafe fn mkdir(path: *const c_char, mode: u32) {
    if let Some(mkdir) = of_this_kernel(init_mkdir(), sys_mkdir()) {
        // SAFETY: the caller vouches for the path.
        unsafe { mkdir(path, mode) };
    }
}

/// Makes a device node or the like.
///
/// # Safety
///
/// As for [`mkdir`].
pub(crate) unsafe fn mknod(path: *const c_char, mode: u32, device: u32) {
    if let Some(mknod) = of_this_kernel(init_mknod(), sys_mknod()) {
        // SAFETY: the caller vouches for the path.
        unsafe { mknod(path, mode, device) };
    }
}

/// Makes a symbolic link.
///
/// # Safety
///
/// Both must be texts in the kernel's memory.
pub(crate) unsafe fn symlink(target: *const c_char, path: *const c_char) {
    if let Some(symlink) = of_this_kernel(init_symlink(), sys_symlink()) {
        // SAFETY: the caller vouches for both.
        unsafe { symlink(target, path) };
    }
}

/// A regular file that is being written.
pub(crate) enum NewFile {
    /// By its number.
    Number(u32),
    /// By the kernel's struct, and up to where it is written.
    Struct(*mut File, i64),
}

impl NewFile {
    /// Makes a file, or empties it.
    ///
    /// # Safety
    ///
    /// `path` must be a text in the kernel's memory.
    pub(crate) unsafe fn create(path: *const c_char, mode: u32) -> Option<Self> {
        /// An error of the kernel's is a pointer into the last page.
        const FIRST_ERROR: usize = usize::MAX - 4095;
        // SAFETY: the caller vouches for the path.
        unsafe {
            if INIT_MAKES_FILES() == Some(1) {
                let file = filp_open()?(path, WRITE_A_NEW_FILE, mode);
                return (file.addr() < FIRST_ERROR).then_some(NewFile::Struct(file, 0));
            }
            let number = sys_open()?(path, WRITE_A_NEW_FILE, mode);
            u32::try_from(number).ok().map(NewFile::Number)
        }
    }

    /// Writes to its end. False when that could not be done.
    ///
    /// # Safety
    ///
    /// So many bytes must be there, in the kernel's memory.
    pub(crate) unsafe fn write(&mut self, from: *const c_void, size: usize) -> bool {
        // SAFETY: the file is open; the caller vouches for the bytes.
        let written = unsafe {
            match self {
                NewFile::Number(file) => sys_write().map(|write| write(*file, from, size)),
                NewFile::Struct(file, position) => {
                    __kernel_write().map(|write| write(*file, from, size, position))
                }
            }
        };
        written == Some(size as isize)
    }

    /// Closes it.
    pub(crate) fn close(self) {
        // SAFETY: it is open, and not used any more.
        unsafe {
            match self {
                NewFile::Number(file) => {
                    sys_close().map(|close| close(file));
                }
                NewFile::Struct(file, _) => {
                    filp_close().map(|close| close(file, core::ptr::null_mut()));
                }
            }
        }
    }
}

/// Bytes that are passed to functions made for programs, which read them as a
/// program does: a program sees nothing of opaque memory, so they must lie on the
/// kernel's stack.
pub(crate) struct Buffer {
    words: MaybeUninit<[u32; Buffer::SIZE / 4]>,
}

impl Buffer {
    /// How many there are: little beside the 8 KiB of a stack.
    pub(crate) const SIZE: usize = 1024;

    /// A buffer with anything in it.
    pub(crate) fn new() -> Self {
        Buffer {
            words: MaybeUninit::uninit(),
        }
    }

    /// The place of a byte.
    pub(crate) fn at(&mut self, at: usize) -> *mut u8 {
        self.words.as_mut_ptr().cast::<u8>().wrapping_add(at)
    }

    /// Writes four bytes behind each other.
    pub(crate) fn put(&mut self, at: usize, word: u32) {
        if at + 4 <= Self::SIZE {
            // SAFETY: the place is in the buffer.
            unsafe { self.at(at).cast::<[u8; 4]>().write(word.to_le_bytes()) };
        }
    }

    /// Writes one byte.
    pub(crate) fn put_byte(&mut self, at: usize, byte: u8) {
        if at < Self::SIZE {
            // SAFETY: as above.
            unsafe { self.at(at).write(byte) };
        }
    }

    /// Bytes that were written.
    ///
    /// # Safety
    ///
    /// They must have been.
    pub(crate) unsafe fn written(&self, length: usize) -> &[u8] {
        let start = self.words.as_ptr().cast::<u8>();
        // SAFETY: the caller vouches for them, and they end with the buffer.
        unsafe { core::slice::from_raw_parts(start, length.min(Self::SIZE)) }
    }
}
