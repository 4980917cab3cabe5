//! What holds for every chip, whatever a guest does to it.

use proptest::prelude::*;

use super::{
    Device, pl011::Pl011, pl190::Pl190, sic::Sic, sp804::Sp804, sp810::Sp810, uart16550::Uart16550,
    versatile_i2c::VersatileI2c, versatile_sysreg::VersatileSysreg,
};
use crate::clock::Time;

#[derive(Debug, Clone)]
enum Act {
    Read(u32, u32),
    Write(u32, u32, u32),
    Type(Vec<u8>),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let offset = prop_oneof![0..0x50u32, 0..0x50u32, 0..0x1000u32, any::<u32>()];
    let size = prop_oneof![Just(1u32), Just(2), Just(4)];
    let value = prop_oneof![0..0x100u32, any::<u32>(), Just(u32::MAX)];
    let act = prop_oneof![
        3 => (offset.clone(), size.clone()).prop_map(|(offset, size)| Act::Read(offset, size)),
        6 => (offset, size, value).prop_map(|(offset, size, value)| Act::Write(offset, size, value)),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Act::Type),
        2 => prop_oneof![0..10_000u64, 0..u64::MAX >> 8].prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..80)
}

/// Does it all to a chip. After each step the next event must lie ahead: a
/// machine that jumps from event to event would stand still otherwise.
fn exercise<D: Device + Clone>(mut chip: D, acts: &[Act], type_in: impl Fn(&mut D, &[u8])) {
    let mut now = Time(0);
    for act in acts {
        match act {
            Act::Read(offset, size) => {
                chip.read(*offset, *size, now);
            }
            Act::Write(offset, size, value) => chip.write(*offset, *size, *value, now),
            Act::Type(bytes) => type_in(&mut chip, bytes),
            Act::Wait(time) => now = Time(now.0.saturating_add(*time)),
        }
        chip.advance(now);
        if let Some(event) = chip.next_event() {
            assert!(event > now, "{event:?} is not behind {now:?} after {act:?}");
            let mut later = chip.clone();
            later.advance(event);
        }
    }
}

proptest! {
    #[test]
    fn test_any_access_is_answered_and_events_lie_ahead(acts in acts()) {
        exercise(Pl190::new(), &acts, |_, _| ());
        exercise(Sp804::default(), &acts, |_, _| ());
        exercise(Sp804::new([u32::MAX, 3]), &acts, |_, _| ());
        exercise(Sic::new(), &acts, |_, _| ());
        exercise(Sp810::new(), &acts, |_, _| ());
        exercise(VersatileI2c::new(), &acts, |_, _| ());
        exercise(VersatileSysreg::new(), &acts, |_, _| ());
        exercise(Pl011::default(), &acts, |uart, bytes| { uart.push_input(bytes); });
        for shift in [0, 2] {
            let uart = Uart16550::new(shift, 1_843_200);
            exercise(uart, &acts, |uart, bytes| { uart.push_input(bytes); });
        }
    }

    /// How often a timer is looked at does not matter.
    #[test]
    fn test_timer_looked_at_often_equals_looked_at_once(
        acts in acts(),
        times in prop::collection::vec(0..5_000_000u64, 1..20),
    ) {
        let mut timer = Sp804::default();
        for act in &acts {
            if let Act::Write(offset, size, value) = act {
                timer.write(*offset, *size, *value, Time(0));
            }
        }
        let mut often = timer.clone();
        let mut now = 0;
        for time in times {
            now += time;
            often.advance(Time(now));
        }
        timer.advance(Time(now));
        prop_assert_eq!(often, timer);
    }
}
