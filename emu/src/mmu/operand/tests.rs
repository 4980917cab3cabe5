//! Any word may be asked for; the addresses of real accesses are checked against
//! the processor in the machine's tests.

use proptest::prelude::*;

use super::*;

#[test]
fn an_access_in_the_page_it_starts_in_and_in_the_next() {
    let operand = Operand {
        address: 0x1ffc,
        bytes: 16,
    };
    assert_eq!(operand.in_page(0x1000), 0x1ffc);
    assert_eq!(operand.in_page(0x2000), 0x2000);
}

#[test]
fn unprivileged_forms() {
    // ldrt r0, [r1]; strt; ldrbt r0, [r1], r2; ldrht r0, [r1]; ldrsbt r0, [r1], r2
    for word in [
        0xe4b1_0000,
        0xe4a1_0000,
        0xe6f1_0002,
        0xe0f1_00b0,
        0xe0b1_00d2,
    ] {
        assert!(arm_is_unprivileged(word), "{word:#x}");
    }
    // ldr r0, [r1], #0; ldr r0, [r1, #0]!; ldm r1!, {r0}; mla; ldrd r0, [r1], #0
    for word in [
        0xe491_0000,
        0xe5b1_0000,
        0xe8b1_0001,
        0xe021_0392,
        0xe0c1_00d0,
    ] {
        assert!(!arm_is_unprivileged(word), "{word:#x}");
    }
    assert!(thumb_is_unprivileged(0xf851, 0x0e04));
    assert!(!thumb_is_unprivileged(0xf851, 0x0c04));
    assert!(!thumb_is_unprivileged(0xf8d1, 0x0e04));
    assert!(!thumb_is_unprivileged(0xf85f, 0x0e04));
}

proptest! {
    #[test]
    fn any_instruction_has_an_answer(
        word: u32, pc: u32, registers: [u32; 15], page: u32,
    ) {
        let register = |number: u32| registers[number as usize % 15];
        for operand in [
            arm(word, pc & !3, register),
            thumb((word >> 16) as u16, word as u16, pc & !1, register),
        ]
        .into_iter()
        .flatten()
        {
            prop_assert!(operand.bytes <= 1024);
            prop_assert_eq!(operand.in_page(page) >> 12, page >> 12);
        }
        arm_is_unprivileged(word);
        thumb_is_unprivileged((word >> 16) as u16, word as u16);
    }
}
