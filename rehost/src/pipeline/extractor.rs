//! A self-extracting kernel, run until it would start the kernel in it: for
//! streams that the linker's decoders do not know.
//!
//! The code is that of arch/arm/boot/compressed/head.S. It asks for a processor,
//! RAM, and whatever serial port it writes to; nothing is there of the latter, and
//! it is answered like any other absent chip. It unpacks to a constant address or,
//! with `AUTO_ZRELADDR`, to the start of the 128 MiB in which it lies, and at last
//! jumps to what it unpacked, the address of which is in r4 in every version.

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Exit, Machine, RamBank};
use linker::image::{Extracted, Packed};

const MIB: u32 = 1 << 20;
/// RAM of the machine. What `AUTO_ZRELADDR` takes for one bank.
const RAM: u32 = 128 * MIB;
/// Where the RAM is when the image does not say where it wants to go. It must not
/// be where the device has the serial port that the code writes to.
const ANY_BASE: [u32; 2] = [0x8000_0000, 0x4000_0000];
/// Where in RAM the image is loaded. It moves itself away when it fears to
/// overwrite itself: when the kernel that it unpacks, which it may take to be four
/// times as large, would reach it.
const LOAD: u32 = 96 * MIB;
/// Room behind it for zeroed data, stack and heap.
const BEHIND: u32 = 8 * MIB;
/// An image that leaves less than that is none that this can run.
const LONGEST: usize = (RAM - LOAD - BEHIND) as usize;
/// Twice what 20 MiB in LZMA take.
const BUDGET: u64 = 4_000_000_000;
/// Instructions between two looks at whether it still does something.
const STRETCH: u64 = 20_000_000;
/// Matches no entry of `proc_types` but the last, which takes all.
const NO_PROCESSOR: u32 = 0;
/// "No machine number" (arch/arm/kernel/head.S takes it with a device tree).
const NO_MACHINE: u32 = !0;

/// See [`linker::image::Extractor`].
///
/// # Errors
/// Says where the code stopped, or that it did not come to an end.
pub fn extract(packed: &Packed<'_>) -> Result<Extracted, String> {
    if packed.bytes.len() > LONGEST {
        return Err(format!(
            "too large to run its own decompressor: {} bytes, {LONGEST} at most",
            packed.bytes.len()
        ));
    }
    let constant = packed
        .address
        .map(|address| address & !(MIB - 1))
        .filter(|base| base.checked_add(RAM).is_some());
    let bases = constant.into_iter().chain(ANY_BASE);
    let mut reasons = Vec::new();
    for base in bases {
        match run(packed.bytes, base) {
            Ok(extracted) => return Ok(extracted),
            Err(why) => reasons.push(format!("with RAM at {base:#010x}: {why}")),
        }
    }
    Err(format!("its own decompressor {}", reasons.join("; ")))
}

fn run(bytes: &[u8], base: u32) -> Result<Extracted, String> {
    let load = base + LOAD;
    let mut machine = machine(base).map_err(|error| error.to_string())?;
    let mut start = || {
        machine.load(load, bytes)?;
        for at in jumps(bytes) {
            machine.add_breakpoint(load + at)?;
        }
        machine.start(Entry {
            pc: load,
            r: [0, NO_MACHINE, 0],
        });
        Ok::<(), emu::machine::Error>(())
    };
    start().map_err(|error| error.to_string())?;
    let mut before = None;
    while machine.instructions() < BUDGET {
        let exit = machine.run(STRETCH).map_err(|error| error.to_string())?;
        let registers = machine.registers();
        let (pc, target) = (registers.r[15], registers.r[4]);
        match exit {
            Exit::Breakpoint { .. } if (base..load).contains(&target) => {
                return Ok(Extracted {
                    bytes: unpacked(&machine, target & !1, load)?,
                    text: format!(
                        "unpacked to {:#010x} in {} instructions",
                        target & !1,
                        machine.instructions()
                    ),
                });
            }
            Exit::Breakpoint { .. } | Exit::Milestone(_) => {}
            // What `error()` of the decompressors ends with is a jump to itself.
            Exit::Budget if before == Some(registers) => {
                return Err(format!("gives up, at {:#x} of it", pc.wrapping_sub(load)));
            }
            Exit::Budget => before = Some(registers),
            Exit::NoVector { at } => {
                let at = at.r[15].wrapping_sub(load);
                return Err(format!("causes an exception, at {at:#x} of it"));
            }
            other => {
                let at = pc.wrapping_sub(load);
                return Err(format!("ends with {other:?}, at {at:#x} of it"));
            }
        }
    }
    Err(format!("is not done after {BUDGET} instructions"))
}

