//! From a table and what the binary shows to offsets.

use std::collections::BTreeMap;

use super::{
    Known, Layouts,
    conditions::{Assignment, Conditions},
    table::{Era, Type},
    timers,
};
use crate::{kernel::Kernel, machine::Machines};

/// More unknown conditions than this leave a layout unknown.
const MAX_UNKNOWN: usize = 8;

/// What the binary shows of one struct.
#[derive(Clone, Default)]
pub(super) struct Observed<'a> {
    /// Offsets of fields.
    pub fields: BTreeMap<String, Known>,
    /// Size of the struct.
    pub size: Option<Known>,
    /// Instances of it in the image.
    instances: Vec<u32>,
    kernel: Option<&'a Kernel>,
}

impl<'a> Observed<'a> {
    /// `before` are the layouts of the structs before this one.
    pub(super) fn of(
        name: &str,
        kernel: &'a Kernel,
        machines: &Machines,
        before: &Layouts,
    ) -> Self {
        match name {
            "machine_desc" => Self {
                fields: machines.fields.clone(),
                size: machines.size.map(|value| Known {
                    value,
                    evidence: format!(
                        "distance of {} descriptors and the end of their array",
                        machines.descriptors.len()
                    ),
                }),
                instances: machines.descriptors.iter().map(|it| it.va).collect(),
                kernel: Some(kernel),
            },
            "sys_timer" => Self {
                fields: machines
                    .variables
                    .get("sys_timer.init")
                    .cloned()
                    .or_else(|| {
                        let timer = before.get("machine_desc.timer")?;
                        timers::init(kernel, machines, timer.value)
                    })
                    .map(|known| ("init".to_owned(), known))
                    .into_iter()
                    .collect(),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    /// Without the fields that no member of this layout is called like, such as
    /// parts of members.
    pub(super) fn of_era(&self, era: &Era) -> Self {
        let mut observed = self.clone();
        let named = |field: &str| era.members.iter().any(|member| member.name == field);
        if self.kernel.is_none() {
            observed.fields.retain(|field, _| named(field));
        }
        observed
    }

    /// Whether the binary allows this layout.
    fn allows(&self, layout: &Layout) -> bool {
        let size = match (&self.size, layout.size) {
            (Some(known), Some(size)) => known.value == size,
            _ => true,
        };
        size && self.fields.iter().all(|(name, known)| {
            let members = &layout.members;
            match members.iter().find(|member| member.name == name) {
                Some(member) => member.offset == known.value,
                // A field that this layout lacks is there.
                None => !layout.complete,
            }
        }) && self
            .instances
            .iter()
            .all(|&va| self.allows_instance(layout, va))
    }

    /// Functions stand only where the layout has pointers to functions, and
    /// numbers where it has numbers.
    fn allows_instance(&self, layout: &Layout, va: u32) -> bool {
        let Some(kernel) = self.kernel else {
            return true;
        };
        layout.members.iter().all(|member| {
            let Some(word) = kernel.word(va.wrapping_add(member.offset)) else {
                return false;
            };
            let inside = kernel.offset(word).is_some();
            match member.kind {
                Type::Function | Type::Text => word == 0 || inside,
                Type::U32 | Type::Phys => !inside,
                _ => true,
            }
        })
    }
}

/// What a table and the binary agree on.
#[derive(Default)]
pub(super) struct Solution {
    pub fields: BTreeMap<String, Known>,
    pub size: Option<Known>,
    /// Conditions that turned out to hold or not.
    pub conditions: BTreeMap<String, bool>,
}

pub(super) fn solve(era: &Era, conditions: &Conditions, observed: &Observed) -> Solution {
    let names = era.conditions();
    let (known, unknown): (Vec<&str>, Vec<&str>) = names
        .into_iter()
        .partition(|name| conditions.get(name).is_some());
    if unknown.len() > MAX_UNKNOWN {
        return Solution::default();
    }
    let possible: Vec<(Assignment, Layout)> = (0..1u32 << unknown.len())
        .map(|bits| {
            let free = unknown
                .iter()
                .enumerate()
                .map(|(index, &name)| (name, bits >> index & 1 == 1));
            let fixed = known
                .iter()
                .map(|&name| (name, conditions.get(name) == Some(true)));
            let assignment = Assignment {
                values: free.chain(fixed).collect(),
            };
            let layout = Layout::of(era, &assignment, conditions.cache_line);
            (assignment, layout)
        })
        .filter(|(_, layout)| observed.allows(layout))
        .collect();
    agreement(era, &unknown, &possible)
}

/// What all possible layouts have in common.
fn agreement(era: &Era, unknown: &[&str], possible: &[(Assignment, Layout)]) -> Solution {
    let Some((_, first)) = possible.first() else {
        return Solution::default();
    };
    let known = |value: u32| Known {
        value,
        evidence: format!("layout table, {}", era.source),
    };
    let same_offset = |name: &str, offset: u32| {
        possible.iter().all(|(_, layout)| {
            let mut members = layout.members.iter();
            members.any(|member| member.name == name && member.offset == offset)
        })
    };
    let fields = first
        .members
        .iter()
        .filter(|member| same_offset(member.name, member.offset))
        .map(|member| (member.name.to_owned(), known(member.offset)))
        .collect();
    let size = first
        .size
        .filter(|&size| possible.iter().all(|(_, layout)| layout.size == Some(size)));
    let conditions = unknown
        .iter()
        .filter_map(|&name| {
            let holds = possible.first()?.0.holds(name);
            possible
                .iter()
                .all(|(assignment, _)| assignment.holds(name) == holds)
                .then(|| (name.to_owned(), holds))
        })
        .collect();
    Solution {
        fields,
        size: size.map(known),
        conditions,
    }
}

/// A struct laid out.
struct Layout<'a> {
    members: Vec<Placed<'a>>,
    /// `None` when not all members have a known size.
    size: Option<u32>,
    /// All members are placed.
    complete: bool,
}

struct Placed<'a> {
    name: &'a str,
    kind: Type,
    offset: u32,
}

impl<'a> Layout<'a> {
    fn of(era: &'a Era, assignment: &Assignment, cache_line: u32) -> Self {
        let mut members = Vec::new();
        let mut end = 0u32;
        // Without the EABI every struct is a multiple of four bytes.
        let mut alignment = 4;
        for member in &era.members {
            if !assignment.all(&member.when) {
                continue;
            }
            let Some((size, natural)) = size(member.kind, assignment) else {
                members.push(Placed {
                    name: &member.name,
                    kind: member.kind,
                    offset: end.next_multiple_of(4),
                });
                return Self {
                    members,
                    size: None,
                    complete: false,
                };
            };
            let lined = member
                .align
                .as_ref()
                .is_some_and(|terms| assignment.all(terms));
            let align = if lined { cache_line } else { natural };
            let offset = end.next_multiple_of(align);
            alignment = alignment.max(align);
            end = offset + size;
            members.push(Placed {
                name: &member.name,
                kind: member.kind,
                offset,
            });
        }
        let lined = era
            .align
            .as_ref()
            .is_some_and(|terms| assignment.all(terms));
        if lined {
            alignment = alignment.max(cache_line);
        }
        Self {
            members,
            size: Some(end.next_multiple_of(alignment)),
            complete: true,
        }
    }
}

/// Size and alignment in bytes.
fn size(kind: Type, assignment: &Assignment) -> Option<(u32, u32)> {
    let wide = || (8, if assignment.holds("aeabi") { 8 } else { 4 });
    Some(match kind {
        Type::U8 => (1, 1),
        Type::U16 => (2, 2),
        Type::U32 | Type::Pointer | Type::Text | Type::Function | Type::CpuMask => (4, 4),
        Type::U64 => wide(),
        Type::Phys if assignment.holds("lpae") => wide(),
        Type::Phys => (4, 4),
        Type::TwoWords => (8, 4),
        Type::SpinLock => (spin_lock(assignment), 4),
        Type::Bytes(count) => (count.into(), 1),
        Type::Words(count) => (4 * u32::from(count), 4),
        Type::Unknown => return None,
    })
}

/// Bytes of a `spinlock_t` (include/linux/spinlock_types.h): the lock itself,
/// whether somebody waits for it; magic, processor and owner; and the
/// `lockdep_map` (include/linux/lockdep.h): key, one or two classes, name, the
/// kinds of waiting, and processor and place of the last taking.
fn spin_lock(assignment: &Assignment) -> u32 {
    let holds = |name| assignment.holds(name);
    let debug = holds("debug_spinlock");
    let lockdep = holds("lockdep");
    let parts = [
        (holds("smp") || debug, 1),
        (holds("smp") && holds("lock_break"), 1),
        (debug, 3),
        (lockdep, 3),
        (lockdep && holds("lock_two_classes"), 1),
        (lockdep && holds("lock_wait_types"), 1),
        (lockdep && holds("lock_stat"), 2),
    ];
    let words = parts.iter().filter(|(there, _)| *there);
    4 * words.map(|(_, words)| words).sum::<u32>()
}
