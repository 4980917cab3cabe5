//! The tables as golden text.

use expect_test::expect;

use super::*;
use crate::identify::Kind;

fn judged(name: &str, verdict: Verdict, candidates: &[u32], truth: &[u32]) -> Judged {
    Judged {
        name: name.to_owned(),
        kind: Kind::Function,
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
        judged(
            "irq_to_desc",
            Verdict::Wrong,
            &[0xc000_8100],
            &[0xc000_9000],
        ),
        judged("printk", Verdict::Wrong, &[0xc000_8200], &[]),
        judged(
            "panic",
            Verdict::First,
            &[0xc000_8300, 0xc000_8400],
            &[0xc000_8300],
        ),
        judged(
            "kfree",
            Verdict::Behind,
            &[0xc000_8300, 0xc000_8400],
            &[0xc000_8400],
        ),
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
    let paper = [judged(
        "setup_irq",
        Verdict::Right,
        &[0xc000_8000],
        &[0xc000_8000],
    )];
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
    expect![[r#"
        kernel 4.9.77, 3000000 bytes, symbols hidden

        functions                 found  truth  precision  recall  F1
        without the unwind index  1990   2000   0.9900     0.9850  0.9875
        with it                   1990   2000   0.9950     0.9900  0.9925

        strategy alone     right  wrong  ambiguous    missing  share    paper's      wrong of these
        lexical            1      0      0            0        100.0 %  1/1 100.0 %  0
        I to III together  1      0      0            0        100.0 %  1/1 100.0 %  0
        all together       1      2      2 (1 first)  1        20.0 %   1/2 50.0 %   1

        not right    how                             found                  truth       strategy  evidence
        irq_to_desc  wrong                           0xc0008100             0xc0009000  lexical   text "x" at 0xc0200000
        printk       wrong: not in this kernel       0xc0008200                         lexical   text "x" at 0xc0200000
        panic        ambiguous, right one first      0xc0008300 0xc0008400  0xc0008300  lexical   text "x" at 0xc0200000
        kfree        ambiguous, right one not first  0xc0008300 0xc0008400  0xc0008400  lexical   text "x" at 0xc0200000
        memset       missing                                                0xc0008500

        required and not found: memset or __memzero

        seconds: 0.250 code, 0.500 pointers with all strategies (the code included)
    "#]].assert_eq(&table::one(&made_up("a")));
}

#[test]
fn several_kernels_as_text() {
    let mut second = made_up("second");
    second.functions = None;
    second.unmet.clear();
    second.pointers.truncate(1);
    expect![[r#"
        kernel      release  F1 -unwind  F1      right  wrong  ambiguous    missing  share    unmet  paper's by I-III  s
        first       4.9.77   0.9875      0.9925  1      2      2 (1 first)  1        20.0 %   1      1/1 100.0 %       0.500
        second      4.9.77                       1      0      0            0        100.0 %  0      1/1 100.0 %       0.500
        total of 2                               2      2      2 (1 first)  1        33.3 %   1      2/2 100.0 %
        least                0.9875      0.9925                                      20.0 %          100.0 %
        median               0.9875      0.9925                                      60.0 %          100.0 %           0.500

        strategy alone     right  wrong  ambiguous    missing  share    paper's      wrong of these
        lexical            2      0      0            0        100.0 %  2/2 100.0 %  0
        I to III together  2      0      0            0        100.0 %  2/2 100.0 %  0
        all together       2      4      4 (2 first)  2        20.0 %   2/4 50.0 %   2

        kernel  not right    how                             found                  truth       strategy  evidence
        first   irq_to_desc  wrong                           0xc0008100             0xc0009000  lexical   text "x" at 0xc0200000
        first   printk       wrong: not in this kernel       0xc0008200                         lexical   text "x" at 0xc0200000
        first   panic        ambiguous, right one first      0xc0008300 0xc0008400  0xc0008300  lexical   text "x" at 0xc0200000
        first   kfree        ambiguous, right one not first  0xc0008300 0xc0008400  0xc0008400  lexical   text "x" at 0xc0200000
        first: required and not found: memset or __memzero
    "#]].assert_eq(&table::many(&[made_up("first"), second]));
}
