//! Plans, starts and runs a machine until its goal, its limits or a conflict
//! over opaque memory; in the last case once more with another range.

use std::time::{Duration, Instant};

use emu::board::BoardConfig;
use emu::clock::Time;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Error as Refusal, Machine, RamBank};
use linker::link::{self, OpaqueRequest};
use linker::transplant::Transplant;

use super::prepare::Prepared;
use super::{Error, Initrd, Limits, Settings, opaque_range, transplanting};
use crate::plan::{self, Board, Model, Plan, UserSpace};
use crate::remedy::help::Help;
use crate::remedy::{Omitted, Remedy};
use crate::report::Tried;
use crate::session::typing::Typist;
use crate::session::{Event, Passed, Session};
use crate::userland;
use crate::verdict::reason::End;
use crate::verdict::{Milestone, fault, shell};

/// Instructions between two looks at limits, console and front end: about a
/// millisecond of wall time.
const STRETCH: u64 = 1_000_000;
/// The same in virtual time, for a guest that sleeps.
const STRETCH_TIME: Duration = Duration::from_millis(20);
/// Virtual time that a kernel gets to say more after a panic.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Every kernel that can unpack an archive has one of its own, with so many
/// entries and no `/init` in it, unless another was built in (`usr/Makefile`).
const DEFAULT_ENTRIES: usize = 3;
/// Console output that is read once more when there is new: more than a line.
const OVERLAP: usize = 256;

/// What a front end wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The run goes on.
    Continue,
    /// The user has had enough.
    Stop,
}

/// Who watches a run: a terminal, a progress line.
pub trait Observer {
    /// A machine was started; before that, `tried` did not work out.
    fn started(&mut self, _plan: &Plan, _tried: &[Tried]) {}

    /// A milestone was passed.
    fn passed(&mut self, _passed: &Passed) {}

    /// Called between two stretches of running, about every millisecond.
    fn between(&mut self, _session: &mut Session) -> Result<Control, Error> {
        Ok(Control::Continue)
    }

    /// The guest waits for something that only typing can bring.
    fn asleep(&mut self) {}

    /// The next stretch ends at this moment of virtual time at the latest.
    fn horizon(&self, session: &Session) -> Time {
        Time(
            session
                .now()
                .0
                .saturating_add(STRETCH_TIME.as_nanos() as u64),
        )
    }
}

/// A run that came to its end.
pub struct Ran {
    /// How it was booted.
    pub plan: Plan,
    /// What was linked; `None` on a board of its own.
    pub transplant: Option<Transplant>,
    /// The machine as it stands.
    pub session: Session,
    /// What was tried before.
    pub tried: Vec<Tried>,
    /// Functions of the kernel that it had to do without.
    pub omitted: Vec<Omitted>,
    /// Why it did not reach its goal; `None` when it did, or had none.
    pub end: Option<End>,
}

/// Boots the kernel.
pub fn boot(
    settings: &Settings,
    prepared: &Prepared,
    began: Instant,
    observer: &mut dyn Observer,
) -> Result<Ran, Error> {
    let builtin;
    let kernel = &prepared.firmware.kernel;
    let initramfs = prepared.firmware.initramfs.as_ref();
    let in_kernel = initramfs.is_some_and(|archive| archive.entries > DEFAULT_ENTRIES);
    let beside = prepared.firmware.ramdisks.first();
    let (user_space, expected) = match (&settings.initrd, beside) {
        (Initrd::File(bytes), _) => (UserSpace::Archive(bytes), shell::Expected::Other),
        (Initrd::None, _) => (UserSpace::None, shell::Expected::Other),
        (Initrd::Vendor | Initrd::Default, _) if in_kernel => {
            (UserSpace::InKernel, shell::Expected::Other)
        }
        (Initrd::Vendor, Some(ramdisk)) => {
            (UserSpace::Archive(&ramdisk.bytes), shell::Expected::Other)
        }
        (Initrd::Vendor, None) => {
            return Err(Error::Usage(
                "--initrd vendor: the image has no user space".to_owned(),
            ));
        }
        (Initrd::Default | Initrd::Builtin, _) => {
            builtin = userland::builtin(userland::Abi::of(kernel));
            (UserSpace::Archive(&builtin), shell::Expected::Builtin)
        }
    };
    let rom;
    let user_space = match user_space {
        UserSpace::Archive(bytes)
            if settings.board == Board::Transplant && !userland::unpacks_archives(kernel) =>
        {
            rom = userland::unpacked(bytes);
            UserSpace::Rom(&rom)
        }
        other => other,
    };
    match settings.board {
        Board::Versatile => on_versatile(settings, prepared, user_space, expected, began, observer),
        Board::Transplant => {
            transplanted(settings, prepared, user_space, expected, began, observer)
        }
    }
}

