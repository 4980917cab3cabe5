//! Symbols and DWARF of what was kept, for `driver.elf`.
//!
//! DWARF of a member comes along when any of its sections is kept. Addresses in
//! it of functions that were dropped become 0, or 1 in range and location
//! lists, where 0 would end the list: what linkers have agreed on. A member whose
//! DWARF is compressed goes without.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use goblin::elf::reloc::{R_ARM_ABS32, R_ARM_REL32};

use super::Error;
use super::layout::{Layout, Veneer};
use super::names::{SectionId, Target};
use super::reach::{Graph, Reached};
use crate::bytes::le32;
use crate::object::{Definition, Section, SectionKind};
use crate::transplant::elf::{ATTRIBUTES, Part, Symbol, SymbolKind};

/// The output sections.
pub(super) fn parts(layout: &Layout) -> Vec<Part> {
    let part = |name, range: &std::ops::Range<u32>, zero| Part {
        name,
        range: range.clone(),
        zero,
    };
    let parts = [
        part(".text", &layout.code, false),
        part(".rodata", &layout.constants, false),
        part(".data", &layout.data, false),
        part(".bss", &layout.zero, true),
    ];
    parts
        .into_iter()
        .filter(|part| !part.range.is_empty())
        .collect()
}

/// Every named symbol in a kept section, and names for what the linker made.
pub(super) fn symbols(graph: &Graph<'_>, kept: &Reached, layout: &Layout) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    let members: BTreeSet<_> = kept
        .sections
        .iter()
        .map(|id| (id.driver, id.member))
        .collect();
    for (driver, member) in members {
        for symbol in graph.drivers[driver].members()[member].symbols() {
            let Definition::Section { section, offset } = symbol.definition else {
                continue;
            };
            let id = SectionId {
                driver,
                member,
                section,
            };
            let Some(&start) = layout.sections.get(&id) else {
                continue;
            };
            if symbol.name.is_empty() || symbol.section {
                continue;
            }
            symbols.push(Symbol {
                name: symbol.name.clone(),
                value: start.wrapping_add(offset) | u32::from(symbol.thumb),
                size: symbol.size,
                kind: match (symbol.function, symbol.object) {
                    (true, _) => SymbolKind::Function,
                    (_, true) => SymbolKind::Object,
                    _ => SymbolKind::Other,
                },
                global: symbol.binding != crate::object::Binding::Local,
            });
        }
    }
    for (&veneer, &at) in &layout.veneers {
        let name = match veneer.destination {
            Target::Kernel(name) => graph.kernel.get(name).name.clone(),
            other => format!("{:08x}", layout.address(other, &graph.kernel).0),
        };
        made(&mut symbols, format!("__{name}_veneer"), at, veneer.thumb);
        if veneer.thumb {
            mark(&mut symbols, "$a", at + 4);
        }
        mark(&mut symbols, "$d", at + Veneer::literal(veneer));
    }
    for (index, (chain, at)) in layout.chains.iter().enumerate() {
        made(&mut symbols, format!("__chain_{index}"), *at, false);
        mark(
            &mut symbols,
            "$d",
            at + 16 + 12 * chain.functions.len() as u32,
        );
    }
    symbols
}

fn made(symbols: &mut Vec<Symbol>, name: String, at: u32, thumb: bool) {
    mark(symbols, if thumb { "$t" } else { "$a" }, at);
    symbols.push(Symbol {
        name,
        value: at | u32::from(thumb),
        size: 0,
        kind: SymbolKind::Function,
        global: false,
    });
}

fn mark(symbols: &mut Vec<Symbol>, name: &str, at: u32) {
    symbols.push(Symbol {
        name: name.to_owned(),
        value: at,
        size: 0,
        kind: SymbolKind::Other,
        global: false,
    });
}

/// DWARF sections by name, joined over members, with relocations applied.
pub(super) fn sections(
    graph: &mut Graph<'_>,
    kept: &Reached,
    layout: &Layout,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let members: BTreeSet<_> = kept
        .sections
        .iter()
        .map(|id| (id.driver, id.member))
        .collect();
    let mut joined: BTreeMap<&str, Vec<SectionId>> = BTreeMap::new();
    let mut starts: HashMap<SectionId, u32> = HashMap::new();
    let mut lengths: HashMap<&str, u32> = HashMap::new();
    for (driver, member) in members {
        let sections = graph.drivers[driver].members()[member].sections();
        // A debugger can do without; half of a member's DWARF would confuse it.
        let is_debug = |section: &&Section| section.kind == SectionKind::Debug;
        if sections
            .iter()
            .filter(is_debug)
            .any(|section| section.compressed)
        {
            continue;
        }
        for (section, found) in sections.iter().enumerate() {
            let dropped = graph.spaces[driver].is_discarded(member, section);
            if found.kind != SectionKind::Debug || dropped {
                continue;
            }
            let id = SectionId {
                driver,
                member,
                section,
            };
            let length = lengths.entry(&found.name).or_default();
            let start = length.next_multiple_of(found.align);
            starts.insert(id, start);
            *length = start.saturating_add(found.size);
            joined.entry(&found.name).or_default().push(id);
        }
    }
    let mut output = Vec::new();
    for (name, ids) in joined {
        let mut bytes = Vec::new();
        for id in ids {
            bytes.resize(starts.get(&id).copied().unwrap_or(0) as usize, 0);
            bytes.extend(relocated(graph, layout, &starts, id)?);
        }
        output.push((name.to_owned(), bytes));
    }
    Ok(output)
}

fn relocated(
    graph: &mut Graph<'_>,
    layout: &Layout,
    starts: &HashMap<SectionId, u32>,
    id: SectionId,
) -> Result<Vec<u8>, Error> {
    let member = graph.member(id);
    let mut bytes = member.content(id.section)?.to_vec();
    let lists = matches!(
        member.sections()[id.section].name.as_str(),
        ".debug_ranges" | ".debug_loc"
    );
    for relocation in member.relocations(id.section)? {
        // Nothing else occurs in DWARF without thread-local variables.
        if !matches!(relocation.kind, R_ARM_ABS32 | R_ARM_REL32) {
            continue;
        }
        let at = relocation.offset as usize;
        let Some(in_place) = le32(&bytes, at) else {
            continue;
        };
        let addend = relocation.addend.unwrap_or(in_place.cast_signed());
        let target = graph.resolve_known(id, relocation.symbol)?;
        let value = match target {
            Target::Section {
                id,
                offset,
                function,
                thumb,
            } => {
                let start = starts.get(&id).or_else(|| layout.sections.get(&id));
                start.map(|start| {
                    let thumb = u32::from(function && thumb);
                    start.wrapping_add(offset).wrapping_add_signed(addend) | thumb
                })
            }
            Target::Nothing | Target::GotBase => None,
            other => {
                let (address, _) = layout.address(other, &graph.kernel);
                Some(address.wrapping_add_signed(addend))
            }
        };
        let value = value.unwrap_or(u32::from(lists));
        if let Some(word) = bytes.get_mut(at..at + 4) {
            word.copy_from_slice(&value.to_le_bytes());
        }
    }
    Ok(bytes)
}

/// The build attributes of the first member that is in use and has any.
pub(super) fn attributes(graph: &Graph<'_>, kept: &Reached) -> Result<Vec<u8>, Error> {
    for &id in &kept.sections {
        let sections = graph.member(id).sections();
        if let Some(found) = sections
            .iter()
            .position(|section| section.name == ATTRIBUTES)
        {
            return Ok(graph.member(id).content(found)?.to_vec());
        }
    }
    Ok(Vec::new())
}
