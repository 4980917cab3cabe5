//! The driver in the kernel: which library, linked where, and how the machine is
//! told of it.

use emu::mmu::opaque::{Chip, ChipKind, OpaqueMap, Segment};
use linker::kernel::{Arch, Kernel};
use linker::link::{self, OpaqueRequest};
use linker::object::Driver;
use linker::transplant::{ChipPage, PAGE, Transplant};

use super::Error;
use super::guesses::Choices;
use super::prepare::Prepared;
use crate::embedded;
use crate::plan::{Ram, UserSpace};

/// Slot through which a driver learns where the UART is. A linked driver that
/// has it serves the console.
const UART_SLOT: &str = "uart16550.va";
/// Name of the UART among the chips.
const UART: &str = "uart16550";
/// Guest-physical addresses at which the chips may lie for the kernel's own
/// drivers. The first that is not in RAM is taken.
const CHIP_BASES: [u32; 3] = [0xfeec_0000, 0x7eec_0000, 0x1eec_0000];

/// The embedded driver library for a kernel, or the user's.
pub fn driver(kernel: &Kernel, given: Option<&(String, Vec<u8>)>) -> Result<Driver, Error> {
    if let Some((name, bytes)) = given {
        return Driver::read(name, bytes).map_err(|error| Error::Input {
            file: name.clone(),
            why: error.to_string(),
        });
    }
    let (name, bytes) = if kernel.facts.arch >= Arch::V7 {
        ("built-in driver for Armv7", embedded::DRIVER_ARMV7)
    } else {
        ("built-in driver for Armv5", embedded::DRIVER_ARMV5)
    };
    Ok(Driver::read(name, bytes).map_err(link::Error::Object)?)
}

/// Links the driver into the kernel, with these candidates where identification
/// could not decide.
pub fn link(
    prepared: &Prepared,
    driver: &Driver,
    range: OpaqueRequest,
    (ram, user_space, line): (Ram, UserSpace, Option<u32>),
    choices: &Choices,
) -> Result<Transplant, link::Error> {
    let provide = link::Choosing {
        identification: &prepared.identification,
        choices,
    };
    link::link(
        &prepared.firmware.kernel,
        &provide,
        std::slice::from_ref(driver),
        range,
        &board(ram, user_space, line),
    )
}

/// The chips, at physical addresses outside RAM, the UART at this line if one is
/// given.
fn board(ram: Ram, user_space: UserSpace, line: Option<u32>) -> link::Board {
    let mut board = link::Board::default();
    for chip in board.chips.iter_mut().filter(|chip| chip.name == UART) {
        chip.irq = line.or(chip.irq);
    }
    if let UserSpace::Rom(_) = user_space {
        board.chips.push(link::Chip {
            name: "rom".to_owned(),
            phys: board.chips.len() as u32 * PAGE,
            irq: None,
            clock_hz: None,
        });
    }
    let free = |base: &u32| !ram.contains(*base) && !ram.contains(base + 0xffff);
    let base = CHIP_BASES.into_iter().find(free).unwrap_or(CHIP_BASES[0]);
    for chip in &mut board.chips {
        chip.phys = base | (chip.phys & 0xffff);
    }
    board
}

/// The UART, where the linked driver does not serve it: the kernel's own driver
/// is to, so a tree must name it.
pub fn unserved_uart(transplant: &Transplant) -> Option<&ChipPage> {
    if transplant.slots.iter().any(|slot| slot.name == UART_SLOT) {
        return None;
    }
    uart(transplant)
}

/// The line of the interrupt controller at which the UART is.
pub fn uart_line(transplant: &Transplant) -> Option<u32> {
    uart(transplant)?.irq
}

fn uart(transplant: &Transplant) -> Option<&ChipPage> {
    let mut chips = transplant.opaque.chips.iter();
    chips.find(|chip| chip.chip == UART)
}

/// Virtual address of the driver's function at a place of the kernel.
pub fn forward(transplant: &Transplant, place: &str) -> Option<u32> {
    let forward = transplant
        .forwards
        .iter()
        .find(|forward| forward.place == place)?;
    Some(forward.target)
}

