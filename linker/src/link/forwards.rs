//! Which functions of the drivers the kernel will call, and which it cannot.

use std::collections::BTreeSet;

use super::fill::{self, GroupId, Needs, Slots};
use super::names::{SectionId, Target};
use super::reach::{Graph, Reached};
use super::{Error, Place, Provide};
use crate::object::{Note, NoteKind};
use crate::transplant::LeftOut;

/// More forwards than there are places in a kernel.
const MAX_FORWARDS: usize = 256;

/// A function of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Function {
    pub(super) id: SectionId,
    pub(super) offset: u32,
    pub(super) thumb: bool,
}

/// A place in the kernel and what it will call, in this order.
#[derive(Debug)]
pub(super) struct Installed {
    pub(super) place: String,
    pub(super) words: Place,
    pub(super) functions: Vec<Function>,
}

/// What goes into the guest.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) installed: Vec<Installed>,
    pub(super) kept: Reached,
    pub(super) left_out: Vec<LeftOut>,
}

struct Candidate<'a> {
    driver: usize,
    note: &'a Note,
    function: Function,
    /// Where it goes, or why it does not.
    verdict: Result<(String, Place), Vec<String>>,
    needs: Needs<'a>,
    /// Nothing is lacking without it.
    spare: bool,
}

impl Candidate<'_> {
    /// The group that it stands for when it is installed.
    fn group(&self) -> Option<GroupId<'_>> {
        let group = self.note.group.as_deref().filter(|_| self.note.required)?;
        Some((self.driver, group))
    }
}

/// Decides for every forward whether it is installed.
///
/// # Errors
///
/// A required one that cannot be; no forward at all.
pub(super) fn decide<'a>(
    graph: &mut Graph<'a>,
    provide: &dyn Provide,
    slots: &Slots<'a>,
) -> Result<Decision, Error> {
    let mut candidates = candidates(graph, provide)?;
    for candidate in &mut candidates {
        let reached = graph.reach(&[candidate.function.id])?;
        candidate.needs = fill::needs(graph, slots, &reached.sections, &reached.kernel);
        let unmet = std::mem::take(&mut candidate.needs.unmet);
        match &mut candidate.verdict {
            Err(why) => why.extend(unmet),
            Ok(_) if !unmet.is_empty() => candidate.verdict = Err(unmet),
            Ok(_) => {}
        }
    }
    // What lacks a whole group takes no place from another.
    settle_groups(&mut candidates);
    prefer_lowest_rank(&mut candidates);
    settle_groups(&mut candidates);
    require(graph, &candidates)?;
    note_spare(&mut candidates);

    let mut left_out = Vec::new();
    let mut installed: Vec<Installed> = Vec::new();
    let mut roots = Vec::new();
    for candidate in candidates {
        match candidate.verdict {
            Ok((place, words)) => {
                roots.push(candidate.function.id);
                match installed.iter_mut().find(|known| known.place == place) {
                    Some(known) => known.functions.push(candidate.function),
                    None => installed.push(Installed {
                        place,
                        words,
                        functions: vec![candidate.function],
                    }),
                }
            }
            Err(_) if candidate.spare => {}
            Err(why) => left_out.push(LeftOut {
                what: candidate.note.wanted(),
                why: why.join("; "),
            }),
        }
    }
    if installed.is_empty() {
        return Err(Error::NothingInstalled {
            drivers: names(graph),
            left_out: left_out
                .iter()
                .map(|left| format!("{}: {}", left.what, left.why))
                .collect(),
        });
    }
    let kept = graph.reach(&roots)?;
    left_out.extend(missing_slots(&kept.sections, slots));
    Ok(Decision {
        installed,
        kept,
        left_out,
    })
}

fn names(graph: &Graph<'_>) -> String {
    let names: Vec<_> = graph.drivers.iter().map(|driver| driver.name()).collect();
    names.join(", ")
}

fn candidates<'a>(
    graph: &mut Graph<'a>,
    provide: &dyn Provide,
) -> Result<Vec<Candidate<'a>>, Error> {
    let mut candidates = Vec::new();
    for (driver, found) in graph.drivers.iter().enumerate() {
        for (index, member) in found.members().iter().enumerate() {
            for note in member
                .notes()
                .iter()
                .filter(|note| note.kind == NoteKind::Forward)
            {
                if candidates.len() == MAX_FORWARDS {
                    return Err(Error::TooManyForwards {
                        limit: MAX_FORWARDS,
                    });
                }
                candidates.push(Candidate {
                    driver,
                    note,
                    function: function(graph, driver, index, note)?,
                    verdict: place(note, provide),
                    needs: Needs::default(),
                    spare: is_not_wanted(note, provide),
                });
            }
        }
    }
    Ok(candidates)
}

fn place(note: &Note, provide: &dyn Provide) -> Result<(String, Place), Vec<String>> {
    let mut reasons = Vec::new();
    for name in &note.names {
        match provide.place(name) {
            Ok(words) if words.spots.is_empty() => {
                reasons.push(format!("{name}: the kernel has no such word"));
            }
            Ok(words) => return Ok((name.clone(), words)),
            Err(why) => reasons.push(format!("{name}: {why}")),
        }
    }
    Err(reasons)
}

/// Whether the kernel has no use for any of the places.
fn is_not_wanted(note: &Note, provide: &dyn Provide) -> bool {
    let mut places = note.names.iter().map(|name| provide.place(name));
    places.all(|place| place.is_ok_and(|words| words.spots.is_empty()))
}

