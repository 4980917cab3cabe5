//! `ecmo identify`: the pointers that a transplant needs, with evidence.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use linker::code::{self, Code};
use linker::identify::{Candidate, Kind, Pointer, Status};
use linker::layouts::Known;
use linker::object::Driver;
use serde::Serialize;

use super::progress::Progress;
use super::{DONE, NEGATIVE, is_stdout, print, read, symbols, text, write, write_json};
use crate::pipeline::{Error, prepare, transplanting};
use crate::report::Hex;

/// Find the pointers that linking a driver into the kernel needs
///
/// The exit code is 1 when one is missing without which the built-in driver
/// cannot be linked.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ecmo identify firmware.bin --json pointers.json")]
pub struct Arguments {
    /// Firmware image
    image: PathBuf,
    /// Ignore the kernel's own symbol tables
    #[arg(long)]
    no_symbols: bool,
    /// Names from a list in the form of System.map, beside the kernel's own
    #[arg(long, value_name = "FILE", conflicts_with = "no_symbols")]
    symbols: Option<PathBuf>,
    /// Write the boundaries of all functions: start and end (the address behind
    /// the last byte), one function a line, hexadecimal
    #[arg(long, value_name = "FILE")]
    functions: Option<PathBuf>,
    /// Write it as one JSON object; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The JSON of this command. Its keys are an interface: scripts read them.
#[derive(Debug, Serialize)]
struct Answer {
    image: String,
    kernel: KernelAnswer,
    pointers: Vec<PointerAnswer>,
    layouts: Vec<LayoutAnswer>,
    wall_s: f64,
}

#[derive(Debug, Serialize)]
struct KernelAnswer {
    release: String,
    arch: linker::kernel::Arch,
    cpu: String,
    page_offset: Hex,
    base: Hex,
}

#[derive(Debug, Serialize)]
struct PointerAnswer {
    name: String,
    kind: Kind,
    required: bool,
    address: Option<Hex>,
    status: Status,
    candidates: Vec<CandidateAnswer>,
    strategy: Option<String>,
}

#[derive(Debug, Serialize)]
struct CandidateAnswer {
    address: Hex,
    score: f64,
    evidence: Vec<String>,
}

#[derive(Debug, Serialize)]
struct LayoutAnswer {
    #[serde(rename = "struct")]
    structure: String,
    /// Null for the size of the struct itself.
    field: Option<String>,
    offset: u32,
    source: String,
    evidence: String,
}

/// The command.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, Error> {
    let began = Instant::now();
    let name = arguments.image.display().to_string();
    let bytes = read(&arguments.image)?;
    let source = symbols(arguments.no_symbols, arguments.symbols.as_deref())?;
    let progress = Progress::new("opening the image");
    let firmware = prepare::open(&name, &bytes)?;
    progress.say("looking for pointers");
    let prepared = prepare::identify(firmware, &source)?;
    progress.clear();
    let kernel = &prepared.firmware.kernel;
    let driver = transplanting::driver(kernel, None)?;
    let pointers = &prepared.identification.pointers;
    let required = required(&driver, pointers);
    let answer = Answer {
        image: name,
        kernel: KernelAnswer {
            release: kernel.facts.release.clone(),
            arch: kernel.facts.arch,
            cpu: crate::plan::cpu(kernel, &prepared.identification.machines)
                .model
                .name()
                .to_owned(),
            page_offset: Hex(kernel.facts.page_offset),
            base: Hex(kernel.base),
        },
        pointers: pointers
            .iter()
            .map(|one| pointer(one, required.contains(&one.name)))
            .collect(),
        layouts: prepared.identification.layouts.iter().map(layout).collect(),
        wall_s: began.elapsed().as_micros() as f64 / 1e6,
    };
    if let Some(path) = &arguments.functions {
        let code = Code::analyse(kernel, &code::Options::default());
        write(path, code.listing().as_bytes())?;
    }
    write_json(arguments.json.as_deref(), &answer)?;
    if !is_stdout(arguments.json.as_deref()) {
        print(&describe(&answer.pointers))?;
    }
    let lacks = |one: &PointerAnswer| one.required && one.address.is_none();
    Ok(if answer.pointers.iter().any(lacks) {
        NEGATIVE
    } else {
        DONE
    })
}

