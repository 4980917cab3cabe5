//! Instructions of hostile guests: any bits at all, and often enough bits of which
//! most are set so that something happens.

use super::scenario::{Bytes, CODE};

/// Appends an instruction or a few, in halfwords.
pub(crate) fn arm(bytes: &mut Bytes<'_>, halves: &mut Vec<u16>) {
    let kind = bytes.byte();
    if kind % 20 == 13 {
        // ldr rN, [pc]; b over it; the value.
        let load = 0xe59f_0000 | u32::from(kind >> 4) << 12;
        for word in [load, 0xea00_0000, bytes.value()] {
            push(word, halves);
        }
        return;
    }
    let word = bytes.word();
    let low = word & 0x00ff_ffff;
    push(
        match kind % 20 {
            0 => word,
            1 => word & 0x0fff_ffff | 0xe000_0000,
            2 => 0xe400_0000 | word & 0x03ff_ffff, // ldr, str
            3 => 0xe800_0000 | word & 0x01ff_ffff, // ldm, stm
            4 => 0xee00_0f10 | word & 0x00ff_f0ef, // mcr, mrc p15
            5 => 0xec40_0e00 | word & 0x001f_f1ff, // mcrr, mrrc p14, p15
            6 => 0xe129_f000 | word & 0x0046_000f, // msr
            7 => 0xe000_0000 | word & 0x03ff_ffff, // arithmetic
            8 => branch(kind, word),
            9 => 0xe50f_0000 | word & 0x0080_f0ff, // str rN, [pc, #n]
            10 => 0xe600_0010 | word & 0x01ff_ffef, // media
            11 => 0xe100_0090 | word & 0x00ff_ff6f, // swp, ldrex, ldrd
            12 => 0xf200_0000 | word & 0x01ff_ffff, // Advanced SIMD
            14 => 0xe12f_ff10 | word & 0x0000_002f, // bx, bxj, blx
            15 => 0xf000_0000 | word & 0x0fff_ffff, // without condition
            16 => SPECIAL[word as usize % SPECIAL.len()],
            17 => 0xee00_0a00 | low & 0x00ff_f1ff,  // VFP
            18 => 0xec00_0a00 | word & 0x01ff_f1ff, // VFP loads and stores
            _ => system(word),
        },
        halves,
    );
}

/// Instructions with an effect of their own.
const SPECIAL: [u32; 12] = [
    0xef00_0000, // svc
    0xe320_f003, // wfi
    0xe320_f002, // wfe
    0xe140_0070, // hvc
    0xe160_0070, // smc
    0xe120_0070, // bkpt
    0xe160_006e, // eret
    0xf102_0000, // cps #0
    0xf102_001a, // cps #hyp
    0xf102_0016, // cps #mon
    0xf101_0200, // setend be
    0xee07_0f90, // wait for interrupt of Armv5
];

/// A register of CP15 that matters: control, tables, domains, faults, cache and TLB
/// operations, vectors, process, timer.
fn system(word: u32) -> u32 {
    const REGISTERS: [u32; 12] = [
        0x0001_0000, // SCTLR
        0x0001_0040, // CPACR
        0x0001_0001, // SCR
        0x0002_0000, // TTBR0
        0x0002_0040, // TTBCR
        0x0003_0000, // DACR
        0x0007_0005, // ICIALLU and others
        0x0007_0008, // translation of an address
        0x0008_0007, // TLBIALL
        0x000c_0000, // VBAR
        0x000d_0000, // FCSEIDR
        0x000e_0002, // timer
    ];
    let register = REGISTERS[(word >> 24) as usize % REGISTERS.len()];
    0xee00_0f10 | register | word & 0x0000_f0e0 & !(register & 0xe0)
}

fn branch(kind: u8, word: u32) -> u32 {
    let offset = (word & 0x3f).wrapping_sub(32) & 0x00ff_ffff;
    match kind >> 5 {
        0..4 => 0x0a00_0000 | word & 0xe000_0000 | offset,
        4..6 => 0xeb00_0000 | offset,
        6 => 0xfa00_0000 | offset,
        _ => 0xea00_0000 | word & 0x00ff_ffff,
    }
}

/// The same for Thumb code.
pub(crate) fn thumb(bytes: &mut Bytes<'_>, halves: &mut Vec<u16>) {
    let kind = bytes.byte();
    if kind % 16 == 13 {
        // movw rN, #low; movt rN, #high.
        let value = bytes.value();
        for (opcode, half) in [(0xf240, value), (0xf2c0, value >> 16)] {
            let first = opcode | half >> 12 & 0xf | half >> 1 & 0x400;
            let second = half & 0xff | half << 4 & 0x7000 | u32::from(kind >> 4) << 8;
            halves.extend([first as u16, second as u16]);
        }
        return;
    }
    let word = bytes.word();
    let half = word as u16;
    match kind % 16 {
        0..3 => halves.push(half),
        3 => wide(0xe800_0000 | word & 0x17ff_ffff, halves),
        4 => wide(0xee00_0f10 | word & 0x00ff_f0ef, halves), // mcr, mrc
        5 => wide(0xf800_0000 | word & 0x01ff_ffff, halves), // loads, stores
        6 => halves.push(0x6000 | half & 0x1fff),            // the same, narrow
        7 => halves.push(0xbf00 | half & 0xff),              // if-then, hints
        8 => halves.push(0xd000 | half & 0x0f0f),            // b, svc
        9 => halves.push(0x4700 | half & 0xf8),              // bx, blx
        10 => wide(0xf380_8000 | word & 0x007f_7fff, halves), // msr, hints, cps
        11 => halves.push(0xc000 | half & 0x0fff),           // ldm, stm
        12 => wide(0xef00_0000 | word & 0x10ff_ffff, halves), // Advanced SIMD
        14 => wide(system(word), halves),
        _ => wide(0xf000_8000 | word & 0x07ff_7fff, halves),
    }
}

fn push(word: u32, halves: &mut Vec<u16>) {
    halves.extend([word as u16, (word >> 16) as u16]);
}

fn wide(word: u32, halves: &mut Vec<u16>) {
    halves.extend([(word >> 16) as u16, word as u16]);
}

/// The bytes of a program that begins anew at its end.
pub(crate) fn code_of(mut halves: Vec<u16>, is_thumb: bool) -> Vec<u8> {
    let behind = halves.len() as u32;
    if is_thumb {
        let offset = 0_u32.wrapping_sub(behind + 2);
        halves.push(0xe000 | offset as u16 & 0x7ff);
    } else {
        let offset = 0_u32.wrapping_sub(behind / 2 + 2);
        push(0xea00_0000 | offset & 0x00ff_ffff, &mut halves);
    }
    debug_assert!(CODE.is_multiple_of(4));
    halves.iter().flat_map(|half| half.to_le_bytes()).collect()
}
