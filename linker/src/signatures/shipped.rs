//! The signatures that come with the linker, and the ones for a kernel.
//!
//! A file stands for a release, which its name says, so that only the files of
//! the releases around a kernel's are read.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{Era, Error, Initialiser, SourceFunction, merge, text};
use crate::kernel::Version;

/// Names a file of `linker/data/signatures`, whose name is its release.
macro_rules! files {
    ($($version:literal)*) => {
        &[$(($version, include_str!(concat!("../../data/signatures/", $version, ".txt")))),*]
    };
}

/// From old to new.
const FILES: &[(&str, &str)] = files! {
    "2.6.12" "2.6.18" "2.6.20" "2.6.22" "2.6.24" "2.6.28" "2.6.29" "2.6.31"
    "2.6.32" "2.6.33" "2.6.35" "2.6.36" "2.6.37" "2.6.39" "3.0.27" "3.2.71" "3.4.113" "3.6.5"
    "3.8.13" "3.10.99" "3.14.1" "3.18.20" "4.1.3" "4.4.155" "4.9.115"
    "4.12.0" "4.14.177" "4.19.78" "5.4.18" "5.8.1" "5.10.223" "5.15.100"
    "6.1.176" "6.3.8" "6.6.93" "6.12.117" "7.2.13"
};

/// Signatures of many releases, most of them not yet read.
#[derive(Debug)]
pub struct Signatures {
    /// By release.
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    version: Version,
    text: &'static str,
    era: OnceLock<Option<Era>>,
}

impl Signatures {
    /// Those that come with the linker.
    pub fn shipped() -> &'static Signatures {
        static SHIPPED: OnceLock<Signatures> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            let files = FILES.iter().filter_map(|&(name, text)| {
                Some(File {
                    version: text::version(name)?,
                    text,
                    era: OnceLock::new(),
                })
            });
            Signatures::of(files.collect())
        })
    }

    /// Those of one source tree, from the text that `ecmo-link signatures` wrote.
    ///
    /// # Errors
    /// [`Error`] names the first line that is not of the form.
    pub fn read(bytes: &[u8]) -> Result<Signatures, Error> {
        let text = std::str::from_utf8(bytes).map_err(|_| Error::Form)?;
        Ok(Signatures::from(text::read(text)?))
    }

    fn of(mut files: Vec<File>) -> Signatures {
        files.sort_by_key(|file| file.version);
        Signatures { files }
    }

    /// The releases that there are signatures of, from old to new.
    pub fn versions(&self) -> impl Iterator<Item = Version> {
        self.files.iter().map(|file| file.version)
    }

    /// The facts for a release: those of the nearest releases at or below and
    /// above it; those of one alone if it is of the same series (`3.18`), or if
    /// there is none on the other side.
    pub fn for_version(&self, version: Version) -> SourceFacts {
        let series = |of: Version| (of.0, of.1, if of.0 == 2 { of.2 } else { 0 });
        let distance = |of: Version| of.2.abs_diff(version.2);
        let same = self
            .files
            .iter()
            .filter(|file| series(file.version) == series(version))
            .min_by_key(|file| distance(file.version));
        let near = match same {
            Some(file) => vec![file],
            None => {
                let above = self.files.partition_point(|file| file.version <= version);
                let below = above.checked_sub(1).and_then(|at| self.files.get(at));
                below.into_iter().chain(self.files.get(above)).collect()
            }
        };
        SourceFacts::of(
            near.into_iter()
                .filter_map(|file| file.era(&self.files))
                .cloned()
                .collect(),
        )
    }
}

impl From<Era> for Signatures {
    fn from(era: Era) -> Self {
        Signatures::of(vec![File {
            version: era.version,
            text: "",
            era: OnceLock::from(Some(era)),
        }])
    }
}

impl File {
    /// The shipped files are read by a test; one that cannot be read has no
    /// facts. A file that others refer to refers to none itself.
    fn era<'a>(&'a self, all: &'a [File]) -> Option<&'a Era> {
        let read = || {
            let whole = |file: &'a File| file.era.get_or_init(|| text::read(file.text).ok());
            let base = |version| {
                let mut others = all.iter();
                let other = others.find(|other| other.version == version)?;
                let is_other = !std::ptr::eq(other, self);
                is_other.then(|| whole(other).as_ref()).flatten()
            };
            text::read_after(self.text, base).ok()
        };
        self.era.get_or_init(read).as_ref()
    }
}

/// The facts for one kernel.
#[derive(Debug, Clone, Default)]
pub struct SourceFacts {
    eras: Vec<Era>,
    functions: Vec<SourceFunction>,
    by_name: HashMap<String, usize>,
    initialisers: Vec<Initialiser>,
}

impl SourceFacts {
    /// From one tree, or from the two around a release, the older first.
    pub fn of(eras: Vec<Era>) -> SourceFacts {
        let (functions, initialisers) = match eras.as_slice() {
            [] => (Vec::new(), Vec::new()),
            [one] => (one.functions.clone(), one.initialisers.clone()),
            [below, above, ..] => (
                merge::functions(&below.functions, &above.functions),
                merge::initialisers(&below.initialisers, &above.initialisers),
            ),
        };
        // Two files may have a static function of one name: the first of them.
        let mut by_name = HashMap::with_capacity(functions.len());
        for (index, function) in functions.iter().enumerate() {
            by_name.entry(function.name.clone()).or_insert(index);
        }
        SourceFacts {
            eras,
            functions,
            by_name,
            initialisers,
        }
    }

    /// The trees that the facts come from, one or two, the older first.
    pub fn eras(&self) -> &[Era] {
        &self.eras
    }

    /// What holds in each of them; what holds in one alone is conditional. Files
    /// stay together, in the order of the file.
    pub fn functions(&self) -> &[SourceFunction] {
        &self.functions
    }

    /// One of [`SourceFacts::functions`] by name.
    pub fn function(&self, name: &str) -> Option<&SourceFunction> {
        self.by_name
            .get(name)
            .and_then(|&index| self.functions.get(index))
    }

    /// What holds of structs of pointers in each of the trees.
    pub fn initialisers(&self) -> &[Initialiser] {
        &self.initialisers
    }
}
