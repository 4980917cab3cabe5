//! Descriptors, processors and fields in made-up kernels, and the corners of
//! the tracer that reads them.

use proptest::prelude::*;

use super::{
    Processor,
    flow::{Event, Value, Width, trace},
    isa,
    testing::{BASE, Image},
};
use crate::{
    kernel::Version,
    symbols::{Source, Symbol, SymbolTable},
};

const CODE: u32 = BASE + 0x1000;
const INIT_IRQ: u32 = BASE + 0x2000;
const TIME_INIT: u32 = BASE + 0x2100;
const CUSTOMIZE: u32 = BASE + 0x2200;
const SETUP: u32 = BASE + 0x2300;
const SET_HANDLE_IRQ: u32 = BASE + 0x2400;
const STRINGS: u32 = BASE + 0x3000;
const DESCRIPTORS: u32 = BASE + 0x4000;
const VARIABLES: u32 = BASE + 0x5000;

fn table(names: &[(&str, u32)]) -> SymbolTable {
    let symbol = |(name, address): &(&str, u32)| Symbol {
        address: *address,
        kind: 'T',
        name: (*name).to_owned(),
        source: Source::Kallsyms,
    };
    SymbolTable::new(names.iter().map(symbol).collect())
}

fn functions() -> SymbolTable {
    table(&[
        ("init_IRQ", INIT_IRQ),
        ("time_init", TIME_INIT),
        ("customize_machine", CUSTOMIZE),
        ("setup_arch", SETUP),
        ("set_handle_irq", SET_HANDLE_IRQ),
        ("end", SET_HANDLE_IRQ + 0x100),
    ])
}

/// Two descriptors of a kernel with device trees, and what follows them.
fn with_descriptors(image: &mut Image) {
    image
        .text(STRINGS, "Generic DT based system")
        .text(STRINGS + 0x40, "A Board (Device Tree)")
        .text(STRINGS + 0x80, "vendor,board")
        .words(STRINGS + 0xa0, &[STRINGS + 0x80, 0]);
    let mut first = [0; 0x68 / 4];
    (first[0], first[1]) = (u32::MAX, STRINGS);
    let mut second = [0; 0x68 / 4];
    (second[0], second[1], second[3]) = (u32::MAX, STRINGS + 0x40, STRINGS + 0xa0);
    (second[20], second[22]) = (CODE, CODE + 0x20);
    image
        .words(DESCRIPTORS, &first)
        .words(DESCRIPTORS + 0x68, &second)
        .words(
            DESCRIPTORS + 0xd0,
            &[0x5441_0005, CODE, 0x5442_0005, CODE + 4, 0, 0],
        );
}

#[test]
fn descriptors_end_where_the_tags_start() {
    let mut image = Image::new(0x6000, Version(4, 4, 0));
    with_descriptors(&mut image);
    let machines = super::find(&image.kernel(), &SymbolTable::default());
    assert_eq!(machines.size, Some(0x68));
    let found: Vec<_> = machines
        .descriptors
        .iter()
        .map(|it| (it.va, it.nr, it.name.as_str(), it.compatible.join(" ")))
        .collect();
    assert_eq!(
        found,
        [
            (
                DESCRIPTORS,
                u32::MAX,
                "Generic DT based system",
                String::new()
            ),
            (
                DESCRIPTORS + 0x68,
                u32::MAX,
                "A Board (Device Tree)",
                "vendor,board".to_owned()
            ),
        ]
    );
    assert_eq!(machines.fields["dt_compat"].value, 12);
}

#[test]
fn descriptors_for_trees_are_found_without_tags() {
    let mut image = Image::new(0x6000, Version(4, 4, 0));
    with_descriptors(&mut image);
    image.words(DESCRIPTORS + 0xd0, &[0; 4]);
    let machines = super::find(&image.kernel(), &SymbolTable::default());
    // Only one has a list of its own, so their distance does not show.
    assert_eq!(machines.descriptors.len(), 1);
    assert_eq!(machines.descriptors[0].va, DESCRIPTORS + 0x68);
    assert_eq!(machines.size, None);
}

