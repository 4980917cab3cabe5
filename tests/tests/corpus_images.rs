//! Every image of the corpus is opened, and what comes out is compared with the
//! corpus's index: release, length and checksum of the kernel, architecture,
//! initramfs; and its virtual address with its symbols.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use linker::image::{self, Firmware};
use linker::kernel::{Arch, Kernel};
use sha2::{Digest, Sha256};
use tests::fixtures;

/// A line of the index by the names in its first line.
type Row = BTreeMap<String, String>;

fn index(corpus: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(corpus.join("INDEX.tsv")).expect("the index can be read");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let row = |line: &str| {
        let fields = names.iter().zip(line.split('\t'));
        fields
            .map(|(name, field)| ((*name).to_owned(), field.to_owned()))
            .collect()
    };
    lines.map(row).collect()
}

/// Addresses and names of the functions that the symbol file lists.
fn functions(folder: &Path) -> Option<Vec<(u32, String)>> {
    let file = std::fs::File::open(folder.join("symbols.txt.xz")).ok()?;
    let mut text = String::new();
    liblzma::read::XzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("the symbol file can be unpacked");
    let function = |line: &str| {
        let mut fields = line.split_whitespace();
        let address = u32::from_str_radix(fields.next()?, 16).ok()?;
        let kind = fields.next()?;
        let name = fields.next()?;
        (kind.eq_ignore_ascii_case("t")).then(|| (address, name.to_owned()))
    };
    Some(text.lines().filter_map(function).collect())
}

/// The share of functions that begin as the compilers begin most of theirs: by
/// saving registers or by keeping the stack pointer.
fn entries(kernel: &Kernel, functions: &[(u32, String)], shift: u32) -> f64 {
    let begins = |address: u32| {
        let Some(word) = kernel.word(address.wrapping_add(shift)) else {
            return false;
        };
        if kernel.facts.thumb2 {
            // PUSH, or STMDB sp! in the wide form
            return word & 0xfe00 == 0xb400 || word & 0xffff == 0xe92d;
        }
        // STMDB sp!; MOV ip, sp; STR lr, [sp, #-4]!
        word >> 16 == 0xe92d || word == 0xe1a0_c00d || word == 0xe52d_e004
    };
    let count = functions
        .iter()
        .filter(|(address, _)| begins(*address))
        .count();
    count as f64 / functions.len().max(1) as f64
}

/// What is wrong with the virtual address, when the symbols are the truth.
fn check_base(kernel: &Kernel, functions: &[(u32, String)]) -> Result<f64, String> {
    // The start of the image has one of these names where it has any.
    for start in ["stext", "_stext", "_text"] {
        let named = functions.iter().find(|(_, name)| name == start);
        if named.is_some_and(|(address, _)| *address < kernel.base) {
            return Err(format!("{start} lies before {:#x}", kernel.base));
        }
    }
    // A base that is off by anything makes functions begin in their midst.
    let right = entries(kernel, functions, 0);
    for shift in [0x1000, 0x8000, 0x10_0000, 0x20_0000] {
        for shift in [shift, 0u32.wrapping_sub(shift)] {
            let wrong = entries(kernel, functions, shift);
            if wrong * 3.0 > right {
                return Err(format!(
                    "{right:.2} of the functions begin well at {:#x}, {wrong:.2} with {shift:#x} more",
                    kernel.base
                ));
            }
        }
    }
    Ok(right)
}

fn compare(row: &Row, firmware: &Firmware, folder: &Path) -> Result<String, String> {
    let field = |name: &str| row.get(name).map_or("", String::as_str);
    let kernel = &firmware.kernel;
    let equal = |what: &str, found: String, expected: &str| {
        if found == expected {
            return Ok(());
        }
        Err(format!("{what} is {found}, expected {expected}"))
    };
    let facts = &kernel.facts;
    equal("release", facts.release.clone(), field("release"))?;
    let size = kernel.bytes.len().to_string();
    equal("size", size, field("decompressed_size"))?;
    let digest = Sha256::digest(&kernel.bytes);
    let digest = digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    equal("checksum", digest, field("decompressed_sha256"))?;
    let arch = match facts.arch {
        Arch::V4 => "v4",
        Arch::V5 => "v5",
        Arch::V6 => "v6",
        Arch::V7 => "v7",
    };
    let listed = field("arch").split('(').next().unwrap_or_default();
    equal("architecture", arch.to_owned(), listed)?;
    if let Some(listed) = field("initramfs").strip_prefix("cpio(") {
        // The index counts the trailer as well.
        let found = firmware
            .initramfs
            .as_ref()
            .map_or(0, |found| found.entries + 1);
        equal("initramfs", format!("{found} entries)"), listed)?;
    }
    if let (Some(phys), Some(load)) = (facts.phys_offset, firmware.load_address) {
        let expected = phys.wrapping_add(facts.text_offset);
        equal(
            "load address",
            format!("{load:#x}"),
            &format!("{expected:#x}"),
        )?;
    }
    let functions = functions(folder);
    let share = functions
        .map(|functions| check_base(kernel, &functions))
        .transpose()?
        .map_or("-".to_owned(), |share| format!("{share:.2}"));
    Ok(format!(
        "{:#010x} {:#08x} {:>10} {arch} smp {} thumb {} tree {} {share:>5}",
        facts.page_offset,
        facts.text_offset,
        facts
            .phys_offset
            .map_or("-".to_owned(), |phys| format!("{phys:#x}")),
        u8::from(facts.smp),
        u8::from(facts.thumb2),
        u8::from(facts.device_tree),
    ))
}

#[test]
fn corpus_images_open_as_the_index_says() {
    let Some(corpus) = fixtures::corpus() else {
        return;
    };
    let rows = index(&corpus);
    assert!(!rows.is_empty(), "the index has no lines");
    let mut wrong = Vec::new();
    let mut total = Duration::ZERO;
    println!("name, PAGE_OFFSET, text offset, RAM, ..., share of functions that begin well, time");
    for row in &rows {
        let name = row.get("name").map_or("", String::as_str);
        let folder = corpus.join(name);
        let bytes = std::fs::read(folder.join("image")).expect("an image of the index is there");
        let start = Instant::now();
        let opened = image::open(&bytes);
        let took = start.elapsed();
        total += took;
        let result = opened
            .map_err(|error| error.to_string())
            .and_then(|firmware| compare(row, &firmware, &folder));
        match result {
            Ok(text) => println!("{name:32} {text} {:4} ms", took.as_millis()),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    println!(
        "{} of {} in {total:.1?}",
        rows.len() - wrong.len(),
        rows.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
