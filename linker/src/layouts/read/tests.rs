//! Small functions as compilers make them, and what is read from them.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{Lookup, Reads};
use crate::{
    kernel::Version,
    layouts::{Layouts, Tables},
    machine::{
        Machines,
        testing::{BASE, Image},
    },
    symbols::SymbolTable,
};

/// Where the function lies, and the texts.
const CODE: u32 = BASE + 0x400;
const TEXTS: u32 = 0xc000_9000;

const HANDLE_LEVEL_IRQ: &[u32] = &[
    0xe92d_4010, // push {r4, lr}
    0xe1a0_4000, // mov r4, r0
    0xe590_2024, // ldr r2, [r0, #36]
    0xe592_301c, // ldr r3, [r2, #28]
    0xe353_0000, // cmp r3, #0
    0x0a00_0002, // beq 24
    0xe284_0010, // add r0, r4, #16
    0xe12f_ff33, // blx r3
    0xea00_0006, // b 40
    0xe592_3018, // ldr r3, [r2, #24]
    0xe284_0010, // add r0, r4, #16
    0xe12f_ff33, // blx r3
    0xe594_3024, // ldr r3, [r4, #36]
    0xe593_3014, // ldr r3, [r3, #20]
    0xe353_0000, // cmp r3, #0
    0x1aff_fff5, // bne 18
    0xe594_3024, // ldr r3, [r4, #36]
    0xe593_3020, // ldr r3, [r3, #32]
    0xe284_0010, // add r0, r4, #16
    0xe12f_ff33, // blx r3
    0xe8bd_8010, // pop {r4, pc}
];

const REQUEST_THREADED_IRQ: &[u32] = &[
    0xe92d_41f0, // push {r4, r5, r6, r7, r8, lr}
    0xe1a0_5001, // mov r5, r1
    0xe1a0_6002, // mov r6, r2
    0xe1a0_7003, // mov r7, r3
    0xeb00_003e, // bl
    0xe59d_3018, // ldr r3, [sp, #24]
    0xe59d_201c, // ldr r2, [sp, #28]
    0xe580_5000, // str r5, [r0]
    0xe580_6010, // str r6, [r0, #16]
    0xe580_7020, // str r7, [r0, #32]
    0xe580_302c, // str r3, [r0, #44]
    0xe580_2004, // str r2, [r0, #4]
    0xe8bd_81f0, // pop {r4, r5, r6, r7, r8, pc}
];

const SERIAL8250_PROBE: &[u32] = &[
    0xe92d_4010, // push {r4, lr}
    0xe24d_d068, // sub sp, sp, #104
    0xe590_4058, // ldr r4, [r0, #88]
    0xe3a0_1064, // mov r1, #100
    0xe1a0_000d, // mov r0, sp
    0xeb00_003e, // bl
    0xe594_3004, // ldr r3, [r4, #4]
    0xe58d_3008, // str r3, [sp, #8]
    0xe5d4_301c, // ldrb r3, [r4, #28]
    0xe5cd_304d, // strb r3, [sp, #77]
    0xe1a0_000d, // mov r0, sp
    0xeb00_003e, // bl
    0xe284_4050, // add r4, r4, #80
    0xe28d_d068, // add sp, sp, #104
    0xe8bd_8010, // pop {r4, pc}
];

const PRINT_TICKDEVICE: &[u32] = &[
    0xe92d_4070, // push {r4, r5, r6, lr}
    0xe1a0_5000, // mov r5, r0
    0xe591_4000, // ldr r4, [r1]
    0xe309_1000, // movw r1, #36864
    0xe34c_1000, // movt r1, #49152
    0xe594_2064, // ldr r2, [r4, #100]
    0xeb00_003e, // bl
    0xe1a0_0005, // mov r0, r5
    0xe309_1020, // movw r1, #36896
    0xe34c_1000, // movt r1, #49152
    0xe1c4_21d8, // ldrd r2, [r4, #24]
    0xeb00_003e, // bl
    0xe1a0_0005, // mov r0, r5
    0xe309_1040, // movw r1, #36928
    0xe34c_1000, // movt r1, #49152
    0xeb00_003e, // bl
    0xe1a0_0005, // mov r0, r5
    0xe594_1000, // ldr r1, [r4]
    0xeb00_003e, // bl
    0xe8bd_8070, // pop {r4, r5, r6, pc}
];

