//! What the code shows and what the table says, made one.
//!
//! Fields that both know alike are the code's, with the table as a second
//! witness. Where they differ the code is believed when two functions show the
//! same, or when the table leaves the field open; else neither is. A table that
//! is wrong about one field is believed about another only when the next field
//! behind that, of those that the code shows, lies where the table has it: then
//! nothing that is not in the table can lie between them.
//!
//! Nor does it take two functions where the size of the struct, which other code
//! shows, has grown by just as much as its last fields have moved.
//!
//! Where the table fits but for one field, and the one function that shows it
//! elsewhere shows the place of another, then that function is not the one it is
//! taken for.
//!
//! Vendors carry structs of later versions back. So where the table of this
//! version does not fit, or there is none, others are tried: when all fields
//! that the code shows, and they are not few, fit one, the others of its fields
//! are where it has them.

use std::collections::BTreeMap;

use super::{
    Known,
    conditions::Conditions,
    read::{Reads, Shown},
    solve::{self, Observed, Solution},
    table::{Era, Struct},
};
use crate::kernel::Version;

/// So many fields that are shown tell a layout of another version.
const ENOUGH: usize = 3;

/// And so many that one more which does not fit is a mistake.
const PLENTY: usize = 6;

/// What is known of one struct.
#[derive(Default)]
pub(super) struct Merged {
    pub fields: BTreeMap<String, Known>,
    pub size: Option<Known>,
    /// Conditions that turned out to hold or not.
    pub conditions: BTreeMap<String, bool>,
    /// Fields on which nothing can be said, and why.
    pub contradictions: BTreeMap<String, String>,
}

pub(super) fn merge(
    of: &str,
    table: Option<&Struct>,
    version: Version,
    conditions: &Conditions,
    mut observed: Observed<'_>,
    reads: &Reads,
) -> Merged {
    let mut merged = Merged::default();
    let mut shown: BTreeMap<&str, Shown> = BTreeMap::new();
    let mut torn: BTreeMap<&str, (Vec<u32>, String)> = BTreeMap::new();
    let alone = observed.clone();
    for (field, read) in reads.shown(of) {
        match read {
            Ok(read) if field.is_empty() => observed.size = Some(read.known(None)),
            Ok(read) => drop(shown.insert(field, read)),
            Err((values, words)) => drop(torn.insert(field, (values, words))),
        }
    }
    merged.size.clone_from(&observed.size);
    for (field, read) in &shown {
        let field = (*field).to_owned();
        observed.fields.entry(field).or_insert(read.known(None));
    }
    let era = table.and_then(|table| table.era(version));
    let fits = |era: &Era| {
        let solution = solve::solve(era, conditions, &observed.of_era(era));
        (!solution.fields.is_empty()).then_some(solution)
    };
    let fitting = era.and_then(fits);
    let odd = match (era, &fitting) {
        (Some(era), None) => odd(era, conditions, &observed, &shown),
        _ => None,
    };
    let fitting = odd.map_or(fitting, |(field, solution)| {
        if let Some(read) = shown.remove(field) {
            let words = format!(
                "{:#x}: {}; all else is as the layout table has it",
                read.value, read.evidence
            );
            merged.contradictions.insert(field.to_owned(), words);
        }
        Some(solution)
    });
    match era.map(|era| (era, fitting)) {
        Some((era, Some(together))) => agreement(era, &together, &shown, &mut merged),
        other => {
            let others: Vec<&Era> = match (table, &other) {
                (None, _) => Vec::new(),
                (Some(table), None) => table.around(version).collect(),
                (Some(table), Some(_)) => table.eras().iter().collect(),
            };
            let enough = shown.len() >= ENOUGH;
            let fitting: Vec<(&Era, Solution)> = others
                .into_iter()
                .filter(|_| enough)
                .filter_map(|era| Some((era, fits(era)?)))
                .collect();
            match (fitting.is_empty(), era) {
                (false, _) => borrowed(era, &fitting, &shown, &mut merged),
                (true, Some(era)) => {
                    let table = solve::solve(era, conditions, &alone);
                    disagreement(era, &table, &shown, &mut merged);
                }
                (true, None) => {
                    for (field, read) in &shown {
                        merged.fields.insert((*field).to_owned(), read.known(None));
                    }
                }
            }
        }
    }
    for (field, (values, words)) in torn {
        let tabled = merged.fields.get(field).map(|known| known.value);
        if !tabled.is_some_and(|value| values.contains(&value)) {
            merged.fields.remove(field);
            let words = format!("the code contradicts itself: {words}");
            merged.contradictions.insert(field.to_owned(), words);
        }
    }
    merged
}

