//! The monitor: questions about the machine while it stands still.

use std::collections::BTreeMap;

use emu::machine::debug::{Mode, Range};
use emu::mmu::walk::Rights;
use linker::code::{self, Code};
use linker::kernel::Kernel;
use linker::transplant::Transplant;

use crate::cli::{print, text};
use crate::names::Names;
use crate::pipeline::Error;
use crate::pipeline::boot::Control;
use crate::remedy::chain::{self, Functions as _, Named, Place};
use crate::session::Session;
use crate::session::moment::Moment;
use crate::verdict::Milestone;

/// Bytes that `read` shows at most.
const MOST: u32 = 4096;
/// Lines that `info unassigned` shows.
const LINES: usize = 20;

const HELP: &str = "\
info registers        the processor's registers
info banked           the registers that each mode has for itself
info system           registers of the system control coprocessor
info pages [ADDRESS]  what is mapped where, or what is at an address
info chips            the chips and their registers
info interrupts       lines of the interrupt controller that are high or enabled
info milestones       how far the boot came, and when
info unassigned       accesses to addresses where there is nothing, by count
backtrace             who called whom in the kernel
read ADDRESS [COUNT]  bytes at a virtual address
symbol NAME|ADDRESS   where a name is, or what is at an address
snapshot NAME         keep this moment
restore NAME          go back to one
snapshots             the moments that were kept
continue              back to the console
quit                  end the run
";

/// What the monitor knows and keeps.
pub struct Monitor {
    names: Names,
    kernel: Option<Analysed>,
    moments: BTreeMap<String, Moment>,
    took_back: bool,
}

/// The kernel as it is in memory, and its functions.
struct Analysed {
    kernel: Kernel,
    code: Code,
}

impl Monitor {
    /// A monitor that knows these names.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            kernel: None,
            moments: BTreeMap::new(),
            took_back: false,
        }
    }

    /// Another driver is in the kernel, which starts anew.
    pub fn linked(&mut self, transplant: &Transplant) {
        self.names.link(transplant);
        self.kernel = None;
        self.moments.clear();
    }

    /// Whether the guest went back to a moment since this was asked.
    pub fn took_back(&mut self) -> bool {
        std::mem::take(&mut self.took_back)
    }

    /// Talks until the user wants to go on or to end the run.
    pub(crate) fn talk(&mut self, session: &mut Session) -> Result<Control, Error> {
        print("\n(monitor; the guest stands still; `help` shows the commands)\n")?;
        loop {
            print("(ecmo) ")?;
            let line = super::terminal::line().map_err(|source| Error::Io {
                what: "the terminal".to_owned(),
                source,
            })?;
            let Some(line) = line else {
                return Ok(Control::Stop);
            };
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                ["continue" | "c"] => return Ok(Control::Continue),
                ["quit" | "q"] => return Ok(Control::Stop),
                words => print(&self.answer(session, words))?,
            }
        }
    }

    /// The answer to a command.
    pub fn answer(&mut self, session: &mut Session, words: &[&str]) -> String {
        match words {
            ["info", "registers"] => registers(&self.names, session),
            ["info", "banked"] => banked(session),
            ["info", "system"] => system(session),
            ["info", "pages"] => pages(session, None),
            ["info", "pages", address] => pages(session, Some(address)),
            ["info", "chips"] => chips(session),
            ["info", "interrupts"] => interrupts(session),
            ["info", "milestones"] => milestones(session),
            ["info", "unassigned"] => unassigned(session),
            ["backtrace" | "bt"] => self.backtrace(session),
            ["read", address] => read(session, address, "64"),
            ["read", address, count] => read(session, address, count),
            ["symbol", what] => symbol(&self.names, session, what),
            ["snapshot", name] => {
                self.moments.insert((*name).to_owned(), session.moment());
                String::new()
            }
            ["restore", name] => self.restore(session, name),
            ["snapshots"] => self.snapshots(),
            ["help" | "h" | "?"] => HELP.to_owned(),
            _ => "not a command; `help` shows them\n".to_owned(),
        }
    }

    fn restore(&mut self, session: &mut Session, name: &str) -> String {
        let Some(moment) = self.moments.get(name) else {
            return format!("no snapshot {name}; `snapshots` shows them\n");
        };
        if let Err(error) = session.go_to(moment) {
            return format!("{error}\n");
        }
        self.took_back = true;
        String::new()
    }

    fn snapshots(&self) -> String {
        let moments = self.moments.iter();
        let rows: Vec<[String; 3]> = moments
            .map(|(name, moment)| {
                let furthest = moment.furthest();
                [
                    name.clone(),
                    format!("{:>13}", text::grouped(moment.instructions())),
                    furthest.map_or("", Milestone::name).to_owned(),
                ]
            })
            .collect();
        if rows.is_empty() {
            return "none\n".to_owned();
        }
        text::table(["snapshot", "instructions", "milestone"], &rows)
    }

    /// The chain of calls as far as the words on the stack tell it.
    fn backtrace(&mut self, session: &Session) -> String {
        let machine = session.machine();
        if self.kernel.is_none() {
            self.kernel = analyse(&self.names, session);
        }
        let Some(Analysed { kernel, code }) = &self.kernel else {
            return "the kernel is not mapped\n".to_owned();
        };
        let functions = Named {
            code,
            symbols: self.names.symbols(),
        };
        let place = Place::of(machine, &machine.registers());
        let mut text = format!("#0  {}\n", self.names.place(machine, place.pc));
        let frames = chain::chain(kernel, &functions, &place);
        // The first is the function that the program counter is in.
        let inside = functions.around(place.pc).is_some();
        let callers = frames.iter().skip(usize::from(inside));
        for (number, frame) in (1..).zip(callers) {
            let start = frame.start & !1;
            let name = self.names.name(start);
            let name = name.map(|name| name.trim_end_matches("+0x0").to_owned());
            let name = name.unwrap_or_else(|| format!("{start:#010x}"));
            text += &format!("#{number:<2} {name}\n");
        }
        text
    }
}

