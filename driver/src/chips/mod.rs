//! Drivers of the three chips that a kernel needs to boot, and of a memory for
//! kernels that cannot unpack an initial RAM disk. Each file holds one chip: its
//! registers, what the kernel calls, and how the kernel gets to know of it.

mod pl190;
mod rom;
mod sp804;
mod uart16550;

#[cfg(test)]
mod mock;
