//! What came of a run: the kernel's messages, the reason in words, the report.

use std::time::Duration;

use emu::machine::{Unassigned, poll};
use linker::identify::Pointer;
use linker::kernel::Facts;
use linker::transplant::LeftOut;
use sha2::{Digest, Sha256};

use super::boot::Ran;
use super::guesses::Choices;
use super::prepare::Prepared;
use super::{Error, Settings};
use crate::names::Names;
use crate::plan::{self, Cpu, Plan};
use crate::remedy::Omitted;
use crate::report::{self, Hex, KernelFacts, OpaqueFacts, PointerFacts, Reached, Report, hex};
use crate::session::Session;
use crate::verdict::reason::{self, End, Evidence, Later, Polled};
use crate::verdict::{Milestone, kernel_log};

/// How an entry of what was left out begins that is a command line.
pub(crate) const BUILT_IN_LINE: &str = "built-in command line";

/// RAM is read for the log buffer in pieces of this many bytes.
const PIECE: usize = 16 << 20;

/// What the kernel said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    /// One message a line.
    pub text: String,
    /// Whether they were read from the log buffer, because there was nothing on
    /// the console.
    pub from_memory: bool,
}

impl Messages {
    /// Those on the console.
    pub fn of_console(session: &Session) -> Self {
        Self {
            text: String::from_utf8_lossy(session.console()).into_owned(),
            from_memory: false,
        }
    }
}

/// The console's text, or else what the kernel's log buffer holds.
pub fn messages(session: &Session, prepared: &Prepared, plan: &Plan) -> Messages {
    let console = String::from_utf8_lossy(session.console());
    let speaks = session.has_passed(Milestone::Userspace) && !console.is_empty();
    if console.contains("Linux version") || speaks {
        return Messages {
            text: console.into_owned(),
            from_memory: false,
        };
    }
    // Of the kernel only what lies behind its image: in the image stands the
    // banner as a constant.
    let facts = &prepared.firmware.kernel.facts;
    let behind = facts
        .text_offset
        .saturating_add(prepared.firmware.kernel.bytes.len() as u32);
    let log = log_buffer(session, plan, facts, behind);
    Messages {
        text: log.unwrap_or_else(|| console.into_owned()),
        from_memory: true,
    }
}

fn log_buffer(session: &Session, plan: &Plan, facts: &Facts, behind: u32) -> Option<String> {
    (behind..plan.ram.size).step_by(PIECE).find_map(|from| {
        // Pieces overlap by the longest log.
        let length = (plan.ram.size - from).min((PIECE + kernel_log::LONGEST) as u32);
        let mut memory = vec![0; length as usize];
        let start = plan.ram.base.checked_add(from)?;
        session.machine().read_physical(start, &mut memory).ok()?;
        kernel_log::read(&memory, &facts.banner)
    })
}

/// Why the run did not reach its goal; `None` when it did.
pub(super) fn reason(
    settings: &Settings,
    names: &Names,
    session: &Session,
    end: Option<End>,
    later: Option<&Later>,
    messages: &Messages,
) -> Option<String> {
    let end = end?;
    let machine = session.machine();
    let unassigned = machine.unassigned();
    let polled = unassigned
        .iter()
        .max_by_key(|one| one.reads)
        .map(|one| Polled {
            address: one.address,
            reader: names.place(machine, one.pc),
            reads: one.reads,
        });
    Some(reason::text(&Evidence {
        end,
        goal: settings.goal.unwrap_or(Milestone::Shell),
        last: session.furthest(),
        messages: &messages.text,
        from_memory: messages.from_memory,
        place: &names.place(machine, machine.registers().r[15]),
        polled: polled.as_ref(),
        later,
    }))
}

/// The report of a run.
pub fn report(settings: &Settings, prepared: &Prepared, ran: &Ran, wall: Duration) -> Report {
    let session = &ran.session;
    let transplant = ran.transplant.as_ref();
    // Looking for them may mean to look through all of RAM.
    let messages = messages(session, prepared, &ran.plan);
    let names = Names::of(prepared, transplant);
    let mut report = Report {
        pointers: pointers(prepared, &ran.choices),
        opaque: transplant.map(|transplant| OpaqueFacts {
            base: Hex(transplant.opaque.base),
            size: transplant.opaque.size,
            relocated: ran.tried.iter().any(|tried| tried.what == "opaque"),
        }),
        tried: ran.tried.clone(),
        reason: reason(
            settings,
            &names,
            session,
            ran.end.clone(),
            ran.later.as_ref(),
            &messages,
        ),
        left_out: transplant
            .into_iter()
            .flat_map(|transplant| transplant.left_out.iter().cloned())
            .chain(ran.command_lines.iter().map(|line| command_line(line)))
            .chain(ran.omitted.iter().map(Omitted::left_out))
            .collect(),
        patches: transplant.map_or(0, |transplant| transplant.patches.len()),
        ..empty(settings, prepared, &ran.plan.cpu)
    };
    refresh(&mut report, session, messages, wall);
    report
}

