//! The processor's state as a value: a copy for the engine that it was taken of,
//! and the same by the architecture's registers, for other engines and for files.
//!
//! The copy by registers leaves out what no kernel of ours relies on: the state
//! of the exclusive monitor, which counts as open (DDI 0406C A3.4.5 lets it be
//! lost at any time), breakpoint and watchpoint registers of the debug unit, and
//! counters that read the host's clock.

use serde::{Deserialize, Serialize};
use unicorn_engine::RegisterARM;

use super::live::{Context, Cp15, Live, psr};
use super::model::{Architecture, CpuModel};

/// The modes that have registers of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// User and system mode, which share theirs; they have no saved status.
    User,
    /// Fast interrupt.
    Fiq,
    /// Interrupt.
    Irq,
    /// Supervisor.
    Supervisor,
    /// Abort.
    Abort,
    /// Undefined instruction.
    Undefined,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::User,
        Self::Fiq,
        Self::Irq,
        Self::Supervisor,
        Self::Abort,
        Self::Undefined,
    ];

    /// The usual suffix of its registers' names.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "usr",
            Self::Fiq => "fiq",
            Self::Irq => "irq",
            Self::Supervisor => "svc",
            Self::Abort => "abt",
            Self::Undefined => "und",
        }
    }

    /// Mode bits that select its registers, in a mode that may be left again.
    fn bits(self) -> u32 {
        match self {
            Self::User => psr::SYSTEM,
            Self::Fiq => psr::FIQ,
            Self::Irq => psr::IRQ,
            Self::Supervisor => psr::SUPERVISOR,
            Self::Abort => psr::ABORT,
            Self::Undefined => psr::UNDEFINED,
        }
    }
}

/// Whether a status has a mode that there is and that a guest can be in.
pub(crate) fn is_status(status: u32) -> bool {
    let mode = status & psr::MODE;
    mode == psr::USER || Mode::ALL.iter().any(|one| one.bits() == mode)
}

/// The registers that one mode has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Banked {
    /// r8 to r12; but for fast interrupts all modes share the same.
    pub high: [u32; 5],
    /// Stack pointer.
    pub sp: u32,
    /// Link register.
    pub lr: u32,
    /// Saved program status; 0 for user mode, which has none.
    pub spsr: u32,
}

/// A register of the system control coprocessor that can be read and written.
#[derive(Debug, Clone, Copy)]
pub struct SystemRegister {
    /// The architecture's name in lower case.
    pub name: &'static str,
    register: Cp15,
    /// The upper half of 64 bits.
    upper: bool,
    has: fn(CpuModel) -> bool,
}

fn all(_: CpuModel) -> bool {
    true
}

fn until_v6(model: CpuModel) -> bool {
    model.architecture() < Architecture::V7
}

fn since_v6(model: CpuModel) -> bool {
    model.architecture() >= Architecture::V6
}

fn since_v7(model: CpuModel) -> bool {
    model.architecture() >= Architecture::V7
}

fn secure(model: CpuModel) -> bool {
    model.has_security()
}

fn virtual_timers(model: CpuModel) -> bool {
    matches!(model, CpuModel::CortexA7 | CpuModel::CortexA15)
}

fn cortex_a9(model: CpuModel) -> bool {
    model == CpuModel::CortexA9
}

const fn register(
    name: &'static str,
    [crn, opc1, crm, opc2]: [u32; 4],
    has: fn(CpuModel) -> bool,
) -> SystemRegister {
    SystemRegister {
        name,
        register: Cp15::new(crn, opc1, crm, opc2),
        upper: false,
        has,
    }
}

/// The upper half of a register that MCRR writes.
const fn upper(name: &'static str, opc1: u32, crm: u32) -> SystemRegister {
    SystemRegister {
        name,
        register: Cp15::long(opc1, crm),
        upper: true,
        has: CpuModel::has_lpae,
    }
}