#[test]
fn an_old_descriptor_has_its_name_fourth() {
    let mut image = Image::new(0x6000, Version(2, 6, 22));
    image.text(STRINGS, "Some Board").words(
        DESCRIPTORS,
        &[
            0x16a,
            0x5000_0000,
            0x3c3c,
            STRINGS,
            0x3000_0100,
            0,
            0,
            0,
            0,
            CODE,
            CODE + 8,
            STRINGS + 0x100,
            CODE + 16,
            0x5441_0001,
            CODE,
            0x5441_0002,
            CODE,
        ],
    );
    let machines = super::find(&image.kernel(), &SymbolTable::default());
    assert_eq!(machines.size, Some(0x34));
    assert_eq!(machines.fields["name"].value, 12);
    assert_eq!(machines.descriptors[0].nr, 0x16a);
}

/// A descriptor of 2.6.32 with this number, and the tags behind it.
fn of_2_6_32(number: u32) -> Image {
    let mut image = Image::new(0x6000, Version(2, 6, 32));
    let (timer, tags) = (STRINGS + 0x100, [0x5441_0001, CODE, 0x5441_0002, CODE]);
    image.text(STRINGS, "board").words(
        DESCRIPTORS,
        &[
            number,
            0,
            0,
            STRINGS,
            0x20_0100,
            0,
            0,
            0,
            CODE,
            CODE + 8,
            CODE + 16,
            timer,
            CODE + 24,
        ],
    );
    image.words(DESCRIPTORS + 0x34, &tags);
    image
}

#[test]
fn a_vendor_may_make_up_a_high_number() {
    let numbers = |image: &Image| {
        let machines = super::find(&image.kernel(), &SymbolTable::default());
        let all = machines.descriptors.iter().map(|it| it.nr);
        all.collect::<Vec<u32>>()
    };
    assert_eq!(numbers(&of_2_6_32(1_010_001)), [1_010_001]);
    // No number, but an address.
    assert!(!numbers(&of_2_6_32(BASE)).contains(&BASE));
}

#[test]
fn a_board_may_have_a_name_of_two_characters() {
    let mut image = Image::new(0x6000, Version(3, 1, 0));
    let mut words = [0; 0x3c / 4];
    (words[0], words[1], words[2]) = (0xd05, STRINGS, 0x100);
    (words[9], words[10], words[11], words[14]) = (CODE, CODE + 8, CODE + 16, CODE + 24);
    image
        .text(STRINGS, "p3")
        .words(DESCRIPTORS, &words)
        .words(DESCRIPTORS + 0x3c, &[0x5441_0001, CODE, 0x5441_0002, CODE]);
    let found = super::find(&image.kernel(), &SymbolTable::default());
    let names: Vec<_> = found.descriptors.iter().map(|it| &it.name).collect();
    assert_eq!(names, ["p3"]);
    // movw r3, #0x70f3: an instruction whose first bytes are such a text is a
    // function all the same, and two functions there have to be.
    for word in words.iter_mut().skip(10) {
        *word = 0;
    }
    words[14] = CODE + 24;
    image
        .words(DESCRIPTORS, &words)
        .words(CODE + 24, &[0xe300_3370]);
    let found = super::find(&image.kernel(), &SymbolTable::default());
    assert_eq!(found.descriptors.len(), 1);
}

#[test]
fn processors_have_a_pattern_of_the_identification_register() {
    let mut image = Image::new(0x6000, Version(4, 4, 0));
    image
        .text(STRINGS, "armv7")
        .text(STRINGS + 8, "v7")
        .words(
            VARIABLES,
            &[
                0x410f_c090,
                0xff0f_fff0,
                0x11c0e,
                0xc02,
                0x1234,
                STRINGS,
                STRINGS + 8,
            ],
        )
        // Two pointers to texts after an address: no entry.
        .words(
            VARIABLES + 0x80,
            &[CODE, CODE | 0x3c, 0, 0, 0, STRINGS, STRINGS + 8],
        );
    assert_eq!(
        super::find(&image.kernel(), &SymbolTable::default()).processors,
        [Processor {
            va: VARIABLES,
            value: 0x410f_c090,
            mask: 0xff0f_fff0,
            arch_name: "armv7".into(),
            elf_name: "v7".into(),
        }]
    );
}