fn on_versatile(
    settings: &Settings,
    prepared: &Prepared,
    user_space: UserSpace,
    expected: shell::Expected,
    began: Instant,
    observer: &mut dyn Observer,
) -> Result<Ran, Error> {
    let plan = make_plan(&settings.wishes, settings, prepared, user_space, None)?;
    let machine = machine(
        &plan,
        BoardConfig::Versatile,
        &prepared.firmware.kernel.bytes,
    )?;
    let mut session = Session::new(machine, expected, began);
    watch(&mut session, prepared, prepared.symbols.address("init_IRQ"))?;
    session.start(entry(&plan));
    observer.started(&plan, &[]);
    let end = match run(settings, &mut session, &mut Help::none(), observer)? {
        Finish::End(end) => end,
        // There is no opaque memory to be in conflict with, and no help.
        Finish::Conflict(va) => Some(End::Conflict { va }),
        Finish::Again(_) => None,
    };
    Ok(Ran {
        plan,
        transplant: None,
        session,
        tried: Vec::new(),
        omitted: Vec::new(),
        end,
    })
}

fn transplanted(
    settings: &Settings,
    prepared: &Prepared,
    user_space: UserSpace,
    expected: shell::Expected,
    began: Instant,
    observer: &mut dyn Observer,
) -> Result<Ran, Error> {
    let kernel = &prepared.firmware.kernel;
    let driver = transplanting::driver(kernel, settings.driver.as_ref())?;
    let mut wishes = settings.wishes.clone();
    let mut plan = make_plan(&wishes, settings, prepared, user_space, None)?;
    let mut tried: Vec<Tried> = Vec::new();
    let mut refused: Vec<OpaqueRequest> = Vec::new();
    let mut printed_end = None;
    let mut code = None;
    let mut omitted: Vec<Omitted> = Vec::new();
    loop {
        let ranges = opaque_range::candidates(kernel.facts.page_offset, plan.ram, printed_end);
        let Some(range) = ranges
            .iter()
            .copied()
            .find(|range| !refused.contains(range))
        else {
            return Err(Error::Usage(format!(
                "opaque memory: no range of {} is free; use another --ram",
                ranges.len()
            )));
        };
        let transplant = match transplanting::link(prepared, &driver, range, plan.ram, user_space) {
            Err(link::Error::Overlap { .. } | link::Error::Range { .. })
                if refused.len() + 1 < ranges.len() =>
            {
                refused.push(range);
                tried.push(in_vain(range, None));
                continue;
            }
            other => other?,
        };
        let uart = transplanting::unserved_uart(&transplant);
        if uart.is_some() {
            plan = make_plan(&wishes, settings, prepared, user_space, uart)?;
        }
        let mut bytes = kernel.bytes.clone();
        transplant.apply(&mut bytes, kernel.base)?;
        plan::command_line::replace_built_in(&mut bytes, &plan.command_line);
        userland::accept_new_calls(&mut bytes, kernel.base, &prepared.identification.machines);
        for one in &omitted {
            one.apply(kernel, &mut bytes);
        }
        let map = transplanting::opaque_map(&transplant, user_space);
        let machine = machine(&plan, BoardConfig::Transplant(map), &bytes)?;
        let mut session = Session::new(machine, expected, began);
        let init_irq = transplanting::forward(&transplant, "machine_desc.init_irq");
        watch(&mut session, prepared, init_irq)?;
        let mut help = Help::new(&mut session, prepared, &omitted, &mut code)?;
        session.start(entry(&plan));
        observer.started(&plan, &tried);
        let end = match run(settings, &mut session, &mut help, observer)? {
            Finish::End(end) => end,
            Finish::Again(Remedy::LessRam)
                if settings.wishes.ram_mib.is_none() && less_ram(plan.ram) =>
            {
                tried.push(Tried {
                    what: "ram".to_owned(),
                    value: format!("{} MiB", plan.ram.size >> 20),
                    reached: session.furthest(),
                });
                wishes.ram_mib = Some(plan.ram.size >> 21);
                plan = make_plan(&wishes, settings, prepared, user_space, None)?;
                continue;
            }
            Finish::Again(Remedy::LessRam) => Some(End::Fault),
            Finish::Again(Remedy::Without(mut one)) => {
                let messages = super::outcome::messages(&session, prepared, &plan);
                if let Some(fault) = fault::find(&messages.text) {
                    one.why = fault.summary;
                }
                tried.push(Tried {
                    what: "whole".to_owned(),
                    value: one.name.clone(),
                    reached: session.furthest(),
                });
                omitted.push(one);
                continue;
            }
            Finish::Conflict(_) if refused.len() + 1 < ranges.len() => {
                refused.push(range);
                tried.push(in_vain(range, session.furthest()));
                let messages = super::outcome::messages(&session, prepared, &plan);
                printed_end = opaque_range::printed_end(&messages.text);
                continue;
            }
            Finish::Conflict(va) => Some(End::Conflict { va }),
        };
        return Ok(Ran {
            plan,
            transplant: Some(transplant),
            session,
            tried,
            omitted,
            end,
        });
    }
}

