//! What the code shows and what the table says, made one.
//!
//! Fields that both know alike are the code's, with the table as a second
//! witness. Where they differ the code is believed when two functions show the
//! same, or when the table leaves the field open; else neither is. A table that
//! is wrong about one field is believed about another only when the next field
//! behind that, of those that the code shows, lies where the table has it: then
//! nothing that is not in the table can lie between them.

use std::collections::BTreeMap;

use super::{
    Known,
    conditions::Conditions,
    read::{Reads, Shown},
    solve::{self, Observed, Solution},
    table::Era,
};

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
    era: Option<&Era>,
    conditions: &Conditions,
    mut observed: Observed<'_>,
    reads: &Reads,
) -> Merged {
    let mut merged = Merged::default();
    let mut shown: BTreeMap<&str, Shown> = BTreeMap::new();
    let mut torn: BTreeMap<&str, (Vec<u32>, String)> = BTreeMap::new();
    for (field, read) in reads.shown(of) {
        match read {
            Ok(read) => drop(shown.insert(field, read)),
            Err((values, words)) => drop(torn.insert(field, (values, words))),
        }
    }
    let table = era.map(|era| {
        let alone = solve::solve(era, conditions, &observed);
        let tabled = |field: &str| era.members.iter().any(|member| member.name == field);
        for (field, read) in &shown {
            if tabled(field) {
                let known = read.known(None);
                observed
                    .fields
                    .entry((*field).to_owned())
                    .or_insert_with(|| known);
            }
        }
        let together = solve::solve(era, conditions, &observed);
        (era, alone, together)
    });
    match &table {
        Some((era, alone, together)) if together.fields.is_empty() => {
            disagreement(era, alone, &shown, &mut merged);
        }
        Some((era, _, together)) => agreement(era, together, &shown, &mut merged),
        None => {
            for (field, read) in &shown {
                merged.fields.insert((*field).to_owned(), read.known(None));
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

/// The table allows everything that is shown.
fn agreement(era: &Era, table: &Solution, shown: &BTreeMap<&str, Shown>, merged: &mut Merged) {
    merged.fields.clone_from(&table.fields);
    merged.size.clone_from(&table.size);
    merged.conditions.clone_from(&table.conditions);
    for (field, read) in shown {
        let known = match table.fields.get(*field) {
            Some(_) => read.known(Some(&format!("layout table, {}, agrees", era.source))),
            None => read.known(None),
        };
        merged.fields.insert((*field).to_owned(), known);
    }
}

/// No way to lay the table out allows everything that is shown.
fn disagreement(era: &Era, table: &Solution, shown: &BTreeMap<&str, Shown>, merged: &mut Merged) {
    let mut anchors: BTreeMap<u32, bool> = BTreeMap::new();
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
        if agrees || open || read.reads > 1 {
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
