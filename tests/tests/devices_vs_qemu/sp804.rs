//! SP804 of `qemu-system-arm -M versatilepb` against ours.
//!
//! QEMU counts virtual time by instructions here (`-icount shift=0`), and the
//! guest notes the board's 24 MHz counter around each step; the same steps are
//! applied to our model at the same moments.
//!
//! QEMU's counter is a deadline: it starts at the write and its value is
//! rounded down, ours changes at edges of TIMCLK, starts at the next one (DDI
//! 0271, TimerXLoad) and shows a loaded value as it is (TimerXValue). So values
//! may be up to [`SLACK`] counts lower in QEMU, and an interrupt that is due
//! within that time is not compared.
//!
//! Known differences, which the scripts keep away from:
//!
//! * In QEMU a free-running timer starts from the largest value, whatever LOAD
//!   says. DDI 0271, TimerXLoad: from LOAD. The scripts load the largest value.
//! * In QEMU a write to CONTROL of a running timer restarts the count, and
//!   LOAD alone does not restart a one-shot timer that has ended. TimerXControl:
//!   only the mode changes; "Timer operation": LOAD restarts. The scripts write
//!   CONTROL after LOAD, and only then.
//! * QEMU's periods last 10 us at least, LOAD 0 stops it. TimerXLoad: 1 is the
//!   smallest value, 0 interrupts.
//! * QEMU's VALUE is 0 after reset. "Summary of registers": 0xffffffff.

use emu::{clock::Time, devices::sp804::Sp804};

use crate::{
    random::Random,
    script::{Outcome, Step, listing, run_under_qemu},
};

const TIMER: u32 = 0x101e_2000;
const CLOCK: u32 = 0x1000_005c;

const LOAD: u32 = 0x00;
const VALUE: u32 = 0x04;
const CONTROL: u32 = 0x08;
const INTCLR: u32 = 0x0c;
const RIS: u32 = 0x10;
const MIS: u32 = 0x14;
const BGLOAD: u32 = 0x18;

const ONE_SHOT: u32 = 1;
const SIZE_32: u32 = 2;
const INT_ENABLE: u32 = 0x20;
const PERIODIC: u32 = 0x40;
const ENABLE: u32 = 0x80;

/// Counts by which QEMU's VALUE may be lower.
const SLACK: u32 = 2;

const SCRIPTS: usize = 150;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    FreeRunning,
    Periodic,
    OneShot,
}

/// What a script sets up; `timer` is 0 or 1.
#[derive(Debug, Clone, Copy)]
struct Setup {
    timer: u32,
    mode: Mode,
    control: u32,
    load: u32,
    prescaler: u32,
}

fn setup(random: &mut Random) -> Setup {
    let mode = random.pick(&[Mode::FreeRunning, Mode::Periodic, Mode::OneShot]);
    let wide = random.one_in(2);
    let (divider, prescaler) = random.pick(&[(0, 1), (0, 1), (1, 16), (2, 256)]);
    let mode_bits = match mode {
        Mode::FreeRunning => 0,
        Mode::Periodic => PERIODIC,
        Mode::OneShot => ONE_SHOT | random.pick(&[0, PERIODIC]),
    };
    let load = match (mode, wide) {
        (Mode::FreeRunning, true) => 0xffff_ffff,
        (Mode::FreeRunning, false) => 0xffff,
        _ => 20 + random.below(400),
    };
    let control = ENABLE
        | mode_bits
        | divider << 2
        | if wide { SIZE_32 } else { 0 }
        | if random.one_in(3) { 0 } else { INT_ENABLE };
    Setup {
        timer: random.below(2),
        mode,
        control,
        load,
        prescaler,
    }
}

fn script(random: &mut Random, setup: &Setup) -> Vec<Step> {
    let base = TIMER + 0x20 * setup.timer;
    let write = |offset, value| Step::write(base + offset, value);
    let start = |load| [write(LOAD, load), write(CONTROL, setup.control)];
    let mut steps = vec![write(CONTROL, 0), write(INTCLR, 0)];
    steps.extend(start(setup.load));
    for _ in 0..30 {
        match random.below(12) {
            0..=2 => steps.push(Step::Delay(random.below(60_000) * setup.prescaler.min(16))),
            3 => steps.push(Step::Delay(random.below(2_000))),
            4 | 5 => steps.push(write(INTCLR, 0)),
            6 if setup.mode == Mode::Periodic => {
                steps.push(write(BGLOAD, 20 + random.below(400)));
            }
            7 if setup.mode != Mode::FreeRunning => steps.extend(start(20 + random.below(400))),
            8 => {
                // A stopped timer keeps its value.
                steps.push(write(CONTROL, setup.control & !ENABLE));
                steps.push(Step::Delay(5_000));
                steps.push(Step::read(base + VALUE));
                steps.push(Step::read(base + VALUE));
                steps.extend(start(setup.load));
            }
            _ => {}
        }
        let offset = random.pick(&[LOAD, VALUE, CONTROL, RIS, MIS, BGLOAD]);
        steps.extend([offset, VALUE, RIS].map(|offset| Step::read(base + offset)));
    }
    steps
}

