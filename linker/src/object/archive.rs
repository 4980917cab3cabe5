//! The members of a static library.

use std::sync::Arc;

use object::read::archive::ArchiveFile;

use super::{Error, MAX_MEMBERS, Member};

/// Reads every ELF member of the archive `bytes`.
///
/// # Errors
///
/// A broken or thin archive, or a broken member.
pub(super) fn members(file: &str, bytes: &Arc<[u8]>) -> Result<Vec<Member>, Error> {
    let broken = |why: String| Error::Archive {
        file: file.to_owned(),
        why,
    };
    let archive = ArchiveFile::parse(&bytes[..]).map_err(|error| broken(error.to_string()))?;
    if archive.is_thin() {
        return Err(broken(
            "a thin archive holds only the names of its members; make it with `ar rc`".to_owned(),
        ));
    }
    let mut members = Vec::new();
    for (index, member) in archive.members().enumerate() {
        if index >= MAX_MEMBERS {
            return Err(Error::TooMany {
                member: file.to_owned(),
                what: "archive members",
                found: index as u64 + 1,
                limit: MAX_MEMBERS as u64,
            });
        }
        let member = member.map_err(|error| broken(format!("member {index}: {error}")))?;
        let name = String::from_utf8_lossy(member.name()).into_owned();
        let (start, size) = member.file_range();
        let range = usize::try_from(start)
            .ok()
            .zip(
                start
                    .checked_add(size)
                    .and_then(|end| usize::try_from(end).ok()),
            )
            .map(|(start, end)| start..end)
            .filter(|range| bytes.get(range.clone()).is_some())
            .ok_or_else(|| broken(format!("member {name} at {start:#x}: {size:#x} bytes long")))?;
        if bytes[range.clone()].starts_with(b"\x7fELF") {
            let name = format!("{file}({name})");
            members.push(Member::read(&name, bytes.clone(), range)?);
        }
    }
    Ok(members)
}
