//! The line `Linux version RELEASE (builder) (compiler) #N flags date` that
//! every kernel carries (`init/version.c`, `init/version-timestamp.c`).

use memchr::memmem;

use super::Version;

const INTRODUCTION: &[u8] = b"Linux version ";
/// Longer than any banner seen: release, builder, compiler and date are
/// limited to 64 characters each but for the compiler.
const MAX_LINE: usize = 1024;
/// `__NEW_UTS_LEN` of `include/uapi/linux/utsname.h`.
const MAX_RELEASE: usize = 64;

/// The banner, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// Offset of the line.
    pub offset: usize,
    /// The whole line without its newline.
    pub line: String,
    /// As `uname -r` gives it.
    pub release: String,
    /// The numbers at its head.
    pub version: Version,
}

impl Banner {
    /// Looks for a banner. From 6.1 on a kernel has two, one of which lacks
    /// number and date; the complete one is preferred.
    pub fn find(bytes: &[u8]) -> Option<Banner> {
        let mut first = None;
        for offset in memmem::find_iter(bytes, INTRODUCTION) {
            let Some(banner) = Banner::at(bytes, offset) else {
                continue;
            };
            if banner.numbered() {
                return Some(banner);
            }
            first.get_or_insert(banner);
        }
        first
    }

    /// Looks for the banner of a kernel whose builder gave it a release without the
    /// version's numbers; `version` is what it is known to be otherwise.
    pub fn find_named(bytes: &[u8], version: impl FnOnce() -> Option<Version>) -> Option<Banner> {
        let mut all = memmem::find_iter(bytes, INTRODUCTION);
        let unknown = Version(0, 0, 0);
        let banner = all
            .find_map(|offset| Banner::with(bytes, offset, |_| Some(unknown)))
            .filter(Banner::numbered)?;
        Some(Banner {
            version: version()?,
            ..banner
        })
    }

    /// Reads the banner at `offset`, checking its form.
    fn at(bytes: &[u8], offset: usize) -> Option<Banner> {
        Banner::with(bytes, offset, version)
    }

    /// The same where something else tells the version of a release.
    fn with(
        bytes: &[u8],
        offset: usize,
        version: impl FnOnce(&str) -> Option<Version>,
    ) -> Option<Banner> {
        let rest = bytes.get(offset..)?;
        let rest = rest.get(..MAX_LINE).unwrap_or(rest);
        let end = rest.iter().position(|&byte| byte == b'\n' || byte == 0)?;
        let line = rest.get(..end)?;
        // Builders' names may be in any 8-bit encoding; controls are not text.
        if line.iter().any(|&byte| byte < b' ' || byte == 0x7f) {
            return None;
        }
        let line = String::from_utf8_lossy(line).into_owned();
        let after = line.get(INTRODUCTION.len()..)?;
        let (release, remainder) = after.split_once(' ')?;
        if release.len() > MAX_RELEASE || !remainder.starts_with('(') {
            return None;
        }
        let version = version(release)?;
        Some(Banner {
            offset,
            release: release.to_owned(),
            version,
            line,
        })
    }

    /// The part behind the compiler, `#1 SMP PREEMPT Sun Oct 20 ...`.
    fn build(&self) -> &str {
        match self.line.rfind(") #") {
            Some(at) => self.line.get(at + 2..).unwrap_or_default(),
            None => "",
        }
    }

    /// Carries the build's number.
    fn numbered(&self) -> bool {
        self.build()
            .strip_prefix('#')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// `scripts/mkcompile_h` writes the word for `CONFIG_SMP` kernels.
    pub fn smp(&self) -> bool {
        self.build().split(' ').any(|word| word == "SMP")
    }
}

/// The two or three numbers at the head of a release.
pub(crate) fn version(release: &str) -> Option<Version> {
    let mut numbers = [0u16; 3];
    let mut rest = release;
    for (index, number) in numbers.iter_mut().enumerate() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (head, tail) = rest.split_at(digits);
        *number = match head.parse() {
            Ok(number) => number,
            Err(_) if index == 2 => 0,
            Err(_) => return None,
        };
        rest = match (index, tail.strip_prefix('.')) {
            (_, Some(tail)) => tail,
            (0, None) => return None,
            (_, None) => break,
        };
    }
    let [major, minor, patch] = numbers;
    Some(Version(major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_releases() {
        assert_eq!(version("3.18.20"), Some(Version(3, 18, 20)));
        assert_eq!(version("2.6.33-rc4"), Some(Version(2, 6, 33)));
        assert_eq!(version("2.6.39.4-x_v5.4+"), Some(Version(2, 6, 39)));
        assert_eq!(version("7.2-rc1"), Some(Version(7, 2, 0)));
        assert_eq!(version("6.12.107+deb13-rpi"), Some(Version(6, 12, 107)));
        assert_eq!(version("4.x"), None);
        assert_eq!(version("4"), None);
        assert_eq!(version("99999.1.1"), None);
    }

    #[test]
    fn takes_the_numbered_banner() {
        let text = b"\0Linux version %s\0Linux version 6.1.1-a (b@c) (gcc) # \n\0\
            Linux version 6.1.1-a (b@c) (gcc (x) 12, ld) #7 SMP PREEMPT Mon May 1\n\0";
        let banner = Banner::find(text).unwrap();
        assert_eq!(banner.release, "6.1.1-a");
        assert_eq!(banner.build(), "#7 SMP PREEMPT Mon May 1");
        assert!(banner.smp());
    }

    #[test]
    fn an_unnumbered_banner_is_better_than_none() {
        let banner = Banner::find(b"Linux version 6.1.1 (b@c) (gcc) # SMP \n").unwrap();
        assert_eq!(banner.version, Version(6, 1, 1));
        assert!(banner.smp());
    }

    #[test]
    fn a_release_without_numbers_needs_a_version_from_elsewhere() {
        let text = b"Linux version 1 (me@here) (3) #21 PREEMPT Thu Jan 9\n\0";
        assert_eq!(Banner::find(text), None);
        let known = Version(2, 6, 35);
        let banner = Banner::find_named(text, || Some(known)).expect("a banner");
        assert_eq!((banner.release.as_str(), banner.version), ("1", known));
        assert_eq!(Banner::find_named(text, || None), None);
        // Without the build's number it is some other text.
        let other = b"Linux version one (of many) \n";
        assert_eq!(Banner::find_named(other, || Some(known)), None);
    }

    #[test]
    fn refuses_other_text() {
        assert_eq!(Banner::find(b"Linux version 5.10.0\n"), None);
        assert_eq!(Banner::find(b"Linux version 5.10.0 (no end"), None);
        assert_eq!(Banner::find(b"Linux version \x01.10.0 (a)\n"), None);
    }
}
