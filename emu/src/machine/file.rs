//! A snapshot as a file, and a machine made from one.
//!
//! All numbers are little-endian.
//!
//! | bytes | are |
//! |---|---|
//! | 8 | `ECMOSNAP` |
//! | 4 | version of this format, [`VERSION`] |
//! | 4 | number of pages |
//! | 8 | length of the state |
//! | 8 | length of what the caller keeps in the file |
//! | 4 | CRC-32 of the header before it |
//! | ... | the state: configuration, processor, chips, counts (postcard) |
//! | 4 | CRC-32 of it |
//! | ... | the caller's |
//! | 4 | CRC-32 of it |
//! | ... | the numbers of the pages of memory that are not zero, 4 bytes each |
//! | ... | these pages, 4096 bytes each |
//! | 4 | CRC-32 of numbers and pages |
//!
//! The state depends on the fields of our structs: any change to one of them is
//! a new version, and a file of another version is refused.

use std::io::{self, BufReader, BufWriter, Read, Write};

use crc32fast::Hasher;
use serde::{Deserialize, Serialize};

use super::milestone::Milestone;
use super::{Config, Error, Machine, Snapshot, guest};
use crate::board::BoardConfig;
use crate::cpu::count;
use crate::cpu::ram::PAGE;
use crate::cpu::state::{Architectural, State};
use crate::mmu::translate;

/// Of the format.
pub const VERSION: u32 = 2;

const MAGIC: &[u8; 8] = b"ECMOSNAP";
const HEADER: usize = 36;
/// A file's machine has no more banks, and no more opaque memory, than this.
const MOST_BANKS: usize = 16;
const MOST_OPAQUE: u32 = 16 << 20;
/// Bytes that are read or written at once.
const PIECE: usize = 1 << 20;

/// Why a file is no snapshot that can be gone on from.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot be read at byte {offset:#x}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// Something else is in it.
    #[error("not a snapshot: byte 0x0 should be ECMOSNAP")]
    Foreign,
    /// Another version of this program wrote it.
    #[error("byte 0x8: the snapshot has format {found}, and this program reads format {VERSION}")]
    Version {
        /// Which format it has.
        found: u32,
    },
    /// It ends too early.
    #[error("byte {offset:#x}: the file ends within {what}")]
    Cut {
        /// Where it ends.
        offset: u64,
        /// Within what.
        what: &'static str,
    },
    /// Something in it was changed.
    #[error("byte {offset:#x}: {what} is damaged (its checksum is wrong)")]
    Damaged {
        /// Where it starts.
        offset: u64,
        /// What.
        what: &'static str,
    },
    /// A value that cannot be.
    #[error("byte {offset:#x}: {what}")]
    Impossible {
        /// Where the part starts that it is in.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The machine that it describes cannot be.
    #[error(transparent)]
    Machine(#[from] Error),
}

#[derive(Serialize)]
struct Written<'a> {
    config: &'a Config,
    started: bool,
    cpu: &'a Architectural,
    count: &'a count::Kept,
    mmu: &'a translate::Kept,
    guest: &'a guest::Kept,
    watches: &'a [(u32, Milestone)],
}

#[derive(Deserialize)]
struct Parts {
    config: Config,
    started: bool,
    cpu: Architectural,
    count: count::Kept,
    mmu: translate::Kept,
    guest: guest::Kept,
    watches: Vec<(u32, Milestone)>,
}

impl Snapshot {
    /// Writes a file from which [`Machine::open`] makes a machine that goes on
    /// here, with the same milestones watched. `more` is what the caller wants to
    /// find in it again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, to: &mut impl Write, more: &[u8]) -> io::Result<()> {
        let state = postcard::to_allocvec(&Written {
            config: &self.config,
            started: self.started,
            cpu: &self.cpu.registers,
            count: &self.count,
            mmu: &self.mmu,
            guest: &self.guest,
            watches: &self.watches,
        })
        .map_err(io::Error::other)?;
        let numbers: Vec<u32> = self.image.pages().map(|(number, _)| number).collect();

        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend((numbers.len() as u32).to_le_bytes());
        header.extend((state.len() as u64).to_le_bytes());
        header.extend((more.len() as u64).to_le_bytes());

        let mut to = BufWriter::with_capacity(PIECE, to);
        for part in [&header, &state, more] {
            to.write_all(part)?;
            to.write_all(&crc32fast::hash(part).to_le_bytes())?;
        }
        let mut sum = Hasher::new();
        let mut put = |bytes: &[u8]| {
            sum.update(bytes);
            to.write_all(bytes)
        };
        for number in numbers {
            put(&number.to_le_bytes())?;
        }
        for (_, page) in self.image.pages() {
            put(page)?;
        }
        to.write_all(&sum.finalize().to_le_bytes())?;
        to.flush()
    }
}

impl Machine {
    /// A machine that goes on where a snapshot was taken, and what the caller had
    /// added to the file.
    ///
    /// # Errors
    /// When it is not a whole and undamaged snapshot of this version.
    pub fn open(from: &mut impl Read) -> Result<(Self, Vec<u8>), FileError> {
        let mut from = Source {
            from: BufReader::with_capacity(PIECE, from),
            offset: 0,
        };
        let (pages, state_length, more_length) = from.header()?;
        let start = from.offset;
        let state = from.part(state_length, "the machine's state")?;
        let more = from.part(more_length, "the run's state")?;
        let impossible = |what: String| FileError::Impossible {
            offset: start,
            what,
        };
        let parts: Parts = postcard::from_bytes(&state)
            .map_err(|error| impossible(format!("the machine's state: {error}")))?;
        check(&parts).map_err(|what| impossible(what.to_owned()))?;
        let Parts {
            config,
            started,
            cpu,
            count,
            mmu,
            guest: kept,
            watches,
        } = parts;
        let mut machine = Machine::new(config)?;
        let fits = {
            let guest = machine.engine.host();
            guest.mmu.fits(&mmu) && kept.fits(&guest.board)
        };
        if !fits {
            return Err(impossible(
                "memory or chips are another machine's".to_owned(),
            ));
        }
        for (va, milestone) in watches {
            machine.watch(va, milestone)?;
        }
        from.memory(&machine, pages)?;
        machine.started = started;
        machine.enter(&State::foreign(cpu), &count, &mmu, &kept, &[]);
        Ok((machine, more))
    }
}

