//! A kernel whose own tables are gone, not merely ignored.

use crate::{kernel::Kernel, symbols};

/// A copy of a kernel in which its symbol table, its export tables and their names
/// are zeros.
///
/// Everything else stays as it is, other tables that hold addresses of functions
/// (initcalls, exception tables, structs of operations) included: a stripped kernel
/// has them as well.
pub fn without_tables(kernel: &Kernel) -> Kernel {
    let mut masked = kernel.clone();
    for span in symbols::spans(kernel) {
        if let Some(bytes) = masked.bytes.get_mut(span) {
            bytes.fill(0);
        }
    }
    masked
}
