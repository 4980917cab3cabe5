//! The machine code of a kernel as a value: its functions, what they call, which
//! addresses and constants they form, who points to them.
//!
//! Nothing but the bytes is used: no symbol, no relocation, no section header.
//! In the order in which it happens:
//!
//! 1. [`decode`]: what an instruction does to control flow and registers
//! 2. [`regions`]: where in the image code lies
//! 3. [`map`]: one byte of marks for every halfword of the image
//! 4. [`seeds`]: literal pools, targets of calls, words that point to code
//! 5. [`tables`]: exception tables and jump labels
//! 6. [`unwind`]: the unwind index, where it may be used
//! 7. [`walk`]: one function, followed from its start to where it ends
//! 8. [`sweep`]: all functions of a region one behind the other, repeated until
//!    the starts and the functions that never return are settled
//! 9. [`facts`]: calls, references, constants and returns of each function
//!
//! [`glance`] shows single instructions to those who judge all this.
//!
//! The idea of the first half is Nucleus's (call targets and what hangs together
//! with them) with angr's complete scan behind it: what no call names starts where
//! the function before it ends. What makes it exact is knowing where that is:
//!
//! * a literal pool is known before the code around it is walked, since the code
//!   before it loads from it; the same goes for tables of jumps
//! * a call after which no code stands, and a function whose paths all run in circles
//!   or into such calls, do not return
//! * a jump out of a function is a tail call when the frame is gone, else it leads to a
//!   part of the same function
//! * nothing starts where control runs in from the instruction before, except what is
//!   called
//! * the first instructions of a function read no register that a caller does not hand
//!   over, and no flag; what does is a piece of the function before it
//! * what an exception table or a jump label leads to is part of the function that it
//!   speaks of

mod decode;
mod facts;
pub(crate) mod glance;
mod listing;
mod map;
mod regions;
mod seeds;
mod sweep;
mod tables;
#[cfg(test)]
mod tests;
mod unwind;
mod walk;

use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;

use crate::{bytes::words, kernel::Kernel};

use map::Map;

pub use decode::Use;

/// What the analysis may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Starts of functions from the unwind index (`.ARM.exidx`), where the kernel
    /// has one.
    pub unwind_index: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { unwind_index: true }
    }
}

/// Index of a function in [`Code::functions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FunctionId(u32);

impl FunctionId {
    /// The number itself.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which part of the kernel a function is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// `.text` and what is kept with it.
    Text,
    /// `.init.text`: freed after boot; also `.exit.text`, which lies beside it.
    Init,
}

/// How a function was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Code calls it.
    Call,
    /// The image begins with it.
    Entry,
    /// The unwind index names it.
    UnwindIndex,
    /// Another function ends with a jump to it.
    TailCall,
    /// A word in data or a constant in code is its address.
    Pointer,
    /// The function before it ends there.
    AfterEnd,
}

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// `bl`, `blx`
    Direct,
    /// A jump out of the function.
    Tail,
    /// Through a register or a word in memory.
    Indirect,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A function of this kernel.
    Function(FunctionId),
    /// An address at which no function starts.
    Address(u32),
    /// Not known: the register holds no constant.
    Unknown,
}

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Address of the instruction.
    pub at: u32,
    /// What is called.
    pub target: Target,
    /// How.
    pub kind: CallKind,
}

/// A constant that is an address in the image, or not far behind it (`.bss`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// Address of the instruction that completes it.
    pub at: u32,
    /// The constant.
    pub address: u32,
}

/// A constant that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Constant {
    /// Address of the instruction that uses it.
    pub at: u32,
    /// As a word; `mvn`, `movw` with `movt` and literals are folded.
    pub value: u32,
    /// The operator.
    #[serde(rename = "use")]
    pub use_: Use,
}

impl Serialize for Use {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Use::Mov => "mov",
            Use::And => "and",
            Use::Orr => "orr",
            Use::Eor => "eor",
            Use::Bic => "bic",
            Use::Tst => "tst",
            Use::Teq => "teq",
            Use::Cmp => "cmp",
            Use::Cmn => "cmn",
            Use::Add => "add",
            Use::Sub => "sub",
        })
    }
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Function {
    /// Address of the first instruction, bit 0 clear.
    pub start: u32,
    /// Address behind its last byte, literal pools included.
    pub end: u32,
    /// It is Thumb code.
    pub thumb: bool,
    /// Where it lies.
    pub section: Section,
    /// Basic blocks that are reached.
    pub blocks: u32,
    /// By address.
    pub calls: Vec<Call>,
    /// By address of the instruction.
    pub references: Vec<Reference>,
    /// By address of the instruction.
    pub constants: Vec<Constant>,
    /// Constants that may be in r0 at a return, sorted.
    pub returns: Vec<u32>,
    /// Highest of r0 to r3 that is read before it is written, here or in a function to
    /// which it is handed on, and one more: the least number of arguments.
    pub arguments: u8,
    /// It never comes back.
    pub no_return: bool,
    /// What lies before it runs into it, or one of the two jumps into the middle of
    /// the other: it may be a part of the function before it, into which a broken
    /// call leads. So may be what the function before it does not run into only because
    /// it calls such a part that never returns.
    pub entered: bool,
    /// How it was found.
    pub found_by: Origin,
}

/// The machine code of a kernel.
#[derive(Debug, Clone)]
pub struct Code {
    bytes: Vec<u8>,
    base: u32,
    functions: Vec<Function>,
    callers: Lists<FunctionId>,
    /// Sorted by address.
    users: Vec<(u32, FunctionId)>,
    user_ids: Vec<FunctionId>,
    pointers: Lists<u32>,
}

