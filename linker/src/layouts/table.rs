//! The tables as they stand in the data files.
//!
//! A member is `TYPE NAME`, then perhaps ` align cacheline [if CONDITIONS]` or
//! ` if CONDITIONS`. Conditions are names, with `!` for their
//! opposite, all of which must hold. Types are those of [`Type`].

use std::{collections::BTreeSet, sync::OnceLock};

use serde::Deserialize;

use crate::kernel::Version;

/// The files that come with the linker, by their names.
const STRUCTS: [(&str, &str); 14] = [
    // The first, since what it shows of the configuration helps the others.
    (
        "machine_desc.toml",
        include_str!("../../data/layouts/machine_desc.toml"),
    ),
    (
        "clock_event_device.toml",
        include_str!("../../data/layouts/clock_event_device.toml"),
    ),
    (
        "clocksource.toml",
        include_str!("../../data/layouts/clocksource.toml"),
    ),
    (
        "irq_chip.toml",
        include_str!("../../data/layouts/irq_chip.toml"),
    ),
    (
        "irq_data.toml",
        include_str!("../../data/layouts/irq_data.toml"),
    ),
    (
        "irqaction.toml",
        include_str!("../../data/layouts/irqaction.toml"),
    ),
    (
        "uart_port.toml",
        include_str!("../../data/layouts/uart_port.toml"),
    ),
    // Behind the port, whose offsets help to read it.
    (
        "plat_serial8250_port.toml",
        include_str!("../../data/layouts/plat_serial8250_port.toml"),
    ),
    (
        "uart_ops.toml",
        include_str!("../../data/layouts/uart_ops.toml"),
    ),
    (
        "uart_driver.toml",
        include_str!("../../data/layouts/uart_driver.toml"),
    ),
    (
        "console.toml",
        include_str!("../../data/layouts/console.toml"),
    ),
    (
        "platform_device.toml",
        include_str!("../../data/layouts/platform_device.toml"),
    ),
    (
        "resource.toml",
        include_str!("../../data/layouts/resource.toml"),
    ),
    (
        "sys_timer.toml",
        include_str!("../../data/layouts/sys_timer.toml"),
    ),
];
const CONSTANTS: &str = include_str!("../../data/layouts/constants.toml");
const CONDITIONS: &str = include_str!("../../data/layouts/conditions.toml");

/// What the size of a `spinlock_t` depends on.
const SPIN_LOCK: [&str; 7] = [
    "smp",
    "lock_break",
    "debug_spinlock",
    "lockdep",
    "lock_stat",
    "lock_two_classes",
    "lock_wait_types",
];

/// What is wrong with a table.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not TOML, or not with the keys of a table.
    #[error("{file}: {source}")]
    Toml {
        /// The file.
        file: String,
        /// What and where.
        source: Box<toml::de::Error>,
    },
    /// A member that cannot be read.
    #[error("{file}: member {member:?}: expected `TYPE NAME [align cacheline] [if CONDITIONS]`")]
    Member {
        /// The file.
        file: String,
        /// The member.
        member: String,
    },
    /// A version that is none.
    #[error("{file}: {version:?} is not a version such as 2.6.39 or 6.1")]
    Version {
        /// The file.
        file: String,
        /// The version.
        version: String,
    },
    /// An alignment other than `cacheline` or `cacheline if smp`.
    #[error("{file}: unknown alignment {align:?}")]
    Align {
        /// The file.
        file: String,
        /// The alignment.
        align: String,
    },
}

/// All tables.
#[derive(Debug, Clone)]
pub struct Tables {
    pub(super) structs: Vec<Struct>,
    pub(super) constants: Vec<Constant>,
    pub(super) conditions: Vec<Condition>,
}

impl Tables {
    /// The tables that come with the linker.
    ///
    /// # Panics
    /// Never: that they are readable is a test.
    pub fn built_in() -> &'static Tables {
        static TABLES: OnceLock<Tables> = OnceLock::new();
        TABLES.get_or_init(|| {
            Tables::read(&STRUCTS, CONSTANTS, CONDITIONS).expect("the embedded tables are tested")
        })
    }

    /// Reads tables: files of structs with their names, the constants, the
    /// conditions.
    ///
    /// # Errors
    /// Names the file and what in it cannot be read.
    pub fn read(
        structs: &[(&str, &str)],
        constants: &str,
        conditions: &str,
    ) -> Result<Tables, Error> {
        Ok(Tables {
            structs: structs
                .iter()
                .map(|(file, text)| Struct::read(file, text))
                .collect::<Result<_, _>>()?,
            constants: read_constants("constants.toml", constants)?,
            conditions: read_conditions("conditions.toml", conditions)?,
        })
    }
}

/// The layouts of one struct.
#[derive(Debug, Clone)]
pub(super) struct Struct {
    pub name: String,
    eras: Vec<Era>,
}

