//! Deciding, resolving and placing, over small objects made by hand.

use std::collections::BTreeMap;

use ::object::{SectionKind as Kind, write::SymbolSection};
use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::kernel::{Facts, Version};
use crate::object::NoteKind;
use crate::object::NoteKind::{Backward, Chip, Constant, Forward, Layout};
use crate::object::build::{ABS32, Builder, CALL, archive};

const BASE: u32 = 0xc000_8000;
const BX_LR: u32 = 0xe12f_ff1e;
/// `bl` to itself, as assemblers leave it for a relocation.
const BL: u32 = 0xebff_fffe;

#[derive(Default)]
struct Known(BTreeMap<&'static str, u32>);

impl Known {
    fn with(mut self, name: &'static str, value: u32) -> Self {
        self.0.insert(name, value);
        self
    }

    fn get(&self, name: &str) -> Result<Resolved, String> {
        let value = self.0.get(name).ok_or("unknown")?;
        let evidence = "test".to_owned();
        Ok(Resolved {
            value: *value,
            evidence,
        })
    }
}

impl Provide for Known {
    fn function(&self, name: &str) -> Result<Resolved, String> {
        self.get(name)
    }
    fn data(&self, name: &str) -> Result<Resolved, String> {
        self.get(name)
    }
    fn layout(&self, name: &str) -> Result<Resolved, String> {
        self.get(name)
    }
    fn constant(&self, name: &str) -> Result<Resolved, String> {
        self.get(name)
    }
    fn place(&self, name: &str) -> Result<Place, String> {
        // 0: the kernel has no use for it.
        let words = vec![self.get(name)?.value];
        let words = words.into_iter().filter(|&word| word != 0);
        let evidence = "test".to_owned();
        Ok(Place::words(words, evidence))
    }
}

/// Knows one place, in the kernel's second word.
fn known() -> Known {
    Known::default().with("place", BASE + 4)
}

fn kernel() -> Kernel {
    Kernel {
        bytes: (0..0x1000u32).flat_map(u32::to_le_bytes).collect(),
        base: BASE,
        facts: Facts {
            banner: "Linux version 6.1.0".to_owned(),
            ..Facts::usual(Version(6, 1, 0))
        },
    }
}

fn links(objects: &[Vec<u8>], known: &Known) -> Result<Transplant, Error> {
    let drivers: Result<Vec<_>, _> = objects
        .iter()
        .enumerate()
        .map(|(index, bytes)| Driver::read(&format!("driver{index}"), bytes))
        .collect();
    link(
        &kernel(),
        known,
        &drivers?,
        OpaqueRequest::default(),
        &Board::default(),
    )
}

fn error(object: Builder, known: &Known) -> String {
    let linked = links(&[object.finish()], known);
    linked.map(drop).expect_err("must not link").to_string()
}

/// The word of the driver at an address.
fn word(transplant: &Transplant, va: u32) -> u32 {
    let segments = transplant.opaque.segments.iter();
    let mut found = segments.filter_map(|segment| {
        crate::bytes::le32(&segment.bytes, va.wrapping_sub(segment.va) as usize)
    });
    found.next().expect("no such address in the driver")
}

/// A driver whose function uses these slots.
fn using(slots: &[(NoteKind, u16, &str, &str)]) -> Builder {
    let mut object = Builder::new();
    let words = vec![0; slots.len() + 1];
    let (text, function) = object.function("start", &words);
    for (index, &(kind, flags, names, group)) in slots.iter().enumerate() {
        let slot = object.slot(kind, flags, names, group);
        object.relocation(text, 4 * index as u64, ABS32, slot);
    }
    object.note(Forward, 1, function, ["place", "", "", ""]);
    object
}

#[test]
fn slots_are_filled() {
    let object = using(&[
        (Backward, 1, "_printk|printk", ""),
        (Backward, 0, "absent", ""),
        (Backward, 3, "jiffies", ""),
        (Layout, 1, "irq_data.irq", ""),
        (Layout, 0, "irq_data.none", ""),
        (Constant, 0, "NONE", ""),
        (Chip, 1, "sp804.clock_hz", ""),
        (Chip, 1, "uart16550.va", ""),
        (Chip, 0, "pl190.irq", ""),
    ]);
    let known = known()
        .with("printk", 0xc003_0001)
        .with("jiffies", 0xc004_0000)
        .with("irq_data.irq", 4);
    let transplant = links(&[object.finish()], &known).unwrap();
    let start = transplant.forwards[0].target;
    let slots: Vec<u32> = (0..9)
        .map(|index| word(&transplant, word(&transplant, start + 4 * index)))
        .collect();
    let none = u32::MAX;
    let expected = [
        0xc003_0001,
        0,
        0xc004_0000,
        4,
        none,
        none,
        1_000_000,
        0xd001_7000,
        none,
    ];
    assert_eq!(slots, expected);
    let filled = |name: &str| transplant.slots.iter().find(|slot| slot.name == name);
    assert_eq!(filled("printk").unwrap().value, 0xc003_0001);
    assert!(filled("_printk").is_none());
    let left: Vec<_> = transplant
        .left_out
        .iter()
        .map(|left| left.what.as_str())
        .collect();
    assert_eq!(left, ["NONE", "absent", "irq_data.none", "pl190.irq"]);
    assert_eq!(transplant.patches[0].old, [1, 0, 0, 0]);
    assert_eq!(transplant.patches[0].va, BASE + 4);
}

#[test]
fn what_is_required_and_missing() {
    let object = using(&[
        (Backward, 1, "setup_irq", ""),
        (Layout, 1, "irq_data.irq", ""),
        (Backward, 1, "set_irq_chip", "chip"),
        (Backward, 1, "irq_set_chip", "chip"),
    ]);
    expect![[r#"
        driver0: place is required and cannot be installed:
          backward setup_irq: unknown
          layout irq_data.irq: unknown"#]]
    .assert_eq(&error(object, &known()));
    let object = using(&[
        (Backward, 1, "set_irq_chip", "chip"),
        (Backward, 1, "irq_set_chip", "chip"),
    ]);
    expect![[r#"
        driver0: place is required and cannot be installed:
          none of group chip: backward set_irq_chip: unknown, backward irq_set_chip: unknown"#]]
    .assert_eq(&error(object, &known()));
}

#[test]
fn one_of_a_group_is_enough() {
    let slots = [
        (Backward, 1, "set_irq_chip", "chip"),
        (Backward, 1, "irq_set_chip", "chip"),
    ];
    let known = known().with("irq_set_chip", 0xc000_9000);
    let transplant = links(&[using(&slots).finish()], &known).unwrap();
    assert_eq!(transplant.slots.len(), 1);
    assert!(transplant.left_out.is_empty(), "{:?}", transplant.left_out);
}

/// A slot that only dead code uses asks for nothing.
#[test]
fn unused_slots_ask_for_nothing() {
    let mut object = using(&[]);
    let (dead, _) = object.function("dead", &[0]);
    let slot = object.slot(Backward, 1, "not_there", "");
    object.relocation(dead, 0, ABS32, slot);
    let transplant = links(&[object.finish()], &known()).unwrap();
    assert!(transplant.slots.is_empty());
    let elf = String::from_utf8_lossy(&transplant.driver_elf).into_owned();
    assert!(elf.contains("start") && !elf.contains("dead"));
}

#[test]
fn optional_forwards_are_left_out() {
    let mut object = using(&[]);
    let (text, function) = object.function("uart", &[0]);
    let slot = object.slot(Backward, 1, "serial8250_init", "");
    object.relocation(text, 0, ABS32, slot);
    object.note(Forward, 0, function, ["second", "", "", ""]);
    let bytes = object.finish();

    let known = known().with("second", BASE + 8);
    let transplant = links(std::slice::from_ref(&bytes), &known).unwrap();
    assert_eq!(transplant.forwards.len(), 1);
    let left = &transplant.left_out[0];
    assert_eq!(left.what, "second");
    assert_eq!(left.why, "backward serial8250_init: unknown");

    let known = known.with("serial8250_init", 0xc000_9000);
    assert_eq!(links(&[bytes], &known).unwrap().forwards.len(), 2);
}

/// `set_handle_irq` or the field of the machine descriptor: either will do.
#[test]
fn a_forward_stands_in_for_a_slot_of_its_group() {
    let object = || {
        let mut object = using(&[(Backward, 1, "set_handle_irq", "entry")]);
        let (_, function) = object.function("handle", &[BX_LR]);
        object.note(
            Forward,
            1,
            function,
            ["machine_desc.handle_irq", "entry", "", ""],
        );
        object
    };
    let by_slot = links(
        &[object().finish()],
        &known().with("set_handle_irq", 0xc000_9000),
    );
    assert_eq!(by_slot.unwrap().forwards.len(), 1);
    let by_forward = links(
        &[object().finish()],
        &known().with("machine_desc.handle_irq", BASE),
    );
    assert_eq!(by_forward.unwrap().forwards.len(), 2);
    expect![[r#"
        driver0: place is required and cannot be installed:
          none of group entry: backward set_handle_irq: unknown"#]]
    .assert_eq(&error(object(), &known()));
}

#[test]
fn of_a_group_the_lowest_rank_takes_a_place() {
    let mut object = Builder::new();
    for (name, rank) in [("third", 2), ("first", 0), ("second", 1)] {
        let (_, function) = object.function(name, &[u32::from(rank), BX_LR]);
        object.note(Forward, rank << 8, function, ["place", "one", "", ""]);
    }
    let transplant = links(&[object.finish()], &known()).unwrap();
    assert_eq!(transplant.forwards.len(), 1);
    assert_eq!(word(&transplant, transplant.forwards[0].target), 0);
    // The other is to spare; the kernel lacks nothing.
    assert_eq!(transplant.left_out, []);
}

/// A group of slots that has nothing counts before ranks do.
#[test]
fn what_lacks_a_group_takes_no_place() {
    let mut object = Builder::new();
    let (text, clocks) = object.function("clocks", &[0, BX_LR]);
    let slot = object.slot(Backward, 1, "clockevents_register_device", "events");
    object.relocation(text, 0, ABS32, slot);
    object.note(Forward, 1, clocks, ["place", "clocks", "", ""]);
    let (_, ticks) = object.function("ticks", &[7, BX_LR]);
    object.note(Forward, 1 | 1 << 8, ticks, ["place", "clocks", "", ""]);
    let bytes = object.finish();

    let first = |known: Known| {
        let transplant = links(std::slice::from_ref(&bytes), &known).unwrap();
        assert_eq!(transplant.forwards.len(), 1);
        word(&transplant, transplant.forwards[0].target)
    };
    assert_eq!(first(known()), 7);
    let events = known().with("clockevents_register_device", 0xc000_9000);
    assert_ne!(first(events), 7);
}

/// The driver of a chip that is not there, and a place that nothing calls.
#[test]
fn what_nobody_has_a_use_for_is_not_left_out() {
    let mut object = using(&[]);
    let (text, function) = object.function("unpack", &[0]);
    let slot = object.slot(Chip, 1, "rom.va", "");
    object.relocation(text, 0, ABS32, slot);
    object.note(Forward, 0, function, ["second", "", "", ""]);
    let (_, function) = object.function("offset", &[BX_LR]);
    object.note(Forward, 0, function, ["third", "", "", ""]);
    let known = known().with("second", BASE + 8).with("third", 0);
    let transplant = links(&[object.finish()], &known).unwrap();
    assert_eq!(transplant.forwards.len(), 1);
    assert_eq!(transplant.left_out, []);
}

#[test]
fn names_that_nobody_defines_are_the_kernels() {
    let mut object = Builder::new();
    let (text, function) = object.function("start", &[BL, BL, 0]);
    let arm = object.undefined("arm_function");
    let thumb = object.undefined("thumb_function");
    object.relocation(text, 0, CALL, arm);
    object.relocation(text, 4, CALL, thumb);
    object.relocation(text, 8, ABS32, thumb);
    object.note(Forward, 1, function, ["place", "", "", ""]);
    let bytes = object.finish();

    let failed = links(
        std::slice::from_ref(&bytes),
        &known().with("arm_function", 0xc000_9000),
    );
    expect![[r#"
        driver0: place is required and cannot be installed:
          called by name: thumb_function: unknown"#]]
    .assert_eq(&failed.map(drop).unwrap_err().to_string());

    let known = known()
        .with("arm_function", 0xc000_9000)
        .with("thumb_function", 0xc000_9101);
    let transplant = links(&[bytes], &known).unwrap();
    let start = transplant.forwards[0].target;
    assert_eq!(word(&transplant, start + 8), 0xc000_9101);
    for (call, used) in transplant.by_name.iter().enumerate() {
        let at = start + 4 * call as u32;
        let distance = (word(&transplant, at) << 8).cast_signed() >> 6;
        let veneer = at.wrapping_add(8).wrapping_add_signed(distance);
        assert_eq!(used.veneers, [veneer]);
        // ldr pc, [pc, #-4]
        assert_eq!(word(&transplant, veneer), 0xe51f_f004);
        assert_eq!(word(&transplant, veneer + 4), used.value);
    }
}

fn member(defines: &str, weak: bool, value: u32) -> Vec<u8> {
    let mut object = Builder::new();
    let name = format!(".rodata.{defines}");
    let section = object.section(&name, Kind::ReadOnlyData, &value.to_le_bytes());
    object.symbol(defines, SymbolSection::Section(section), weak);
    object.finish()
}

/// A member with a forward to a table of words that `names` stand for.
fn table(names: &[&str]) -> Vec<u8> {
    let mut object = Builder::new();
    let (text, function) = object.function("start", &vec![0; names.len()]);
    for (index, name) in names.iter().enumerate() {
        let symbol = object.undefined(name);
        object.relocation(text, 4 * index as u64, ABS32, symbol);
    }
    object.note(Forward, 1, function, ["place", "", "", ""]);
    object.finish()
}

fn values(transplant: &Transplant, count: u32) -> Vec<u32> {
    let start = transplant.forwards[0].target;
    (0..count)
        .map(|index| word(transplant, word(transplant, start + 4 * index)))
        .collect()
}

#[test]
fn members_come_in_on_demand() {
    let library = archive(&[
        ("a.o", table(&["memcpy", "other"])),
        ("b.o", member("memcpy", true, 1)),
        ("c.o", member("memcpy", false, 2)),
        ("d.o", member("other", false, 3)),
        ("e.o", member("unused", false, 4)),
        ("f.o", member("unused", false, 5)),
    ]);
    // The archive goes before the kernel.
    let known = known().with("memcpy", 0xc000_9000);
    let transplant = links(&[library], &known).unwrap();
    assert_eq!(values(&transplant, 2), [1, 3]);
    assert!(transplant.by_name.is_empty());
}

/// Of `weak` and `strong`, one is weak in one member and strong in another.
#[test]
fn a_member_that_comes_in_late_replaces_a_weak_definition() {
    let mut both = Builder::new();
    for (name, value) in [("late", 7u32), ("weak", 8)] {
        let name_of_section = format!(".rodata.{name}");
        let section = both.section(&name_of_section, Kind::ReadOnlyData, &value.to_le_bytes());
        both.symbol(name, SymbolSection::Section(section), false);
    }
    let library = archive(&[
        ("a.o", table(&["weak", "late"])),
        ("b.o", member("weak", true, 1)),
        ("c.o", both.finish()),
    ]);
    assert_eq!(values(&links(&[library], &known()).unwrap(), 2), [8, 7]);
}

#[test]
fn one_name_twice() {
    let mut second = Builder::new();
    let (_, function) = second.function("start", &[BX_LR]);
    second.note(Forward, 0, function, ["elsewhere", "", "", ""]);
    let library = archive(&[("a.o", table(&[])), ("b.o", second.finish())]);
    let failed = links(&[library], &known()).map(drop).unwrap_err();
    expect!["symbol start is defined in driver0(a.o) and in driver0(b.o)"]
        .assert_eq(&failed.to_string());
}

/// Two drivers may define the same names.
#[test]
fn drivers_have_names_of_their_own() {
    let driver = |value| archive(&[("a.o", table(&["x"])), ("b.o", member("x", false, value))]);
    let transplant = links(&[driver(1), driver(2)], &known()).unwrap();
    assert_eq!(transplant.forwards.len(), 1);
    let elf = String::from_utf8_lossy(&transplant.driver_elf).into_owned();
    assert!(elf.contains("__chain_0"));
}

#[test]
fn ranges_that_cannot_be() {
    let bytes = using(&[]).finish();
    let error = |base, size| {
        let driver = Driver::read("driver", &bytes).unwrap();
        let request = OpaqueRequest { base, size };
        let linked = link(&kernel(), &known(), &[driver], request, &Board::default());
        linked.map(drop).unwrap_err().to_string()
    };
    expect!["opaque range 0xd0008010+0x10000: base and size must be multiples of 0x1000"]
        .assert_eq(&error(0xd000_8010, 0x1_0000));
    expect!["opaque range 0xfffff000+0x10000: it runs over the end of memory"]
        .assert_eq(&error(0xffff_f000, 0x1_0000));
    expect!["opaque range 0xd0008000+0x3000: the chips' register pages leave no room for a driver"]
        .assert_eq(&error(0xd000_8000, 0x3000));
    expect![
        "opaque range 0xd0008000+0xf0000000: at most 0x2000000 bytes, which an ARM branch reaches"
    ]
    .assert_eq(&error(0xd000_8000, 0xf000_0000));
    expect!["opaque range 0xc0000000..0xc0010000 overlaps the kernel at 0xc0008000..0xc000c000"]
        .assert_eq(&error(0xc000_0000, 0x1_0000));
}

#[test]
fn other_errors() {
    expect!["nothing of driver0 can be installed: no forward notes"]
        .assert_eq(&error(Builder::new(), &known()));
    expect!["place: the kernel has no word at 0xd0000000"].assert_eq(&error(
        using(&[]),
        &Known::default().with("place", 0xd000_0000),
    ));

    let mut object = using(&[]);
    let data = object.section(".data.x", Kind::Data, &[0; 4]);
    let symbol = object.symbol("x", SymbolSection::Section(data), false);
    object.note(Backward, 0, symbol, ["x", "", "", ""]);
    expect!["driver0: .ecmo.note.test+0x0: the slot lies in .data.x, not in .ecmo.slot.*"]
        .assert_eq(&error(object, &known()));

    let mut object = Builder::new();
    let (text, function) = object.function("start", &[BX_LR]);
    // SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR
    object.flags(text, 7);
    object.note(Forward, 1, function, ["place", "", "", ""]);
    expect!["driver0: .text.start is needed, but it is both writable and executable: opaque memory is one or the other"]
        .assert_eq(&error(object, &known()));

    let mut object = Builder::new();
    let (text, function) = object.function("start", &[0]);
    object.relocation(text, 0, 107, function);
    object.note(Forward, 1, function, ["place", "", "", ""]);
    expect!["driver0: .text.start+0x0 (start): relocation R_ARM_TLS_IE32 is not supported"]
        .assert_eq(&error(object, &known()));
}

proptest! {
    /// Whatever an object says, linking it ends, and without a panic.
    #[test]
    fn mutated_drivers(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)
    ) {
        let mut object = using(&[(Backward, 1, "known", ""), (Layout, 0, "unknown", "group")]);
        let (text, function) = object.function("second", &[BX_LR, 0, 0, BL, BL]);
        let elsewhere = object.undefined("known");
        object.relocation(text, 12, CALL, elsewhere);
        object.relocation(text, 16, CALL, function);
        object.note(Forward, 0, function, ["place", "", "", ""]);
        let mut bytes = object.finish();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = links(&[bytes.clone()], &known().with("known", 0xc000_9001));
        let _ = links(&[archive(&[("a.o", bytes)])], &known().with("known", 0xc000_9000));
    }
}
