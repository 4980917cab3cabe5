//! Field offsets read from the code of functions whose address is known.
//!
//! Each file knows the functions that use one family of structs, and what in
//! them tells one field from every other: which argument is stored, what a
//! callback is handed, which bit is tested, which text a value is printed
//! with. A value that only one place in the code could have is a *read*; reads
//! of the same field by several functions are independent of each other.

mod action;
mod chip;
mod clock;
mod console;
mod operations;
mod platform;
mod port;
mod printed;
mod source;
#[cfg(test)]
mod tests;
mod tty;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    code::glance,
    kernel::{Kernel, Version},
    machine::{
        flow::{self, Event, Value},
        isa,
    },
};

/// How the address of a function or variable is found.
pub struct Lookup<'a> {
    /// Address of a name; bit 0 does not matter.
    pub address: &'a dyn Fn(&str) -> Option<u32>,
    /// Where the next function after an address starts, if that is known.
    pub end: &'a dyn Fn(u32) -> Option<u32>,
}

/// One place in the code that shows a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    /// Offset or size in bytes.
    pub value: u32,
    /// The function.
    function: String,
    /// What it does, with the address.
    what: String,
}

/// Everything that the code shows, by struct and field; the field is empty for
/// the size of the struct.
#[derive(Debug, Default)]
pub(super) struct Reads {
    found: BTreeMap<String, BTreeMap<String, Vec<Read>>>,
}

/// What all reads of one field say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub value: u32,
    /// Functions that show it.
    pub reads: usize,
    pub evidence: String,
}

impl Reads {
    /// Reads everything that the code of this kernel shows.
    pub(super) fn of(kernel: &Kernel, lookup: &Lookup<'_>) -> Self {
        let mut code = Code::new(kernel, lookup);
        code.tabled = operations::of(&code);
        let mut reads = Self::default();
        chip::read(&code, &mut reads);
        action::read(&code, &mut reads);
        clock::read(&code, &mut reads);
        source::read(&code, &mut reads);
        port::read(&code, &mut reads);
        tty::read(&code, &mut reads);
        console::read(&code, &mut reads);
        reads
    }

    /// Adds what the code shows of `plat_serial8250_port`, for which the offsets
    /// of `uart_port` have to be known.
    pub(super) fn platform(
        &mut self,
        kernel: &Kernel,
        lookup: &Lookup<'_>,
        port: &dyn Fn(&str) -> Option<u32>,
    ) {
        let code = Code::new(kernel, lookup);
        platform::read(&code, port, self);
    }

    fn add(&mut self, field: (&str, &str), value: u32, function: &Function, what: String) {
        let (of, field) = field;
        let fields = self.found.entry(of.to_owned()).or_default();
        let reads = fields.entry(field.to_owned()).or_default();
        let known = reads
            .iter()
            .any(|read| read.value == value && read.function == function.name);
        if !known {
            reads.push(Read {
                value,
                function: function.name.to_owned(),
                what,
            });
        }
    }

    /// A value on which all reads so far agree.
    fn agreed(&self, of: &str, field: &str) -> Option<u32> {
        let (first, rest) = self.found.get(of)?.get(field)?.split_first()?;
        rest.iter()
            .all(|read| read.value == first.value)
            .then_some(first.value)
    }

    /// The fields of a struct. Reads that disagree show nothing: all of them are
    /// in the error, as values and in words.
    pub(super) fn shown(
        &self,
        of: &str,
    ) -> impl Iterator<Item = (&str, Result<Shown, (Vec<u32>, String)>)> + use<'_> {
        let fields = self.found.get(of).into_iter().flatten();
        fields.filter_map(|(field, reads)| {
            let (first, rest) = reads.split_first()?;
            let words: Vec<String> = reads
                .iter()
                .map(|read| format!("{} {}", read.function, read.what))
                .collect();
            let evidence = words.join("; ");
            let agree = rest.iter().all(|read| read.value == first.value);
            let read = match agree {
                true => Ok(Shown {
                    value: first.value,
                    reads: reads.len(),
                    evidence,
                }),
                false => Err((reads.iter().map(|read| read.value).collect(), evidence)),
            };
            Some((field.as_str(), read))
        })
    }

    /// The structs of which something is shown.
    pub(super) fn structs(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }
}

/// The code, by the names of its functions.
struct Code<'a> {
    kernel: &'a Kernel,
    lookup: &'a Lookup<'a>,
    traces: RefCell<BTreeMap<u32, Rc<[Event]>>>,
    /// Functions that a table of the kernel's names, whatever the lookup says.
    tabled: BTreeMap<String, u32>,
    /// Functions of [`NO_RETURN`].
    no_return: Vec<u32>,
}

/// Functions that never return. What stands behind a call of one is reached from
/// elsewhere, where arguments are still in their registers.
const NO_RETURN: [&str; 4] = ["__bug", "panic", "__stack_chk_fail", "do_exit"];

/// A function and what it does.
struct Function {
    name: &'static str,
    events: Rc<[Event]>,
}

