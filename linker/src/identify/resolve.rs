//! From names to candidates.

use std::collections::BTreeMap;

use super::{
    Candidate, Kind, Pointer, Status, Thumb,
    combine::{Finding, Findings},
};
use crate::{
    machine::Machines,
    symbols::{Source, Symbol, SymbolTable},
};

/// Addresses, each with what speaks for it: a strategy and a text.
type Votes = BTreeMap<u32, Vec<(&'static str, String)>>;

/// One of the names that are asked for always.
pub(super) fn one(
    name: &str,
    kind: Kind,
    symbols: &SymbolTable,
    findings: &Findings,
    thumb: &Thumb,
    machines: &Machines,
) -> Pointer {
    let mut votes = votes(name, symbols);
    if kind == Kind::Data
        && let Some(known) = machines.variables.get(name)
    {
        // A list from outside may call a descriptor `machine_desc`, which in
        // the kernel is the name of the pointer to it.
        let descriptor = |address: &u32| machines.descriptors.iter().any(|it| it.va == *address);
        votes.retain(|address, _| !descriptor(address));
        votes
            .entry(known.value)
            .or_default()
            .push(("machine_desc", known.evidence.clone()));
    }
    pointer(name, kind, votes, findings.get(name), thumb)
}

/// Any name that a symbol has.
pub(super) fn any(
    name: &str,
    symbols: &SymbolTable,
    findings: &Findings,
    thumb: &Thumb,
) -> Pointer {
    // Only a letter that says so makes it data: a name in a list without
    // letters is most likely a function.
    let kinds = || symbols.all(name).map(|symbol| symbol.kind);
    let data = kinds().any(|kind| "bBdDrRaAgGsSvV".contains(kind));
    let kind = match data && !kinds().any(is_code) {
        true => Kind::Data,
        false => Kind::Function,
    };
    let votes = votes(name, symbols);
    pointer(name, kind, votes, findings.get(name), thumb)
}

fn is_code(kind: char) -> bool {
    matches!(kind, 't' | 'T' | 'w' | 'W')
}

/// What the symbols say.
fn votes(name: &str, symbols: &SymbolTable) -> Votes {
    let mut votes = Votes::new();
    for source in [Source::Kallsyms, Source::Elf, Source::Exports, Source::File] {
        let of_source: Vec<&Symbol> = symbols
            .all(name)
            .filter(|symbol| symbol.source == source)
            .collect();
        let global: Vec<&Symbol> = of_source
            .iter()
            .copied()
            .filter(|symbol| symbol.kind.is_ascii_uppercase())
            .collect();
        let (strategy, text) = match source {
            Source::Kallsyms => ("symbol_table", "the kernel's symbol table"),
            Source::Elf => ("symbol_table", "the ELF file's symbol table"),
            Source::Exports => ("export_table", "the kernel's export table"),
            Source::File => ("symbols_file", "the file of symbols"),
            // Has its own evidence, in the findings.
            Source::Code => continue,
        };
        let others = of_source.len() - global.len();
        match global[..] {
            // Of static functions there may be many of one name; what other
            // files call by it is the global one.
            [only] if others > 0 => {
                let text = format!("{text}: the global one of {} of this name", others + 1);
                votes
                    .entry(only.address)
                    .or_default()
                    .push((strategy, text));
            }
            _ => {
                for symbol in of_source {
                    let vote = (strategy, text.to_owned());
                    votes.entry(symbol.address).or_default().push(vote);
                }
            }
        }
    }
    votes
}

fn pointer(
    name: &str,
    kind: Kind,
    votes: Votes,
    finding: Option<&Finding>,
    thumb: &Thumb,
) -> Pointer {
    let mut candidates: Vec<(&'static str, Candidate)> = votes
        .into_iter()
        .filter_map(|(address, votes)| {
            let candidate = Candidate {
                address: match kind {
                    Kind::Function => thumb.callable(address),
                    Kind::Data | Kind::Field => address,
                },
                score: votes.len() as f64,
                evidence: votes.iter().map(|(_, text)| text.clone()).collect(),
            };
            Some((votes.first()?.0, candidate))
        })
        .collect();
    candidates.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
    let named = !candidates.is_empty();
    let hesitates = finding.is_some_and(|it| !it.certain);
    let certain = named || finding.is_some_and(|it| it.certain);
    for (strategy, found) in finding.iter().flat_map(|it| &it.candidates) {
        let same = candidates
            .iter_mut()
            .find(|it| it.1.address & !1 == found.address & !1);
        match same {
            Some((_, candidate)) => candidate.evidence.extend(found.evidence.iter().cloned()),
            // Code that could be several functions contradicts no symbol.
            None if named && hesitates => {}
            None => candidates.push((strategy.name(), found.clone())),
        }
    }
    if !certain && candidates.len() == 1 {
        candidates.clear();
    }
    Pointer {
        name: name.to_owned(),
        kind,
        status: match candidates.len() {
            0 => Status::Missing,
            1 => Status::Found,
            _ => Status::Ambiguous,
        },
        strategy: candidates
            .first()
            .map(|(strategy, _)| (*strategy).to_owned()),
        candidates: candidates.into_iter().map(|(_, it)| it).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::Strategy;

    fn resolved(certain: bool, addresses: &[u32]) -> Pointer {
        let symbol = Symbol {
            address: 0x100,
            kind: '?',
            name: "handler".into(),
            source: Source::File,
        };
        let candidate = |&address: &u32| {
            let candidate = Candidate {
                address,
                score: 20.0,
                evidence: vec!["code".into()],
            };
            (Strategy::Relation, candidate)
        };
        let finding = Finding {
            candidates: addresses.iter().map(candidate).collect(),
            certain,
            function: true,
        };
        one(
            "handler",
            Kind::Function,
            &SymbolTable::new(vec![symbol]),
            &Findings::from([("handler".to_owned(), finding)]),
            &Thumb {
                kernel: false,
                arm: Default::default(),
            },
            &Machines::default(),
        )
    }

    #[test]
    fn code_that_hesitates_contradicts_no_symbol() {
        let pointer = resolved(false, &[0x200, 0x100]);
        assert_eq!(pointer.address(), Some(0x100));
        assert_eq!(
            pointer.candidates[0].evidence,
            ["the file of symbols", "code"]
        );
    }

    #[test]
    fn code_that_is_certain_does() {
        let pointer = resolved(true, &[0x200]);
        assert_eq!(pointer.status, Status::Ambiguous);
        assert_eq!(pointer.candidates.len(), 2);
    }
}
