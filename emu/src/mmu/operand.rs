//! The address that a load or store uses, worked out from the instruction.
//!
//! The TLB hook is told the page of an access but not the place in it, which
//! the fault address register wants. The same look at the instruction tells the
//! loads and stores that are made with the rights of user mode. Encodings:
//! DDI 0406C A5 (ARM), A6 (Thumb), A7 (SIMD and floating point).

/// What an instruction accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// The lowest address.
    pub address: u32,
    /// How many bytes from there, at most.
    pub bytes: u32,
}

impl Operand {
    fn at(address: u32, bytes: u32) -> Option<Self> {
        Some(Self { address, bytes })
    }

    /// The first address of the access inside the page that starts at `page`:
    /// the fault address when that page is the one that is refused. The start
    /// of the page when the access does not begin there.
    pub fn in_page(&self, page: u32) -> u32 {
        if self.address >> 12 == page >> 12 {
            self.address
        } else {
            page & !0xfff
        }
    }
}

/// The operand of an ARM instruction at `pc`. None when it accesses no memory
/// or is not known here. `register` gives a general register's value (never
/// asked for 15).
pub fn arm(instruction: u32, pc: u32, register: impl Fn(u32) -> u32) -> Option<Operand> {
    let field = |low: u32| instruction >> low & 15;
    let bit = |number: u32| instruction >> number & 1 != 0;
    let read = |number: u32| {
        if number == 15 {
            pc.wrapping_add(8)
        } else {
            register(number)
        }
    };
    let base = read(field(16));
    let (pre, up) = (bit(24), bit(23));
    if instruction >> 28 == 15 {
        return match instruction >> 25 & 7 {
            // SIMD element or structure; prefetches do not fault.
            0b010 if !bit(24) && !bit(20) => Operand::at(base, 32),
            // Return from exception, and its opposite.
            0b100 => Operand::at(multiple_start(base, 2, pre, up), 8),
            0b110 => coprocessor(instruction, base),
            _ => None,
        };
    }
    match instruction >> 25 & 7 {
        0b000 if bit(7) && bit(4) => {
            let kind = instruction >> 5 & 3;
            if kind == 0 {
                // Swaps and exclusives; without bit 24 it is a multiplication.
                return if bit(24) { Operand::at(base, 8) } else { None };
            }
            let offset = if bit(22) {
                field(8) << 4 | field(0)
            } else {
                read(field(0))
            };
            let double = !bit(20) && kind >= 2;
            Operand::at(indexed(base, offset, pre, up), if double { 8 } else { 2 })
        }
        0b010 => Operand::at(indexed(base, instruction & 0xfff, pre, up), 4),
        0b011 if !bit(4) => {
            let offset = shifted(instruction, read(field(0)));
            Operand::at(indexed(base, offset, pre, up), 4)
        }
        0b100 => {
            let count = (instruction & 0xffff).count_ones();
            Operand::at(multiple_start(base, count, pre, up), 4 * count)
        }
        0b110 => coprocessor(instruction, base),
        _ => None,
    }
}

/// The operand of a Thumb instruction at `pc`; `second` is used when `first`
/// says that there are two halfwords. See [`arm`].
pub fn thumb(first: u16, second: u16, pc: u32, register: impl Fn(u32) -> u32) -> Option<Operand> {
    let first = u32::from(first);
    let second = u32::from(second);
    if first >> 11 >= 0b11101 {
        return wide(first, second, pc, register);
    }
    let low = |at: u32| register(first >> at & 7);
    let imm5 = first >> 6 & 31;
    let literal = pc.wrapping_add(4) & !3;
    match first >> 11 {
        0b01001 => Operand::at(literal.wrapping_add((first & 0xff) * 4), 4),
        0b01010 | 0b01011 => Operand::at(low(3).wrapping_add(low(6)), 4),
        0b01100 | 0b01101 => Operand::at(low(3).wrapping_add(imm5 * 4), 4),
        0b01110 | 0b01111 => Operand::at(low(3).wrapping_add(imm5), 1),
        0b10000 | 0b10001 => Operand::at(low(3).wrapping_add(imm5 * 2), 2),
        0b10010 | 0b10011 => Operand::at(register(13).wrapping_add((first & 0xff) * 4), 4),
        0b10110 | 0b10111 if first & 0x0600 == 0x0400 => {
            // Push (with lr), or pop (with pc).
            let bytes = 4 * (first & 0x1ff).count_ones();
            let load = first & 1 << 11 != 0;
            let sp = register(13);
            Operand::at(if load { sp } else { sp.wrapping_sub(bytes) }, bytes)
        }
        0b11000 | 0b11001 => Operand::at(low(8), 4 * (first & 0xff).count_ones()),
        _ => None,
    }
}