/// Opaque memory as the machine wants it. Chips that it does not model are left
/// out.
pub fn opaque_map(transplant: &Transplant, user_space: UserSpace) -> OpaqueMap {
    let opaque = &transplant.opaque;
    let chip = |page: &ChipPage| {
        let chip = match page.chip.as_str() {
            "pl190" => ChipKind::Pl190,
            "sp804" => ChipKind::Sp804,
            "uart16550" => ChipKind::Uart16550,
            "rom" => ChipKind::Rom,
            _ => return None,
        };
        Some(Chip {
            chip,
            va: page.va,
            phys: page.phys,
            irq: page.irq.unwrap_or(0),
        })
    };
    OpaqueMap {
        base: opaque.base,
        size: opaque.size,
        segments: opaque
            .segments
            .iter()
            .map(|segment| Segment {
                va: segment.va,
                bytes: segment.bytes.clone(),
                size: segment.size,
                writable: segment.writable,
            })
            .collect(),
        chips: opaque.chips.iter().filter_map(chip).collect(),
        rom: match user_space {
            UserSpace::Rom(archive) => archive.to_vec(),
            _ => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use linker::transplant::{FilledSlot, Opaque};

    use super::*;

    fn transplant(slots: &[&str]) -> Transplant {
        let page = |chip: &str, page: u32, irq| ChipPage {
            chip: chip.to_owned(),
            va: 0xd001_5000 + page * 0x1000,
            phys: 0xfeec_0000 + page * 0x1000,
            irq,
            clock_hz: None,
        };
        Transplant {
            release: "6.1.0".into(),
            opaque: Opaque {
                base: 0xd000_8000,
                size: 0x1_0000,
                segments: Vec::new(),
                chips: vec![
                    page("pl190", 0, None),
                    page("uart16550", 2, Some(5)),
                    page("modem", 3, Some(6)),
                ],
            },
            slots: slots
                .iter()
                .map(|&name| FilledSlot {
                    name: name.into(),
                    va: 0,
                    value: 0,
                    evidence: String::new(),
                })
                .collect(),
            by_name: Vec::new(),
            forwards: Vec::new(),
            left_out: Vec::new(),
            patches: Vec::new(),
            driver_elf: Vec::new(),
        }
    }

    #[test]
    fn a_uart_that_no_driver_asks_for_is_unserved() {
        let unserved = transplant(&["pl190.va"]);
        assert_eq!(
            unserved_uart(&unserved).map(|page| page.phys),
            Some(0xfeec_2000)
        );
        assert_eq!(unserved_uart(&transplant(&["uart16550.va"])), None);
    }

    #[test]
    fn the_machine_gets_the_chips_that_it_models() {
        let map = opaque_map(&transplant(&[]), UserSpace::Rom(b"070701"));
        let chips: Vec<_> = map.chips.iter().map(|chip| (chip.chip, chip.irq)).collect();
        assert_eq!(chips, [(ChipKind::Pl190, 0), (ChipKind::Uart16550, 5)]);
        assert_eq!(map.rom, b"070701");
    }

    #[test]
    fn chips_lie_outside_of_ram() {
        let phys = |base| {
            let ram = Ram {
                base,
                size: 0x1000_0000,
            };
            board(ram, UserSpace::None, None).chips[1].phys
        };
        assert_eq!(phys(0), 0xfeec_1000);
        assert_eq!(phys(0xf000_0000), 0x7eec_1000);
    }

    #[test]
    fn a_memory_is_there_when_something_is_in_it() {
        let ram = Ram {
            base: 0,
            size: 0x1000_0000,
        };
        let chips = |user_space| board(ram, user_space, None).chips;
        assert_eq!(chips(UserSpace::Archive(b"")).len(), 3);
        let with = chips(UserSpace::Rom(b""));
        assert_eq!(with.last().map(|chip| chip.phys), Some(0xfeec_3000));
    }

    #[test]
    fn the_uart_may_be_at_another_line() {
        let ram = Ram {
            base: 0,
            size: 0x1000_0000,
        };
        let lines = |line| {
            let chips = board(ram, UserSpace::None, line).chips;
            chips.iter().map(|chip| chip.irq).collect::<Vec<_>>()
        };
        assert_eq!(lines(None), [None, Some(4), Some(5)]);
        assert_eq!(lines(Some(14)), [None, Some(4), Some(14)]);
    }

    #[test]
    fn embedded_drivers_can_be_read() {
        for bytes in [embedded::DRIVER_ARMV5, embedded::DRIVER_ARMV7] {
            assert!(Driver::read("embedded", bytes).unwrap().is_library());
        }
    }
}