/// The one field without which the table fits, and where all lie then.
fn odd<'s>(
    era: &Era,
    conditions: &Conditions,
    observed: &Observed<'_>,
    shown: &BTreeMap<&'s str, Shown>,
) -> Option<(&'s str, Solution)> {
    if shown.len() <= PLENTY {
        return None;
    }
    let single = shown.iter().filter(|(_, read)| read.reads == 1);
    let mut found = single.filter_map(|(&field, read)| {
        let mut observed = observed.clone();
        observed.fields.remove(field);
        let mut solution = solve::solve(era, conditions, &observed.of_era(era));
        solution.fields.remove(field);
        let mut others = solution.fields.values();
        let anothers = others.any(|known| known.value == read.value);
        anothers.then_some((field, solution))
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// Layouts of other versions fit: what they agree on.
fn borrowed(
    era: Option<&Era>,
    fitting: &[(&Era, Solution)],
    shown: &BTreeMap<&str, Shown>,
    merged: &mut Merged,
) {
    let Some(((first, solution), rest)) = fitting.split_first() else {
        return;
    };
    let why = match era {
        Some(_) => "this version's table does not fit the code, that one does",
        None => "no table of this version; the code fits that one",
    };
    let same = |field: &str, value: u32| {
        rest.iter().all(|(_, other)| {
            let known = other.fields.get(field);
            known.is_some_and(|known| known.value == value)
        })
    };
    for (field, known) in &solution.fields {
        if same(field, known.value) {
            let evidence = format!("{} ({why}: {} fields)", known.evidence, shown.len());
            let value = known.value;
            merged
                .fields
                .insert(field.clone(), Known { value, evidence });
        }
    }
    for (field, read) in shown {
        let tabled = solution.fields.get(*field);
        let says = tabled.map(|_| format!("layout table, {}, agrees", first.source));
        merged
            .fields
            .insert((*field).to_owned(), read.known(says.as_deref()));
    }
    let agreed = solution.size.as_ref().filter(|size| {
        rest.iter()
            .all(|(_, other)| other.size.as_ref().map(|it| it.value) == Some(size.value))
    });
    merged.size = merged.size.take().or(agreed.cloned());
}

/// The table allows everything that is shown.
fn agreement(era: &Era, table: &Solution, shown: &BTreeMap<&str, Shown>, merged: &mut Merged) {
    merged.fields.clone_from(&table.fields);
    merged.size = merged.size.take().or(table.size.clone());
    merged.conditions.clone_from(&table.conditions);
    for (field, read) in shown {
        let known = match table.fields.get(*field) {
            Some(_) => read.known(Some(&format!("layout table, {}, agrees", era.source))),
            None => read.known(None),
        };
        merged.fields.insert((*field).to_owned(), known);
    }
}

/// Whether a vendor has only added members to what the table has: the fields
/// that are shown keep its order, each moved by as much as those before it or by
/// more, and the struct has grown by as much as the last of them has moved.
fn grown(table: &Solution, shown: &BTreeMap<&str, Shown>, size: Option<&Known>) -> bool {
    let mut moved: Vec<(u32, u32)> = shown
        .iter()
        .filter_map(|(field, read)| Some((table.fields.get(*field)?.value, read.value)))
        .collect();
    moved.sort_unstable();
    let distances: Option<Vec<u32>> = moved
        .iter()
        .map(|(tabled, shown)| shown.checked_sub(*tabled))
        .collect();
    let (Some(distances), Some(size), Some(tabled)) = (distances, size, &table.size) else {
        return false;
    };
    distances.len() >= ENOUGH
        && distances.is_sorted()
        && distances.last().copied() == size.value.checked_sub(tabled.value)
}

/// No way to lay the table out allows everything that is shown.
fn disagreement(era: &Era, table: &Solution, shown: &BTreeMap<&str, Shown>, merged: &mut Merged) {
    let mut anchors: BTreeMap<u32, bool> = BTreeMap::new();
    let grown = grown(table, shown, merged.size.as_ref());
    for (field, read) in shown {
        let tabled = table.fields.get(*field).map(|known| known.value);
        let named = era.members.iter().any(|member| member.name == *field);
        let agrees = tabled == Some(read.value);
        if let Some(offset) = tabled {
            anchors.insert(offset, agrees);
        }
        let says = match tabled {
            Some(offset) if offset == read.value => {
                format!("layout table, {}, agrees", era.source)
            }
            Some(offset) => format!("layout table, {}, has {offset:#x}", era.source),
            None if named => format!("layout table, {}, leaves it open", era.source),
            None => format!("layout table, {}, has no such field", era.source),
        };
        let open = tabled.is_none() && named;
        let says = match grown && !agrees {
            true => format!("{says}; the struct has grown by as much as its last fields moved"),
            false => says,
        };
        if agrees || open || grown || read.reads > 1 {
            let known = read.known(Some(&says));
            merged.fields.insert((*field).to_owned(), known);
        } else {
            let words = format!("{:#x}: {}; {says}", read.value, read.evidence);
            merged.contradictions.insert((*field).to_owned(), words);
        }
    }
    for (field, known) in &table.fields {
        let next = anchors.range(known.value..).next();
        if !shown.contains_key(field.as_str()) && next.is_some_and(|(_, agrees)| *agrees) {
            merged.fields.insert(field.clone(), known.clone());
        }
    }
}

impl Shown {
    fn known(&self, table: Option<&str>) -> Known {
        let evidence = match table {
            Some(table) => format!("{} ({table})", self.evidence),
            None => self.evidence.clone(),
        };
        Known {
            value: self.value,
            evidence,
        }
    }
}
