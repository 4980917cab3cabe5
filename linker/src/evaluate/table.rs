//! Evaluations as text: of one kernel, and of many with totals.

use std::fmt::Write;

use super::pointers::{Counts, Judged, Verdict};
use super::{Alone, Boundaries, Evaluation};

/// Everything about one kernel.
pub fn one(evaluation: &Evaluation) -> String {
    let mut text = format!(
        "kernel {}, {} bytes, symbols hidden\n\n",
        evaluation.release, evaluation.bytes
    );
    match &evaluation.functions {
        None => text += "functions: the list does not name them all, so they are not measured\n",
        Some(functions) => {
            let row = |name: &str, it: &Boundaries| {
                vec![
                    name.to_owned(),
                    it.found.to_string(),
                    it.truth.to_string(),
                    rate(it.precision),
                    rate(it.recall),
                    rate(it.f1),
                ]
            };
            text += &columns(
                &["functions", "found", "truth", "precision", "recall", "F1"],
                &[
                    row("without the unwind index", &functions.without),
                    row("with it", &functions.with),
                ],
            );
        }
    }
    text += "\n";
    text += &strategies(&evaluation.strategies);
    let bad: Vec<Vec<String>> = evaluation.pointers.iter().filter_map(complaint).collect();
    if !bad.is_empty() {
        text += "\n";
        text += &columns(
            &["not right", "how", "found", "truth", "strategy", "evidence"],
            &bad,
        );
    }
    for names in &evaluation.unmet {
        text += &format!("\nrequired and not found: {}", names.join(" or "));
    }
    if !evaluation.unmet.is_empty() {
        text += "\n";
    }
    let seconds = &evaluation.seconds;
    text += &format!(
        "\nseconds: {:.3} code, {:.3} pointers with all strategies (the code included)\n",
        seconds.code, seconds.pointers
    );
    text
}

/// A line a kernel, then totals, the least and the median, then what each
/// strategy found over all.
pub fn many(evaluations: &[Evaluation]) -> String {
    let mut rows: Vec<Vec<String>> = evaluations.iter().map(line).collect();
    let all = sum(evaluations.iter().map(Evaluation::counts));
    let signatures = sum(evaluations
        .iter()
        .filter_map(Evaluation::signatures_of_paper));
    let functions = |with: bool| -> Vec<f64> {
        let functions = evaluations.iter().filter_map(|it| it.functions.as_ref());
        functions
            .map(|it| if with { it.with.f1 } else { it.without.f1 })
            .collect()
    };
    let shares: Vec<f64> = evaluations.iter().map(|it| it.counts().share()).collect();
    let alone: Vec<f64> = evaluations
        .iter()
        .filter_map(Evaluation::signatures_of_paper)
        .map(|it| it.share())
        .collect();
    let seconds: Vec<f64> = evaluations.iter().map(|it| it.seconds.pointers).collect();
    let unmet: usize = evaluations.iter().map(|it| it.unmet.len()).sum();
    let mut total = vec![format!("total of {}", evaluations.len()), String::new()];
    total.extend([String::new(), String::new()]);
    total.extend(counts(&all));
    total.extend([unmet.to_string(), share(&signatures), String::new()]);
    rows.push(total);
    for (name, pick) in [("least", least as fn(&[f64]) -> f64), ("median", median)] {
        let mut row = vec![name.to_owned(), String::new()];
        row.extend([rate(pick(&functions(false))), rate(pick(&functions(true)))]);
        row.extend(vec![String::new(); 4]);
        row.push(percent(pick(&shares)));
        row.extend([String::new(), percent(pick(&alone))]);
        row.push(match name {
            "median" => format!("{:.3}", median(&seconds)),
            _ => String::new(),
        });
        rows.push(row);
    }
    let mut text = columns(
        &[
            "kernel",
            "release",
            "F1 -unwind",
            "F1",
            "right",
            "wrong",
            "ambiguous",
            "missing",
            "share",
            "unmet",
            "paper's by I-III",
            "s",
        ],
        &rows,
    );
    text += "\n";
    text += &strategies(&added(evaluations));
    let bad: Vec<Vec<String>> = evaluations
        .iter()
        .flat_map(|evaluation| {
            let rows = evaluation.pointers.iter().filter_map(complaint);
            rows.filter(|row| row[1] != "missing").map(|mut row| {
                row.insert(0, evaluation.name.clone());
                row
            })
        })
        .collect();
    if !bad.is_empty() {
        text += "\n";
        text += &columns(
            &[
                "kernel",
                "not right",
                "how",
                "found",
                "truth",
                "strategy",
                "evidence",
            ],
            &bad,
        );
    }
    for evaluation in evaluations {
        for names in &evaluation.unmet {
            let names = names.join(" or ");
            text += &format!("{}: required and not found: {names}\n", evaluation.name);
        }
    }
    text
}

