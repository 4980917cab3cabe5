//! `ecmo demo`: the whole path on a real kernel, told step by step.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::{DONE, NEGATIVE, is_stdout, print, read, text, write_json};
use crate::pipeline::boot::{self, Observer};
use crate::pipeline::{Error, Initrd, Limits, Settings, Symbols, outcome, prepare};
use crate::plan::{Board, Plan, Wishes};
use crate::report::Tried;
use crate::session::{Passed, Session};
use crate::verdict::Milestone;

/// The kernel that set-up builds for this, below the cache folder.
const KERNEL: &str = "kernels/bcm5301x-6.1/zImage";
/// What is typed at the prompt.
const TYPED: &str = "uname -a; echo $((6*7))\n";

/// Boot a real kernel for a chip that no emulator models, and type a command
///
/// The kernel is the one that `cargo xtask setup` builds: Linux 6.1 for Broadcom
/// BCM5301X.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ecmo demo")]
pub struct Arguments {
    /// Another image
    image: Option<PathBuf>,
    /// Write the report as one JSON object; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The command.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, Error> {
    let began = Instant::now();
    let path = match &arguments.image {
        Some(path) => path.clone(),
        None => demo_kernel()?,
    };
    let tells = !is_stdout(arguments.json.as_deref());
    let tell = |line: String| if tells { print(&line) } else { Ok(()) };
    let settings = Settings {
        name: path.display().to_string(),
        image: read(&path)?,
        initrd: Initrd::Default,
        symbols: Symbols::Own,
        driver: None,
        board: Board::Transplant,
        wishes: Wishes::default(),
        goal: Some(Milestone::Shell),
        input: Some(TYPED.as_bytes().to_vec()),
        limits: Limits::SCRIPT,
        keep_at: None,
        replay: None,
    };
    tell(format!(
        "{}, {} bytes\n",
        settings.name,
        settings.image.len()
    ))?;
    let firmware = prepare::open(&settings.name, &settings.image)?;
    let facts = &firmware.kernel.facts;
    tell(format!(
        "  Linux {}, {}{}, unpacked to {} bytes\n",
        facts.release,
        text::architecture(facts.arch),
        if facts.smp { " SMP" } else { "" },
        firmware.kernel.bytes.len()
    ))?;
    let prepared = prepare::identify(firmware, &settings.symbols)?;
    for descriptor in &prepared.identification.machines.descriptors {
        tell(format!("  made for {}\n", descriptor.name))?;
    }
    let ran = boot::boot(&settings, &prepared, began, &mut Teller { tells })?;
    let report = outcome::report(&settings, &prepared, &ran, began.elapsed());
    write_json(arguments.json.as_deref(), &report)?;
    tell(format!("\n{}", answer(&report.console)))?;
    tell(format!(
        "\n{} instructions, {} of them the driver's; {:.2} s in all",
        text::grouped(report.instructions),
        text::grouped(report.driver_instructions),
        report.wall_s
    ))?;
    match peak_memory() {
        Some(mib) => tell(format!(", {mib} MiB of memory at most\n"))?,
        None => tell("\n".to_owned())?,
    }
    tell(format!(
        "verdict: {}\n",
        report.verdict.map_or("nothing", Milestone::name)
    ))?;
    match &report.reason {
        None => Ok(DONE),
        Some(reason) => {
            tell(format!("reason: {reason}\n"))?;
            Ok(NEGATIVE)
        }
    }
}

/// The kernel in the cache folder.
fn demo_kernel() -> Result<PathBuf, Error> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = set("ECMO_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("ecmo-rs")))
        .or_else(|| Some(set("HOME")?.join(".cache/ecmo-rs")));
    let path = cache
        .map(|cache| cache.join(KERNEL))
        .filter(|path| path.is_file());
    path.ok_or_else(|| Error::Input {
        file: KERNEL.to_owned(),
        why: "not in the cache folder; run `cargo xtask setup`, or name an image".to_owned(),
    })
}

/// The end of the console, from the ready line on.
fn answer(console: &str) -> String {
    let from = console.rfind(crate::userland::READY).unwrap_or(0);
    let lines = console[from..].lines().map(str::trim_end);
    // The query for the terminal's cursor that the shell sends with its prompt.
    lines
        .map(|line| line.replace("\u{1b}[6n", "") + "\n")
        .collect()
}

/// The most memory that this process has held, in MiB (`VmHWM` of Linux).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib.div_ceil(1024))
}

/// Tells every milestone as it is passed.
struct Teller {
    tells: bool,
}

impl Observer for Teller {
    fn started(&mut self, plan: &Plan, tried: &[Tried]) {
        let mut text = String::new();
        for tried in tried {
            text += &format!("  {} {} did not work out\n", tried.what, tried.value);
        }
        text += &format!(
            "  booting on {} with {} MiB of RAM at {:#010x}\n\n",
            plan.cpu.model.name(),
            plan.ram.size >> 20,
            plan.ram.base
        );
        self.tell(&text);
    }

    fn went_back(&mut self, _session: &Session, tried: &[Tried]) {
        if let Some(tried) = tried.last() {
            self.tell(&format!(
                "  {} {} did not work out, going back\n",
                tried.what, tried.value
            ));
        }
    }

    fn passed(&mut self, passed: &Passed) {
        self.tell(&format!(
            "  {:12} {:>13} instructions {:10.6} s virtual {:7.3} s wall\n",
            passed.milestone,
            text::grouped(passed.instructions),
            passed.at.0 as f64 / 1e9,
            passed.wall.as_secs_f64()
        ));
    }
}

impl Teller {
    /// The run goes on when nobody can read it.
    fn tell(&self, text: &str) {
        if self.tells {
            let _ = print(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_begins_at_the_ready_line() {
        let console =
            "[    0.1] boot\r\necmo: shell ready (6.1)\r\necmo:~# \u{1b}[6nid\r\nuid=0\r\n";
        expect_test::expect![[r#"
            ecmo: shell ready (6.1)
            ecmo:~# id
            uid=0
        "#]]
        .assert_eq(&answer(console));
    }
}