const CLOCKEVENTS_CONFIG_AND_REGISTER: &[u16] = &[
    0xb510, // push {r4, lr}
    0x65c2, // str r2, [r0, #92]
    0xf8c0, 0x3060, // str.w r3, [r0, #96]
    0x6b44, // ldr r4, [r0, #52]
    0x07a4, // lsls r4, r4, #30
    0xd500, // bpl.n 10
    0xbf00, // nop
    0xbd10, // pop {r4, pc}
];

const UART_WRITE_WAKEUP: &[u32] = &[
    0xe590_3040, // ldr r3, [r0, #64]
    0xe353_0000, // cmp r3, #0
    0x1a00_0000, // bne below
    0xe7f0_01f2, // udf #18
    0xe593_0020, // ldr r0, [r3, #32]
    0xeaff_fe00, // b tty_wakeup
];

const UART_REGISTER_DRIVER: &[u32] = &[
    0xe92d_4070, // push {r4, r5, r6, lr}
    0xe590_601c, // ldr r6, [r0, #28]
    0xe286_006c, // add r0, r6, #108
    0xe308_1500, // movw r1, #0x8500
    0xe34c_1000, // movt r1, #0xc000
    0xe1a0_2006, // mov r2, r6
    0xebff_fe00, // bl tasklet_init
    0xe8bd_8070, // pop {r4, r5, r6, pc}
];

/// At `CODE + 0x100`, which is 0xc0008500.
const UART_TASKLET_ACTION: &[u32] = &[
    0xe52d_e004, // push {lr}
    0xebff_fd00, // bl __gnu_mcount_nc
    0xe590_0004, // ldr r0, [r0, #4]
    0xeaff_fd00, // b tty_wakeup
];

const UART_MATCH_PORT: &[u16] = &[
    0xf890, 0x303e, // ldrb.w r3, [r0, #62]
    0xf891, 0x203e, // ldrb.w r2, [r1, #62]
    0x4293, // cmp r3, r2
    0xbf18, // it ne
    0x4770, // bxne lr
    0x6840, // ldr r0, [r0, #4]
    0x4770, // bx lr
];

/// The one function, in an image with some texts.
fn image(words: &[u32], version: Version) -> Image {
    let mut image = Image::new(0x2000, version);
    image.words(CODE, words);
    image.text(TEXTS, "%s\n");
    image.text(TEXTS + 0x20, " max_delta_ns:   %llu\n");
    image.text(TEXTS + 0x40, " event_handler:  ");
    image
}

fn lookup(name: &str, at: u32) -> impl Fn(&str) -> Option<u32> + '_ {
    move |asked| (asked == name).then_some(at)
}

fn text(reads: &Reads) -> String {
    let mut text = String::new();
    for of in reads.structs() {
        for (field, read) in reads.shown(of) {
            match read {
                Ok(read) => writeln!(text, "{of}.{field} {:#x}: {}", read.value, read.evidence),
                Err((values, words)) => writeln!(text, "{of}.{field} {values:x?}: {words}"),
            }
            .expect("a string takes all");
        }
    }
    text
}

fn check(image: &Image, name: &str, expected: &Expect) {
    let address = lookup(name, CODE);
    let lookup = Lookup {
        address: &address,
        end: &|_| None,
    };
    expected.assert_eq(&text(&Reads::of(&image.kernel(), &lookup)));
}