/// The board's counter as virtual time; it wraps after three minutes, which no
/// run takes.
fn time(ticks: u32) -> Time {
    Time(u64::from(ticks) * 1_000_000_000 / 24_000_000)
}

/// Our model beside QEMU's outcomes.
#[derive(Default)]
struct Comparison {
    timer: Sp804,
    /// A write fell so near the end of a period that QEMU may have seen it
    /// behind the end and we before: whether the interrupt is up, and which
    /// value was reloaded, is not known until the next INTCLR or LOAD.
    interrupt_unsure: bool,
    value_unsure: bool,
    /// Reads that were compared, that were left out, that showed an interrupt.
    compared: usize,
    left_out: usize,
    interrupts: usize,
}

impl Comparison {
    /// Applies `step` to our model and compares what it read.
    fn step(&mut self, setup: &Setup, step: Step, outcome: Outcome) -> Result<(), String> {
        match step {
            Step::Write { address, .. } => {
                self.write(setup, address & 0x1f, step, outcome);
                Ok(())
            }
            Step::Read { address, .. } => self.read(setup, address & 0x1f, step, outcome),
            Step::Levels | Step::Delay(_) => Ok(()),
        }
    }

    /// How much earlier than ours QEMU's timer may be.
    fn slack(setup: &Setup) -> u64 {
        u64::from(SLACK * setup.prescaler) * 1_000
    }

    /// Whether our timer will reach zero so soon that QEMU's may have already.
    fn near_zero(&self, setup: &Setup, outcome: Outcome) -> bool {
        let base = TIMER + 0x20 * setup.timer;
        let now = time(outcome.before);
        let later = Time(time(outcome.after).0 + Self::slack(setup));
        let mut timer = self.timer.clone();
        Step::write(base + INTCLR, 0).apply(&mut timer, TIMER, now);
        Step::read(base + RIS).apply(&mut timer, TIMER, later) != 0
    }

    fn write(&mut self, setup: &Setup, offset: u32, step: Step, outcome: Outcome) {
        let near = self.near_zero(setup, outcome);
        match offset {
            INTCLR => self.interrupt_unsure = near,
            BGLOAD => self.value_unsure |= near,
            _ => self.interrupt_unsure |= near,
        }
        if offset == LOAD {
            self.value_unsure = false;
        }
        step.apply(&mut self.timer, TIMER, time(outcome.before));
    }

    fn read(
        &mut self,
        setup: &Setup,
        offset: u32,
        step: Step,
        outcome: Outcome,
    ) -> Result<(), String> {
        let now = time(outcome.before);
        // The model as it will be a little later, when QEMU may be already.
        let later = Time(time(outcome.after).0 + Self::slack(setup));
        let ahead = step.apply(&mut self.timer.clone(), TIMER, later);
        let ours = step.apply(&mut self.timer, TIMER, now);
        let mask = if setup.control & SIZE_32 != 0 {
            u32::MAX
        } else {
            0xffff
        };
        let (known, equal) = match offset {
            // Around the end of a period values are far apart. A stopped timer
            // does not move, but may have been stopped late.
            VALUE => (
                !self.value_unsure && ahead & mask <= ours & mask && ours & mask > SLACK,
                (ahead.min(ours.saturating_sub(SLACK))..=ours).contains(&outcome.value),
            ),
            RIS | MIS => (
                !self.interrupt_unsure && ours == ahead,
                outcome.value == ours,
            ),
            _ => (true, outcome.value == ours),
        };
        if !known {
            self.left_out += 1;
            return Ok(());
        }
        self.compared += 1;
        self.interrupts += usize::from(offset == RIS && ours == 1);
        equal.then_some(()).ok_or_else(|| {
            format!(
                "at {} ns QEMU reads {:#x}, our SP804 {ours:#x} ({ahead:#x} a little later); \
                 {setup:?}",
                now.0, outcome.value
            )
        })
    }
}

#[test]
fn sp804_scripts_equal_qemu() {
    let mut random = Random::new(804);
    let setups: Vec<Setup> = (0..SCRIPTS).map(|_| setup(&mut random)).collect();
    let scripts: Vec<Vec<Step>> = setups
        .iter()
        .map(|setup| script(&mut random, setup))
        .collect();
    let steps = scripts.concat();
    let outcomes = run_under_qemu("versatilepb", CLOCK, &steps);

    let mut comparison = Comparison::default();
    let mut index = 0;
    for (setup, script) in setups.iter().zip(&scripts) {
        for step in script {
            let outcome = outcomes[index];
            index += 1;
            if let Err(error) = comparison.step(setup, *step, outcome) {
                let name = |address: u32| format!("{:#x}", address - TIMER);
                panic!(
                    "step {index}: {error}, after\n{}",
                    listing(&steps[..index], name)
                );
            }
        }
    }
    let Comparison {
        compared,
        left_out,
        interrupts,
        ..
    } = comparison;
    assert!(interrupts > SCRIPTS, "{interrupts} interrupts");
    assert!(
        left_out * 10 < compared,
        "{compared} comparisons, {left_out} left out"
    );
}