#[test]
fn fields_are_read_from_a32_code() {
    let mut image = Image::new(0x6000, Version(4, 4, 0));
    with_descriptors(&mut image);
    image
        .words(
            INIT_IRQ,
            &[
                0xe52d_e004, // push {lr}: function tracing is on,
                0xeb00_0100, // bl __gnu_mcount_nc
                0xe59f_3018, // ldr r3, =machine_desc
                0xe593_3000, // ldr r3, [r3]
                0xe593_3050, // ldr r3, [r3, #80]
                0xe353_0000, // cmp r3, #0
                0x0a00_0001, // beq irqchip_init
                0xe12f_ff33, // blx r3
                0xe12f_ff1e, // bx lr
                0xea00_0200, // b elsewhere
                VARIABLES,
            ],
        )
        .words(
            TIME_INIT,
            &[
                0,           // movw r3, below
                0xe34c_3000, // movt r3, #0xc000
                0xe593_3000, // ldr r3, [r3]
                0xe593_3054, // ldr r3, [r3, #84]
                0xe353_0000, // cmp r3, #0
                0x112f_ff13, // bxne r3
                0xea00_0200, // b elsewhere
            ],
        )
        .words(
            CUSTOMIZE,
            &[
                0xe59f_3010, // ldr r3, [pc, #16]
                0xe593_3000, // ldr r3, [r3]
                0xe1a0_e00f, // mov lr, pc
                0xe593_f058, // ldr pc, [r3, #88]
                0xe3a0_0000, // mov r0, #0
                0xe12f_ff1e, // bx lr
                VARIABLES,
            ],
        )
        .words(
            SETUP,
            &[
                0xeb00_0100, // bl setup_machine_fdt
                0xe1a0_4000, // mov r4, r0
                0xe59f_300c, // ldr r3, =handle_arch_irq
                0xe594_2060, // ldr r2, [r4, #96]
                0xe583_2000, // str r2, [r3]
                0xe12f_ff1e, // bx lr
                0,
                VARIABLES + 0x40,
            ],
        )
        .words(
            SET_HANDLE_IRQ,
            &[
                0xe59f_3010, // ldr r3, =handle_arch_irq
                0xe593_2000, // ldr r2, [r3]
                0xe352_0000, // cmp r2, #0
                0x0583_0000, // streq r0, [r3]
                0x13e0_000f, // mvnne r0, #15
                0xe12f_ff1e, // bx lr
                VARIABLES + 0x40,
            ],
        );
    // movw r3, #:lower16:VARIABLES
    let low = VARIABLES & 0xffff;
    image.words(
        TIME_INIT,
        &[0xe300_3000 | (low & 0xf000) << 4 | low & 0xfff],
    );
    let machines = super::find(&image.kernel(), &functions());
    let offset = |name: &str| machines.fields.get(name).map(|known| known.value);
    assert_eq!(offset("init_irq"), Some(80));
    assert_eq!(offset("init_time"), Some(84));
    assert_eq!(offset("init_machine"), Some(88));
    assert_eq!(offset("handle_irq"), Some(96));
    assert_eq!(machines.variables["machine_desc"].value, VARIABLES);
    assert_eq!(
        machines.variables["handle_arch_irq"].value,
        VARIABLES + 0x40
    );
    assert_eq!(
        machines.fields["init_irq"].evidence,
        format!(
            "init_IRQ calls [machine_desc + 0x50] at {:#x}",
            INIT_IRQ + 0x1c
        )
    );
}

#[test]
fn fields_are_read_from_t32_code() {
    let mut image = Image::new(0x6000, Version(4, 9, 0)).thumb2();
    image.halves(
        INIT_IRQ,
        &[
            0xf24d, 0x0300, // movw r3, #0xd000
            0xb510, // push {r4, lr}
            0xf2cc, 0x0300, // movt r3, #0xc000
            0x461c, // mov r4, r3
            0x681a, // ldr r2, [r3]
            0x6d13, // ldr r3, [r2, #80]
            0xb913, // cbnz r3, +4
            0xf00d, 0xfc11, // bl irqchip_init
            0xe000, // b +0
            0x4798, // blx r3
            0xbd10, // pop {r4, pc}
        ],
    );
    let machines = super::find(&image.kernel(), &functions());
    assert_eq!(machines.fields["init_irq"].value, 80);
    assert_eq!(machines.variables["machine_desc"].value, VARIABLES);
}