impl<'a> Code<'a> {
    fn new(kernel: &'a Kernel, lookup: &'a Lookup<'a>) -> Self {
        Self {
            kernel,
            lookup,
            traces: RefCell::default(),
            tabled: BTreeMap::new(),
            no_return: NO_RETURN
                .iter()
                .filter_map(|name| Some((lookup.address)(name)? & !1))
                .collect(),
        }
    }
}

impl Code<'_> {
    fn version(&self) -> Version {
        self.kernel.facts.version
    }

    /// The address of a name, bit 0 clear.
    fn address(&self, name: &str) -> Option<u32> {
        let tabled = self.tabled.get(name).copied();
        tabled.or_else(|| Some((self.lookup.address)(name)? & !1))
    }

    /// The address of a variable that lies in the image.
    fn object(&self, name: &str) -> Option<u32> {
        (self.lookup.address)(name).filter(|address| self.kernel.offset(*address).is_some())
    }

    /// Whether this constant is the address of that function.
    fn is(&self, constant: u32, name: &str) -> bool {
        self.address(name) == Some(constant & !1)
    }

    fn function(&self, name: &'static str) -> Option<Function> {
        Some(self.function_at(name, self.address(name)?))
    }

    /// The function at an address, bit 0 clear, whatever its name.
    fn function_at(&self, name: &'static str, start: u32) -> Function {
        let mut traces = self.traces.borrow_mut();
        let events = traces.entry(start).or_insert_with(|| {
            let thumb = isa::is_thumb(self.kernel, start);
            let end = (self.lookup.end)(start);
            flow::trace_until(self.kernel, start, thumb, end, &|target| {
                self.never_returns(target & !1)
            })
            .into()
        });
        Function {
            name,
            events: Rc::clone(events),
        }
    }

    /// Whether nothing behind a call of this function is carried out: by its name, or
    /// because it ends in a loop of one instruction, as `__bug` did up to 2.6.37.
    fn never_returns(&self, function: u32) -> bool {
        let thumb = isa::is_thumb(self.kernel, function);
        self.no_return.contains(&function) || glance::stays(self.kernel, function, thumb)
    }

    /// Those of these functions that there are.
    fn functions<'n>(&'n self, names: &'n [&'static str]) -> impl Iterator<Item = Function> + 'n {
        names.iter().filter_map(|name| self.function(name))
    }

    /// The text that a constant points to.
    fn text(&self, value: &Value) -> Option<&str> {
        let Value::Const(address) = value else {
            return None;
        };
        let at = self.kernel.offset(*address)?;
        crate::bytes::c_str(&self.kernel.bytes, at, 256)
    }
}

impl Function {
    /// Calls through a field: address, pointer to the struct, offset of the
    /// field, what is handed over.
    fn callbacks(&self) -> impl Iterator<Item = Callback<'_>> {
        self.events.iter().filter_map(|event| match event {
            Event::CallValue {
                at,
                target,
                arguments,
            } => {
                let (base, offset) = target.field().filter(|(base, _)| base.is_rooted())?;
                Some(Callback {
                    at: *at,
                    base,
                    offset,
                    arguments,
                })
            }
            _ => None,
        })
    }

    /// Stores to a field: address, pointer to the struct, offset, value.
    fn stores(&self) -> impl Iterator<Item = Stored<'_>> {
        self.events.iter().filter_map(|event| match event {
            Event::Store {
                at,
                base,
                offset,
                value,
                width,
            } => Some(Stored {
                at: *at,
                base,
                offset: u32::try_from(*offset).ok()?,
                value,
                width: *width,
            }),
            _ => None,
        })
    }

    /// Direct calls: address, target, what is handed over.
    fn calls(&self) -> impl Iterator<Item = (u32, u32, &[Value])> {
        self.events.iter().filter_map(|event| match event {
            Event::Call {
                at,
                target,
                arguments,
            } => Some((*at, *target, &**arguments)),
            _ => None,
        })
    }

    /// Tests of bits: address, value, mask.
    fn tests(&self) -> impl Iterator<Item = (u32, &Value, u32)> {
        self.events.iter().filter_map(|event| match event {
            Event::Test { at, value, mask } => Some((*at, value, *mask)),
            _ => None,
        })
    }

    /// Comparisons: address, both sides.
    fn compares(&self) -> impl Iterator<Item = (u32, &Value, &Value)> {
        self.events.iter().filter_map(|event| match event {
            Event::Compare { at, left, right } => Some((*at, left, right)),
            _ => None,
        })
    }
}

/// A call through a field of a struct.
struct Callback<'a> {
    at: u32,
    /// Pointer to the struct.
    base: &'a Value,
    offset: u32,
    arguments: &'a [Value],
}

/// A store to a field of a struct.
struct Stored<'a> {
    at: u32,
    base: &'a Value,
    offset: u32,
    value: &'a Value,
    width: flow::Width,
}

/// The value on which all places agree, with the first of them.
fn only<T: PartialEq>(mut places: impl Iterator<Item = (T, u32)>) -> Option<(T, u32)> {
    let (value, at) = places.next()?;
    places
        .all(|(other, _)| other == value)
        .then_some((value, at))
}