/// Those that hold state (DDI 0406C B3.17, B6.1; for c15 DDI 0388 4.2), but for
/// the identification register, which the configuration gives. In an order in
/// which they can be written one after the other.
const SYSTEM: &[SystemRegister] = &[
    register("scr", [1, 0, 1, 0], secure),
    register("sder", [1, 0, 1, 1], secure),
    register("nsacr", [1, 0, 1, 2], secure),
    register("sctlr", [1, 0, 0, 0], all),
    register("cpacr", [1, 0, 0, 2], since_v6),
    register("csselr", [0, 2, 0, 0], since_v7),
    register("ttbcr", [2, 0, 0, 2], since_v6),
    register("ttbr0", [2, 0, 0, 0], all),
    register("ttbr1", [2, 0, 0, 1], since_v6),
    upper("ttbr0_upper", 0, 2),
    upper("ttbr1_upper", 1, 2),
    register("dacr", [3, 0, 0, 0], all),
    register("dfsr", [5, 0, 0, 0], all),
    register("ifsr", [5, 0, 0, 1], all),
    register("dfar", [6, 0, 0, 0], all),
    register("ifar", [6, 0, 0, 2], since_v6),
    register("par", [7, 0, 4, 0], since_v6),
    register("dlockdown", [9, 0, 0, 0], until_v6),
    register("ilockdown", [9, 0, 0, 1], until_v6),
    register("pmcr", [9, 0, 12, 0], since_v7),
    register("pmcntenset", [9, 0, 12, 1], since_v7),
    register("pmovsr", [9, 0, 12, 3], since_v7),
    register("pmselr", [9, 0, 12, 5], since_v7),
    register("pmuserenr", [9, 0, 14, 0], since_v7),
    register("pmintenset", [9, 0, 14, 1], since_v7),
    register("prrr", [10, 0, 2, 0], since_v7),
    register("nmrr", [10, 0, 2, 1], since_v7),
    register("vbar", [12, 0, 0, 0], secure),
    register("mvbar", [12, 0, 0, 1], secure),
    register("fcseidr", [13, 0, 0, 0], all),
    register("contextidr", [13, 0, 0, 1], all),
    register("tpidrurw", [13, 0, 0, 2], since_v6),
    register("tpidruro", [13, 0, 0, 3], since_v6),
    register("tpidrprw", [13, 0, 0, 4], since_v6),
    register("cntfrq", [14, 0, 0, 0], virtual_timers),
    register("cntkctl", [14, 0, 1, 0], virtual_timers),
    register("cntp_ctl", [14, 0, 2, 1], virtual_timers),
    register("cntv_ctl", [14, 0, 3, 1], virtual_timers),
    register("power", [15, 0, 0, 0], cortex_a9),
    register("diagnostic", [15, 0, 0, 1], cortex_a9),
    register("power_diagnostic", [15, 0, 0, 2], cortex_a9),
    register("cbar", [15, 4, 0, 0], cortex_a9),
    SystemRegister {
        name: "teecr",
        register: Cp15::of_14(0, 6, 0, 0),
        upper: false,
        has: since_v7,
    },
    SystemRegister {
        name: "teehbr",
        register: Cp15::of_14(1, 6, 0, 0),
        upper: false,
        has: since_v7,
    },
];

/// The system registers of a model.
pub(crate) fn system_registers(model: CpuModel) -> impl Iterator<Item = &'static SystemRegister> {
    SYSTEM.iter().filter(move |one| (one.has)(model))
}

impl SystemRegister {
    /// The one with this name, if the model has it.
    pub(crate) fn find(model: CpuModel, name: &str) -> Option<&'static Self> {
        system_registers(model).find(|one| one.name == name)
    }

    pub(crate) fn read(&self, cpu: &Live<'_>) -> u32 {
        let value = cpu.cp15_long(self.register).unwrap_or(0);
        (if self.upper { value >> 32 } else { value }) as u32
    }

    /// The TLB is to be emptied afterwards.
    pub(crate) fn write(&self, cpu: &Live<'_>, value: u32) {
        let value = u64::from(value);
        let value = match self.upper {
            true => cpu.cp15_long(self.register).unwrap_or(0) & 0xffff_ffff | value << 32,
            false => value,
        };
        cpu.set_cp15_long(self.register, value);
    }
}

/// The state by the architecture's registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Architectural {
    low: [u32; 8],
    pc: u32,
    cpsr: u32,
    banks: [Banked; Mode::ALL.len()],
    /// In the order of [`system_registers`].
    system: Vec<u32>,
    doubles: [u64; 32],
    fpscr: u32,
    fpexc: u32,
}

impl Architectural {
    fn of(cpu: &Live<'_>, model: CpuModel) -> Self {
        let mut low = [0; 8];
        for (number, value) in (0..).zip(&mut low) {
            *value = cpu.register(number);
        }
        let mut doubles = [0; 32];
        for (number, value) in (0..).zip(&mut doubles) {
            *value = cpu.double(number);
        }
        Self {
            low,
            pc: cpu.pc(),
            cpsr: cpu.cpsr(),
            banks: Mode::ALL.map(|mode| banked(cpu, mode)),
            system: system_registers(model).map(|one| one.read(cpu)).collect(),
            doubles,
            fpscr: cpu.get(RegisterARM::FPSCR),
            fpexc: cpu.get(RegisterARM::FPEXC),
        }
    }

