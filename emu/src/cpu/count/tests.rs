//! Tests of the count.

use super::*;

fn count(code: &[u16]) -> Count {
    let mut ram = Ram::new();
    ram.add(0, PAGE).unwrap();
    let bytes: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
    assert!(ram.write(0, &bytes));
    let mut count = Count::new(Rc::new(ram));
    count.fetched_from(0x8000, 0);
    count
}

#[test]
fn arm_blocks_are_words() {
    assert_eq!(count(&[]).instructions(0x8000, 20, || false), 5);
}

#[test]
fn thumb_blocks_are_decoded_once_and_again_when_translated_anew() {
    // nop; nop.w; bx lr
    let mut count = count(&[0xbf00, 0xf3af, 0x8000, 0x4770]);
    count.translated(0x8000, 8, 3, true);
    assert_eq!(count.instructions(0x8000, 8, || unreachable!()), 3);
    // An entry that is not there is decoded.
    assert_eq!(count.instructions(0x8002, 6, || true), 2);
    // Other code at the same place.
    count.translated(0x8000, 8, 4, true);
    assert_eq!(count.instructions(0x8000, 8, || unreachable!()), 4);
    // ARM code in the same page is still told apart.
    count.translated(0x8100, 8, 2, false);
    assert_eq!(count.instructions(0x8100, 8, || unreachable!()), 2);
    assert_eq!(count.instructions(0x8200, 8, || false), 2);
}

#[test]
fn thumb_code_may_lie_at_both_ends_of_memory() {
    let mut count = count(&[]);
    assert!(count.is_plain(0x8000));
    count.translated(0x8000, 2, 1, true);
    assert!(!count.is_plain(0x8ffe) && count.is_plain(0x9000));
    count.translated(0, 2, 1, true);
    count.translated(0xffff_f000, 2, 1, true);
    for page in [0, 0x8000, 0xffff_f000] {
        assert!(!count.is_plain(page));
    }
    assert!(count.is_plain(0x9000));
}

#[test]
fn thumb_code_is_still_known_when_its_memory_comes_back() {
    let mut count = count(&[0xbf00, 0xf3af, 0x8000, 0x4770]);
    count.translated(0x8000, 8, 3, true);
    count.fetched_from(0x8000, 1);
    count.fetched_from(0x8000, 0);
    assert_eq!(count.instructions(0x8000, 8, || unreachable!()), 3);
}

#[test]
fn writes_of_system_registers_are_noticed() {
    // mcr p15, 0, r0, c2, c0, 0 (TTBR0)
    let mut arm = count(&[0x0f10, 0xee02]);
    assert!(arm.take_system_written());
    assert!(!arm.take_system_written());
    arm.translated(0x8000, 4, 1, false);
    assert!(!arm.is_plain(0x8000));
    arm.noticed(0x8000);
    arm.started(0x8000, 1);
    // As long as the block runs it may do it again.
    assert!(arm.take_system_written() && arm.take_system_written());
    arm.started(0x9000, 1);
    assert!(arm.take_system_written());
    assert!(!arm.take_system_written());
    // The same in Thumb code, behind a nop.
    let mut thumb = count(&[0xbf00, 0xee02, 0x0f10]);
    thumb.translated(0x8000, 6, 2, true);
    assert!(thumb.is_marked(0x8000, mark::SYSTEM));
}

#[test]
fn instructions_that_write_system_registers() {
    for (instruction, expected) in [
        (0xee01_0f10, true),  // mcr p15, 0, r0, c1, c0, 0
        (0x1e03_1f10, true),  // mcrne p15, 0, r1, c3, c0, 0
        (0xec41_0f12, true),  // mcrr p15, 1, r0, r1, c2
        (0xee11_0f10, false), // mrc p15, 0, r0, c1, c0, 0
        (0xee08_0f17, false), // mcr p15, 0, r0, c8, c7, 0
        (0xee02_0e10, false), // mcr p14, 0, r0, c2, c0, 0
        (0xee02_0f00, false), // cdp p15, 0, c0, c2, c0, 0
    ] {
        assert_eq!(writes_system(instruction), expected, "{instruction:#x}");
    }
}

#[test]
fn if_then_state_advances_to_its_end() {
    assert_eq!(advanced_if_then(if_then(0b000_01100)), if_then(0b000_11000));
    assert_eq!(advanced_if_then(if_then(0b000_11000)), 0);
    assert_eq!(advanced_if_then(0), 0);
}

#[test]
fn a_block_that_was_interrupted_goes_on() {
    // nop; ite eq; moveq.w; movne; nop
    let mut count = count(&[0xbf00, 0xbf0c, 0xf04f, 0x0001, 0x2002, 0xbf00]);
    count.translated(0x8000, 12, 5, true);
    count.started(0x8000, 5);
    count.interrupt(0x8008);
    assert_eq!((count.done(true), count.retired), (3, 5));
    assert_eq!(count.if_then_before(0x8002), 0);
    assert_eq!(count.if_then_before(0x8004), if_then(0x0c));
    assert_eq!(count.if_then_before(0x8008), if_then(0x18));
    assert_eq!(count.if_then_before(0x800a), 0);
    assert!(count.continues(0x8008, 4, || true));
    assert_eq!((count.done(true), count.at_block()), (5, 0));
    // Somewhere else is another block.
    count.interrupt(0x8004);
    count.abandon(true);
    assert_eq!(count.retired, 2);
    assert!(!count.continues(0x8004, 8, || true));
}

#[test]
fn a_block_left_early_counts_what_it_did() {
    let mut count = count(&[0xbf00, 0xf3af, 0x8000, 0x4770]);
    count.retired = 103;
    count.block = 0x8000;
    count.block_instructions = 3;
    assert_eq!(count.at_block(), 100);
    assert_eq!(count.before(0x8006, true), 102);
    count.left_at(0x8002, true);
    assert_eq!(count.retired, 101);
    assert_eq!(count.at_block(), 101);
}
