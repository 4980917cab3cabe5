//! Behaviour of the PL190 model, one test each.

use super::{reg::*, *};

fn read(vic: &mut Pl190, offset: u32) -> u32 {
    vic.read(offset, 4, Time(0))
}

fn write(vic: &mut Pl190, offset: u32, value: u32) {
    vic.write(offset, 4, value, Time(0));
}

/// Slot `n` serves `line` and has the address 0x1000 + n.
fn use_slot(vic: &mut Pl190, n: u32, line: u32) {
    write(vic, VECTADDR0 + 4 * n, 0x1000 + n);
    write(vic, VECTCNTL0 + 4 * n, 0x20 | line);
}

#[test]
fn test_reset_values() {
    let mut vic = Pl190::new();
    for offset in (0..0xfe0).step_by(4) {
        assert_eq!(read(&mut vic, offset), 0, "offset {offset:#x}");
    }
    assert!(!vic.irq() && !vic.fiq());
}

#[test]
fn test_identification() {
    let mut vic = Pl190::new();
    let id: Vec<u32> = (0xfe0..0x1000)
        .step_by(4)
        .map(|offset| read(&mut vic, offset))
        .collect();
    assert_eq!(id, [0x90, 0x11, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
}

#[test]
fn test_masked_line_is_raw_only() {
    let mut vic = Pl190::new();
    vic.set_line(4, true);
    assert_eq!(read(&mut vic, RAWINTR), 1 << 4);
    assert_eq!(read(&mut vic, IRQSTATUS), 0);
    assert!(!vic.irq());
}

#[test]
fn test_enabled_line_asserts_irq_while_it_is_high() {
    let mut vic = Pl190::new();
    write(&mut vic, INTENABLE, 1 << 4);
    vic.set_line(4, true);
    assert_eq!(read(&mut vic, IRQSTATUS), 1 << 4);
    assert!(vic.irq());
    vic.set_line(4, false);
    assert_eq!(read(&mut vic, IRQSTATUS), 0);
    assert!(!vic.irq());
}

#[test]
fn test_enable_sets_and_enclear_clears() {
    let mut vic = Pl190::new();
    write(&mut vic, INTENABLE, 0xf0);
    write(&mut vic, INTENABLE, 0x01);
    assert_eq!(read(&mut vic, INTENABLE), 0xf1);
    write(&mut vic, INTENCLEAR, 0x30);
    assert_eq!(read(&mut vic, INTENABLE), 0xc1);
    assert_eq!(read(&mut vic, INTENCLEAR), 0);
}

#[test]
fn test_selected_line_goes_to_fiq() {
    let mut vic = Pl190::new();
    write(&mut vic, INTSELECT, 1 << 7);
    vic.set_line(7, true);
    assert_eq!(read(&mut vic, FIQSTATUS), 0, "not enabled yet");
    assert!(!vic.fiq());
    write(&mut vic, INTENABLE, 1 << 7);
    assert_eq!(read(&mut vic, FIQSTATUS), 1 << 7);
    assert_eq!(read(&mut vic, IRQSTATUS), 0);
    assert!(vic.fiq() && !vic.irq());
}

#[test]
fn test_software_interrupt() {
    let mut vic = Pl190::new();
    write(&mut vic, INTENABLE, 1 << 9);
    write(&mut vic, SOFTINT, 1 << 9);
    assert!(vic.irq());
    assert_eq!(read(&mut vic, RAWINTR), 1 << 9);
    write(&mut vic, SOFTINTCLEAR, 1 << 9);
    assert!(!vic.irq());
    assert_eq!(read(&mut vic, SOFTINT), 0);
}

#[test]
fn test_line_31_and_beyond() {
    let mut vic = Pl190::new();
    vic.set_line(31, true);
    vic.set_line(32, true);
    assert_eq!(read(&mut vic, RAWINTR), 1 << 31);
}

#[test]
fn test_default_vector() {
    let mut vic = Pl190::new();
    write(&mut vic, DEFVECTADDR, 0xdead_0000);
    write(&mut vic, INTENABLE, 1);
    vic.set_line(0, true);
    assert_eq!(read(&mut vic, VECTADDR), 0xdead_0000);
    assert!(!vic.irq(), "in service");
    write(&mut vic, VECTADDR, 0);
    assert!(vic.irq());
}

#[test]
fn test_highest_slot_wins() {
    let mut vic = Pl190::new();
    use_slot(&mut vic, 3, 10);
    use_slot(&mut vic, 1, 20);
    write(&mut vic, INTENABLE, !0);
    vic.set_line(10, true);
    vic.set_line(20, true);
    vic.set_line(0, true);
    assert_eq!(read(&mut vic, VECTADDR), 0x1001);
}

#[test]
fn test_nested_service() {
    let mut vic = Pl190::new();
    use_slot(&mut vic, 1, 20);
    use_slot(&mut vic, 3, 10);
    write(&mut vic, DEFVECTADDR, 0xd0);
    write(&mut vic, INTENABLE, !0);

    vic.set_line(0, true);
    assert_eq!(read(&mut vic, VECTADDR), 0xd0);
    assert!(!vic.irq());

    vic.set_line(10, true);
    assert!(vic.irq(), "slot 3 is above the default");
    assert_eq!(read(&mut vic, VECTADDR), 0x1003);
    assert!(!vic.irq());

    vic.set_line(20, true);
    assert_eq!(read(&mut vic, VECTADDR), 0x1001);
    vic.set_line(20, false);
    write(&mut vic, VECTADDR, 0);
    assert!(!vic.irq(), "slot 3 is in service again");
    vic.set_line(10, false);
    write(&mut vic, VECTADDR, 0);
    assert!(!vic.irq(), "the default is in service again");
    write(&mut vic, VECTADDR, 0);
    assert!(vic.irq(), "line 0 is still up and nothing is in service");
}

#[test]
fn test_slot_in_service_keeps_lower_ones_out() {
    let mut vic = Pl190::new();
    use_slot(&mut vic, 1, 20);
    use_slot(&mut vic, 3, 10);
    write(&mut vic, INTENABLE, !0);
    vic.set_line(20, true);
    read(&mut vic, VECTADDR);
    vic.set_line(10, true);
    vic.set_line(5, true);
    assert!(!vic.irq());
    assert_eq!(read(&mut vic, IRQSTATUS), 1 << 20 | 1 << 10 | 1 << 5);
    write(&mut vic, VECTADDR, 0);
    assert!(vic.irq());
}

#[test]
fn test_masked_request_has_no_vector() {
    let mut vic = Pl190::new();
    use_slot(&mut vic, 0, 20);
    use_slot(&mut vic, 3, 10);
    write(&mut vic, INTENABLE, 1 << 10);
    vic.set_line(20, true);
    vic.set_line(10, true);
    assert_eq!(read(&mut vic, VECTADDR), 0x1003);
}

#[test]
fn test_vectaddr_without_a_request() {
    let mut vic = Pl190::new();
    write(&mut vic, DEFVECTADDR, 0xd0);
    assert_eq!(read(&mut vic, VECTADDR), 0xd0);
    write(&mut vic, INTENABLE, 1);
    vic.set_line(0, true);
    assert!(vic.irq(), "nothing was put in service");
}

#[test]
fn test_end_of_service_without_one() {
    let mut vic = Pl190::new();
    write(&mut vic, VECTADDR, 0);
    assert_eq!(vic, Pl190::new());
}

#[test]
fn test_vector_control_keeps_six_bits() {
    let mut vic = Pl190::new();
    write(&mut vic, VECTCNTL15, 0xffff_ffff);
    assert_eq!(read(&mut vic, VECTCNTL15), 0x3f);
}

#[test]
fn test_test_outputs() {
    let mut vic = Pl190::new();
    use_slot(&mut vic, 2, 6);
    write(&mut vic, INTSELECT, 1 << 5);
    write(&mut vic, INTENABLE, 1 << 5 | 1 << 6);
    write(&mut vic, ITCR, 1);
    assert_eq!(read(&mut vic, ITCR), 1);
    vic.set_line(5, true);
    assert_eq!(read(&mut vic, ITOP1), 1 << 6);
    vic.set_line(6, true);
    assert_eq!(read(&mut vic, ITOP1), 1 << 7 | 1 << 6);
    assert_eq!(read(&mut vic, ITOP2), 0x1002);
    assert!(vic.irq(), "reading it begins no service");
}

#[test]
fn test_status_registers_ignore_writes() {
    let mut vic = Pl190::new();
    for offset in [IRQSTATUS, FIQSTATUS, RAWINTR, ITIP1, ITOP1, 0xfe0, 0x400] {
        write(&mut vic, offset, !0);
    }
    assert_eq!(vic, Pl190::new());
}
