//! The Versatile board's own registers against `qemu-system-arm -M
//! versatilepb`: secondary interrupt controller and system registers.
//!
//! Known differences, which the scripts keep away from:
//!
//! * QEMU's secondary controller takes a software interrupt for a change of
//!   the mask. DUI 0225, SIC_SOFTINTSET: it raises line 0.
//! * QEMU's LOCK has no bit that tells whether it is open, and its oscillator
//!   registers and 100 Hz counter stand at 0. DUI 0225, SYS_LOCK,
//!   SYS_OSC, SYS_100HZ.
//! * QEMU claims a PCI backplane (bit 0 of PCICTL); ours has none.

use emu::{
    clock::Time,
    devices::{sic::Sic, versatile_sysreg::VersatileSysreg},
};

use crate::{
    random::Random,
    script::{Step, listing, run_under_qemu},
};

const SYSREG: u32 = 0x1000_0000;
const SIC: u32 = 0x1000_3000;
const STEPS: usize = 5_000;

fn step(random: &mut Random) -> Step {
    match random.below(4) {
        0 => Step::write(SIC + random.pick(&[0x08, 0x0c, 0x20, 0x24]), random.bits()),
        1 => Step::read(SIC + random.pick(&[0x08, 0x20])),
        2 => {
            let (offset, bits) = random.pick(&[
                (0x08, 0xff),
                (0x28, !0),
                (0x2c, !0),
                (0x30, !0),
                (0x34, !0),
                (0x38, !0),
                (0x3c, !0),
                (0x50, !0),
            ]);
            Step::write(SYSREG + offset, random.bits() & bits)
        }
        _ => Step::read(SYSREG + random.pick(&[0, 0x04, 0x08, 0x28, 0x2c, 0x30, 0x38, 0x50])),
    }
}

#[test]
fn versatile_registers_equal_qemu() {
    let mut random = Random::new(926);
    let (mut sic, mut sysreg) = (Sic::new(), VersatileSysreg::new());
    let steps: Vec<Step> = (0..STEPS).map(|_| step(&mut random)).collect();
    let expected: Vec<u32> = steps
        .iter()
        .map(|step| match *step {
            Step::Write { address, .. } | Step::Read { address, .. } if address >= SIC => {
                step.apply(&mut sic, SIC, Time(0))
            }
            step => step.apply(&mut sysreg, SYSREG, Time(0)),
        })
        .collect();
    let outcomes = run_under_qemu("versatilepb", 0, &steps);
    for (index, (outcome, expected)) in outcomes.iter().zip(&expected).enumerate() {
        assert_eq!(
            outcome.value,
            *expected,
            "step {index}: QEMU (left) and our registers (right) differ after\n{}",
            listing(&steps[..=index], |address| format!("{address:#x}"))
        );
    }
}
