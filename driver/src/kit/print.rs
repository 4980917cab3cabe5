//! Printing to the kernel's log.

use core::ffi::{CStr, c_char};

crate::backward! {
    /// kernel/printk/printk.c (kernel/printk.c before 3.10); `printk` before 5.15.
    required fn printk(format: *const c_char, argument: usize) -> i32 as "_printk|printk";
}

/// Prints one text to the kernel's log, and so to the console when there is one.
/// It ends with a newline; `%` means nothing in it.
pub fn print(text: &CStr) {
    // SAFETY: "%s" takes one string that ends with NUL.
    unsafe { printk(c"%s".as_ptr(), text.as_ptr().addr()) };
}

/// Prints with one value that is formatted by the kernel's `printk`.
///
/// # Safety
///
/// `format` must have at most one conversion, of a value of 32 bits, and `value`
/// must be one: a pointer to a string for `%s`.
pub unsafe fn print_value(format: &CStr, value: usize) {
    // SAFETY: the caller matches format and value.
    unsafe { printk(format.as_ptr(), value) };
}