/// Whether half of it is still enough for a kernel.
fn less_ram(ram: plan::Ram) -> bool {
    const LEAST: u32 = 128 << 20;
    ram.size / 2 >= LEAST
}

fn in_vain(range: OpaqueRequest, reached: Option<Milestone>) -> Tried {
    Tried {
        what: "opaque".to_owned(),
        value: format!("{:#010x}", range.base),
        reached,
    }
}

fn make_plan(
    wishes: &plan::Wishes,
    settings: &Settings,
    prepared: &Prepared,
    user_space: UserSpace,
    uart_node: Option<&linker::transplant::ChipPage>,
) -> Result<Plan, Error> {
    let kernel = &prepared.firmware.kernel;
    let machines = &prepared.identification.machines;
    let mut wishes = wishes.clone();
    wishes.load_address = prepared.firmware.load_address;
    let descriptor = plan::descriptor(machines, settings.board, kernel.facts.device_tree);
    Ok(plan::plan(&plan::Input {
        kernel,
        machines,
        descriptor,
        user_space,
        uart_node,
        board: settings.board,
        wishes: &wishes,
    })?)
}

fn machine(plan: &Plan, board: BoardConfig, kernel: &[u8]) -> Result<Machine, Error> {
    let mut machine = Machine::new(Config {
        cpu: match plan.cpu.model {
            Model::Arm926 => CpuModel::Arm926,
            Model::Arm1176 => CpuModel::Arm1176,
            Model::Arm11MpCore => CpuModel::Arm11MpCore,
            Model::CortexA8 => CpuModel::CortexA8,
            Model::CortexA9 => CpuModel::CortexA9,
            Model::CortexA15 => CpuModel::CortexA15,
        },
        midr: plan.cpu.midr,
        ram: vec![RamBank {
            base: plan.ram.base,
            size: u64::from(plan.ram.size),
        }],
        board,
    })?;
    machine.load(plan.entry, kernel)?;
    for load in &plan.loads {
        machine.load(load.address, &load.bytes)?;
    }
    Ok(machine)
}

fn entry(plan: &Plan) -> Entry {
    Entry {
        pc: plan.entry,
        r: plan.registers,
    }
}

/// Functions whose call is a milestone. The initial calls are through when the
/// memory of their code is given back.
fn watch(session: &mut Session, prepared: &Prepared, init_irq: Option<u32>) -> Result<(), Error> {
    use emu::machine::Milestone as Watched;
    let symbol = |names: &[&str]| names.iter().find_map(|name| prepared.symbols.address(name));
    for (address, milestone) in [
        (symbol(&["start_kernel"]), Watched::StartKernel),
        (init_irq, Watched::InitIrq),
        (
            symbol(&["free_initmem", "run_init_process"]),
            Watched::Initcalls,
        ),
    ] {
        if let Some(address) = address {
            session.machine_mut().watch(address, milestone)?;
        }
    }
    Ok(())
}