    /// Whether a processor of this model can be in this state.
    pub(crate) fn is_possible(&self, model: CpuModel) -> bool {
        let step = if self.cpsr & psr::THUMB != 0 { 2 } else { 4 };
        is_status(self.cpsr)
            && self.pc.is_multiple_of(step)
            && self.system.len() == system_registers(model).count()
    }

    fn apply(&self, cpu: &Live<'_>, model: CpuModel) {
        for (register, &value) in system_registers(model).zip(&self.system) {
            register.write(cpu, value);
        }
        for (mode, bank) in Mode::ALL.into_iter().zip(&self.banks) {
            set_banked(cpu, mode, bank);
        }
        for (number, &value) in (0..).zip(&self.doubles) {
            cpu.set_double(number, value);
        }
        cpu.set(RegisterARM::FPSCR, self.fpscr);
        cpu.set(RegisterARM::FPEXC, self.fpexc);
        cpu.set_cpsr(self.cpsr);
        for (number, &value) in (0..).zip(&self.low) {
            cpu.set_register(number, value);
        }
        let thumb = u32::from(self.cpsr & psr::THUMB != 0);
        cpu.set_pc(self.pc | thumb);
        cpu.clear_syndrome();
    }
}

/// Does something with the registers of another mode.
fn in_mode<T>(cpu: &Live<'_>, mode: Mode, act: impl FnOnce() -> T) -> T {
    let cpsr = cpu.cpsr();
    cpu.set_cpsr(cpsr & !psr::MODE | mode.bits());
    let result = act();
    cpu.set_cpsr(cpsr);
    result
}

/// The registers of a mode, which need not be the current one.
pub(crate) fn banked(cpu: &Live<'_>, mode: Mode) -> Banked {
    in_mode(cpu, mode, || Banked {
        high: [8, 9, 10, 11, 12].map(|number| cpu.register(number)),
        sp: cpu.register(13),
        lr: cpu.register(14),
        spsr: if mode == Mode::User { 0 } else { cpu.spsr() },
    })
}

/// See [`banked()`].
pub(crate) fn set_banked(cpu: &Live<'_>, mode: Mode, bank: &Banked) {
    in_mode(cpu, mode, || {
        if matches!(mode, Mode::User | Mode::Fiq) {
            for (number, value) in (8..).zip(bank.high) {
                cpu.set_register(number, value);
            }
        }
        cpu.set_register(13, bank.sp);
        cpu.set_register(14, bank.lr);
        if mode != Mode::User {
            cpu.set_spsr(bank.spsr);
        }
    });
}

/// The state of a processor that stands still.
#[derive(Debug)]
pub(crate) struct State {
    /// Taken of the engine with this number.
    exact: Option<(u64, Context)>,
    pub(crate) registers: Architectural,
}

impl State {
    pub(crate) fn of(cpu: &Live<'_>, model: CpuModel, engine: u64) -> Self {
        Self {
            exact: cpu.context().map(|context| (engine, context)),
            registers: Architectural::of(cpu, model),
        }
    }

    /// A state that comes from elsewhere; it must be a possible one.
    pub(crate) fn foreign(registers: Architectural) -> Self {
        Self {
            exact: None,
            registers,
        }
    }

    /// Puts a processor into it. The TLB is to be emptied afterwards.
    pub(crate) fn apply(&self, cpu: &Live<'_>, model: CpuModel, engine: u64) {
        match &self.exact {
            // SAFETY: numbers of engines are never used again, so it was taken of this one.
            Some((number, context)) if *number == engine => unsafe {
                cpu.set_context(context);
            },
            _ => self.registers.apply(cpu, model),
        }
    }
}

#[cfg(test)]
impl Architectural {
    /// The same with all bits of its registers set, as far as they mean nothing to
    /// the machine itself.
    pub(crate) fn with_everything_set(mut self) -> Self {
        self.low = [!0; 8];
        for bank in &mut self.banks {
            (bank.high, bank.sp, bank.lr) = ([!0; 5], !0, !0);
            bank.spsr = 0xf80f_01df;
        }
        self.banks[0].spsr = 0;
        self.system.iter_mut().for_each(|value| *value = !0);
        self.doubles = [!0; 32];
        (self.fpscr, self.fpexc) = (!0, !0);
        self
    }
}

#[cfg(test)]
impl State {
    /// Unicorn's copy behind its header, which has addresses of the host.
    pub(crate) fn bytes(&self, size: usize) -> Vec<u8> {
        const HEADER: usize = 40;
        let (_, context) = self.exact.as_ref().expect("an exact copy");
        context.bytes(size)[HEADER..].to_vec()
    }
}
