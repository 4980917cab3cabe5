//! Plans and starts a machine: which user space, which board, what is watched.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use emu::board::BoardConfig;
use emu::clock::Time;
use emu::cpu::CpuModel;
use emu::exception::Exception;
use emu::machine::debug::Hit;
use emu::machine::{Config, Entry, Machine, RamBank};
use linker::transplant::Transplant;

use super::attempts::Attempts;
use super::guesses::Choices;
use super::prepare::Prepared;
use super::running::run_alone;
use super::{Error, Initrd, Settings};
use crate::plan::{self, Board, Model, Plan, UserSpace};
use crate::remedy::Omitted;
use crate::report::Tried;
use crate::session::{Passed, Session};
use crate::userland::{self, vendor};
use crate::verdict::reason::{End, Later};
use crate::verdict::shell;

/// Instructions between two looks at limits, console and front end: about a
/// millisecond of wall time.
pub(super) const STRETCH: u64 = 1_000_000;
/// Virtual time between two looks at limits, console and front end, for a guest
/// that sleeps.
pub(super) const STRETCH_TIME: Duration = Duration::from_millis(20);

/// Bytes of a page.
const PAGE: u64 = 0x1000;

/// The number of the first start.
pub(super) const FIRST: usize = 1;

/// Every kernel that can unpack an archive has one of its own, with so many
/// entries and no `/init` in it, unless another was built in (`usr/Makefile`).
const DEFAULT_ENTRIES: usize = 3;

/// What a front end wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The run goes on.
    Continue,
    /// It goes on for one instruction.
    Step,
    /// The user has had enough.
    Stop,
    /// A script has done what it was written for.
    Done,
}

/// Who watches a run: a terminal, a progress line.
pub trait Observer {
    /// A driver was linked into the kernel that is about to start.
    fn linked(&mut self, _transplant: &Transplant) -> Result<(), Error> {
        Ok(())
    }

    /// A machine was started; before that, `tried` did not work out.
    fn started(&mut self, _plan: &Plan, _tried: &[Tried]) {}

    /// The guest was taken back to an earlier moment, to go on without what did not
    /// work out there, the last of `tried`.
    fn went_back(&mut self, _session: &Session, _tried: &[Tried]) {}

    /// A milestone was passed.
    fn passed(&mut self, _passed: &Passed) {}

    /// A breakpoint stopped the guest, or a watchpoint.
    fn stopped(&mut self, _hit: Option<&Hit>) {}

    /// An exception was taken: the guest stands before its handler.
    fn excepted(&mut self, _exception: Exception) {}

    /// Called between two stretches of running, about every millisecond.
    fn between(&mut self, _session: &mut Session) -> Result<Control, Error> {
        Ok(Control::Continue)
    }

    /// Whether the guest was taken back to an earlier moment since this was asked.
    fn took_back(&mut self) -> bool {
        false
    }

    /// Whether the run is to go on at its goal.
    fn goes_on(&self) -> bool {
        false
    }

    /// The guest waits for something that only typing can bring.
    fn asleep(&mut self) {}

    /// The next stretch has this many instructions at most, and ends where a block
    /// does.
    fn stretch(&self) -> u64 {
        STRETCH
    }

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
    /// Which start it was, from 1.
    pub start: usize,
    /// What was tried before.
    pub tried: Vec<Tried>,
    /// Functions of the kernel that it had to do without.
    pub omitted: Vec<Omitted>,
    /// The pointers that identification could not decide, as this boot took them.
    pub choices: Choices,
    /// Why it did not reach its goal; `None` when it did, or had none.
    pub end: Option<End>,
    /// What came of those after it, when it is the furthest and not the last.
    pub later: Option<Later>,
    /// Command lines that were built into the kernel and gave way to the plan's.
    pub command_lines: Vec<String>,
}

/// Boots the kernel.
pub fn boot(
    settings: &Settings,
    prepared: &Prepared,
    began: Instant,
    observer: &mut dyn Observer,
) -> Result<Ran, Error> {
    let kernel = &prepared.firmware.kernel;
    let chosen = choose(settings, prepared)?;
    let with_environment;
    let settings = match chosen.environment {
        "" => settings,
        words => {
            with_environment = environment(settings, words);
            &with_environment
        }
    };
    let rom;
    let user_space = match &chosen.from {
        From::InKernel => UserSpace::InKernel,
        From::Nowhere => UserSpace::None,
        From::Archive(bytes)
            if settings.board == Board::Transplant && !userland::unpacks_archives(kernel) =>
        {
            rom = userland::unpacked(bytes);
            UserSpace::Rom(&rom)
        }
        From::Archive(bytes) => UserSpace::Archive(bytes),
    };
    let expected = chosen.expected;
    let mut ran = match settings.board {
        Board::Versatile => on_versatile(settings, prepared, user_space, expected, began, observer),
        Board::Transplant => {
            let user_space = (user_space, expected);
            Attempts::new(settings, prepared, user_space, began)?.run(observer)
        }
    }?;
    ran.tried.splice(0..0, chosen.tried);
    Ok(ran)
}

