use expect_test::expect;

use super::*;

fn judged(name: &str, verdict: Verdict, candidates: &[u32], truth: &[u32]) -> Judged {
    Judged {
        name: name.to_owned(),
        verdict,
        candidates: candidates.to_vec(),
        truth: truth.to_vec(),
        strategy: (!candidates.is_empty()).then(|| "lexical".to_owned()),
        evidence: match candidates {
            [] => Vec::new(),
            _ => vec!["text \"x\" at 0xc0200000".to_owned()],
        },
    }
}

/// A kernel that nobody built.
fn made_up(name: &str) -> Evaluation {
    let pointers = vec![
        judged("setup_irq", Verdict::Right, &[0xc000_8000], &[0xc000_8000]),
        judged("irq_to_desc", Verdict::Wrong, &[0xc000_8100], &[0xc000_9000]),
        judged("printk", Verdict::Wrong, &[0xc000_8200], &[]),
        judged("panic", Verdict::First, &[0xc000_8300, 0xc000_8400], &[0xc000_8300]),
        judged("kfree", Verdict::Behind, &[0xc000_8300, 0xc000_8400], &[0xc000_8400]),
        judged("memset", Verdict::Missing, &[], &[0xc000_8500]),
        judged("gone", Verdict::Absent, &[], &[]),
    ];
    let boundaries = |precision, recall, f1| Boundaries {
        found: 1990,
        truth: 2000,
        precision,
        recall,
        f1,
    };
    let paper = [judged("setup_irq", Verdict::Right, &[0xc000_8000], &[0xc000_8000])];
    Evaluation {
        name: name.to_owned(),
        release: "4.9.77".to_owned(),
        bytes: 3_000_000,
        functions: Some(Functions {
            without: boundaries(0.99, 0.985, 0.9875),
            with: boundaries(0.995, 0.99, 0.9925),
        }),
        strategies: vec![
            alone("lexical", &pointers[..1]),
            alone(SIGNATURES, &paper),
            alone(COMBINED, &pointers),
        ],
        pointers,
        unmet: vec![vec!["memset".to_owned(), "__memzero".to_owned()]],
        seconds: Seconds {
            code: 0.25,
            pointers: 0.5,
        },
    }
}

#[test]
fn one_kernel_as_text() {
    expect![[""]].assert_eq(&table::one(&made_up("a")));
}

#[test]
fn several_kernels_as_text() {
    let mut second = made_up("second");
    second.functions = None;
    second.unmet.clear();
    second.pointers.truncate(1);
    expect![[""]].assert_eq(&table::many(&[made_up("first"), second]));
}
