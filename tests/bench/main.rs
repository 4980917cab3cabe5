//! `cargo xtask bench`: this emulator and `qemu-system-arm` side by side, and
//! identification beside what else a user might run ([`identify`]); and what
//! snapshots cost ([`snapshots`]).
//!
//! Absolute times mean little on a machine that others use too. So the runs of
//! all peers are interleaved, and what counts is the ratio of the medians. Every
//! peer gets the same kernel, the same archive as user space and as much RAM.
//!
//! QEMU runs twice: plain, where an idle guest waits in real time, and with
//! `-icount shift=3,sleep=off`, where idle time is skipped, as here.

mod identify;
mod peers;
mod snapshots;
mod table;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;

use peers::{Guest, Peer};
use table::{Row, median};
use tests::fixtures;
use work::Work;

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let runs = arguments.next().context("how many runs?")?;
    let runs: usize = runs
        .to_string_lossy()
        .parse()
        .context("the number of runs")?;
    let output = PathBuf::from(arguments.next().context("where does the JSON go?")?);

    let snapshots = snapshots::measure(runs)?;
    print!("{}", snapshots::text(&snapshots));
    let mut rows = Vec::new();
    for guest in guests() {
        measure(&guest, runs, &mut rows)?;
    }
    let shell = image_to_shell(runs)?;
    let identification = identify::measure(runs)?;

    print!("{}", table::text(&rows));
    println!(
        "\nimage to shell, BCM5301X kernel, all included: {:.2} s (median of {runs}), {:.0} MiB at most",
        median(&shell.seconds),
        shell.peak_mib
    );
    print!("\n{}", identify::text(&identification));
    let report = json!({
        "runs": runs,
        "side_by_side": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "image_to_shell": {
            "kernel": "bcm5301x-6.1",
            "wall_s": median(&shell.seconds),
            "wall_s_runs": shell.seconds,
            "peak_mib": shell.peak_mib,
        },
        "snapshots": snapshots::json(&snapshots),
        "identification": identify::json(&identification),
    });
    let text = serde_json::to_string_pretty(&report)?;
    std::fs::write(&output, text + "\n")
        .with_context(|| format!("cannot write {}", output.display()))?;
    eprintln!("bench: written to {}", output.display());
    Ok(())
}

/// Kernels that both emulators boot as they are.
fn guests() -> Vec<Guest> {
    let mut guests = vec![Guest {
        name: "Linux 6.1, versatile",
        kernel: fixtures::kernel("versatile-6.1", "zImage"),
        tree: Some(fixtures::kernel("versatile-6.1", "versatile-pb.dtb")),
        qemu_cpu: "arm926",
        with_work: true,
    }];
    if let Some(kernel) = fixtures::image("qemu-rpi-3.10.25", "image") {
        guests.push(Guest {
            name: "Linux 3.10.25, versatile",
            kernel,
            tree: None,
            qemu_cpu: "arm1176",
            with_work: false,
        });
    }
    guests
}

/// Rows of one guest: the way to user space, then each kind of work there.
///
/// The time of a piece of work is that of a boot with it less that of a boot
/// without, for each emulator.
fn measure(guest: &Guest, runs: usize, rows: &mut Vec<Row>) -> Result<()> {
    let boot = side_by_side(guest, &Work::NONE, runs)?;
    let start = boot.clone();
    rows.push(Row {
        what: format!("{}: command to user space", guest.name),
        seconds: boot,
    });
    if !guest.with_work {
        return Ok(());
    }
    for work in Work::ALL {
        let mut seconds = side_by_side(guest, work, runs)?;
        for (times, without) in seconds.iter_mut().zip(&start) {
            let without = median(without);
            times.iter_mut().for_each(|time| *time -= without);
        }
        rows.push(Row {
            what: work.name.to_owned(),
            seconds,
        });
    }
    Ok(())
}

/// Times of every peer in the order of [`Peer::ALL`], the runs interleaved.
fn side_by_side(guest: &Guest, work: &Work, runs: usize) -> Result<Vec<Vec<f64>>> {
    let archive = work.archive();
    let mut seconds = vec![Vec::new(); Peer::ALL.len()];
    for run in 1..=runs {
        for (peer, times) in Peer::ALL.iter().zip(&mut seconds) {
            let time = peer.time_to_user_space(guest, archive.path());
            let time =
                time.with_context(|| format!("{}, {}, {}", guest.name, work.name, peer.name()))?;
            eprintln!(
                "bench: {}, {}, run {run}, {}: {time:.2} s",
                guest.name,
                work.name,
                peer.name()
            );
            times.push(time);
        }
    }
    Ok(seconds)
}

/// Wall times and the largest memory of the whole pipeline on the demo kernel.
struct ImageToShell {
    seconds: Vec<f64>,
    peak_mib: f64,
}

fn image_to_shell(runs: usize) -> Result<ImageToShell> {
    let kernel = fixtures::kernel("bcm5301x-6.1", "zImage");
    let mut result = ImageToShell {
        seconds: Vec::new(),
        peak_mib: 0.0,
    };
    for _ in 0..runs {
        let mut ecmo = tests::command::ecmo();
        ecmo.arg("run").arg(&kernel).args(["--until", "shell"]);
        let finished = tests::command::run(&mut ecmo, peers::LIMIT);
        anyhow::ensure!(finished.code() == 0, "no shell:\n{}", finished.stderr);
        result.seconds.push(finished.wall.as_secs_f64());
        result.peak_mib = result.peak_mib.max(finished.peak_kib as f64 / 1024.0);
    }
    Ok(result)
}
