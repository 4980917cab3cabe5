//! Files, as the kernel itself makes them: fs/namei.c, fs/open.c,
//! fs/read_write.c. Those for programs do for it too as long as a kernel thread
//! may pass its own memory to them (`set_fs`, to 5.15); later ones have an `init_`
//! in front.

use core::ffi::{c_char, c_void};

crate::opaque! {
    /// include/linux/fs.h.
    pub(crate) struct file as File;
}

/// O_WRONLY, O_CREAT and O_TRUNC of include/uapi/asm-generic/fcntl.h.
pub(crate) const WRITE_A_NEW_FILE: i32 = 0o1 | 0o100 | 0o1000;

/// Flags for memory that is there at once, from the zone that the kernel maps: no
/// bit of include/linux/gfp.h means anything else in any version.
const AT_ONCE: u32 = 0;

crate::constant! {
    /// include/linux/init_syscalls.h: whether the functions with `init_` are these, 5.9 and later.
    optional INIT_MAKES_FILES;
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

    /// fs/open.c. An error is a pointer into the last page.
    pub(crate) required fn filp_open(
        path: *const c_char, flags: i32, mode: u32,
    ) -> *mut File;
    /// fs/read_write.c; the first since 3.9, and since 5.10 alone allowed to take kernel memory.
    pub(crate) required fn vfs_write(
        file: *mut File, from: *const c_void, size: usize, position: *mut i64,
    ) -> isize as "__kernel_write|vfs_write";
    /// fs/open.c.
    pub(crate) required fn filp_close(file: *mut File, owner: *mut c_void) -> i32;
    /// mm/page_alloc.c: 1 << order pages. From 6.10 on there is __get_free_pages_noprof.
    pub(crate) required fn __get_free_pages(flags: u32, order: u32) -> usize
        as "__get_free_pages|get_free_pages_noprof";
    /// mm/page_alloc.c.
    pub(crate) required fn free_pages(address: usize, order: u32);
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

/// Two pages of the kernel's own memory. What is passed to functions made for
/// programs must lie there: they read it as a program does, and a program sees
/// nothing of opaque memory.
pub(crate) struct Pages {
    start: *mut u8,
}

impl Pages {
    /// How many bytes they have.
    pub(crate) const SIZE: usize = 2 << 12;
    const ORDER: u32 = 1;

    /// None when there is no memory.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: asks for memory, and does not wait for it.
        let address = unsafe { __get_free_pages(AT_ONCE, Self::ORDER) };
        let start = core::ptr::with_exposed_provenance_mut(address);
        (address != 0).then_some(Pages { start })
    }

    /// The place of a byte, of which there must be more than `at`.
    pub(crate) fn at(&self, at: usize) -> *mut u8 {
        self.start.wrapping_add(at)
    }

    /// Writes four bytes behind each other.
    pub(crate) fn put(&mut self, at: usize, word: u32) {
        if at + 4 <= Self::SIZE {
            // SAFETY: the place is in the pages, which are ours alone.
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

    /// Reads one byte; it must have been written.
    pub(crate) fn byte(&self, at: usize) -> u8 {
        match at < Self::SIZE {
            // SAFETY: as above; memory of the kernel has some value always.
            true => unsafe { self.at(at).read() },
            false => 0,
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: they are ours, and nobody else has a pointer to them.
        unsafe { free_pages(self.start.expose_provenance(), Self::ORDER) };
    }
}
