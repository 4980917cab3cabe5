//! Kernels that set-up fetches and builds, identified with their names hidden;
//! the truth is the list of the build, or their own symbol table.

use std::time::Duration;

use serde_json::Value;
use tests::{
    command,
    evaluation::{self, Bar, Case},
    fixtures,
};

/// Names in the cache, and the image's file.
const KERNELS: [(&str, &str); 4] = [
    ("bcm5301x-6.1", "zImage"),
    ("debian-marvell", "vmlinuz"),
    ("debian-rpi", "vmlinuz"),
    ("versatile-6.1", "zImage"),
];

const BAR: Bar = Bar {
    right: 0.85,
    wrong: 0.0,
    ambiguous: 0.03,
    by_signatures: 0.71,
    unmet: 0,
};

#[test]
fn kernels_of_the_cache_with_their_names_hidden() {
    let cases = KERNELS.map(|(name, file)| Case::of_cache(name, file));
    let faults = evaluation::faults(&evaluation::all(&cases), &BAR);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The keys of `ecmo identify --json` are an interface, and so is the form of
/// the file of boundaries.
#[test]
fn what_identify_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let boundaries = folder.path().join("functions");
    let mut ecmo = command::ecmo();
    ecmo.arg("identify")
        .arg(fixtures::kernel("bcm5301x-6.1", "zImage"))
        .args(["--no-symbols", "--json", "-", "--functions"])
        .arg(&boundaries);
    let finished = command::run(&mut ecmo, Duration::from_secs(60));
    let answer = finished.json();
    assert_eq!(
        keys(&answer),
        ["image", "kernel", "layouts", "pointers", "wall_s"]
    );
    assert_eq!(
        keys(&answer["kernel"]),
        ["arch", "base", "cpu", "page_offset", "release"]
    );
    let pointers = answer["pointers"].as_array().expect("a list");
    assert!(pointers.len() >= 40);
    for pointer in pointers {
        assert_eq!(
            keys(pointer),
            [
                "address",
                "candidates",
                "kind",
                "name",
                "required",
                "status",
                "strategy"
            ]
        );
        let candidates = pointer["candidates"].as_array().expect("a list");
        let only = match candidates.as_slice() {
            [only] => only["address"].clone(),
            _ => Value::Null,
        };
        assert_eq!(pointer["address"], only, "{pointer}");
        for candidate in candidates {
            assert_eq!(keys(candidate), ["address", "evidence", "score"]);
            let evidence = candidate["evidence"].as_array().expect("a list");
            assert!(!evidence.is_empty(), "{pointer}");
        }
    }
    for layout in answer["layouts"].as_array().expect("a list") {
        assert_eq!(
            keys(layout),
            ["evidence", "field", "offset", "source", "struct"]
        );
    }
    let lacks = |pointer: &Value| pointer["required"] == true && pointer["address"].is_null();
    assert_eq!(finished.code(), i32::from(pointers.iter().any(lacks)));

    let text = std::fs::read_to_string(boundaries).expect("the file of boundaries");
    let mut before = 0;
    let mut count = 0;
    for line in text.lines() {
        let (start, end) = line.split_once(' ').expect("two columns");
        let number = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16);
        let (start, end) = (
            number(start).expect("a number"),
            number(end).expect("a number"),
        );
        assert!(before <= start && start < end, "{line}");
        before = end;
        count += 1;
    }
    assert!(count > 10_000, "{count} functions");
}

/// The names of an object's members, sorted.
fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
