//! Where the fields of the kernel's structs lie, and the values of constants
//! that changed between versions. The tables are data: `linker/data/layouts`.

/// Where a value of [`Layouts`] comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Field offset in bytes, size in bytes or constant.
    pub value: u32,
    /// The table's source, or the instruction that shows it.
    pub evidence: String,
}
