//! Joins the parts for one boot: what is watched, and what is made of it.

use std::ops::RangeInclusive;

use emu::machine::Registers;
use linker::code::{self, Code};
use linker::kernel::Kernel;
use linker::machine::Machines;

use super::chain::Named;
use super::watch::{Known, Stopped, Watch};
use super::{Boot, Remedy};
use crate::pipeline::prepare::Prepared;
use crate::session::Session;

/// The bits of an address within a page.
const PAGE: u32 = 0xfff;

/// Where boards map their chips for good (`map_io`), above everything else that a
/// kernel has and below the vectors.
const CHIPS: RangeInclusive<u32> = 0xf000_0000..=0xfeff_ffff;

/// The help that one boot has.
pub struct Help<'a>(Option<Parts<'a>>);

struct Parts<'a> {
    prepared: &'a Prepared,
    boot: Boot<'a>,
    code: &'a mut Option<Code>,
    watch: Watch,
}

impl<'a> Help<'a> {
    /// None, for a machine of the kernel's own.
    pub fn none() -> Self {
        Self(None)
    }

    /// For a machine that is about to start; `code` is filled when it is needed
    /// first.
    pub fn new(
        session: &mut Session,
        prepared: &'a Prepared,
        boot: Boot<'a>,
        code: &'a mut Option<Code>,
    ) -> Result<Self, emu::machine::Error> {
        // What maps a board's chips may be among what is left out; who then asks
        // them is to find them as absent as the others.
        if boot.omitted.iter().any(|one| !one.initcall) {
            session.machine_mut().leave_to_nobody(CHIPS);
        }
        let watch = Watch::new(session.machine_mut(), &prepared.symbols)?;
        Ok(Self(Some(Parts {
            prepared,
            boot,
            code,
            watch,
        })))
    }

    /// Between two stretches: what is to be different in the next boot, if this
    /// one has come to its end.
    pub fn look(&mut self, session: &Session) -> Option<Remedy> {
        let parts = self.0.as_mut()?;
        let stopped = parts.watch.look(session)?;
        self.remedy(&stopped)
    }

    /// The same, at a trap.
    pub fn trapped(&mut self, session: &Session, va: u32, at: &Registers) -> Option<Remedy> {
        let parts = self.0.as_mut()?;
        let stopped = parts.watch.trapped(session, va, at)?;
        self.remedy(&stopped)
    }

    /// The same, at an exception for which there is no code yet.
    pub fn unserved(&mut self, session: &Session, at: &Registers) -> Option<Remedy> {
        self.0.as_ref()?;
        self.remedy(&Stopped::unserved(session, at))
    }

    /// The same, when exceptions follow each other: a kernel that has its vectors in
    /// a memory of its chip's maps what is nowhere, and needs that page.
    pub fn stuck(&self, session: &Session) -> Option<Remedy> {
        self.0.as_ref()?;
        let machine = session.machine();
        let vector = machine.registers().r[15] & !PAGE;
        let page = u32::try_from(machine.physical(vector)?).ok()?;
        let is_nowhere = machine.read_physical(page, &mut [0]).is_err();
        is_nowhere.then_some(Remedy::ChipMemory(page))
    }

    /// When nothing helps, the kernel is let go on to say why.
    fn remedy(&mut self, stopped: &Stopped) -> Option<Remedy> {
        let parts = self.0.as_mut()?;
        let kernel = &parts.prepared.firmware.kernel;
        let code = parts
            .code
            .get_or_insert_with(|| Code::analyse(kernel, &code::Options::default()));
        let machines = &parts.prepared.identification.machines;
        let known = Known {
            functions: Named {
                code,
                symbols: &parts.prepared.symbols,
            },
            callbacks: callbacks(kernel, machines),
            boot: &parts.boot,
        };
        let remedy = stopped.remedy(kernel, &known);
        if remedy.is_none() {
            self.0 = None;
        }
        remedy
    }
}

/// Functions of the board: what the machine descriptors point to, bit 0 clear.
fn callbacks(kernel: &Kernel, machines: &Machines) -> Vec<u32> {
    let fields = machines.fields.values().map(|field| field.value);
    let fields: Vec<u32> = fields.collect();
    let descriptors = machines.descriptors.iter();
    descriptors
        .flat_map(|descriptor| {
            fields
                .iter()
                .map(|field| descriptor.va.wrapping_add(*field))
        })
        .filter_map(|place| kernel.word(place))
        .map(|word| word & !1)
        .filter(|&word| kernel.offset(word).is_some())
        .collect()
}
