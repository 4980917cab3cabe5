//! The 16550 of `qemu-system-arm -M musicpal` (registers 4 bytes apart, line
//! 11 of its interrupt controller) against ours.
//!
//! Known differences, which the scripts keep away from (PC16550D data sheet,
//! the registers named):
//!
//! * QEMU notes no changes of the modem lines in loopback, and raises no modem
//!   interrupt there. MCR, bit 4: the interrupts work, their sources are the bits
//!   of MCR. So IER bit 3 stays off and the lower half of MSR is left out.
//! * QEMU clears the receiver with bit 1 of FCR also while bit 0 is 0. FCR:
//!   without bit 0 the others are not programmed.
//! * QEMU sends characters also behind a break and starts with MCR = 8. Reset
//!   values: MCR is 0 after reset.
//! * What an empty receiver reads is in no data sheet.
//!
//! The character time-out depends on time, so the random scripts set a line so
//! slow that it never comes; one script of its own waits for it.

use emu::{
    clock::Time,
    devices::{Device, uart16550::Uart16550},
};

use crate::{
    random::Random,
    script::{Step, listing, run_under_qemu},
};

const UART: u32 = 0x8000_c840;
const CLOCK_HZ: u32 = 1_825_000;
/// MusicPal's interrupt controller: status after masking, enable.
const PIC_STATUS: u32 = 0x9000_8000;
const PIC_ENABLE: u32 = 0x9000_8008;
const UART_LINE: u32 = 1 << 11;

const DATA: u32 = 0;
const IER: u32 = 1;
const IIR_FCR: u32 = 2;
const LCR: u32 = 3;
const MCR: u32 = 4;
const LSR: u32 = 5;
const MSR: u32 = 6;
const SCR: u32 = 7;

const LOOPBACK: u32 = 0x10;
const LATCH: u32 = 0x80;

const SCRIPTS: usize = 400;
const STEPS: usize = 150;

fn address(register: u32) -> u32 {
    UART + 4 * register
}

fn write(register: u32, value: u32) -> Step {
    Step::write(address(register), value)
}

fn read(register: u32) -> Step {
    Step::read(address(register))
}

/// Brings a used UART to a known state: FIFOs emptied and off, the slow line.
fn reset() -> Vec<Step> {
    vec![
        write(IER, 0),
        write(MCR, 0),
        write(LCR, 0),
        write(IIR_FCR, 7),
        write(IIR_FCR, 0),
        write(LCR, LATCH),
        write(DATA, 0),
        write(IER, 0x80),
        write(LCR, 3),
        write(SCR, 0),
        read(LSR),
        read(MSR),
        read(IIR_FCR),
    ]
}

/// One random step, or a few that belong together.
fn steps(random: &mut Random, uart: &Uart16550) -> Vec<Step> {
    // Asks a copy: reading has side effects.
    let mut copy = uart.clone();
    let mut look = |register| copy.read(address(register) - UART, 4, Time(0));
    let latch = look(LCR) & LATCH != 0;
    let (lsr, loopback) = (look(LSR), look(MCR) & LOOPBACK != 0);
    let fifos = look(IIR_FCR) & 0xc0 != 0;
    // Bytes and words reach the same register.
    let size = random.pick(&[1, 4]);
    let sized = |step| match step {
        Step::Write { address, value, .. } => Step::Write {
            address,
            size,
            value,
        },
        Step::Read { address, .. } => Step::Read { address, size },
        other => other,
    };
    let step = match random.below(14) {
        0..=2 => write(DATA, random.below(256)),
        3 if loopback && !latch => return vec![write(DATA, random.below(256)); 18],
        4 | 5 if latch || fifos || lsr & 1 != 0 => read(DATA),
        6 if latch => write(IER, 0x80 | random.below(0x80)),
        6 => write(IER, random.below(8) | random.below(16) << 4),
        7 => read(random.pick(&[IER, LCR, MCR, SCR])),
        8 => {
            // Bits 1 and 2 only together with bit 0.
            let value = random.below(256);
            write(IIR_FCR, if value & 1 == 0 { value & 0xc8 } else { value })
        }
        9 => write(LCR, random.pick(&[0x03, 0x03, 0x1f, 0x43, 0x80, 0x83])),
        10 => write(MCR, random.below(256) | random.pick(&[0, LOOPBACK])),
        11 => write(random.pick(&[SCR, LSR, MSR]), random.below(256)),
        12 => read(LSR),
        _ => {
            return vec![
                Step::read(PIC_STATUS),
                read(IIR_FCR),
                Step::read(PIC_STATUS),
            ];
        }
    };
    vec![sized(step)]
}