/// Makes the checksums of a file right again that was changed on purpose, so that
/// tests reach what is behind them. What is no file any more stays as it is.
pub fn seal(bytes: &mut [u8]) {
    let length = |bytes: &[u8], at: usize| {
        let field = bytes.get(at..at + 8)?;
        usize::try_from(u64::from_le_bytes(field.try_into().ok()?)).ok()
    };
    let parts = |bytes: &[u8]| {
        let state = HEADER.checked_add(length(bytes, 16)?)?;
        let more = state.checked_add(4)?.checked_add(length(bytes, 24)?)?;
        let end = bytes.len().checked_sub(4)?;
        let last = more.checked_add(4)?;
        let parts = [
            (0, HEADER - 4),
            (HEADER, state),
            (state + 4, more),
            (last, end),
        ];
        (last <= end).then_some(parts)
    };
    for (start, end) in parts(bytes).into_iter().flatten() {
        let sum = crc32fast::hash(&bytes[start..end]);
        bytes[end..end + 4].copy_from_slice(&sum.to_le_bytes());
    }
}

/// What the types allow and a machine does not.
fn check(parts: &Parts) -> Result<(), &'static str> {
    if parts.config.ram.len() > MOST_BANKS {
        return Err("too many banks of memory");
    }
    if let BoardConfig::Transplant(map) = &parts.config.board {
        let segments = map.segments.iter().map(|segment| segment.size);
        if map.size > MOST_OPAQUE || segments.max() > Some(MOST_OPAQUE) {
            return Err("too much opaque memory");
        }
    }
    if !parts.cpu.is_possible(parts.config.cpu) {
        return Err("registers that this processor cannot have");
    }
    if !parts.count.is_possible() {
        return Err("an impossible count of instructions");
    }
    if parts.watches.len() > Milestone::ALL.len() {
        return Err("too many milestones are watched");
    }
    Ok(())
}

/// A file while it is read.
struct Source<R> {
    from: BufReader<R>,
    offset: u64,
}

impl<R: Read> Source<R> {
    fn header(&mut self) -> Result<(u32, u64, u64), FileError> {
        let mut header = [0; HEADER];
        let (magic, rest) = header.split_at_mut(MAGIC.len());
        match self.fill(magic, "the header") {
            Err(FileError::Cut { .. }) => return Err(FileError::Foreign),
            other => other?,
        }
        if magic != MAGIC {
            return Err(FileError::Foreign);
        }
        self.fill(rest, "the header")?;
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
        let long = |at| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if word(8) != VERSION {
            return Err(FileError::Version { found: word(8) });
        }
        if crc32fast::hash(&header[..HEADER - 4]) != word(HEADER - 4) {
            return Err(FileError::Damaged {
                offset: 0,
                what: "the header",
            });
        }
        Ok((word(12), long(16), long(24)))
    }

    /// A part with its checksum behind it.
    fn part(&mut self, length: u64, what: &'static str) -> Result<Vec<u8>, FileError> {
        let offset = self.offset;
        let mut bytes = Vec::new();
        let read = self.from.by_ref().take(length).read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        let offset_now = self.offset;
        read.map_err(|source| FileError::Io {
            offset: offset_now,
            source,
        })?;
        if bytes.len() as u64 != length {
            return Err(FileError::Cut {
                offset: offset_now,
                what,
            });
        }
        self.compare(crc32fast::hash(&bytes), offset, what)?;
        Ok(bytes)
    }

    /// The pages, into memory.
    fn memory(&mut self, machine: &Machine, pages: u32) -> Result<(), FileError> {
        const WHAT: &str = "memory";
        let ram = machine.engine.ram();
        let offset = self.offset;
        let impossible = |what: String| FileError::Impossible { offset, what };
        if pages > ram.pages() {
            return Err(impossible(format!("{pages} pages of {}", ram.pages())));
        }
        let mut sum = Hasher::new();
        let mut numbers = vec![0; pages as usize * 4];
        self.fill(&mut numbers, WHAT)?;
        sum.update(&numbers);
        let mut page = [0; PAGE as usize];
        for number in numbers.chunks_exact(4) {
            let number = u32::from_le_bytes([0, 1, 2, 3].map(|byte| number[byte]));
            let address = ram
                .address_of(number)
                .ok_or_else(|| impossible(format!("there is no page {number}")))?;
            self.fill(&mut page, WHAT)?;
            sum.update(&page);
            ram.write(address, &page);
        }
        self.compare(sum.finalize(), offset, WHAT)
    }

    fn compare(&mut self, sum: u32, offset: u64, what: &'static str) -> Result<(), FileError> {
        let mut expected = [0; 4];
        self.fill(&mut expected, what)?;
        if sum == u32::from_le_bytes(expected) {
            Ok(())
        } else {
            Err(FileError::Damaged { offset, what })
        }
    }

    fn fill(&mut self, bytes: &mut [u8], what: &'static str) -> Result<(), FileError> {
        let offset = self.offset;
        self.from
            .read_exact(bytes)
            .map_err(|source| match source.kind() {
                io::ErrorKind::UnexpectedEof => FileError::Cut { offset, what },
                _ => FileError::Io { offset, source },
            })?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}
