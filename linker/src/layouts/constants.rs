//! Constants whose values changed between versions.

use std::collections::BTreeMap;

use super::{Known, table::Tables};
use crate::kernel::Version;

/// The constants of this version.
pub(super) fn known(tables: &Tables, version: Version) -> BTreeMap<String, Known> {
    tables
        .constants
        .iter()
        .filter_map(|constant| {
            let (_, value) = constant
                .values
                .iter()
                .find(|(range, _)| range.holds(version))?;
            let known = Known {
                value: *value,
                evidence: format!("{} of this version", constant.source),
            };
            Some((constant.name.clone(), known))
        })
        .collect()
}