/// The kernel's code as it is in memory.
fn analyse(names: &Names, session: &Session) -> Option<Analysed> {
    let (base, size) = names.kernel();
    let mut bytes = vec![0; size as usize];
    session.machine().read_virtual(base, &mut bytes).ok()?;
    let facts = names.facts()?.clone();
    let kernel = Kernel { bytes, base, facts };
    let code = Code::analyse(&kernel, &code::Options::default());
    Some(Analysed { kernel, code })
}

fn registers(names: &Names, session: &Session) -> String {
    let registers = session.machine().registers();
    let mut text = String::new();
    for (number, value) in registers.r.iter().enumerate() {
        let end = if number % 4 == 3 { '\n' } else { ' ' };
        text += &format!("r{number:<2} {value:08x}{end}");
    }
    text += &format!("cpsr {:08x}  spsr {:08x}\n", registers.cpsr, registers.spsr);
    let pc = registers.r[15];
    if let Some(name) = names.name(pc) {
        text += &format!("at {name}\n");
    }
    text
}

fn banked(session: &Session) -> String {
    let rows = Mode::ALL.map(|mode| {
        let banked = session.machine().banked(mode);
        let high: Vec<String> = match mode {
            Mode::User | Mode::Fiq => banked.high.iter().map(|r| format!("{r:08x}")).collect(),
            _ => Vec::new(),
        };
        [
            mode.name().to_owned(),
            format!("{:08x}", banked.sp),
            format!("{:08x}", banked.lr),
            format!("{:08x}", banked.spsr),
            high.join(" "),
        ]
    });
    text::table(["mode", "sp", "lr", "spsr", "r8 to r12"], &rows)
}

fn system(session: &Session) -> String {
    let registers = session.machine().system_registers();
    let cell = |(name, value): &(&str, u32)| format!("{name:<16} {value:08x}");
    let lines = registers.chunks(3).map(|line| {
        let cells: Vec<String> = line.iter().map(cell).collect();
        cells.join("   ") + "\n"
    });
    lines.collect()
}

fn rights(rights: Rights) -> String {
    let letter = |allowed, letter| if allowed { letter } else { '-' };
    let letters = [
        letter(rights.read, 'r'),
        letter(rights.write, 'w'),
        letter(rights.execute, 'x'),
    ];
    letters.iter().collect()
}