/// A command line that was built into the kernel, as the report has it.
fn command_line(line: &str) -> LeftOut {
    LeftOut {
        what: format!("{BUILT_IN_LINE} {line}"),
        why: "it is for the device; the kernel has the one of the boot plan instead".to_owned(),
    }
}

/// Replaces what is of a moment.
pub(super) fn refresh(report: &mut Report, session: &Session, messages: Messages, wall: Duration) {
    let machine = session.machine();
    report.milestones = milestones(session);
    report.verdict = session.furthest();
    report.driver_instructions = machine.driver_instructions();
    report.unassigned = unassigned(machine.unassigned());
    report.polled = machine.ended_polls().iter().map(polled).collect();
    report.instructions = machine.instructions();
    report.console = String::from_utf8_lossy(session.console()).into_owned();
    report.log = messages.from_memory.then_some(messages.text);
    report.console_sha256 = hex(&Sha256::digest(session.console()));
    report.wall_s = seconds(wall);
}

/// The report when no driver could be linked, so that nothing ran.
pub fn unlinked(settings: &Settings, prepared: &Prepared, why: &Error, wall: Duration) -> Report {
    let cpu = plan::cpu(&prepared.firmware.kernel, &prepared.identification.machines);
    Report {
        pointers: pointers(prepared, &Choices::new()),
        reason: Some(why.to_string()),
        wall_s: seconds(wall),
        ..empty(settings, prepared, &cpu)
    }
}

/// The report of a run that has not begun.
fn empty(settings: &Settings, prepared: &Prepared, cpu: &Cpu) -> Report {
    Report {
        image: settings.name.clone(),
        kernel: kernel_facts(&prepared.firmware.kernel.facts, cpu),
        pointers: Vec::new(),
        opaque: None,
        tried: Vec::new(),
        milestones: Vec::new(),
        verdict: None,
        reason: None,
        driver_instructions: 0,
        left_out: Vec::new(),
        patches: 0,
        unassigned: Vec::new(),
        polled: Vec::new(),
        instructions: 0,
        console: String::new(),
        log: None,
        console_sha256: hex(&Sha256::digest(b"")),
        wall_s: 0.0,
    }
}

fn kernel_facts(facts: &Facts, cpu: &Cpu) -> KernelFacts {
    KernelFacts {
        release: facts.release.clone(),
        arch: facts.arch,
        cpu: cpu.model.name().to_owned(),
    }
}

fn pointers(prepared: &Prepared, choices: &Choices) -> Vec<PointerFacts> {
    let pointers = prepared.identification.pointers.iter();
    let chosen = |pointer: &Pointer| choices.get(&pointer.name).copied();
    pointers
        .map(|pointer| PointerFacts {
            name: pointer.name.clone(),
            address: pointer.address().or_else(|| chosen(pointer)).map(Hex),
            strategy: match chosen(pointer) {
                Some(_) => Some("boot".to_owned()),
                None => pointer.strategy.clone(),
            },
            candidates: pointer.candidates.len(),
            evidence: pointer
                .candidates
                .iter()
                .flat_map(|candidate| candidate.evidence.iter().cloned())
                .collect(),
        })
        .collect()
}

/// All milestones up to the furthest; one that was not seen on the way has no
/// times.
fn milestones(session: &Session) -> Vec<Reached> {
    let Some(furthest) = session.furthest() else {
        return Vec::new();
    };
    let names = Milestone::ALL.into_iter().filter(|&one| one <= furthest);
    names
        .map(|name| {
            let passed = session
                .passed()
                .iter()
                .find(|passed| passed.milestone == name);
            Reached {
                name,
                instructions: passed.map(|passed| passed.instructions),
                virtual_s: passed.map(|passed| passed.at.0 as f64 / 1e9),
                wall_s: passed.map(|passed| seconds(passed.wall)),
            }
        })
        .collect()
}

/// Seconds, to the microsecond.
fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}

fn polled(ended: &poll::Ended) -> report::Polled {
    report::Polled {
        address: (!ended.is_firmware()).then_some(Hex(ended.address)),
        pc: Hex(ended.pc),
        answer: match ended.answer {
            poll::Answer::Value(value) => format!("{value:#010x}"),
            poll::Answer::Count => "count".to_owned(),
        },
    }
}

fn unassigned(mut accesses: Vec<Unassigned>) -> Vec<report::Unassigned> {
    accesses.sort_by_key(|one| {
        (
            std::cmp::Reverse(one.reads + one.writes),
            one.address,
            one.pc,
        )
    });
    accesses
        .iter()
        .map(|one| report::Unassigned {
            address: Hex(one.address),
            pc: Hex(one.pc),
            reads: one.reads,
            writes: one.writes,
        })
        .collect()
}
