//! Behaviour of the SP804 model, one test each. The clock is 1 MHz, times are
//! microseconds.

use super::{control::*, reg::*, *};

fn at(us: u64) -> Time {
    Time(us * 1000)
}

fn read(timer: &mut Sp804, offset: u32, us: u64) -> u32 {
    timer.read(offset, 4, at(us))
}

fn write(timer: &mut Sp804, offset: u32, value: u32, us: u64) {
    timer.write(offset, 4, value, at(us));
}

/// A timer that was loaded and switched on at 0.
fn started(load: u32, control: u32) -> Sp804 {
    let mut timer = Sp804::default();
    write(&mut timer, LOAD, load, 0);
    write(&mut timer, CONTROL, control | ENABLE, 0);
    timer
}

#[test]
fn test_reset_values() {
    let mut timer = Sp804::default();
    for base in [0, STRIDE] {
        assert_eq!(read(&mut timer, base + LOAD, 0), 0);
        assert_eq!(read(&mut timer, base + VALUE, 50), 0xffff_ffff);
        assert_eq!(read(&mut timer, base + CONTROL, 50), 0x20);
        assert_eq!(read(&mut timer, base + RIS, 50), 0);
        assert_eq!(read(&mut timer, base + MIS, 50), 0);
        assert_eq!(read(&mut timer, base + BGLOAD, 50), 0);
    }
    assert!(!timer.irq());
    assert_eq!(timer.next_event(), None);
}