fn pages(session: &Session, address: Option<&str>) -> String {
    let Some(ranges) = session.machine().mapped() else {
        return "the MMU is off: virtual addresses are physical ones\n".to_owned();
    };
    let wanted = match address.map(text::number) {
        Some(None) => return "ADDRESS is a number, hexadecimal with 0x\n".to_owned(),
        Some(wanted) => wanted,
        None => None,
    };
    let here = |range: &&Range| {
        wanted.is_none_or(|wanted| u64::from(wanted.wrapping_sub(range.va)) < range.size)
    };
    let rows: Vec<[String; 6]> = ranges
        .iter()
        .filter(here)
        .map(|range| {
            [
                format!("{:08x}", range.va),
                format!("{:08x}", u64::from(range.va) + range.size - 1),
                format!("{:9x}", range.physical),
                rights(range.privileged),
                rights(range.user),
                if range.opaque { "opaque" } else { "" }.to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "nothing is mapped\n".to_owned();
    }
    text::table(["first", "last", "physical", "kernel", "user", ""], &rows)
}

fn chips(session: &Session) -> String {
    let mut text = String::new();
    for chip in session.machine().chips() {
        text += &format!("{} at {:#010x}\n", chip.name, chip.address);
        for line in chip.registers.chunks(4) {
            let cells: Vec<String> = line
                .iter()
                .map(|(name, value)| format!("{name:<9} {value:08x}"))
                .collect();
            text += &format!("  {}\n", cells.join("   "));
        }
    }
    text
}

fn interrupts(session: &Session) -> String {
    let chips = session.machine().chips();
    let Some(controller) = chips.iter().find(|chip| chip.name == "pl190") else {
        return "no interrupt controller\n".to_owned();
    };
    let register = |name| {
        let mut registers = controller.registers.iter();
        registers.find(|one| one.0 == name).map_or(0, |one| one.1)
    };
    let [high, enabled, fast] = ["rawintr", "intenable", "intselect"].map(register);
    let lines = (0..32).filter(|line| (high | enabled) >> line & 1 != 0);
    let rows: Vec<[String; 4]> = lines
        .map(|line| {
            let is = |bits: u32, yes: &str, no: &str| match bits >> line & 1 {
                0 => no.to_owned(),
                _ => yes.to_owned(),
            };
            [
                line.to_string(),
                is(high, "high", "low"),
                is(enabled, "enabled", "masked"),
                is(fast, "fiq", "irq"),
            ]
        })
        .collect();
    let cpsr = session.machine().registers().cpsr;
    let masked = |bit, name| {
        if cpsr & bit != 0 {
            format!("{name} masked")
        } else {
            format!("{name} taken")
        }
    };
    text::table(["line", "level", "", "as"], &rows)
        + &format!(
            "processor: {}, {}\n",
            masked(1 << 7, "irq"),
            masked(1 << 6, "fiq")
        )
}

fn symbol(names: &Names, session: &Session, what: &str) -> String {
    match (names.address(what), text::number(what)) {
        (Some(address), _) => format!("{what} is at {address:#010x}\n"),
        (None, Some(address)) => names.place(session.machine(), address) + "\n",
        (None, None) => format!("no symbol {what}\n"),
    }
}

fn milestones(session: &Session) -> String {
    let rows: Vec<[String; 3]> = session
        .passed()
        .iter()
        .map(|passed| {
            [
                passed.milestone.to_string(),
                format!("{:>13}", text::grouped(passed.instructions)),
                format!("{:.6} s", passed.at.0 as f64 / 1e9),
            ]
        })
        .collect();
    text::table(["milestone", "instructions", "virtual time"], &rows)
}

fn unassigned(session: &Session) -> String {
    let mut accesses = session.machine().unassigned();
    accesses.sort_by_key(|one| std::cmp::Reverse(one.reads + one.writes));
    let rows: Vec<[String; 4]> = accesses
        .iter()
        .take(LINES)
        .map(|one| {
            [
                format!("{:#010x}", one.address),
                format!("{:#010x}", one.pc),
                one.reads.to_string(),
                one.writes.to_string(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    text::table(["address", "instruction", "reads", "writes"], &rows)
}

fn read(session: &Session, address: &str, count: &str) -> String {
    let (Some(address), Some(count)) = (text::number(address), text::number(count)) else {
        return "ADDRESS and COUNT are numbers, hexadecimal with 0x\n".to_owned();
    };
    let mut bytes = vec![0; count.min(MOST) as usize];
    if let Err(error) = session.machine().read_virtual(address, &mut bytes) {
        return format!("{error}\n");
    }
    text::dump(address, &bytes)
}

#[cfg(test)]
mod tests;