impl Struct {
    /// The layout of a version, if there is one.
    pub(super) fn era(&self, version: Version) -> Option<&Era> {
        self.eras.iter().find(|era| era.range.holds(version))
    }

    /// All layouts, by version.
    pub(super) fn eras(&self) -> &[Era] {
        &self.eras
    }

    /// The layouts before and after a version that has none.
    pub(super) fn around(&self, version: Version) -> impl Iterator<Item = &Era> {
        let after = self.eras.partition_point(|era| era.range.last < version);
        let before = after.checked_sub(1).and_then(|index| self.eras.get(index));
        before.into_iter().chain(self.eras.get(after))
    }

    /// Whether no version has two layouts, and no layout a member twice under
    /// the same conditions.
    #[cfg(test)]
    pub(super) fn check(&self) -> Result<(), String> {
        for pair in self.eras.windows(2) {
            if pair[0].range.last >= pair[1].range.first {
                return Err(format!("{}: {:?} and the next", self.name, pair[0].range));
            }
        }
        for era in &self.eras {
            let mut seen = BTreeSet::new();
            for member in &era.members {
                if !seen.insert((&member.name, format!("{:?}", member.when))) {
                    return Err(format!("{}: {} twice", self.name, member.name));
                }
            }
            if era.range.first > era.range.last || era.members.is_empty() {
                return Err(format!("{}: {:?} is empty", self.name, era.range));
            }
        }
        Ok(())
    }

    fn read(file: &str, text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            r#struct: String,
            era: Vec<FileEra>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct FileEra {
            versions: [String; 2],
            source: String,
            align: Option<String>,
            members: Vec<String>,
        }
        let read: File = parse(file, text)?;
        let eras = read.era.into_iter().map(|era| {
            Ok(Era {
                range: Range::read(file, &era.versions)?,
                source: era.source,
                align: match era.align.as_deref() {
                    None => None,
                    Some(text) => Some(alignment(text).ok_or_else(|| Error::Align {
                        file: file.to_owned(),
                        align: text.to_owned(),
                    })?),
                },
                members: era
                    .members
                    .iter()
                    .map(|text| {
                        Member::read(text).ok_or_else(|| Error::Member {
                            file: file.to_owned(),
                            member: text.clone(),
                        })
                    })
                    .collect::<Result<_, _>>()?,
            })
        });
        Ok(Self {
            name: read.r#struct,
            eras: eras.collect::<Result<_, Error>>()?,
        })
    }
}

/// A layout, and the versions that have it.
#[derive(Debug, Clone)]
pub(super) struct Era {
    range: Range,
    /// The header, and the versions of it that were read.
    pub source: String,
    /// When the whole struct is aligned to a cache line.
    pub align: Option<Vec<Term>>,
    pub members: Vec<Member>,
}

impl Era {
    /// The names of all conditions in it.
    pub(super) fn conditions(&self) -> BTreeSet<&str> {
        let of_members = self
            .members
            .iter()
            .flat_map(|member| member.when.iter().chain(member.align.iter().flatten()));
        let mut names: BTreeSet<&str> = of_members
            .chain(self.align.iter().flatten())
            .map(|term| term.name.as_str())
            .collect();
        for name in self.conditions_of_types() {
            names.insert(name);
        }
        names
    }

    /// What the sizes of its members depend on.
    fn conditions_of_types(&self) -> impl Iterator<Item = &'static str> {
        let has = |kind: Type| self.members.iter().any(|member| member.kind == kind);
        let wide = has(Type::U64) || has(Type::Phys);
        let of = |needed: bool, names: &'static [&'static str]| {
            names.iter().copied().filter(move |_| needed)
        };
        of(has(Type::Phys), &["lpae"])
            .chain(of(wide, &["aeabi"]))
            .chain(of(has(Type::SpinLock), &SPIN_LOCK))
    }
}

/// A member of a struct.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub kind: Type,
    pub name: String,
    /// When it is there.
    pub when: Vec<Term>,
    /// When it is aligned to a cache line.
    pub align: Option<Vec<Term>>,
}

impl Member {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut member = Self {
            kind: Type::read(words.next()?)?,
            name: words.next().filter(|name| !name.is_empty())?.to_owned(),
            when: Vec::new(),
            align: None,
        };
        match words.next() {
            None => {}
            Some("if") => member.when = terms(words)?,
            Some("align") => {
                let rest: Vec<&str> = words.collect();
                member.align = Some(alignment(&rest.join(" "))?);
            }
            Some(_) => return None,
        }
        Some(member)
    }
}

/// One condition, or its opposite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub name: String,
    pub holds: bool,
}

fn terms<'a>(words: impl Iterator<Item = &'a str>) -> Option<Vec<Term>> {
    let terms: Vec<Term> = words
        .map(|word| {
            let name = word.strip_prefix('!').unwrap_or(word);
            (!name.is_empty()).then(|| Term {
                name: name.to_owned(),
                holds: name.len() == word.len(),
            })
        })
        .collect::<Option<_>>()?;
    (!terms.is_empty()).then_some(terms)
}

