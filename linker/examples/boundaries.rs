//! Starts of functions in kernels that have a symbol table, with the table hidden:
//! precision, recall and F1 for each, without and with the unwind index.
//!
//! ```text
//! cargo run --release -p linker --example boundaries -- CORPUS [NAME ...]
//! ```
//!
//! CORPUS is a directory with a folder for each kernel that holds `image` and
//! `symbols.txt.xz` (address, type, name). With names only the folders whose names
//! contain one of them are looked at. Times are those of the whole analysis, on one
//! core, without the unwind index.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use linker::{
    code::{Code, Options},
    evaluate::{
        boundaries::{self, Score, Truth},
        mask,
    },
    image,
    symbols::system_map,
};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let corpus = PathBuf::from(arguments.next().context("no directory given")?);
    let names: Vec<String> = arguments.collect();
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(&corpus).with_context(|| corpus.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let wanted = names.is_empty() || names.iter().any(|part| name.contains(part));
        if wanted && path.join("symbols.txt.xz").exists() {
            folders.push(path.clone());
        }
    }
    folders.sort();
    println!("{:32} {}", "", Line::HEAD);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        match measure(&folder) {
            Ok(line) => {
                println!("{name:32} {}", line.text());
                without.push(line.without.f1());
                with.push(line.with.f1());
            }
            Err(error) => println!("{name:32} {error:#}"),
        }
    }
    println!("without the unwind index: {}", summary(without));
    println!("with it:                  {}", summary(with));
    Ok(())
}

/// What was measured of one kernel.
struct Line {
    without: Score,
    with: Score,
    time: Duration,
    mebibytes: f64,
}

impl Line {
    const HEAD: &str =
        " MiB  precision recall  F1      right wrong missed left out  with index   time";

    fn text(&self) -> String {
        let score = &self.without;
        format!(
            "{:4.1}  {:.4}    {:.4}  {:.4} {:7} {:5} {:6} {:8}  {:.4} {:7.0} ms",
            self.mebibytes,
            score.precision(),
            score.recall(),
            score.f1(),
            score.right,
            score.wrong,
            score.missed,
            score.left_out,
            self.with.f1(),
            self.time.as_secs_f64() * 1e3,
        )
    }
}

fn measure(folder: &Path) -> anyhow::Result<Line> {
    let bytes = std::fs::read(folder.join("image"))?;
    let kernel = image::open(&bytes)?.kernel;
    let packed = std::fs::File::open(folder.join("symbols.txt.xz"))?;
    let mut text = String::new();
    liblzma::read::XzDecoder::new(packed).read_to_string(&mut text)?;
    let truth = Truth::of(&kernel, &system_map::parse(&text)?);
    let masked = mask::without_tables(&kernel);
    let score = |unwind_index| {
        let start = Instant::now();
        let code = Code::analyse(&masked, &Options { unwind_index });
        (boundaries::score(&code, &truth), start.elapsed())
    };
    let (without, time) = score(false);
    let (with, _) = score(true);
    Ok(Line {
        without,
        with,
        time,
        mebibytes: masked.bytes.len() as f64 / f64::from(1 << 20),
    })
}

/// Lowest and middle of the numbers.
fn summary(mut numbers: Vec<f64>) -> String {
    numbers.sort_by(f64::total_cmp);
    match (numbers.first(), numbers.get(numbers.len() / 2)) {
        (Some(lowest), Some(middle)) => format!(
            "F1 at least {lowest:.4}, median {middle:.4}, of {} kernels",
            numbers.len()
        ),
        _ => "no kernels".into(),
    }
}
