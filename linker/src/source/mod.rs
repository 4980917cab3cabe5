//! Facts about functions, from the kernel's source.