/// `cacheline`, or `cacheline if CONDITIONS`.
fn alignment(text: &str) -> Option<Vec<Term>> {
    let rest = text.strip_prefix("cacheline")?;
    match rest.strip_prefix(" if ") {
        None => rest.is_empty().then(Vec::new),
        Some(conditions) => terms(conditions.split(' ')),
    }
}

/// The types that a 32-bit ARM struct is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// `u8`: char, bool, up to eight bit-fields of a char.
    U8,
    /// `u16`
    U16,
    /// `u32`: int, long, an enumeration, bit-fields of an int.
    U32,
    /// `u64`: aligned to 8 bytes by the EABI, to 4 before it.
    U64,
    /// `phys`: a physical address; 64 bits with LPAE.
    Phys,
    /// `ptr`: a pointer to data.
    Pointer,
    /// `text`: a pointer to a text.
    Text,
    /// `fn`: a pointer to a function.
    Function,
    /// `list`: two words (a list head, seconds and nanoseconds).
    TwoWords,
    /// `cpumask`: one word, as for at most 32 processors.
    CpuMask,
    /// `spinlock`: nothing without SMP; more words with what helps to debug it.
    SpinLock,
    /// `u8*16`: so many bytes.
    Bytes(u16),
    /// `u32*11`: so many words.
    Words(u16),
    /// `unknown`: of a size that is not tabled; ends what is known.
    Unknown,
}

impl Type {
    fn read(word: &str) -> Option<Self> {
        if let Some((of, count)) = word.split_once('*') {
            let count = count.parse().ok()?;
            return match of {
                "u8" => Some(Type::Bytes(count)),
                "u32" => Some(Type::Words(count)),
                _ => None,
            };
        }
        Some(match word {
            "u8" => Type::U8,
            "u16" => Type::U16,
            "u32" => Type::U32,
            "u64" => Type::U64,
            "phys" => Type::Phys,
            "ptr" => Type::Pointer,
            "text" => Type::Text,
            "fn" => Type::Function,
            "list" => Type::TwoWords,
            "cpumask" => Type::CpuMask,
            "spinlock" => Type::SpinLock,
            "unknown" => Type::Unknown,
            _ => return None,
        })
    }
}

/// A constant by version.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    pub name: String,
    pub source: String,
    pub values: Vec<(Range, u32)>,
}

fn read_constants(file: &str, text: &str) -> Result<Vec<Constant>, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        constant: Vec<Item>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        name: String,
        source: String,
        values: Vec<ItemValue>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ItemValue {
        versions: [String; 2],
        value: u32,
    }
    let read: File = parse(file, text)?;
    read.constant
        .into_iter()
        .map(|item| {
            let values = item.values.into_iter();
            Ok(Constant {
                name: item.name,
                source: item.source,
                values: values
                    .map(|value| Ok((Range::read(file, &value.versions)?, value.value)))
                    .collect::<Result<_, Error>>()?,
            })
        })
        .collect()
}

/// How a condition shows in the symbol table.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub name: String,
    /// One of these is there, or the condition does not hold.
    pub shown_by: Vec<String>,
    /// The first version of which that is true.
    pub from: Version,
}

fn read_conditions(file: &str, text: &str) -> Result<Vec<Condition>, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        condition: Vec<Item>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        name: String,
        shown_by: Vec<String>,
        from: String,
    }
    let read: File = parse(file, text)?;
    read.condition
        .into_iter()
        .map(|item| {
            Ok(Condition {
                name: item.name,
                shown_by: item.shown_by,
                from: version(file, &item.from)?.0,
            })
        })
        .collect()
}

/// Versions from one to another, both included with all their stable releases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    first: Version,
    last: Version,
}

impl Range {
    fn read(file: &str, [first, last]: &[String; 2]) -> Result<Self, Error> {
        Ok(Self {
            first: version(file, first)?.0,
            last: version(file, last)?.1,
        })
    }

    pub(super) fn holds(&self, version: Version) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

/// The first and the last release that such a text may mean.
fn version(file: &str, text: &str) -> Result<(Version, Version), Error> {
    let wrong = || Error::Version {
        file: file.to_owned(),
        version: text.to_owned(),
    };
    let numbers: Vec<u16> = text
        .split('.')
        .map(|part| part.parse().map_err(|_| wrong()))
        .collect::<Result<_, _>>()?;
    match numbers[..] {
        [major, minor] => Ok((Version(major, minor, 0), Version(major, minor, u16::MAX))),
        [major, minor, patch] => {
            let version = Version(major, minor, patch);
            Ok((version, version))
        }
        _ => Err(wrong()),
    }
}

fn parse<T: for<'de> Deserialize<'de>>(file: &str, text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|source| Error::Toml {
        file: file.to_owned(),
        source: Box::new(source),
    })
}