/// Applies a step to our model; the interrupt controller only passes the line
/// on.
fn apply(uart: &mut Uart16550, step: Step, now: Time) -> u32 {
    match step {
        Step::Read {
            address: PIC_STATUS,
            ..
        } if uart.irq() => UART_LINE,
        Step::Read {
            address: PIC_STATUS,
            ..
        }
        | Step::Write {
            address: PIC_ENABLE,
            ..
        } => 0,
        step => step.apply(uart, UART, now),
    }
}

fn name(address: u32) -> String {
    let names = ["DATA", "IER", "IIR/FCR", "LCR", "MCR", "LSR", "MSR", "SCR"];
    let register = address.wrapping_sub(UART) / 4;
    match names.get(register as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("{address:#x}"),
    }
}

/// Runs the script and compares, the changes in MSR aside.
fn compare(steps: &[Step], expected: &[u32]) {
    let outcomes = run_under_qemu("musicpal", 0, steps);
    for (index, (outcome, expected)) in outcomes.iter().zip(expected).enumerate() {
        let modem = steps[index] == read(MSR)
            || matches!(steps[index], Step::Read { address: at, .. } if at == address(MSR));
        let mask = if modem { 0xf0 } else { !0 };
        assert_eq!(
            outcome.value & mask,
            *expected & mask,
            "step {index}: QEMU (left) and our 16550 (right) differ after\n{}",
            listing(&steps[..=index], name)
        );
    }
}

#[test]
fn uart16550_scripts_equal_qemu() {
    let mut random = Random::new(16550);
    let mut script = vec![Step::write(PIC_ENABLE, UART_LINE)];
    let mut expected = vec![0];
    let mut uart = Uart16550::new(2, CLOCK_HZ);
    for _ in 0..SCRIPTS {
        for step in reset() {
            expected.push(apply(&mut uart, step, Time(0)));
            script.push(step);
        }
        for _ in 0..STEPS {
            for step in steps(&mut random, &uart) {
                expected.push(apply(&mut uart, step, Time(0)));
                script.push(step);
            }
        }
        uart.take_output();
    }
    // Every kind of interrupt but the modem's has come up.
    for kind in [0xc6, 0xc4, 0xc2, 0x04, 0x02, 0x06] {
        let seen = script
            .iter()
            .zip(&expected)
            .any(|(step, value)| *step == read(IIR_FCR) && *value == kind);
        assert!(seen, "an interrupt of kind {kind:#x}");
    }
    compare(&script, &expected);
}

/// Four character times: at a divisor of 1 a third of a millisecond. A step of
/// QEMU takes far less, the delay far more.
#[test]
fn uart16550_character_timeout_equals_qemu() {
    let wait = Step::Delay(500_000);
    let mut script = vec![Step::write(PIC_ENABLE, UART_LINE)];
    script.extend(reset());
    script.extend([
        write(LCR, LATCH),
        write(DATA, 1),
        write(IER, 0),
        write(LCR, 3),
        write(IIR_FCR, 0x81),
        write(MCR, LOOPBACK),
        write(IER, 1),
        write(DATA, 0x55),
        write(DATA, 0xaa),
        read(IIR_FCR),
        Step::read(PIC_STATUS),
        wait,
        Step::read(PIC_STATUS),
        read(IIR_FCR),
        read(IIR_FCR),
        read(DATA),
        read(IIR_FCR),
        Step::read(PIC_STATUS),
        wait,
        read(IIR_FCR),
        read(DATA),
        read(IIR_FCR),
        wait,
        read(IIR_FCR),
    ]);
    let mut uart = Uart16550::new(2, CLOCK_HZ);
    let mut now = Time(0);
    let mut expected = Vec::new();
    for step in &script {
        if matches!(step, Step::Delay(_)) {
            now = Time(now.0 + 1_000_000);
            uart.advance(now);
        }
        expected.push(apply(&mut uart, *step, now));
    }
    compare(&script, &expected);
}
