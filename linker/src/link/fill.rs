//! Slots: the words of a driver that the linker fills in.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{SectionId, Target};
use super::reach::Graph;
use super::{Board, Error, OpaqueRequest, Provide, Resolved};
use crate::object::{Need, Note, NoteKind, SLOT_SECTION};
use crate::transplant::PAGE;

/// What a slot reads when the kernel lacks its function or variable.
const NO_ADDRESS: u32 = 0;
/// What a slot reads when its layout, constant or chip is not known.
const NO_VALUE: u32 = 0xffff_ffff;

/// A slot and what goes into it.
pub(super) struct Slot<'a> {
    pub(super) note: &'a Note,
    /// Offset within its section.
    pub(super) offset: u32,
    /// The name that was found and its value, or why there is none.
    pub(super) value: Result<(String, Resolved), String>,
}

impl Slot<'_> {
    /// The word that is written.
    pub(super) fn word(&self) -> u32 {
        match &self.value {
            Ok((_, found)) => found.value,
            Err(_) if self.note.kind == NoteKind::Backward => NO_ADDRESS,
            Err(_) => NO_VALUE,
        }
    }
}

/// The slots of all drivers, by their sections.
pub(super) type Slots<'a> = BTreeMap<SectionId, Vec<Slot<'a>>>;

/// Finds the slot of every note and its value.
///
/// # Errors
///
/// A note whose address is no word in a slot's section.
pub(super) fn slots<'a>(
    graph: &mut Graph<'a>,
    provide: &dyn Provide,
    request: OpaqueRequest,
    board: &Board,
) -> Result<Slots<'a>, Error> {
    let mut slots = Slots::new();
    for (driver, found) in graph.drivers.iter().enumerate() {
        for (index, member) in found.members().iter().enumerate() {
            for note in member
                .notes()
                .iter()
                .filter(|note| note.kind != NoteKind::Forward)
            {
                let target = graph.resolve(driver, index, note.symbol)?;
                let bad = |why: &str| Error::BadNote {
                    place: note.place.clone(),
                    why: why.to_owned(),
                };
                let Target::Section { id, offset, .. } = target else {
                    return Err(bad("the slot is not in the driver"));
                };
                let section = graph.section(id);
                if !section.name.starts_with(SLOT_SECTION) {
                    let why = format!("the slot lies in {}, not in {SLOT_SECTION}*", section.name);
                    return Err(bad(&why));
                }
                let offset = offset.wrapping_add_signed(note.addend);
                let end = offset.checked_add(4).filter(|&end| end <= section.size);
                if end.is_none() || offset % 4 != 0 {
                    return Err(bad("the slot is no aligned word of its section"));
                }
                slots.entry(id).or_default().push(Slot {
                    note,
                    offset,
                    value: value(note, provide, request, board),
                });
            }
        }
    }
    Ok(slots)
}

fn value(
    note: &Note,
    provide: &dyn Provide,
    request: OpaqueRequest,
    board: &Board,
) -> Result<(String, Resolved), String> {
    let mut reasons = Vec::new();
    for name in &note.names {
        let found = match note.kind {
            NoteKind::Backward if note.data => provide.data(name),
            NoteKind::Backward | NoteKind::Forward => provide.function(name),
            NoteKind::Layout => provide.layout(name),
            NoteKind::Constant => provide.constant(name),
            NoteKind::Chip => chip(name, request, board),
        };
        match found {
            Ok(found) => return Ok((name.clone(), found)),
            Err(why) => reasons.push((name, why)),
        }
    }
    // Mostly all names fail for one reason.
    if reasons.windows(2).all(|pair| pair[0].1 == pair[1].1) {
        return Err(reasons.pop().map(|(_, why)| why).unwrap_or_default());
    }
    let each = reasons.iter().map(|(name, why)| format!("{name}: {why}"));
    Err(each.collect::<Vec<_>>().join("; "))
}

fn chip(name: &str, request: OpaqueRequest, board: &Board) -> Result<Resolved, String> {
    let (chip, what) = name
        .split_once('.')
        .ok_or("not of the form chip.property")?;
    let index = board
        .chips
        .iter()
        .position(|found| found.name == chip)
        .ok_or("the board has no such chip")?;
    let found = &board.chips[index];
    let value = match what {
        "va" => Some(chip_page(request, board, index)),
        "phys" => Some(found.phys),
        "irq" => found.irq,
        "clock_hz" => found.clock_hz,
        _ => return Err("a chip has va, phys, irq and clock_hz".to_owned()),
    };
    Ok(Resolved {
        value: value.ok_or_else(|| format!("the board's {chip} has no {what}"))?,
        evidence: "board".to_owned(),
    })
}

/// Virtual address of a chip's register page: they are the last of the range.
pub(super) fn chip_page(request: OpaqueRequest, board: &Board, index: usize) -> u32 {
    let from_end = (board.chips.len() - index) as u32 * PAGE;
    request
        .base
        .wrapping_add(request.size)
        .wrapping_sub(from_end)
}

/// A group of one driver: its notes of all kinds stand in for each other.
pub(super) type GroupId<'a> = (usize, &'a str);

/// What code needs and cannot have.
#[derive(Debug, Default)]
pub(super) struct Needs<'a> {
    /// Required slots without a value, and functions of the kernel that are
    /// called by their name and not there.
    pub(super) unmet: Vec<String>,
    /// Groups of which a slot is in use: whether one has a value, and why the
    /// others have none.
    pub(super) groups: BTreeMap<GroupId<'a>, (bool, Vec<String>)>,
    /// A chip that the board does not have is among them.
    pub(super) absent_chip: bool,
}

/// The required functions and variables of these sections, whether they are there
/// or not; of a group one is enough.
pub(super) fn required(slots: &Slots<'_>, sections: &BTreeSet<SectionId>) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut groups: BTreeMap<GroupId<'_>, Vec<String>> = BTreeMap::new();
    for id in sections {
        let here = slots.get(id).into_iter().flatten().map(|slot| slot.note);
        for note in here.filter(|note| note.required && note.kind == NoteKind::Backward) {
            let names = note.names.iter().cloned();
            match &note.group {
                Some(group) => groups.entry((id.driver, group)).or_default().extend(names),
                None => needs.push(Need {
                    names: names.collect(),
                }),
            }
        }
    }
    needs.extend(groups.into_values().map(|names| Need { names }));
    needs
}

/// What the code in these sections needs.
pub(super) fn needs<'a>(
    graph: &Graph<'_>,
    slots: &Slots<'a>,
    sections: &BTreeSet<SectionId>,
    kernel: &BTreeSet<usize>,
) -> Needs<'a> {
    let mut needs = Needs::default();
    for id in sections {
        let here = slots.get(id).into_iter().flatten();
        for slot in here.filter(|slot| slot.note.required) {
            let why = slot.value.as_ref().err();
            needs.absent_chip |= slot.note.kind == NoteKind::Chip && why.is_some();
            let why =
                why.map(|why| format!("{} {}: {why}", slot.note.kind.word(), slot.note.wanted()));
            match (&slot.note.group, why) {
                (None, None) => {}
                (None, Some(why)) => needs.unmet.push(why),
                (Some(group), why) => {
                    let (met, missing) = needs.groups.entry((id.driver, group)).or_default();
                    *met |= why.is_none();
                    missing.extend(why);
                }
            }
        }
    }
    for &name in kernel {
        let found = graph.kernel.get(name);
        if let Err(why) = &found.value {
            needs
                .unmet
                .push(format!("called by name: {}: {why}", found.name));
        }
    }
    needs.unmet.sort();
    needs.unmet.dedup();
    needs
}
