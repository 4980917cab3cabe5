//! PL190 of `qemu-system-arm -M versatilepb` against ours.
//!
//! Known differences, which the scripts keep away from:
//!
//! * QEMU shows and raises FIQs that INTENABLE masks. DDI 0181,
//!   VICFIQSTATUS: both INTENABLE and INTSELECT mask them.
//! * QEMU's VECTADDR sees requests that are masked or go to FIQ. DDI 0181,
//!   "Interrupt priority logic": the priority logic works on IRQSTATUS.
//! * QEMU keeps bits 6 and 7 of VECTCNTL. DDI 0181, VICVECTCNTL: reserved.
//! * QEMU has no test registers. DDI 0181, "Test registers".

use emu::{
    clock::Time,
    devices::{Device, pl190::Pl190},
};

use crate::{
    random::Random,
    script::{Step, listing, run_under_qemu},
};

const VIC: u32 = 0x1014_0000;
const UART0: u32 = 0x101f_1000;
/// UART0's line into the VIC.
const UART0_LINE: u32 = 12;
const UART_DR: u32 = UART0;
const UART_IMSC: u32 = UART0 + 0x38;
const UART_TX_INTERRUPT: u32 = 1 << 5;

const SCRIPTS: usize = 400;
const STEPS: usize = 120;

const FIQSTATUS: u32 = 0x04;
const RAWINTR: u32 = 0x08;
const INTSELECT: u32 = 0x0c;
const INTENABLE: u32 = 0x10;
const INTENCLEAR: u32 = 0x14;
const SOFTINT: u32 = 0x18;
const SOFTINTCLEAR: u32 = 0x1c;
const PROTECTION: u32 = 0x20;
const VECTADDR: u32 = 0x30;
const DEFVECTADDR: u32 = 0x34;

/// Brings a used controller back to its state after reset.
fn reset() -> Vec<Step> {
    let write = |offset, value| Step::write(VIC + offset, value);
    let mut steps = vec![
        Step::write(UART_IMSC, 0),
        write(INTENCLEAR, !0),
        write(SOFTINTCLEAR, !0),
        write(INTSELECT, 0),
        write(PROTECTION, 0),
        write(DEFVECTADDR, 0),
    ];
    steps.extend([write(VECTADDR, 0); 17]);
    for slot in 0..16 {
        steps.push(write(0x100 + 4 * slot, 0));
        steps.push(write(0x200 + 4 * slot, 0));
    }
    steps
}

/// Masks of the model's present state.
fn masks(vic: &Pl190) -> (u32, u32, u32) {
    let mut vic = vic.clone();
    let mut read = |offset| vic.read(offset, 4, Time(0));
    (read(RAWINTR), read(INTENABLE), read(INTSELECT))
}

fn step(random: &mut Random, vic: &Pl190) -> Step {
    let (raw, enable, select) = masks(vic);
    let masked_fiq = raw & select & !enable != 0;
    let not_an_irq = raw & (select | !enable) != 0;
    let slot = 4 * random.below(16);
    let write = |offset, value| Step::write(VIC + offset, value);
    match random.below(16) {
        0 => write(INTSELECT, random.sparse() & random.sparse()),
        1 | 2 => write(INTENABLE, random.bits()),
        3 => write(INTENCLEAR, random.sparse()),
        4 | 5 => write(SOFTINT, random.sparse() & random.sparse()),
        6 => write(SOFTINTCLEAR, random.bits()),
        7 => write(0x100 + slot, random.bits()),
        8 => write(0x200 + slot, random.below(64)),
        9 => write(
            random.pick(&[DEFVECTADDR, PROTECTION, VECTADDR, 0x00, RAWINTR]),
            random.bits(),
        ),
        10 => Step::write(UART_IMSC, random.pick(&[0, UART_TX_INTERRUPT])),
        11 | 12 if !not_an_irq => Step::read(VIC + VECTADDR),
        13 if !not_an_irq => write(VECTADDR, 0),
        14 if !masked_fiq => Step::Levels,
        _ => {
            let plain = [0x00, RAWINTR, INTSELECT, INTENABLE, SOFTINT, PROTECTION];
            let offset = match random.below(10) {
                0 if !masked_fiq => FIQSTATUS,
                0 | 1 => DEFVECTADDR,
                2 => 0x100 + slot,
                3 => 0x200 + slot,
                4 => 0xfe0 + 4 * random.below(8),
                _ => random.pick(&plain),
            };
            Step::read(VIC + offset)
        }
    }
}

/// Applies a step to our model; the interrupt lines are the UART's and the
/// script's own software interrupts.
fn apply(vic: &mut Pl190, step: Step) -> u32 {
    match step {
        Step::Levels => u32::from(vic.irq()) | u32::from(vic.fiq()) << 1,
        Step::Write {
            address: UART_IMSC,
            value,
            ..
        } => {
            vic.set_line(UART0_LINE, value & UART_TX_INTERRUPT != 0);
            0
        }
        Step::Write {
            address: UART_DR, ..
        } => 0,
        step => step.apply(vic, VIC, Time(0)),
    }
}

#[test]
fn pl190_scripts_equal_qemu() {
    let mut random = Random::new(190);
    // The UART's interrupt is up from here on; its mask is the switch.
    let mut steps = vec![Step::write(UART_DR, 0)];
    let mut expected = vec![0];
    for _ in 0..SCRIPTS {
        let mut vic = Pl190::new();
        for step in reset() {
            expected.push(apply(&mut vic, step));
            steps.push(step);
        }
        assert_eq!(vic, Pl190::new());
        for _ in 0..STEPS {
            let step = step(&mut random, &vic);
            expected.push(apply(&mut vic, step));
            steps.push(step);
        }
    }
    let asserted = steps.iter().zip(&expected);
    let asserted = asserted.filter(|(step, level)| **step == Step::Levels && **level != 0);
    assert!(asserted.count() > SCRIPTS, "scripts that raise interrupts");
    let outcomes = run_under_qemu("versatilepb", 0, &steps);
    for (index, (outcome, expected)) in outcomes.iter().zip(&expected).enumerate() {
        assert_eq!(
            outcome.value,
            *expected,
            "step {index}: QEMU (left) and our PL190 (right) differ after\n{}",
            listing(&steps[..=index], |address| format!("{address:#x}"))
        );
    }
}
