//! Tests of the signatures' form, and of what is taken for a release.

use proptest::prelude::*;

use super::*;

const TEXT: &str = r#"signatures 1
version 3.18.20
file kernel/irq/chip.c
fn irq_set_chip --x- 2 34 7 0 1
t "\x013Trying \"%d\"\n"
t? "maybe"
w warn 11 13
w? oncef 9 9 include/linux/a.h
c irq_get_desc_lock p0 - 1
c local~ -22 "name" &no_irq_chip
d maybe local~
a no_irq_chip
k &4 !200 =-16?
r -22 0
fn second si-? 0 50 1 0 0
file kernel/irq/dummychip.c
var dummy_irq_chip -- irq_chip
m name "dummy"
m irq_enable &noop
"#;

#[test]
fn text_and_values_are_the_same() {
    let era = read(TEXT).unwrap();
    assert_eq!(era.to_string(), TEXT);
    let first = era.functions.first().unwrap();
    assert_eq!(first.strings.first().unwrap().text, "\u{1}3Trying \"%d\"\n");
    assert_eq!(era.functions.get(1).unwrap().order, 1);
}

#[test]
fn differences_read_as_the_whole() {
    let base = read(TEXT).unwrap();
    let mut era = base.clone();
    era.version = Version(3, 19, 0);
    for function in &mut era.functions {
        function.version = era.version;
        function.line += 7;
        let file = function.file.clone();
        for warn in function.warns.iter_mut().filter(|warn| warn.file == file) {
            (warn.line, warn.end_line) = (warn.line + 7, warn.end_line + 7);
        }
    }
    for variable in &mut era.initialisers {
        variable.version = era.version;
    }
    era.functions.last_mut().unwrap().returns.push(5);
    let differences = Differences {
        era: &era,
        base: &base,
    };
    let text = differences.to_string();
    expect_test::expect![[r#"
        signatures 1
        version 3.19.0
        after 3.18.20
        file kernel/irq/chip.c
        = irq_set_chip 41
        fn second si-? 0 57 1 0 0
        r 5
        file kernel/irq/dummychip.c
        =v dummy_irq_chip
    "#]]
    .assert_eq(&text);
    assert_eq!(read(&text), Err(Error::Base(base.version)));
    assert_eq!(text::read_after(&text, |_| Some(&base)), Ok(era));
}

#[test]
fn errors_name_the_line() {
    assert_eq!(read("signatures 2\n"), Err(Error::Form));
    let bad = read("signatures 1\nversion 3.18.20\nt \"x\"\n");
    assert_eq!(bad.unwrap_err().to_string(), "line 3: a function expected");
}

#[test]
fn every_shipped_file_can_be_read() {
    for version in Signatures::shipped().versions().collect::<Vec<_>>() {
        let facts = Signatures::shipped().for_version(version);
        let era = facts.eras().first().unwrap();
        assert_eq!(era.version, version);
        assert!(era.functions.len() > 100, "{version:?}");
    }
}

#[test]
fn between_two_releases_a_fact_of_one_is_conditional() {
    let old =
        read("signatures 1\nversion 3.0.0\nfile a.c\nfn f --x- 0 1 3 0 0\nt \"a\"\nt \"b\"\n");
    let new = read(
        "signatures 1\nversion 3.2.0\nfile a.c\nfn f --x- 0 1 2 0 0\nt \"a\"\nfn g --x- 0 9 1 0 0\n",
    );
    let facts = SourceFacts::of(vec![old.unwrap(), new.unwrap()]);
    let f = facts.function("f").unwrap();
    let texts: Vec<_> = f
        .strings
        .iter()
        .map(|t| (t.text.as_str(), t.conditional))
        .collect();
    assert_eq!(texts, [("a", false), ("b", true)]);
    assert!(!f.conditional);
    assert_eq!(f.blocks, 2);
    assert!(facts.function("g").unwrap().conditional);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(signatures 1\n)?([a-z?~ \"\\\\x0-9&-]{0,40}\n){0,8}") {
        if let Ok(era) = read(&text) {
            prop_assert_eq!(read(&era.to_string()), Ok(era));
        }
    }
}
