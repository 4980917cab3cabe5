//! What snapshots and breakpoints cost, beside a plain copy of as many bytes.
//!
//! The guest is a program of seven instructions that writes a word to each of some
//! pages, again and again; the machine has 128 MiB, half of it in use.

use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Exit, Machine, RamBank};
use serde_json::{Value, json};

use crate::table::median;

const PAGE: usize = 4096;
/// Pages that the guest writes to between two snapshots.
const DIRTY: u32 = 2000;
const RAM: u64 = 128 << 20;
const IN_USE: usize = 64 << 20;
const CODE: u32 = 0x1000;
const DATA: u32 = 0x10_0000;
/// `mov r0, r1; mov r3, r2`, then `str r3, [r0]; add r0, r0, #4096; subs r3, r3, #1`,
/// bne to the store. [`AGAIN`] stands behind it.
const PROGRAM: [u32; 6] = [
    0xe1a0_0001,
    0xe1a0_3002,
    0xe480_3000,
    0xe280_0a01,
    0xe253_3001,
    0x1aff_fffb,
];
const AGAIN: u32 = 0xeaff_fff8;
/// Instructions of one turn.
const TURN: u64 = 3 + 4 * DIRTY as u64;
/// Rounds of the short measurements.
const ROUNDS: usize = 40;

/// Medians, in milliseconds but for the last.
pub(crate) struct Costs {
    first: f64,
    save: f64,
    copy_to_new: f64,
    copy_to_warm: f64,
    restore: f64,
    turn: f64,
    turn_after_restore: f64,
    write_file: f64,
    cp: f64,
    open_file: f64,
    breakpoint_us: f64,
}

pub(crate) fn measure(runs: usize) -> Result<Costs> {
    let mut machine = machine()?;
    turn(&mut machine)?;
    let mut first = Vec::new();
    for _ in 0..runs {
        let mut fresh = self::machine()?;
        turn(&mut fresh)?;
        first.push(milliseconds(|| fresh.snapshot()).0);
    }
    let base = machine.snapshot();

    let (mut save, mut restore) = (Vec::new(), Vec::new());
    let (mut to_new, mut to_warm) = (Vec::new(), Vec::new());
    let (mut plain, mut after) = (Vec::new(), Vec::new());
    let source = vec![7_u8; DIRTY as usize * PAGE];
    let mut warm = vec![1_u8; source.len()];
    for _ in 0..ROUNDS {
        after.push(milliseconds(|| turn(&mut machine)).0);
        plain.push(milliseconds(|| turn(&mut machine)).0);
        restore.push(milliseconds(|| machine.restore(&base)).0);
        turn(&mut machine)?;
        save.push(milliseconds(|| machine.snapshot()).0);
        machine.restore(&base)?;
        to_new.push(milliseconds(|| black_box(black_box(&source).clone())).0);
        to_warm.push(milliseconds(|| black_box(&mut warm).copy_from_slice(black_box(&source))).0);
    }

    let folder = tempfile::tempdir().context("a folder for snapshots")?;
    let (file, copy) = (folder.path().join("file"), folder.path().join("copy"));
    let (mut write_file, mut cp, mut open_file) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let (time, written) = milliseconds(|| base.write(&mut File::create(&file)?, &[]));
        written.context("a snapshot's file")?;
        write_file.push(time);
        let (time, status) = milliseconds(|| Command::new("cp").args([&file, &copy]).status());
        ensure!(status.context("cp")?.success(), "cp failed");
        cp.push(time);
        let (time, opened) =
            milliseconds(|| -> Result<Machine> { Ok(Machine::open(&mut File::open(&file)?)?.0) });
        opened?;
        open_file.push(time);
        // `cp` and we find the same state of the disk.
        std::fs::remove_file(&copy)?;
        std::fs::remove_file(&file)?;
    }

    machine.add_breakpoint(CODE + 8)?;
    let hits = 10_000;
    let (time, result) = milliseconds(|| -> Result<()> {
        for _ in 0..hits {
            let exit = machine.run(1 << 40)?;
            ensure!(matches!(exit, Exit::Breakpoint { .. }), "{exit:?}");
        }
        Ok(())
    });
    result?;
    Ok(Costs {
        first: median(&first),
        save: median(&save),
        copy_to_new: median(&to_new),
        copy_to_warm: median(&to_warm),
        restore: median(&restore),
        turn: median(&plain),
        turn_after_restore: median(&after),
        write_file: median(&write_file),
        cp: median(&cp),
        open_file: median(&open_file),
        breakpoint_us: time * 1000.0 / f64::from(hits),
    })
}

fn machine() -> Result<Machine> {
    let mut machine = Machine::new(Config {
        cpu: CpuModel::Arm926,
        midr: None,
        ram: vec![RamBank { base: 0, size: RAM }],
        board: BoardConfig::Versatile,
    })?;
    // No page is like another, nor zero.
    let mut word = 1_u32;
    let in_use: Vec<u8> = std::iter::repeat_with(|| {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        word.to_le_bytes()
    })
    .take(IN_USE / 4)
    .flatten()
    .collect();
    machine.load(0, &in_use)?;
    let program = PROGRAM.iter().chain([&AGAIN]);
    let code: Vec<u8> = program.flat_map(|word| word.to_le_bytes()).collect();
    machine.load(CODE, &code)?;
    machine.start(Entry {
        pc: CODE,
        r: [0, DATA, DIRTY],
    });
    Ok(machine)
}

/// Writes to all of the pages.
fn turn(machine: &mut Machine) -> Result<()> {
    let exit = machine.run(TURN)?;
    ensure!(exit == Exit::Budget, "{exit:?}");
    Ok(())
}

fn milliseconds<T>(act: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = act();
    (start.elapsed().as_secs_f64() * 1e3, result)
}

pub(crate) fn text(costs: &Costs) -> String {
    let mut text = format!(
        "snapshots of a machine with {} MiB in use, {DIRTY} pages changed; medians\n",
        IN_USE >> 20
    );
    let mut line = |what: &str, value: f64, peer: &str, of: f64| {
        let beside = match peer {
            "" => String::new(),
            _ => format!("  {peer} {of:.2} ms, ratio {:.2}", value / of),
        };
        let _ = writeln!(text, "  {what:<34} {value:>7.2} ms{beside}");
    };
    line("the first one", costs.first, "", 0.0);
    line(
        "save",
        costs.save,
        "memcpy to new memory",
        costs.copy_to_new,
    );
    line(
        "save",
        costs.save,
        "memcpy to warm memory",
        costs.copy_to_warm,
    );
    line(
        "restore",
        costs.restore,
        "memcpy to warm memory",
        costs.copy_to_warm,
    );
    let touches = costs.turn_after_restore - costs.turn;
    line("first touches after a restore, more", touches, "", 0.0);
    line("write to a file", costs.write_file, "cp", costs.cp);
    line("open a file", costs.open_file, "cp", costs.cp);
    let _ = writeln!(
        text,
        "  a breakpoint, there and on: {:.2} us",
        costs.breakpoint_us
    );
    text
}

pub(crate) fn json(costs: &Costs) -> Value {
    json!({
        "dirty_pages": DIRTY,
        "first_ms": costs.first,
        "save_ms": costs.save,
        "memcpy_to_new_ms": costs.copy_to_new,
        "memcpy_to_warm_ms": costs.copy_to_warm,
        "restore_ms": costs.restore,
        "first_touches_ms": costs.turn_after_restore - costs.turn,
        "write_file_ms": costs.write_file,
        "cp_ms": costs.cp,
        "open_file_ms": costs.open_file,
        "breakpoint_us": costs.breakpoint_us,
    })
}
