//! Contents: sections are copied to their places, slots filled, relocations
//! applied.

use std::collections::BTreeSet;

use super::fill::Slots;
use super::layout::{Extras, Layout, Veneer};
use super::names::{SectionId, Target};
use super::reach::{Edge, Graph, Reached};
use super::reloc::{self, Branch, Fault, Field, Formula, Route};
use super::{Board, Error, OpaqueRequest};
use crate::object::SectionKind;

/// Finds out by trying which branches need veneers: every veneer moves what
/// lies behind it, so that another branch may then need one.
pub(super) fn settle(
    graph: &mut Graph<'_>,
    kept: &Reached,
    mut extras: Extras,
    request: OpaqueRequest,
    board: &Board,
) -> Result<Layout, Error> {
    let mut veneers = BTreeSet::new();
    let mut got = BTreeSet::new();
    loop {
        let layout = Layout::new(graph, kept, &extras, request, board)?;
        let known = (veneers.len(), got.len());
        for &id in &kept.sections {
            let bytes = graph.member(id).content(id.section)?;
            for edge in graph.edges(id)?.iter() {
                match reloc::rule(edge.kind) {
                    Some((Formula::Branch, field)) => {
                        let found = veneer(graph, &layout, id, edge, field, bytes);
                        veneers.extend(found.map_err(|fault| broken(graph, id, edge, fault))?);
                    }
                    Some((Formula::GotRelative | Formula::GotOffset | Formula::GotAbsolute, _)) => {
                        got.insert(edge.target);
                    }
                    _ => {}
                }
            }
        }
        if (veneers.len(), got.len()) == known {
            return Ok(layout);
        }
        extras.veneers = veneers.iter().copied().collect();
        extras.got = got.iter().copied().collect();
    }
}

fn broken(graph: &Graph<'_>, id: SectionId, edge: &Edge, fault: Fault) -> Error {
    let symbols = graph.member(id).symbols();
    let symbol = symbols.get(edge.symbol).map_or("", |symbol| &symbol.name);
    let symbol = match edge.target {
        Target::Section { id, .. } if symbol.is_empty() => graph.section(id).name.clone(),
        _ => symbol.to_owned(),
    };
    Error::Relocation {
        section: graph.describe(id),
        offset: edge.offset,
        symbol,
        fault,
    }
}

fn branch(layout: &Layout, id: SectionId, edge: &Edge, field: Field, insn: u32) -> Branch {
    let start = layout.sections.get(&id).copied().unwrap_or(0);
    Branch {
        kind: edge.kind,
        field,
        insn,
        place: start.wrapping_add(edge.offset),
    }
}

/// The symbol and the addend of a branch as one destination. A symbol that does
/// not say its instruction set has that of the branch.
fn destination(branch: &Branch, edge: &Edge, graph: &Graph<'_>) -> Target {
    let addend = edge
        .addend
        .unwrap_or_else(|| branch.field.addend(branch.insn));
    let distance = addend.wrapping_add_unsigned(branch.bias());
    match edge.target {
        Target::Section {
            id,
            offset,
            function,
            thumb,
        } => Target::Section {
            id,
            offset: offset.wrapping_add_signed(distance),
            function: true,
            thumb: if function { thumb } else { branch.is_thumb() },
        },
        Target::Absolute(value) => {
            let value = value.wrapping_add_signed(distance);
            Target::Absolute(value | u32::from(branch.is_thumb()))
        }
        // A place within a function of the kernel.
        Target::Kernel(name) if distance != 0 => {
            let value = graph.kernel.value(name).unwrap_or(0);
            Target::Absolute(value.wrapping_add_signed(distance))
        }
        other => other,
    }
}

/// The destination as a number: bit 0 set for Thumb code.
fn numeric(graph: &Graph<'_>, layout: &Layout, target: Target) -> u32 {
    let (address, thumb) = layout.address(target, &graph.kernel);
    address | u32::from(thumb)
}

fn veneer(
    graph: &Graph<'_>,
    layout: &Layout,
    id: SectionId,
    edge: &Edge,
    field: Field,
    bytes: &[u8],
) -> Result<Option<Veneer>, Fault> {
    let insn = field.load(edge.kind, bytes.get(edge.offset as usize..).unwrap_or(&[]))?;
    let branch = branch(layout, id, edge, field, insn);
    let destination = destination(&branch, edge, graph);
    if destination == Target::Nothing {
        return Ok(None);
    }
    Ok(match branch.route(numeric(graph, layout, destination)) {
        Route::Direct => None,
        Route::Veneer { thumb } => Some(Veneer { destination, thumb }),
    })
}