#[test]
fn test_identification() {
    let mut timer = Sp804::default();
    let id: Vec<u32> = (0xfe0..0x1000)
        .step_by(4)
        .map(|offset| read(&mut timer, offset, 0))
        .collect();
    assert_eq!(id, [0x04, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
}

#[test]
fn test_control_keeps_existing_bits() {
    let mut timer = Sp804::default();
    write(&mut timer, CONTROL, 0xffff_ffff, 0);
    assert_eq!(read(&mut timer, CONTROL, 0), 0xef);
}

#[test]
fn test_load_shows_in_value_at_once_and_counts_from_the_next_edge() {
    let mut timer = started(100, SIZE_32 | PERIODIC);
    assert_eq!(read(&mut timer, VALUE, 0), 100);
    assert_eq!(read(&mut timer, VALUE, 1), 100);
    assert_eq!(read(&mut timer, VALUE, 2), 99);
    assert_eq!(read(&mut timer, VALUE, 51), 50);
}

#[test]
fn test_value_while_disabled_stands_still() {
    let mut timer = started(100, SIZE_32);
    assert_eq!(read(&mut timer, VALUE, 11), 90);
    write(&mut timer, CONTROL, SIZE_32, 11);
    assert_eq!(read(&mut timer, VALUE, 500), 90);
    write(&mut timer, CONTROL, SIZE_32 | ENABLE, 500);
    assert_eq!(read(&mut timer, VALUE, 510), 80);
}

#[test]
fn test_periodic_interrupts_every_load_ticks() {
    let mut timer = started(1000, SIZE_32 | PERIODIC | INT_ENABLE);
    for period in 1..=3000 {
        let due = 1 + period * 1000;
        assert_eq!(timer.next_event(), Some(at(due)));
        timer.advance(Time(due * 1000 - 1));
        assert!(!timer.irq());
        timer.advance(at(due));
        assert!(timer.irq());
        // A late acknowledgement moves nothing.
        write(&mut timer, INTCLR, 1, due + 700);
        assert!(!timer.irq());
    }
}

#[test]
fn test_missed_periods_are_one_interrupt() {
    let mut timer = started(10, SIZE_32 | PERIODIC | INT_ENABLE);
    assert_eq!(read(&mut timer, RIS, 1_000_001), 1);
    write(&mut timer, INTCLR, 0, 1_000_001);
    assert_eq!(read(&mut timer, RIS, 1_000_001), 0);
    assert_eq!(timer.next_event(), Some(at(1_000_011)));
}

#[test]
fn test_clock_that_does_not_divide_a_nanosecond_does_not_drift() {
    let mut timer = Sp804::new([3_000_000, 7]);
    write(&mut timer, LOAD, 3, 0);
    write(
        &mut timer,
        CONTROL,
        SIZE_32 | PERIODIC | INT_ENABLE | ENABLE,
        0,
    );
    for period in 1..10_000u64 {
        let due = timer.next_event().unwrap();
        let tick = 1 + 3 * period;
        assert_eq!(due.0, (tick * 1000).div_ceil(3));
        timer.write(INTCLR, 4, 0, due);
    }
}

#[test]
fn test_interrupt_mask() {
    let mut timer = started(5, SIZE_32 | PERIODIC);
    assert_eq!(timer.next_event(), None);
    assert_eq!(read(&mut timer, RIS, 6), 1);
    assert_eq!(read(&mut timer, MIS, 6), 0);
    assert!(!timer.irq());
    write(
        &mut timer,
        CONTROL,
        SIZE_32 | PERIODIC | INT_ENABLE | ENABLE,
        6,
    );
    assert_eq!(read(&mut timer, MIS, 6), 1);
    assert!(timer.irq());
}

#[test]
fn test_one_shot_stops_at_zero() {
    let mut timer = started(20, SIZE_32 | ONE_SHOT | INT_ENABLE);
    assert_eq!(timer.next_event(), Some(at(21)));
    assert_eq!(read(&mut timer, RIS, 20), 0);
    assert_eq!(read(&mut timer, RIS, 21), 1);
    write(&mut timer, INTCLR, 0, 22);
    assert_eq!(read(&mut timer, VALUE, 5000), 0);
    assert_eq!(read(&mut timer, RIS, 5000), 0);
    assert_eq!(timer.next_event(), None);
}

#[test]
fn test_one_shot_is_started_again_by_load() {
    let mut timer = started(20, SIZE_32 | ONE_SHOT | INT_ENABLE);
    timer.advance(at(100));
    write(&mut timer, INTCLR, 0, 100);
    write(&mut timer, LOAD, 30, 100);
    assert_eq!(timer.next_event(), Some(at(131)));
}

#[test]
fn test_one_shot_is_started_again_by_clearing_the_bit() {
    let mut timer = started(20, SIZE_32 | ONE_SHOT | PERIODIC | INT_ENABLE);
    timer.advance(at(100));
    write(&mut timer, INTCLR, 0, 100);
    write(
        &mut timer,
        CONTROL,
        SIZE_32 | PERIODIC | INT_ENABLE | ENABLE,
        100,
    );
    assert_eq!(read(&mut timer, VALUE, 101), 20);
    assert_eq!(timer.next_event(), Some(at(121)));
}

#[test]
fn test_free_running_wraps_from_zero_to_the_largest_value() {
    let mut timer = started(3, SIZE_32 | INT_ENABLE);
    assert_eq!(timer.next_event(), Some(at(4)));
    assert_eq!(read(&mut timer, VALUE, 4), 0);
    assert_eq!(read(&mut timer, RIS, 4), 1);
    assert_eq!(read(&mut timer, VALUE, 5), 0xffff_ffff);
    write(&mut timer, INTCLR, 0, 5);
    assert_eq!(timer.next_event(), Some(at(4 + (1 << 32))));
    assert_eq!(read(&mut timer, VALUE, 5 + 0xffff_fffe), 1);
    assert_eq!(read(&mut timer, RIS, 5 + 0xffff_fffe), 0);
    assert_eq!(read(&mut timer, RIS, 5 + 0xffff_ffff), 1);
}

#[test]
fn test_free_running_16_bit() {
    let mut timer = started(3, INT_ENABLE);
    assert_eq!(read(&mut timer, VALUE, 5), 0xffff);
    write(&mut timer, INTCLR, 0, 5);
    assert_eq!(timer.next_event(), Some(at(4 + (1 << 16))));
}

#[test]
fn test_16_bit_count_leaves_the_upper_half() {
    let mut timer = started(0xabcd_0003, ONE_SHOT | INT_ENABLE);
    assert_eq!(timer.next_event(), Some(at(4)));
    assert_eq!(read(&mut timer, VALUE, 2), 0xabcd_0002);
    assert_eq!(read(&mut timer, VALUE, 10), 0xabcd_0000);
    assert_eq!(read(&mut timer, RIS, 10), 1);
}

#[test]
fn test_prescalers() {
    for (bits, divider) in [(0, 1), (1, 16), (2, 256)] {
        let control = SIZE_32 | PERIODIC | INT_ENABLE | bits << PRESCALE_SHIFT;
        let mut timer = started(10, control);
        assert_eq!(timer.next_event(), Some(at(1 + 10 * divider)));
        assert_eq!(read(&mut timer, VALUE, divider), 10);
        assert_eq!(read(&mut timer, VALUE, 1 + divider), 9);
        assert_eq!(read(&mut timer, VALUE, 3 * divider), 8);
        assert_eq!(read(&mut timer, VALUE, 1 + 3 * divider), 7);
    }
}

#[test]
fn test_bgload_waits_for_the_end_of_the_period() {
    let mut timer = started(100, SIZE_32 | PERIODIC | INT_ENABLE);
    write(&mut timer, BGLOAD, 40, 11);
    assert_eq!(read(&mut timer, LOAD, 11), 40);
    assert_eq!(read(&mut timer, BGLOAD, 11), 40);
    assert_eq!(read(&mut timer, VALUE, 11), 90);
    assert_eq!(timer.next_event(), Some(at(101)));
    write(&mut timer, INTCLR, 0, 101);
    assert_eq!(read(&mut timer, VALUE, 102), 39);
    assert_eq!(timer.next_event(), Some(at(141)));
}

#[test]
fn test_load_in_mid_count_restarts() {
    let mut timer = started(100, SIZE_32 | PERIODIC | INT_ENABLE);
    write(&mut timer, LOAD, 7, 50);
    assert_eq!(read(&mut timer, VALUE, 50), 7);
    assert_eq!(timer.next_event(), Some(at(58)));
}

#[test]
fn test_load_zero_interrupts_at_once() {
    for mode in [ONE_SHOT, PERIODIC, 0] {
        let mut timer = started(9, SIZE_32 | INT_ENABLE | mode);
        write(&mut timer, LOAD, 0, 5);
        assert!(timer.irq());
    }
}

#[test]
fn test_load_zero_while_off_interrupts_when_switched_on() {
    let mut timer = Sp804::default();
    write(&mut timer, LOAD, 0, 5);
    assert!(!timer.irq());
    write(
        &mut timer,
        CONTROL,
        SIZE_32 | ONE_SHOT | INT_ENABLE | ENABLE,
        6,
    );
    assert!(timer.irq());
    write(&mut timer, INTCLR, 0, 7);
    write(
        &mut timer,
        CONTROL,
        SIZE_32 | ONE_SHOT | INT_ENABLE | ENABLE,
        8,
    );
    assert!(!timer.irq());
    assert_eq!(timer.next_event(), None);
}

#[test]
fn test_periodic_with_load_zero_interrupts_at_every_tick() {
    let mut timer = started(0, SIZE_32 | PERIODIC | INT_ENABLE);
    write(&mut timer, INTCLR, 0, 10);
    assert!(!timer.irq());
    assert_eq!(timer.next_event(), Some(at(11)));
    timer.advance(at(11));
    assert!(timer.irq());
}

#[test]
fn test_changing_the_interrupt_enable_does_not_disturb_the_count() {
    let mut timer = started(1000, SIZE_32 | PERIODIC | 1 << PRESCALE_SHIFT);
    let control = SIZE_32 | PERIODIC | 1 << PRESCALE_SHIFT | INT_ENABLE | ENABLE;
    write(&mut timer, CONTROL, control, 9);
    assert_eq!(timer.next_event(), Some(at(1 + 16_000)));
}

#[test]
fn test_timers_are_separate() {
    let mut timer = started(10, SIZE_32 | PERIODIC | INT_ENABLE);
    write(&mut timer, STRIDE + LOAD, 4, 0);
    write(
        &mut timer,
        STRIDE + CONTROL,
        SIZE_32 | ONE_SHOT | INT_ENABLE | ENABLE,
        0,
    );
    assert_eq!(timer.next_event(), Some(at(5)));
    timer.advance(at(5));
    assert_eq!(timer.timer_irqs(), [false, true]);
    assert!(timer.irq());
    write(&mut timer, STRIDE + INTCLR, 0, 6);
    assert!(!timer.irq());
    assert_eq!(timer.next_event(), Some(at(11)));
}

#[test]
fn test_integration_test_outputs() {
    let mut timer = Sp804::default();
    write(&mut timer, ITOP, 2, 0);
    assert!(!timer.irq());
    write(&mut timer, ITCR, 1, 0);
    assert_eq!(read(&mut timer, ITCR, 0), 1);
    assert_eq!(timer.timer_irqs(), [false, true]);
    write(&mut timer, ITCR, 0, 0);
    assert!(!timer.irq());
}

#[test]
fn test_read_only_registers_ignore_writes() {
    let mut timer = Sp804::default();
    for offset in [VALUE, RIS, MIS, 0x1c, 0x40, 0xfe0] {
        write(&mut timer, offset, 0x55, 0);
    }
    assert_eq!(timer, Sp804::default());
}

#[test]
fn test_standing_clock_and_the_end_of_time() {
    let mut timer = Sp804::new([0, u32::MAX]);
    for base in [0, STRIDE] {
        write(&mut timer, base + LOAD, 1, 0);
        write(&mut timer, base + CONTROL, ENABLE | INT_ENABLE, 0);
    }
    write(&mut timer, STRIDE + CONTROL, 0, 0);
    assert_eq!(timer.next_event(), None);
    timer.advance(Time(u64::MAX));
    assert!(!timer.irq());
    let mut fast = Sp804::new([u32::MAX, 0]);
    fast.write(LOAD, 4, 5, Time(u64::MAX));
    fast.write(CONTROL, 4, 0xef, Time(u64::MAX));
    fast.advance(Time(u64::MAX));
    assert_eq!(fast.next_event(), None);
}