/// Nothing but a processor and RAM. The model has the instructions of all before
/// it; and with an identification that no table has, every version of the code
/// leaves MMU and caches as they are, which saves their vendors' variants.
fn machine(base: u32) -> Result<Machine, emu::machine::Error> {
    Machine::new(Config {
        cpu: CpuModel::CortexA15,
        midr: Some(NO_PROCESSOR),
        ram: vec![RamBank {
            base,
            size: u64::from(RAM),
        }],
        board: BoardConfig::Bare,
    })
}

/// Offsets of what may be the jump to the kernel: `mov pc, r4` or `bx r4`, in
/// either instruction set.
fn jumps(bytes: &[u8]) -> Vec<u32> {
    const ARM: [u32; 2] = [0xe1a0_f004, 0xe12f_ff14];
    const THUMB: [u16; 2] = [0x46a7, 0x4720];
    (0u32..)
        .step_by(2)
        .zip(bytes.chunks_exact(2))
        .filter(|(at, half)| {
            let at = *at as usize;
            let word = bytes.get(at..at + 4);
            THUMB.contains(&u16::from_le_bytes([half[0], half[1]]))
                || at.is_multiple_of(4)
                    && word.is_some_and(|word| {
                        let word = word.try_into().map(u32::from_le_bytes);
                        word.is_ok_and(|word| ARM.contains(&word))
                    })
        })
        .map(|(at, _)| at)
        .collect()
}

/// What lies from `start` on, up to the last page in which something is before
/// `end`.
fn unpacked(machine: &Machine, start: u32, end: u32) -> Result<Vec<u8>, String> {
    const PAGE: usize = 4096;
    let mut bytes = vec![0; (end - start) as usize];
    machine
        .read_physical(start, &mut bytes)
        .map_err(|error| error.to_string())?;
    let last = bytes.iter().rposition(|&byte| byte != 0);
    bytes.truncate(last.map_or(0, |last| (last + 1).next_multiple_of(PAGE)));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs code as if it were a self-extracting kernel.
    fn run(code: &[u32]) -> String {
        let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        let packed = Packed {
            bytes: &bytes,
            address: None,
        };
        match extract(&packed) {
            Ok(extracted) => format!("{}; {} bytes", extracted.text, extracted.bytes.len()),
            Err(why) => why,
        }
    }

    #[test]
    fn code_that_unpacks_nothing_has_a_reason() {
        let outcomes = [
            // mov r4, pc; and r4, r4, #0xf8000000; str pc, [r4]; mov pc, r4
            run(&[0xe1a0_400f, 0xe204_433e, 0xe584_f000, 0xe1a0_f004]),
            // b .
            run(&[0xe1a0_0000, 0xeaff_fffe]),
            // udf #0
            run(&[0xe1a0_0000, 0xe7f0_00f0]),
            // wfi
            run(&[0xe320_f003]),
            // mov r4, sp; mov pc, r4: not into RAM below the image
            run(&[0xe1a0_400d, 0xe1a0_f004]),
        ];
        expect_test::expect![[r#"
            unpacked to 0x80000000 in 3 instructions; 4096 bytes
            its own decompressor with RAM at 0x80000000: gives up, at 0x4 of it; with RAM at 0x40000000: gives up, at 0x4 of it
            its own decompressor with RAM at 0x80000000: causes an exception, at 0x4 of it; with RAM at 0x40000000: causes an exception, at 0x4 of it
            its own decompressor with RAM at 0x80000000: ends with Idle, at 0x4 of it; with RAM at 0x40000000: ends with Idle, at 0x4 of it
            its own decompressor with RAM at 0x80000000: causes an exception, at 0x7a000000 of it; with RAM at 0x40000000: causes an exception, at 0xba000000 of it
        "#]]
        .assert_eq(&(outcomes.join("\n") + "\n"));
        let large = vec![0; LONGEST + 1];
        let packed = Packed {
            bytes: &large,
            address: None,
        };
        assert!(extract(&packed).unwrap_err().contains("too large"));
    }

    #[test]
    fn jumps_of_both_instruction_sets_are_found() {
        // mov pc, r4; nop; bx r4; (Thumb) nop, bx r4
        let code = [0xe1a0_f004_u32, 0xe1a0_0000, 0xe12f_ff14, 0x4720_46c0];
        let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(jumps(&bytes), [0, 8, 14]);
        assert_eq!(jumps(&bytes[..bytes.len() - 1]), [0, 8]);
    }
}
