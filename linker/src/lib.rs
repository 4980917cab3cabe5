//! Firmware image in, transplant out.
//!
//! The phases stand here in the order in which data passes through them; each
//! borrows what the one before it made and never changes it.
//!
//! 1. [`image`]: containers, compression and appended trees, down to a [`kernel::Kernel`]
//! 2. [`kernel`]: the decompressed kernel as a value, and the facts its bytes show
//! 3. [`symbols`]: the kernel's own symbol and export tables, or a list from outside
//! 4. [`code`]: functions, their calls, references and constants, from the machine code
//! 5. [`machine`]: machine descriptors, processor table
//! 6. [`layouts`]: where the fields of the kernel's structs lie
//! 7. [`identify`]: addresses for everything that a driver may ask for, with evidence
//! 8. [`object`]: driver libraries: archive members, records, reachable sections
//! 9. [`link`]: placement in opaque memory, relocation, slots, veneers, patches
//! 10. [`transplant`]: the product, and its files
//!
//! Beside them: [`files`] reads the file systems that lie beside a kernel,
//! [`source`] takes facts about functions from a kernel's source,
//! and [`signatures`] holds those of many releases.
//! [`evaluate`] measures phases 4 and 7 against a symbol table that they are not
//! shown.

pub mod bytes;
pub mod code;
pub mod evaluate;
pub mod files;
pub mod identify;
pub mod image;
pub mod kernel;
pub mod layouts;
pub mod link;
pub mod machine;
pub mod object;
pub mod signatures;
pub mod source;
pub mod symbols;
pub mod transplant;