/// The contents of the two segments: executable, writable. The writable one
/// ends with its initialised data.
pub(super) fn contents(
    graph: &mut Graph<'_>,
    kept: &Reached,
    slots: &Slots<'_>,
    layout: &Layout,
) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let mut executable = vec![0; (layout.constants.end - layout.code.start) as usize];
    let mut writable = vec![0; (layout.data.end - layout.data.start) as usize];
    for &id in &kept.sections {
        let section = graph.section(id);
        if section.kind == SectionKind::Zero {
            continue;
        }
        let mut bytes = graph.member(id).content(id.section)?.to_vec();
        bytes.resize(section.size as usize, 0);
        for slot in slots.get(&id).into_iter().flatten() {
            put(&mut bytes, slot.offset as usize, &slot.word().to_le_bytes());
        }
        for edge in graph.edges(id)?.iter() {
            apply(graph, layout, id, edge, &mut bytes)
                .map_err(|fault| broken(graph, id, edge, fault))?;
        }
        let at = layout.sections.get(&id).copied().unwrap_or(0);
        if section.kind == SectionKind::Data {
            put(&mut writable, (at - layout.data.start) as usize, &bytes);
        } else {
            put(&mut executable, (at - layout.code.start) as usize, &bytes);
        }
    }
    let mut add = |at: u32, bytes: &[u8]| {
        put(&mut executable, (at - layout.code.start) as usize, bytes);
    };
    for (veneer, &at) in &layout.veneers {
        add(
            at,
            &veneer.bytes(numeric(graph, layout, veneer.destination)),
        );
    }
    for (chain, at) in &layout.chains {
        let functions = chain.functions.iter();
        let addresses: Vec<u32> = functions
            .map(|&function| layout.function(function))
            .collect();
        add(*at, &chain.bytes(&addresses));
    }
    for (&target, &at) in &layout.got {
        add(at, &numeric(graph, layout, target).to_le_bytes());
    }
    Ok((executable, writable))
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + new.len()) {
        place.copy_from_slice(new);
    }
}

fn apply(
    graph: &Graph<'_>,
    layout: &Layout,
    id: SectionId,
    edge: &Edge,
    section: &mut [u8],
) -> Result<(), Fault> {
    let Some((formula, field)) = reloc::rule(edge.kind) else {
        return Err(Fault::Unknown(reloc::name(edge.kind)));
    };
    let bytes = section.get_mut(edge.offset as usize..).unwrap_or(&mut []);
    let insn = field.load(edge.kind, bytes)?;
    let addend = edge.addend.unwrap_or_else(|| field.addend(insn));
    let (address, thumb) = layout.address(edge.target, &graph.kernel);
    let data = address.wrapping_add_signed(addend);
    let function = data | u32::from(thumb);
    let place = layout
        .sections
        .get(&id)
        .copied()
        .unwrap_or(0)
        .wrapping_add(edge.offset);
    let entry = layout
        .got
        .get(&edge.target)
        .copied()
        .unwrap_or(layout.got_base);
    let entry = entry.wrapping_add_signed(addend);
    let value = match formula {
        Formula::Nothing => return Ok(()),
        Formula::Branch => {
            let branch = branch(layout, id, edge, field, insn);
            let insn = branched(graph, layout, &branch, edge)?;
            return field.store(edge.kind, bytes, insn);
        }
        Formula::Absolute => function,
        Formula::AbsoluteData => data,
        Formula::Relative => function.wrapping_sub(place),
        Formula::RelativeData => data.wrapping_sub(place),
        Formula::RelativeWord => data.wrapping_sub(place & !3),
        Formula::RelativeWordFunction => function.wrapping_sub(place & !3),
        Formula::GotRelative => entry.wrapping_sub(place),
        Formula::GotOffset => entry.wrapping_sub(layout.got_base),
        Formula::GotAbsolute => entry,
        Formula::GotBase => layout
            .got_base
            .wrapping_add_signed(addend)
            .wrapping_sub(place),
        Formula::FromGotBase => function.wrapping_sub(layout.got_base),
    };
    let insn = field.encode(edge.kind, insn, value)?;
    field.store(edge.kind, bytes, insn)
}

fn branched(
    graph: &Graph<'_>,
    layout: &Layout,
    branch: &Branch,
    edge: &Edge,
) -> Result<u32, Fault> {
    let destination = destination(branch, edge, graph);
    if destination == Target::Nothing {
        return Ok(branch.skip());
    }
    let address = numeric(graph, layout, destination);
    match branch.route(address) {
        Route::Direct => branch.encode(address),
        Route::Veneer { thumb } => {
            match layout.veneers.get(&Veneer { destination, thumb }) {
                Some(&at) => branch.encode(at | u32::from(thumb)),
                // Not reached: `settle` saw the same branch. It says what is wrong.
                None => branch.encode(address),
            }
        }
    }
}