#[test]
fn old_kernels_copy_the_fields_first() {
    let mut image = Image::new(0x6000, Version(2, 6, 32));
    image
        .words(
            INIT_IRQ,
            &[0xe59f_3004, 0xe593_3000, 0xe12f_ff13, VARIABLES],
        )
        .words(
            TIME_INIT,
            &[
                0xe59f_300c, // ldr r3, =system_timer
                0xe593_3000, // ldr r3, [r3]
                0xe593_302c, // ldr r3, [r3, #44]
                0xe1a0_e00f, // mov lr, pc
                0xe1a0_f003, // mov pc, r3
                VARIABLES + 4,
            ],
        )
        .words(
            SETUP,
            &[
                0xeb00_0100, // bl setup_machine
                0xe59f_3014, // ldr r3, =init_arch_irq
                0xe590_2028, // ldr r2, [r0, #40]
                0xe583_2000, // str r2, [r3]
                0xe590_202c, // ldr r2, [r0, #44]
                0xe583_2004, // str r2, [r3, #4]
                0xe12f_ff1e, // bx lr
                0,
                VARIABLES,
            ],
        );
    let machines = super::find(&image.kernel(), &functions());
    let offset = |name: &str| machines.fields.get(name).map(|known| known.value);
    assert_eq!(offset("init_irq"), Some(40));
    assert_eq!(offset("timer"), Some(44));
    assert_eq!(offset("init_time"), None);
    assert_eq!(machines.variables["sys_timer.init"].value, 44);
    assert_eq!(
        machines.fields["timer"].evidence,
        format!(
            "setup_arch copies [machine descriptor + 0x2c] to system_timer at {:#x}",
            SETUP + 0x14
        )
    );
}

#[test]
fn a_timer_without_an_offset_gets_one_from_time_init() {
    let mut image = Image::new(0x6000, Version(2, 6, 28));
    image.words(
        TIME_INIT,
        &[
            0xe59f_3024, // ldr r3, =system_timer
            0xe593_2000, // ldr r2, [r3]
            0xe592_3038, // ldr r3, [r2, #56]
            0xe353_0000, // cmp r3, #0
            0x059f_3018, // ldreq r3, =dummy_gettimeoffset
            0x0582_3038, // streq r3, [r2, #56]
            0xe59f_300c, // ldr r3, =system_timer
            0xe593_3000, // ldr r3, [r3]
            0xe1a0_e00f, // mov lr, pc
            0xe593_f02c, // ldr pc, [r3, #44]
            0xe12f_ff1e, // bx lr
            VARIABLES,
            INIT_IRQ,
        ],
    );
    let machines = super::find(&image.kernel(), &functions());
    assert_eq!(machines.variables["sys_timer.init"].value, 44);
    assert_eq!(machines.variables["sys_timer.offset"].value, 56);
}

#[test]
fn a_timer_of_the_years_between_is_a_struct() {
    let mut image = Image::new(0x6000, Version(3, 4, 0));
    image.words(
        TIME_INIT,
        &[
            0xe59f_3010, // ldr r3, =machine_desc
            0xe593_3000, // ldr r3, [r3]
            0xe593_3034, // ldr r3, [r3, #52]
            0xe59f_2008, // ldr r2, =system_timer
            0xe582_3000, // str r3, [r2]
            0xe593_f000, // ldr pc, [r3]
            VARIABLES,
            VARIABLES + 4,
        ],
    );
    let machines = super::find(&image.kernel(), &functions());
    assert_eq!(machines.fields["timer"].value, 52);
    assert_eq!(machines.variables["sys_timer.init"].value, 0);
}