/// Where a user space comes from.
enum From<'a> {
    InKernel,
    Nowhere,
    Archive(Cow<'a, [u8]>),
}

/// The user space of a boot.
struct Chosen<'a> {
    from: From<'a>,
    expected: shell::Expected,
    /// For the end of the command line.
    environment: &'static str,
    tried: Option<Tried>,
}

/// What the settings ask for, from what there is.
fn choose<'a>(settings: &'a Settings, prepared: &'a Prepared) -> Result<Chosen<'a>, Error> {
    let firmware = &prepared.firmware;
    let other = |from| Chosen {
        from,
        expected: shell::Expected::Other,
        environment: "",
        tried: None,
    };
    let builtin = |tried| Chosen {
        from: From::Archive(userland::builtin(userland::Abi::of(&firmware.kernel)).into()),
        expected: shell::Expected::Builtin,
        environment: "",
        tried,
    };
    let asked_for = match &settings.initrd {
        Initrd::File(bytes) => return Ok(other(From::Archive(bytes.into()))),
        Initrd::None => return Ok(other(From::Nowhere)),
        Initrd::Builtin => return Ok(builtin(None)),
        Initrd::Vendor => true,
        Initrd::Default => false,
    };
    let initramfs = firmware.initramfs.as_ref();
    if initramfs.is_some_and(|archive| archive.entries > DEFAULT_ENTRIES) {
        return Ok(other(From::InKernel));
    }
    let why = match vendor::root(&firmware.file_systems) {
        Ok(Some(root)) => {
            return Ok(Chosen {
                environment: root.environment,
                ..other(From::Archive(root.archive.into()))
            });
        }
        Ok(None) => None,
        Err(why) => Some(why),
    };
    match (asked_for, firmware.ramdisks.first()) {
        (true, Some(ramdisk)) => Ok(other(From::Archive((&ramdisk.bytes).into()))),
        (true, None) => Err(match why {
            Some(why) => Error::Input {
                file: settings.name.clone(),
                why,
            },
            None => Error::Usage("--initrd vendor: the image has no user space".to_owned()),
        }),
        (false, _) => Ok(builtin(why.map(|why| Tried {
            what: "user space".to_owned(),
            value: why,
            reached: None,
        }))),
    }
}

/// The settings with words in front of what the user adds to the command line.
fn environment(settings: &Settings, words: &str) -> Settings {
    let mut settings = settings.clone();
    let append = settings.wishes.append.take().unwrap_or_default();
    settings.wishes.append = Some(format!("{words} {append}").trim_end().to_owned());
    settings
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
    let mut session = session(settings, machine, expected, began, FIRST);
    watch(&mut session, prepared, prepared.symbols.address("init_IRQ"))?;
    session.start(entry(&plan));
    observer.started(&plan, &[]);
    let end = run_alone(settings, &mut session, observer)?;
    Ok(Ran {
        plan,
        transplant: None,
        session,
        start: FIRST,
        tried: Vec::new(),
        omitted: Vec::new(),
        choices: Choices::new(),
        end,
        later: None,
        command_lines: Vec::new(),
    })
}

pub(super) fn make_plan(
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

pub(super) fn machine(plan: &Plan, board: BoardConfig, kernel: &[u8]) -> Result<Machine, Error> {
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
        ram: banks(plan),
        board,
    })?;
    machine.load(plan.entry, kernel)?;
    for load in &plan.loads {
        machine.load(load.address, &load.bytes)?;
    }
    Ok(machine)
}

/// What the machine has of memory.
fn banks(plan: &Plan) -> Vec<RamBank> {
    let ram = RamBank {
        base: plan.ram.base,
        size: u64::from(plan.ram.size),
    };
    let page = |base| RamBank { base, size: PAGE };
    let chip = plan.chip_memory.filter(|&page| !plan.ram.contains(page));
    [ram].into_iter().chain(chip.map(page)).collect()
}

/// The session of the `start`th start.
pub(super) fn session(
    settings: &Settings,
    machine: Machine,
    expected: shell::Expected,
    began: Instant,
    start: usize,
) -> Session {
    let mut session = Session::new(machine, expected, began);
    if let Some(milestone) = settings.keep_at {
        session.keep_at(milestone);
    }
    replay_at(settings, &mut session, start);
    session
}

/// Types what was typed at the `start`th start, if it was that one.
pub(super) fn replay_at(settings: &Settings, session: &mut Session, start: usize) {
    if let Some(record) = settings.replay.as_ref().filter(|one| one.start == start) {
        session.replay(record.entries.clone());
    }
}

pub(super) fn entry(plan: &Plan) -> Entry {
    Entry {
        pc: plan.entry,
        r: plan.registers,
    }
}

/// Functions whose call is a milestone. The initial calls are through when the
/// memory of their code is given back.
pub(super) fn watch(
    session: &mut Session,
    prepared: &Prepared,
    init_irq: Option<u32>,
) -> Result<(), Error> {
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