enum Finish {
    End(Option<End>),
    Conflict(u32),
    Again(Remedy),
}

/// Runs a started machine to its end.
fn run(
    settings: &Settings,
    session: &mut Session,
    help: &mut Help,
    observer: &mut dyn Observer,
) -> Result<Finish, Error> {
    let mut typist = settings.input.as_deref().map(Typist::new);
    let mut panic = PanicWatch::default();
    loop {
        if let Some(typist) = &mut typist {
            typist.advance(session);
        }
        if observer.between(session)? == Control::Stop || reached(settings, session, &typist) {
            return Ok(Finish::End(None));
        }
        if let Some(end) = used_up(&settings.limits, session) {
            return Ok(Finish::End(Some(end)));
        }
        if settings.goal.is_some() && panic.is_over(session) {
            return Ok(Finish::End(Some(End::Fault)));
        }
        let event = match session.advance(STRETCH, observer.horizon(session)) {
            Err(error @ (Refusal::LongDescriptors(_) | Refusal::Processor { .. })) => {
                return Ok(Finish::End(Some(End::Refused(error.to_string()))));
            }
            other => other?,
        };
        match event {
            Event::Ran => {
                if let Some(one) = help.look(session) {
                    return Ok(Finish::Again(one));
                }
            }
            Event::Trapped { va, at } => {
                if let Some(one) = help.trapped(session, va, &at) {
                    return Ok(Finish::Again(one));
                }
            }
            Event::Unserved { at } => {
                if let Some(one) = help.unserved(session, &at) {
                    return Ok(Finish::Again(one));
                }
            }
            Event::Passed(passed) => observer.passed(&passed),
            Event::Conflict { va } => return Ok(Finish::Conflict(va)),
            Event::Ended => return Ok(Finish::End(settings.goal.map(|_| End::Reset))),
            Event::Stuck => return Ok(Finish::End(settings.goal.map(|_| End::Stuck))),
            Event::Asleep if settings.goal.is_some() && !session.is_typing() => {
                return Ok(Finish::End(Some(End::Asleep)));
            }
            Event::Asleep => observer.asleep(),
        }
    }
}

/// Notices in the console's output that the kernel has panicked.
#[derive(Default)]
struct PanicWatch {
    /// How much of the console was read.
    read: usize,
    since: Option<Time>,
}

impl PanicWatch {
    /// Whether the kernel panicked and had time to say where it was.
    fn is_over(&mut self, session: &Session) -> bool {
        if let Some(since) = self.since {
            return session.now().0 - since.0 >= LAST_WORDS.as_nanos() as u64;
        }
        let console = session.console();
        if console.len() != self.read {
            // A line may have come in two pieces.
            let from = self.read.min(console.len()).saturating_sub(OVERLAP);
            let text = String::from_utf8_lossy(&console[from..]);
            if fault::find(&text).is_some_and(|fault| fault.fatal) {
                self.since = Some(session.now());
            }
            self.read = console.len();
        }
        false
    }
}

/// Whether the goal is reached, with all input answered if there is any.
fn reached(settings: &Settings, session: &Session, typist: &Option<Typist>) -> bool {
    let Some(goal) = settings.goal else {
        return false;
    };
    // A milestone that cannot be observed on this kernel is passed when a later
    // one is.
    let passed = session.furthest().is_some_and(|furthest| furthest >= goal);
    let answered = match typist {
        Some(typist) if goal == Milestone::Shell => typist.done(session),
        _ => true,
    };
    passed && answered
}

fn used_up(limits: &Limits, session: &Session) -> Option<End> {
    let seconds = |limit: Duration| limit.as_secs_f64();
    if let Some(limit) = limits.wall.filter(|&limit| session.wall() >= limit) {
        return Some(End::WallTime(seconds(limit)));
    }
    let count = session.machine().instructions();
    if let Some(limit) = limits.instructions.filter(|&limit| count >= limit) {
        return Some(End::Instructions(limit));
    }
    let now = u128::from(session.now().0);
    let limit = limits
        .virtual_time
        .filter(|limit| now >= limit.as_nanos())?;
    Some(End::VirtualTime(seconds(limit)))
}