fn line(evaluation: &Evaluation) -> Vec<String> {
    let f1 = |with: bool| match &evaluation.functions {
        None => String::new(),
        Some(it) if with => rate(it.with.f1),
        Some(it) => rate(it.without.f1),
    };
    let mut row = vec![
        evaluation.name.clone(),
        evaluation.release.clone(),
        f1(false),
        f1(true),
    ];
    row.extend(counts(&evaluation.counts()));
    row.extend([
        evaluation.unmet.len().to_string(),
        evaluation
            .signatures_of_paper()
            .map_or(String::new(), |it| share(&it)),
        format!("{:.3}", evaluation.seconds.pointers),
    ]);
    row
}

/// Right, wrong, ambiguous, missing, share of those that exist.
fn counts(it: &Counts) -> Vec<String> {
    vec![
        it.right.to_string(),
        it.wrong.to_string(),
        match it.ambiguous() {
            0 => "0".to_owned(),
            several => format!("{several} ({} first)", it.first),
        },
        it.missing.to_string(),
        percent(it.share()),
    ]
}

fn share(it: &Counts) -> String {
    format!("{}/{} {}", it.right, it.existing(), percent(it.share()))
}

fn strategies(alone: &[Alone]) -> String {
    let rows: Vec<Vec<String>> = alone
        .iter()
        .map(|it| {
            let mut row = vec![it.strategy.clone()];
            row.extend(counts(&it.pointers));
            row.push(share(&it.paper));
            row.push(it.paper.wrong.to_string());
            row
        })
        .collect();
    columns(
        &[
            "strategy alone",
            "right",
            "wrong",
            "ambiguous",
            "missing",
            "share",
            "paper's",
            "wrong of these",
        ],
        &rows,
    )
}

/// What each strategy found in all kernels together.
fn added(evaluations: &[Evaluation]) -> Vec<Alone> {
    let mut all: Vec<Alone> = Vec::new();
    for one in evaluations.iter().flat_map(|it| &it.strategies) {
        match all.iter_mut().find(|it| it.strategy == one.strategy) {
            Some(known) => {
                known.pointers += one.pointers;
                known.paper += one.paper;
            }
            None => all.push(one.clone()),
        }
    }
    all
}

fn sum(counts: impl Iterator<Item = Counts>) -> Counts {
    counts.fold(Counts::default(), |mut sum, one| {
        sum += one;
        sum
    })
}

/// What is not as it should be of a pointer, as a row.
fn complaint(one: &Judged) -> Option<Vec<String>> {
    let how = match one.verdict {
        Verdict::Right | Verdict::Absent | Verdict::Untold => return None,
        Verdict::Wrong if one.truth.is_empty() => "wrong: not in this kernel",
        Verdict::Wrong => "wrong",
        Verdict::First => "ambiguous, right one first",
        Verdict::Behind => "ambiguous, right one not first",
        Verdict::Astray => "ambiguous, right one not among them",
        Verdict::Missing => "missing",
        Verdict::Phantom => "ambiguous: not in this kernel",
    };
    let list = |addresses: &[u32]| {
        let shown: Vec<String> = addresses
            .iter()
            .take(4)
            .map(|it| format!("{it:#x}"))
            .collect();
        shown.join(" ")
    };
    Some(vec![
        one.name.clone(),
        how.to_owned(),
        list(&one.candidates),
        list(&one.truth),
        one.strategy.clone().unwrap_or_default(),
        one.evidence.join("; "),
    ])
}

fn rate(value: f64) -> String {
    format!("{value:.4}")
}

fn percent(value: f64) -> String {
    format!("{:.1} %", 100.0 * value)
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().min_by(f64::total_cmp).unwrap_or(0.0)
}

/// The middle one; of an even number, the mean of the middle two. 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    match (sorted.get(upper), sorted.len() % 2) {
        (None, _) => 0.0,
        (Some(middle), 1) => *middle,
        (Some(above), _) => (sorted[upper - 1] + above) / 2.0,
    }
}

/// Left-aligned columns, two spaces between them, nothing behind the last.
fn columns(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .chain(head.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let mut put = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text += line.trim_end();
        text.push('\n');
    };
    put(&mut head.iter().copied());
    for row in rows {
        put(&mut row.iter().map(String::as_str));
    }
    text
}