#[test]
fn position_independent_code_goes_through_a_table() {
    let mut image = Image::new(0x6000, Version(4, 4, 34));
    image
        .words(
            INIT_IRQ,
            &[
                0xe59f_3014, // ldr r3, [pc, #20]
                0xe59f_2014, // ldr r2, [pc, #20]
                0xe08f_3003, // add r3, pc, r3
                0xe793_3002, // ldr r3, [r3, r2]
                0xe593_3000, // ldr r3, [r3]
                0xe593_3050, // ldr r3, [r3, #80]
                0xe12f_ff13, // bx r3
                (VARIABLES + 0x100).wrapping_sub(INIT_IRQ + 16),
                0x20,
            ],
        )
        .words(VARIABLES + 0x120, &[VARIABLES]);
    let machines = super::find(&image.kernel(), &functions());
    assert_eq!(machines.variables["machine_desc"].value, VARIABLES);
    assert_eq!(machines.fields["init_irq"].value, 80);
}

#[test]
fn a32_functions_of_a_thumb_kernel_are_told_apart() {
    let mut image = Image::new(0x6000, Version(4, 9, 0)).thumb2();
    image
        .words(CODE, &[0xe92d_4010, 0xe1a0_4000, 0xe594_3000, 0xe8bd_8010])
        .halves(
            CODE + 0x100,
            &[0xb510, 0x4604, 0x6823, 0xbd10, 0xbf00, 0x4770],
        );
    let kernel = image.kernel();
    assert!(!isa::is_thumb(&kernel, CODE));
    assert!(isa::is_thumb(&kernel, CODE + 0x100));
}

#[test]
fn both_arms_are_followed_once() {
    let mut image = Image::new(0x6000, Version(4, 4, 0));
    image.words(
        CODE,
        &[
            0xe590_3008, // ldr r3, [r0, #8]
            0xe353_0000, // cmp r3, #0
            0x0aff_fffc, // beq back to the start
            0xe12f_ff33, // blx r3
            0xeaff_fffa, // b back to the start
        ],
    );
    let events = trace(&image.kernel(), CODE, false, None);
    let callback = Value::Load(Value::Argument(0).into(), 8);
    let calls: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::CallValue { at, target, .. } => Some((*at, target)),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [(CODE + 12, &callback)]);
    assert_eq!(
        events[0],
        Event::Load {
            at: CODE,
            base: Value::Argument(0),
            offset: 8,
            width: Width::Word,
            replaces_base: false,
        }
    );
    assert_eq!(
        events[1],
        Event::Compare {
            at: CODE + 4,
            left: callback.clone(),
            right: Value::Const(0),
        }
    );
}

/// An error's value is set under the condition of the jump behind it: where that
/// is not taken, the register still holds what it did.
#[test]
fn what_a_condition_sets_is_not_set_where_its_jump_is_not_taken() {
    let mut image = Image::new(0x6000, Version(3, 4, 0));
    image.words(
        CODE,
        &[
            0xe1a0_4001, // mov r4, r1
            0xe350_0000, // cmp r0, #0
            0x23e0_4015, // mvncs r4, #21
            0x2a00_0001, // bcs the last instruction
            0xe594_3008, // ldr r3, [r4, #8]
            0xe12f_ff33, // blx r3
            0xe12f_ff34, // blx r4
        ],
    );
    let events = trace(&image.kernel(), CODE, false, None);
    let called = |place: u32| {
        events.iter().find_map(|event| match event {
            Event::CallValue { at, target, .. } if *at == place => Some(target),
            _ => None,
        })
    };
    let field = Value::Load(Value::Argument(1).into(), 8);
    assert_eq!(called(CODE + 20), Some(&field));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_code_makes_the_tracer_panic_or_run_on(
        words in prop::collection::vec(any::<u32>(), 64),
        thumb: bool,
    ) {
        let mut image = Image::new(0x2000, Version(4, 4, 0));
        image.words(CODE, &words);
        let events = trace(&image.kernel(), CODE, thumb, None);
        prop_assert!(events.len() < 0x4000);
    }

    #[test]
    fn no_data_makes_the_search_panic(
        words in prop::collection::vec(
            prop_oneof![
                any::<u32>(),
                Just(u32::MAX),
                Just(STRINGS),
                Just(STRINGS + 0xa0),
                Just(CODE),
                0x5441_0001..0x5441_0010u32,
                0..0x100u32,
            ],
            512,
        ),
    ) {
        let mut image = Image::new(0x6000, Version(4, 4, 0));
        with_descriptors(&mut image);
        image.words(DESCRIPTORS - 0x400, &words);
        super::find(&image.kernel(), &functions());
    }
}