fn wide(first: u32, second: u32, pc: u32, register: impl Fn(u32) -> u32) -> Option<Operand> {
    let number = first & 15;
    let base = if number == 15 {
        pc.wrapping_add(4) & !3
    } else {
        register(number)
    };
    let bit = |number: u32| first >> number & 1 != 0;
    match first >> 9 {
        // Multiples, doubles, exclusives, table branches.
        0b111_0100 => {
            let (pre, up, write_back) = (bit(8), bit(7), bit(5));
            if !bit(6) {
                // One of the two bits is set for a list of registers; for RFE and SRS,
                // of two words, both are or none is.
                let count = if pre == up { 2 } else { second.count_ones() };
                let start = if up {
                    base
                } else {
                    base.wrapping_sub(4 * count)
                };
                return Operand::at(start, 4 * count);
            }
            let offset = (second & 0xff) * 4;
            if pre || write_back {
                return Operand::at(indexed(base, offset, pre, up), 8);
            }
            if !up {
                return Operand::at(base.wrapping_add(offset), 4);
            }
            // A table branch relative to the program counter does not align it.
            let start = if number == 15 {
                pc.wrapping_add(4)
            } else {
                base
            };
            let index = register(second & 15);
            match second >> 4 & 15 {
                0b0000 => Operand::at(start.wrapping_add(index), 1),
                0b0001 => Operand::at(start.wrapping_add(index << 1), 2),
                _ => Operand::at(base, 8),
            }
        }
        // Single loads and stores.
        0b111_1100 => {
            if bit(8) && !bit(4) {
                // SIMD element or structure.
                return Operand::at(base, 32);
            }
            if number == 15 {
                return Operand::at(indexed(base, second & 0xfff, true, bit(7)), 4);
            }
            if bit(7) {
                return Operand::at(base.wrapping_add(second & 0xfff), 4);
            }
            if second & 1 << 11 != 0 {
                let (pre, up) = (second & 1 << 10 != 0, second & 1 << 9 != 0);
                return Operand::at(indexed(base, second & 0xff, pre, up), 4);
            }
            let index = register(second & 15) << (second >> 4 & 3);
            Operand::at(base.wrapping_add(index), 4)
        }
        0b111_0110 | 0b111_1110 => coprocessor(first << 16 | second, base),
        _ => None,
    }
}

/// Whether an ARM instruction loads or stores with the rights of user mode
/// (`ldrt` and its family). Only asked for loads and stores.
pub fn arm_is_unprivileged(instruction: u32) -> bool {
    let post_with_write_back = instruction >> 21 & 0b1001 == 0b0001;
    let single = match instruction >> 25 & 7 {
        0b010 => instruction >> 28 != 15,
        0b011 => instruction & 1 << 4 == 0,
        0b000 => instruction & 0x90 == 0x90 && instruction & 0x60 != 0,
        _ => false,
    };
    post_with_write_back && single
}

/// See [`arm_is_unprivileged`].
pub fn thumb_is_unprivileged(first: u16, second: u16) -> bool {
    first >> 9 == 0b111_1100 && first & 0x80 == 0 && first & 15 != 15 && second >> 8 & 15 == 0b1110
}

/// Loads and stores of coprocessor and floating point registers, the same in
/// ARM and Thumb.
fn coprocessor(instruction: u32, base: u32) -> Option<Operand> {
    let bit = |number: u32| instruction >> number & 1 != 0;
    let (pre, up, write_back) = (bit(24), bit(23), bit(21));
    let offset = (instruction & 0xff) * 4;
    if !pre && !up && !write_back {
        // Two-register transfers; no memory.
        return None;
    }
    if pre && !write_back {
        return Operand::at(indexed(base, offset, true, up), 8);
    }
    if up {
        Operand::at(base, offset.max(4))
    } else {
        let start = if pre { base.wrapping_sub(offset) } else { base };
        Operand::at(start, offset.max(4))
    }
}

fn indexed(base: u32, offset: u32, pre: bool, up: bool) -> u32 {
    match (pre, up) {
        (false, _) => base,
        (true, true) => base.wrapping_add(offset),
        (true, false) => base.wrapping_sub(offset),
    }
}

fn multiple_start(base: u32, count: u32, pre: bool, up: bool) -> u32 {
    match (pre, up) {
        (false, true) => base,
        (true, true) => base.wrapping_add(4),
        (false, false) => base.wrapping_sub(4 * count).wrapping_add(4),
        (true, false) => base.wrapping_sub(4 * count),
    }
}

/// A register offset shifted by an immediate. The carry of `rrx` is not known
/// here; nobody indexes with it.
fn shifted(instruction: u32, value: u32) -> u32 {
    let amount = instruction >> 7 & 31;
    match (instruction >> 5 & 3, amount) {
        (0, _) => value << amount,
        (1, 0) => 0,
        (1, _) => value >> amount,
        (2, 0) => ((value as i32) >> 31) as u32,
        (2, _) => ((value as i32) >> amount) as u32,
        (_, 0) => value >> 1,
        (_, _) => value.rotate_right(amount),
    }
}

#[cfg(test)]
mod tests;
