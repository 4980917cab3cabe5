//! PL011 of `qemu-system-arm -M versatilepb` against ours.
//!
//! Known differences, which the scripts keep away from:
//!
//! * QEMU 7.2 has no loopback. DDI 0183, UARTCR, bit 7.
//! * QEMU keeps bits that do not exist. DDI 0183: reserved.
//! * QEMU's modem inputs are off, ours on: the manual leaves them to the board
//!   (DDI 0183, UARTFR), and a terminal is connected to ours.
//! * QEMU interrupts at the first character received, whatever IFLS says. DDI
//!   0183, "UARTRXINTR": at the trigger level, or after a time-out. Nothing is
//!   received here.

use emu::{
    clock::Time,
    devices::{pl011::Pl011, pl190::Pl190},
};

use crate::{
    random::Random,
    script::{Step, listing, run_under_qemu},
};

/// UART1: UART0 is the console of other boards' habits.
const UART: u32 = 0x101f_2000;
const UART_LINE: u32 = 13;
const VIC: u32 = 0x1014_0000;
const VIC_STATUS: u32 = VIC;
const VIC_ENABLE: u32 = VIC + 0x10;

const DR: u32 = 0x00;
const RSR: u32 = 0x04;
const FR: u32 = 0x18;
const LCR_H: u32 = 0x2c;
const CR: u32 = 0x30;
const IFLS: u32 = 0x34;
const IMSC: u32 = 0x38;
const RIS: u32 = 0x3c;
const MIS: u32 = 0x40;
const ICR: u32 = 0x44;

/// Registers that keep what is written, and their bits; CR without loopback.
const STORED: [(u32, u32); 6] = [
    (0x20, 0xff),
    (0x24, 0xffff),
    (0x28, 0x3f),
    (LCR_H, 0xff),
    (CR, 0xff07),
    (IFLS, 0x3f),
];

const STEPS: usize = 20_000;
const MODEM_FLAGS: u32 = 0x107;

fn step(random: &mut Random) -> Step {
    let (stored, bits) = random.pick(&STORED);
    let write = |offset, value| Step::write(UART + offset, value);
    match random.below(10) {
        0 => write(DR, random.below(256)),
        1 => write(IMSC, random.below(0x800)),
        2 => write(ICR, random.below(0x800)),
        3 | 4 => write(stored, random.bits() & bits),
        5 => Step::read(UART + stored),
        6 => Step::read(VIC_STATUS),
        7 => Step::read(UART + 0xfe0 + 4 * random.below(8)),
        _ => Step::read(UART + random.pick(&[RSR, FR, IMSC, RIS, MIS])),
    }
}

#[test]
fn pl011_scripts_equal_qemu() {
    let mut random = Random::new(11);
    let (mut uart, mut vic) = (Pl011::default(), Pl190::new());
    let mut steps = vec![Step::write(VIC_ENABLE, 1 << UART_LINE)];
    steps.extend((0..STEPS).map(|_| step(&mut random)));
    let expected: Vec<u32> = steps
        .iter()
        .map(|step| match *step {
            Step::Write { address, .. } | Step::Read { address, .. } if address >= UART => {
                step.apply(&mut uart, UART, Time(0))
            }
            step => {
                vic.set_line(UART_LINE, uart.irq());
                step.apply(&mut vic, VIC, Time(0))
            }
        })
        .collect();
    let outcomes = run_under_qemu("versatilepb", 0, &steps);
    for (index, (outcome, expected)) in outcomes.iter().zip(&expected).enumerate() {
        let flags = steps[index] == Step::read(UART + FR);
        let mask = if flags { !MODEM_FLAGS } else { !0 };
        assert_eq!(
            outcome.value & mask,
            expected & mask,
            "step {index}: QEMU (left) and our PL011 (right) differ after\n{}",
            listing(&steps[..=index], |address| format!("{address:#x}"))
        );
    }
}