/// A list for every function, in one piece.
#[derive(Debug, Clone)]
struct Lists<T> {
    items: Vec<T>,
    /// Where the list of each function starts; one more at the end.
    starts: Vec<u32>,
}

impl<T: Copy + Ord + Send> Lists<T> {
    /// From pairs of function and item in any order.
    fn new(functions: usize, mut pairs: Vec<(FunctionId, T)>) -> Self {
        pairs.par_sort_unstable();
        pairs.dedup();
        let mut starts = Vec::with_capacity(functions + 1);
        let mut at = 0;
        for function in 0..=functions {
            while pairs.get(at).is_some_and(|pair| pair.0.index() < function) {
                at += 1;
            }
            starts.push(at as u32);
        }
        Self {
            items: pairs.into_iter().map(|pair| pair.1).collect(),
            starts,
        }
    }

    fn of(&self, id: FunctionId) -> &[T] {
        let place = |index: usize| self.starts.get(index).map(|&at| at as usize);
        match (place(id.index()), place(id.index() + 1)) {
            (Some(from), Some(to)) => self.items.get(from..to).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// Bytes above an image that are addresses too.
const HEADROOM: usize = 64 << 10;
/// Longest text that [`Code::text_at`] gives.
const MAX_TEXT: usize = 4096;

impl Code {
    /// Analyses a kernel. Time and memory are bounded by its length, whatever its
    /// bytes.
    pub fn analyse(kernel: &Kernel, options: &Options) -> Code {
        // Nothing that runs lies at the very end of the address space, and addresses
        // that do not wrap make for simpler loops.
        let end = u64::from(kernel.base) + (kernel.bytes.len() + HEADROOM) as u64;
        let regions = match u32::try_from(end) {
            Ok(_) => regions::find(kernel),
            Err(_) => Vec::new(),
        };
        let data: Vec<u32> = words(&kernel.bytes).collect();
        // Where code is, without any marks.
        let plain = Map::new(kernel, regions.clone(), &mut []);
        let mut marks = vec![0; Map::len(kernel)];
        let mut map = Map::new(kernel, regions, &mut marks);
        let (unwind, mut seeds) = rayon::join(
            || match options.unwind_index {
                true => unwind::find(kernel, &data, &plain),
                false => Vec::new(),
            },
            || {
                let mut seeds = seeds::find(kernel, &data, &mut map);
                tables::find(kernel, &data, &mut map, &mut seeds.pointers);
                seeds
            },
        );
        seeds.unwind = unwind;
        drop(data);
        let found = sweep::sweep(kernel, &mut map, &seeds);
        facts::complete(kernel, &map, found)
    }

    /// All functions, sorted by start.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// One function.
    ///
    /// # Panics
    ///
    /// When the id is of another kernel and too high.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.index()]
    }

    /// All ids, in the order of [`Self::functions`].
    pub fn ids(&self) -> impl Iterator<Item = FunctionId> + use<> {
        (0..self.functions.len() as u32).map(FunctionId)
    }

    /// The function that starts exactly there; bit 0 does not matter.
    pub fn at(&self, start: u32) -> Option<FunctionId> {
        let id = self.containing(start)?;
        (self.function(id).start == start & !1).then_some(id)
    }

    /// The function in whose range an address lies.
    pub fn containing(&self, va: u32) -> Option<FunctionId> {
        let va = va & !1;
        let after = self.functions.partition_point(|f| f.start <= va);
        let index = after.checked_sub(1)?;
        (va < self.functions.get(index)?.end).then_some(FunctionId(index as u32))
    }

    /// Functions that call this one, directly or with a tail call, sorted.
    pub fn callers(&self, id: FunctionId) -> &[FunctionId] {
        self.callers.of(id)
    }

    /// Functions whose code forms this address, sorted.
    pub fn users_of(&self, address: u32) -> &[FunctionId] {
        let range = self.users_range(address);
        self.user_ids.get(range).unwrap_or_default()
    }

    /// Addresses that code forms, sorted.
    pub fn used_addresses(&self) -> impl Iterator<Item = u32> {
        self.users.chunk_by(|a, b| a.0 == b.0).map(|same| same[0].0)
    }

    fn users_range(&self, address: u32) -> Range<usize> {
        let from = self.users.partition_point(|user| user.0 < address);
        let to = self.users.partition_point(|user| user.0 <= address);
        from..to
    }

    /// Addresses of the words in data that hold the address of the function that
    /// starts there.
    pub fn pointers_to(&self, function_start: u32) -> &[u32] {
        self.at(function_start)
            .map_or(&[], |id| self.pointers_of(id))
    }

    /// The same for a function whose id is known.
    pub(crate) fn pointers_of(&self, id: FunctionId) -> &[u32] {
        self.pointers.of(id)
    }

    /// The printable, NUL-terminated text of at least one character at an address.
    /// Log levels (`"\x016"`) count as printable, as do tabs and ends of lines.
    pub fn text_at(&self, va: u32) -> Option<&str> {
        let offset = va.wrapping_sub(self.base) as usize;
        let rest = self.bytes.get(offset..)?;
        let rest = rest.get(..MAX_TEXT).unwrap_or(rest);
        let end = memchr::memchr(0, rest)?;
        let text = rest.get(..end).filter(|text| !text.is_empty())?;
        let printable =
            |byte: &u8| matches!(byte, 1 | 7 | 8 | b'\t' | b'\n' | b'\r' | 0x1b | b' '..=b'~');
        text.iter().all(printable).then_some(())?;
        std::str::from_utf8(text).ok()
    }
}