#[test]
fn callbacks_of_a_chip_lie_in_a_row() {
    let image = image(HANDLE_LEVEL_IRQ, Version(4, 4, 0));
    check(
        &image,
        "handle_level_irq",
        &expect![[r#"
            irq_chip.irq_ack 0x14: handle_level_irq takes [chip + 0x14], of four in a row, at 0xc0008434
            irq_chip.irq_mask 0x18: handle_level_irq takes [chip + 0x18], of four in a row, at 0xc0008424
            irq_chip.irq_mask_ack 0x1c: handle_level_irq takes [chip + 0x1c], of four in a row, at 0xc000840c
            irq_chip.irq_unmask 0x20: handle_level_irq takes [chip + 0x20], of four in a row, at 0xc0008444
            irq_data.chip 0x14: handle_level_irq calls through [descriptor + 0x24] with descriptor + 0x10 at 0xc000841c
            irq_desc.irq_data 0x10: handle_level_irq calls through [descriptor + 0x24] with descriptor + 0x10 at 0xc000841c
        "#]],
    );
}

#[test]
fn arguments_are_stored_in_a_new_action() {
    let image = image(REQUEST_THREADED_IRQ, Version(4, 4, 0));
    check(
        &image,
        "request_threaded_irq",
        &expect![[r#"
        irqaction.dev_id 0x4: request_threaded_irq stores its argument 6 at [action + 0x4] at 0xc000842c
        irqaction.flags 0x20: request_threaded_irq stores its argument 4 at [action + 0x20] at 0xc0008424
        irqaction.handler 0x0: request_threaded_irq stores its argument 2 at [action + 0x0] at 0xc000841c
        irqaction.name 0x2c: request_threaded_irq stores its argument 5 at [action + 0x2c] at 0xc0008428
        irqaction.thread_fn 0x10: request_threaded_irq stores its argument 3 at [action + 0x10] at 0xc0008420
    "#]],
    );
}

#[test]
fn texts_name_what_is_printed() {
    let image = image(PRINT_TICKDEVICE, Version(4, 4, 0));
    check(
        &image,
        "print_tickdevice",
        &expect![[r#"
        clock_event_device.event_handler 0x0: print_tickdevice prints [device + 0x0] as "event_handler:" at 0xc0008448
        clock_event_device.max_delta_ns 0x18: print_tickdevice prints [device + 0x18] as "max_delta_ns:" at 0xc000842c
        clock_event_device.name 0x64: print_tickdevice prints [device + 0x64] as the device's name at 0xc0008418
    "#]],
    );
}

#[test]
fn t32_code_is_read_too() {
    let thumb = |halves: &[u16]| {
        let mut image = Image::new(0x2000, Version(4, 4, 0)).thumb2();
        image.halves(CODE, halves);
        image
    };
    check(
        &thumb(CLOCKEVENTS_CONFIG_AND_REGISTER),
        "clockevents_config_and_register",
        &expect![[r#"
            clock_event_device.features 0x34: clockevents_config_and_register tests [device + 0x34] for CLOCK_EVT_FEAT_ONESHOT at 0xc000840a
            clock_event_device.max_delta_ticks 0x60: clockevents_config_and_register stores its argument 4 at [device + 0x60] at 0xc0008404
            clock_event_device.min_delta_ticks 0x5c: clockevents_config_and_register stores its argument 3 at [device + 0x5c] at 0xc0008402
        "#]],
    );
    check(
        &thumb(UART_MATCH_PORT),
        "uart_match_port",
        &expect![[r#"
        uart_port.iotype 0x3e: uart_match_port compares the byte [port + 0x3e] of two ports at 0xc0008408
    "#]],
    );
}

#[test]
fn a_description_is_told_by_the_port_it_is_copied_to() {
    let image = image(SERIAL8250_PROBE, Version(4, 4, 0));
    let address = lookup("serial8250_probe", CODE);
    let lookup = Lookup {
        address: &address,
        end: &|_| None,
    };
    let port = |field: &str| match field {
        "membase" => Some(8),
        "regshift" => Some(77),
        _ => None,
    };
    let mut reads = Reads::default();
    reads.platform(&image.kernel(), &lookup, &port);
    expect![[r#"
        plat_serial8250_port. 0x50: serial8250_probe goes on by 80 bytes at 0xc0008430
        plat_serial8250_port.membase 0x4: serial8250_probe copies [description + 0x4] to [port + 0x8] at 0xc000841c
        plat_serial8250_port.regshift 0x1c: serial8250_probe copies [description + 0x1c] to [port + 0x4d] at 0xc0008424
    "#]].assert_eq(&text(&reads));
}

#[test]
fn a_ports_terminal_is_the_one_that_is_woken() {
    let image_of = |words| image(words, Version(3, 4, 0));
    check(
        &image_of(UART_WRITE_WAKEUP),
        "uart_write_wakeup",
        &expect![[r#"
            tty_port.tty 0x20: uart_write_wakeup hands over [[port's state] + 0x20] at 0xc0008414
        "#]],
    );
    let mut image = image_of(UART_REGISTER_DRIVER);
    image.words(CODE + 0x100, UART_TASKLET_ACTION);
    check(
        &image,
        "uart_register_driver",
        &expect![[r#"
            tty_port.tty 0x4: uart_tasklet_action loads nothing from the port but [port + 0x4], at 0xc0008508
        "#]],
    );
}

/// `uart_add_one_port(driver, port)`: a check that ends in `__bug`, and the port
/// handed on to a function that calls two callbacks three words apart.
const UART_ADD_ONE_PORT: &[u32] = &[
    0xe92d_4030, // push {r4, r5, lr}
    0xe351_0000, // cmp r1, #0
    0x1a00_0000, // bne below
    0xeb00_003b, // bl __bug, at CODE + 0x100
    0xe1a0_2001, // mov r2, r1
    0xe3a0_1000, // mov r1, #0
    0xeb00_0048, // bl uart_configure_port, at CODE + 0x140
    0xe8bd_8030, // pop {r4, r5, pc}
];
/// push {r3, lr}; mov r3, #0; str r3, [r3]; b to itself
const BUG: &[u32] = &[0xe92d_4008, 0xe3a0_3000, 0xe583_3000, 0xeaff_fffe];
const UART_CONFIGURE_PORT: &[u32] = &[
    0xe92d_4010, // push {r4, lr}
    0xe1a0_4002, // mov r4, r2
    0xe594_3074, // ldr r3, [r4, #116]
    0xe1a0_0004, // mov r0, r4
    0xe593_304c, // ldr r3, [r3, #76]
    0xe12f_ff33, // blx r3
    0xe594_3074, // ldr r3, [r4, #116]
    0xe1a0_0004, // mov r0, r4
    0xe593_3040, // ldr r3, [r3, #64]
    0xe12f_ff33, // blx r3
    0xe8bd_8010, // pop {r4, pc}
];

#[test]
fn a_port_is_configured_by_a_function_without_a_name() {
    let image_with = |bug: &[u32]| {
        let mut image = image(UART_ADD_ONE_PORT, Version(2, 6, 35));
        image
            .words(CODE + 0x100, bug)
            .words(CODE + 0x140, UART_CONFIGURE_PORT);
        image
    };
    let configured = expect![[r#"
            uart_ops.config_port 0x4c: uart_configure_port calls [[port + 0x74] + 0x4c] with the port at 0xc0008554
            uart_ops.type 0x40: uart_configure_port calls [[port + 0x74] + 0x40] with the port at 0xc0008564
            uart_port.ops 0x74: uart_configure_port calls [[port + 0x74] + 0x40] with the port at 0xc0008564
        "#]];
    check(&image_with(BUG), "uart_add_one_port", &configured);
    // pm, three words before type.
    let mut image = image_with(BUG);
    let mut words = [0; 15];
    words[..10].copy_from_slice(&UART_CONFIGURE_PORT[..10]);
    words[10..].copy_from_slice(&[
        0xe594_3074, // ldr r3, [r4, #116]
        0xe1a0_0004, // mov r0, r4
        0xe593_3034, // ldr r3, [r3, #52]
        0xe12f_ff33, // blx r3
        0xe8bd_8010, // pop {r4, pc}
    ]);
    image.words(CODE + 0x140, &words);
    check(&image, "uart_add_one_port", &configured);
    // What comes back from there has other things in its registers.
    check(
        &image_with(&[0xe12f_ff1e]),
        "uart_add_one_port",
        &expect![[""]],
    );
}

/// Functions of the serial core that call these fields of `uart_ops`, as the
/// offset says, in an image.
fn callers(offsets: &[u32]) -> Image {
    let mut image = Image::new(0x2000, Version(3, 18, 0));
    for (index, offset) in (0..).zip(offsets) {
        let words = [
            0xe92d_4010,          // push {r4, lr}
            0xe590_3038,          // ldr r3, [r0, #56]
            0xe593_3000 + offset, // ldr r3, [r3, #offset]
            0xe12f_ff33,          // blx r3
            0xe8bd_8010,          // pop {r4, pc}
        ];
        image.words(CODE + 0x40 * index, &words);
    }
    image
}

#[test]
fn one_function_taken_for_another_does_not_spoil_a_struct() {
    const NAMES: [&str; 8] = [
        "uart_update_mctrl",
        "uart_tiocmget",
        "uart_stop",
        "uart_start",
        "uart_break_ctl",
        "uart_port_shutdown",
        "uart_set_ldisc",
        "uart_change_pm",
    ];
    let known = |pm: u32| {
        let image = callers(&[4, 8, 12, 16, 40, 48, 60, pm]);
        let address = |name: &str| {
            let index = NAMES.iter().position(|it| *it == name)?;
            Some(CODE + 0x40 * index as u32)
        };
        let lookup = Lookup {
            address: &address,
            end: &|at| Some((at | 0x3f) + 1),
        };
        let layouts = Layouts::with(
            Tables::built_in(),
            &image.kernel(),
            &SymbolTable::default(),
            &Machines::default(),
            &lookup,
        );
        let value = |name| layouts.get(name).map(|known| known.value);
        let torn: Vec<String> = layouts.contradictions().map(|it| it.0.to_owned()).collect();
        (value("uart_ops.pm"), value("uart_ops.startup"), torn)
    };
    assert_eq!(known(64), (Some(64), Some(44), vec![]));
    // It calls set_termios.
    assert_eq!(known(56), (None, Some(44), vec!["uart_ops.pm".to_owned()]));
    // Where the table has nothing, so that the table may be wrong.
    assert_eq!(known(300).0, None);
}

/// What is known of irqaction by one era's members and REQUEST_THREADED_IRQ.
fn merged(members: &str, versions: &str) -> String {
    let table = format!(
        "struct = \"irqaction\"\n[[era]]\nversions = {versions}\nsource = \"a header\"\n\
         members = [{members}]"
    );
    let tables = Tables::read(&[("x.toml", &table)], "constant = []", "condition = []");
    let address = lookup("request_threaded_irq", CODE);
    let lookup = Lookup {
        address: &address,
        end: &|_| None,
    };
    let layouts = Layouts::with(
        &tables.expect("a table"),
        &image(REQUEST_THREADED_IRQ, Version(4, 4, 0)).kernel(),
        &SymbolTable::default(),
        &Machines::default(),
        &lookup,
    );
    let known = layouts.iter().map(|(name, known)| {
        let table = match (known.source(), known.evidence.contains("fit")) {
            ("layout_table", true) => "table that fits",
            ("layout_table", false) => "table",
            (_, _) if known.evidence.ends_with("agrees)") => "both",
            _ => "code",
        };
        format!("{name} {} by {table}\n", known.value)
    });
    let contradictory = layouts
        .contradictions()
        .map(|(name, _)| format!("{name} contradictory\n"));
    known.chain(contradictory).collect()
}

const ACTION: &str = r#""fn handler", "ptr dev_id", "u32*2 percpu_dev_id", "fn thread_fn",
    "u32*3 thread", "u32 flags", "u32*2 thread_flags", "text name", "ptr dir""#;

#[test]
fn code_and_table_agree() {
    expect![[r#"
        irqaction 52 by table
        irqaction.dev_id 4 by both
        irqaction.dir 48 by table
        irqaction.flags 32 by both
        irqaction.handler 0 by both
        irqaction.name 44 by both
        irqaction.percpu_dev_id 8 by table
        irqaction.thread 20 by table
        irqaction.thread_flags 36 by table
        irqaction.thread_fn 16 by both
    "#]]
    .assert_eq(&merged(ACTION, r#"["4.4", "4.8"]"#));
}

#[test]
fn a_table_of_another_version_serves_when_the_code_fits() {
    expect![[r#"
        irqaction 52 by table
        irqaction.dev_id 4 by both
        irqaction.dir 48 by table that fits
        irqaction.flags 32 by both
        irqaction.handler 0 by both
        irqaction.name 44 by both
        irqaction.percpu_dev_id 8 by table that fits
        irqaction.thread 20 by table that fits
        irqaction.thread_flags 36 by table that fits
        irqaction.thread_fn 16 by both
    "#]]
    .assert_eq(&merged(ACTION, r#"["4.5", "4.8"]"#));
}

#[test]
fn one_reader_does_not_overrule_a_table() {
    // Two fields the other way round.
    let table = ACTION
        .replace("u32 flags", "u32 swapped")
        .replace("text name", "u32 flags")
        .replace("swapped", "name");
    expect![[r#"
        irqaction.dev_id 4 by both
        irqaction.handler 0 by both
        irqaction.percpu_dev_id 8 by table
        irqaction.thread_fn 16 by both
        irqaction.flags contradictory
        irqaction.name contradictory
    "#]]
    .assert_eq(&merged(&table, r#"["4.4", "4.8"]"#));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every function that is asked for lies in random code.
    #[test]
    fn no_code_makes_a_reader_panic(
        words in prop::collection::vec(any::<u32>(), 64),
        thumb: bool,
        shift in 0u32..16,
    ) {
        let mut image = image(&words, Version(4, 4, 0));
        if thumb {
            image = image.thumb2();
        }
        let address = |name: &str| Some(CODE + 4 * (name.len() as u32 % 16) + 2 * shift);
        let lookup = Lookup {
            address: &address,
            end: &|_| None,
        };
        let layouts = Layouts::with(
            Tables::built_in(),
            &image.kernel(),
            &SymbolTable::default(),
            &Machines::default(),
            &lookup,
        );
        prop_assert!(layouts.iter().count() > 0);
    }
}