/// The function that a forward's note points to.
fn function(
    graph: &mut Graph<'_>,
    driver: usize,
    member: usize,
    note: &Note,
) -> Result<Function, Error> {
    let target = graph.resolve(driver, member, note.symbol)?;
    let Target::Section {
        id, offset, thumb, ..
    } = target
    else {
        return Err(Error::BadNote {
            place: note.place.clone(),
            why: "the function is not in the driver".to_owned(),
        });
    };
    let at = offset.wrapping_add_signed(note.addend);
    // Against a section's symbol, bit 0 of the addend says Thumb.
    let thumb = thumb || at & 1 != 0;
    let offset = at & !1;
    if offset >= graph.section(id).size {
        return Err(Error::BadNote {
            place: note.place.clone(),
            why: format!("{offset:#x} lies behind the end of {}", graph.describe(id)),
        });
    }
    Ok(Function { id, offset, thumb })
}

/// Of a group's forwards for one place the one of the lowest rank that can be
/// installed is.
fn prefer_lowest_rank(candidates: &mut [Candidate<'_>]) {
    let mut taken: BTreeSet<(usize, String, String)> = BTreeSet::new();
    let mut by_rank: Vec<_> = candidates.iter_mut().collect();
    by_rank.sort_by_key(|candidate| candidate.note.rank);
    for candidate in by_rank {
        let (Some(group), Ok((place, _))) = (&candidate.note.group, &candidate.verdict) else {
            continue;
        };
        if !taken.insert((candidate.driver, group.clone(), place.clone())) {
            candidate.verdict = Err(vec![format!("another of group {group} is installed there")]);
        }
    }
}

/// What is left out of a group that has another one installed is to spare, and so
/// is the driver of a chip that the board does not have.
fn note_spare(candidates: &mut [Candidate<'_>]) {
    let served: BTreeSet<(usize, String)> = candidates
        .iter()
        .filter(|candidate| candidate.verdict.is_ok())
        .filter_map(|candidate| Some((candidate.driver, candidate.note.group.clone()?)))
        .collect();
    for candidate in candidates {
        let group = candidate.note.group.clone();
        candidate.spare |= group.is_some_and(|group| served.contains(&(candidate.driver, group)))
            || candidate.needs.absent_chip;
    }
}

/// Leaves out what needs a group that has nothing: neither a slot with a value
/// nor a forward that is installed. That may take such a forward away from
/// another group, so it goes on until nothing changes.
fn settle_groups(candidates: &mut [Candidate<'_>]) {
    loop {
        let installed: BTreeSet<(usize, String)> = candidates
            .iter()
            .filter(|candidate| candidate.verdict.is_ok())
            .filter_map(|candidate| candidate.group())
            .map(|(driver, group)| (driver, group.to_owned()))
            .collect();
        let mut changed = false;
        for candidate in candidates
            .iter_mut()
            .filter(|candidate| candidate.verdict.is_ok())
        {
            let groups = candidate.needs.groups.iter();
            let empty = groups.filter(|((driver, group), (met, _))| {
                !met && !installed.contains(&(*driver, (*group).to_owned()))
            });
            let why: Vec<String> = empty
                .map(|((_, group), (_, why))| format!("none of group {group}: {}", why.join(", ")))
                .collect();
            if !why.is_empty() {
                candidate.verdict = Err(why);
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

/// Checks that nothing that is required was left out.
fn require(graph: &Graph<'_>, candidates: &[Candidate<'_>]) -> Result<(), Error> {
    let installed = || {
        candidates
            .iter()
            .filter(|candidate| candidate.verdict.is_ok())
    };
    let by_forward: BTreeSet<GroupId<'_>> = installed().filter_map(Candidate::group).collect();
    let by_slot: BTreeSet<GroupId<'_>> = installed()
        .flat_map(|candidate| &candidate.needs.groups)
        .filter_map(|(&group, (met, _))| met.then_some(group))
        .collect();
    for candidate in candidates
        .iter()
        .filter(|candidate| candidate.note.required)
    {
        let group = candidate.group();
        let stands_in =
            group.is_some_and(|group| by_forward.contains(&group) || by_slot.contains(&group));
        if let Err(reasons) = &candidate.verdict
            && !stands_in
        {
            return Err(Error::Unresolved {
                driver: graph.drivers[candidate.driver].name().to_owned(),
                forward: candidate.note.wanted(),
                reasons: reasons.clone(),
            });
        }
    }
    Ok(())
}

/// Slots in use that stay empty, but for those whose group has another.
fn missing_slots(kept: &BTreeSet<SectionId>, slots: &Slots<'_>) -> Vec<LeftOut> {
    let live = || {
        kept.iter().flat_map(|id| {
            let here = slots.get(id).into_iter().flatten();
            here.map(|slot| {
                (
                    slot.note.group.as_deref().map(|group| (id.driver, group)),
                    slot,
                )
            })
        })
    };
    let met: BTreeSet<GroupId<'_>> = live()
        .filter(|(_, slot)| slot.value.is_ok())
        .filter_map(|(group, _)| group)
        .collect();
    live()
        .filter(|(group, _)| group.is_none_or(|group| !met.contains(&group)))
        .filter_map(|(_, slot)| {
            Some(LeftOut {
                what: slot.note.wanted(),
                why: slot.value.as_ref().err()?.clone(),
            })
        })
        .collect()
}