fn layout((name, known): (&str, &Known)) -> LayoutAnswer {
    let (structure, field) = match name.split_once('.') {
        Some((structure, field)) => (structure, Some(field.to_owned())),
        None => (name, None),
    };
    LayoutAnswer {
        structure: structure.to_owned(),
        field,
        offset: known.value,
        source: known.source().to_owned(),
        evidence: known.evidence.clone(),
    }
}

fn pointer(one: &Pointer, required: bool) -> PointerAnswer {
    let candidate = |candidate: &Candidate| CandidateAnswer {
        address: Hex(candidate.address),
        score: candidate.score,
        evidence: candidate.evidence.clone(),
    };
    PointerAnswer {
        name: one.name.clone(),
        kind: one.kind,
        required,
        address: one.address().map(Hex),
        status: one.status,
        candidates: one.candidates.iter().map(candidate).collect(),
        strategy: one.strategy.clone(),
    }
}

/// The names without which this driver cannot be linked into this kernel: of
/// names of which one is enough, the first that was found, or all of them.
fn required(driver: &Driver, pointers: &[Pointer]) -> HashSet<String> {
    let has = |name: &str| {
        pointers
            .iter()
            .any(|one| one.name == name && one.address().is_some())
    };
    let needs = driver.needs();
    let names = needs.iter().flat_map(|need| need.required(has));
    names.cloned().collect()
}

/// The pointers as a table; evidence stands below what is not certain.
fn describe(pointers: &[PointerAnswer]) -> String {
    let rows: Vec<[String; 5]> = pointers
        .iter()
        .map(|one| {
            let evidence = one
                .candidates
                .first()
                .map(|first| first.evidence.join("; "));
            [
                one.name.clone(),
                one.address
                    .map_or("-".to_owned(), |Hex(address)| format!("{address:#010x}")),
                match one.status {
                    Status::Found => "found".to_owned(),
                    Status::Ambiguous => format!("{} candidates", one.candidates.len()),
                    Status::Missing if one.required => "MISSING".to_owned(),
                    Status::Missing => "missing".to_owned(),
                },
                one.strategy.clone().unwrap_or_default(),
                evidence.unwrap_or_default(),
            ]
        })
        .collect();
    text::table(
        ["pointer", "address", "status", "strategy", "evidence"],
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, status: Status, required: bool) -> PointerAnswer {
        let candidates = match status {
            Status::Missing => Vec::new(),
            _ => vec![CandidateAnswer {
                address: Hex(0xc005_5770),
                score: 1.0,
                evidence: vec!["named in kallsyms".into()],
            }],
        };
        PointerAnswer {
            name: name.into(),
            kind: Kind::Function,
            required,
            address: (status == Status::Found).then_some(Hex(0xc005_5770)),
            status,
            candidates,
            strategy: (status == Status::Found).then(|| "symbol_table".into()),
        }
    }

    #[test]
    fn pointers_as_a_table() {
        let pointers = [
            answer("setup_irq", Status::Found, true),
            answer("handle_IRQ", Status::Ambiguous, false),
            answer("request_threaded_irq", Status::Missing, false),
            answer("clockevents_config_and_register", Status::Missing, true),
        ];
        expect_test::expect![[r#"
            pointer                          address     status        strategy      evidence
            setup_irq                        0xc0055770  found         symbol_table  named in kallsyms
            handle_IRQ                       -           1 candidates                named in kallsyms
            request_threaded_irq             -           missing
            clockevents_config_and_register  -           MISSING
        "#]].assert_eq(&describe(&pointers));
    }
}
