//! The T32 instructions that a trace understands (ARM DDI 0406, chapter A6).

use scroll::Endian;

use super::{
    Access, Indexing, Next, PC, Place, SP, Trace, Value, Width, arm::field_mask, sign_extend,
    state::State,
};
use crate::bytes::u16_at;

/// The condition of an IT under which all that it holds is done.
fn it_of_one(half: u32) -> Option<u32> {
    let (condition, mask) = (half >> 4 & 0xf, half & 0xf);
    if half >> 8 != 0xbf || mask == 0 {
        return None;
    }
    let last = mask.trailing_zeros();
    let then = (last + 1..4).all(|bit| mask >> bit & 1 == condition & 1);
    then.then_some(condition)
}

/// The condition of a conditional jump.
fn jumps_under(first: u32) -> Option<u32> {
    match first >> 11 {
        0b11010 | 0b11011 => Some(first >> 8 & 0xf),
        0b11110 => Some(first >> 6 & 0xf),
        _ => None,
    }
}

impl Trace<'_> {
    pub(super) fn thumb(&mut self, at: u32, state: &mut State) -> Option<(u32, Next)> {
        let half = |va: u32| {
            u16_at(&self.kernel.bytes, self.kernel.offset(va)?, Endian::Little).map(u32::from)
        };
        let first = half(at)?;
        let before = (state.conditional > 0).then(|| state.clone());
        let skipped = state.skipped.take();
        state.conditional = state.conditional.saturating_sub(1);
        let (size, next) = if first < 0xe800 {
            (2, self.thumb16(at, first, state))
        } else {
            let second = half(at.wrapping_add(2))?;
            (4, self.thumb32(at, first, second, state))
        };
        if before.is_some() {
            state.skipped = skipped;
        } else if let Some(condition) = it_of_one(first) {
            let mut unless = state.clone();
            unless.conditional = 0;
            state.skipped = Some((condition, Box::new(unless)));
        } else if let (Some((condition, unless)), Next::Branch(_)) = (skipped, &next)
            && jumps_under(first) == Some(condition)
        {
            // Not taken, so that nothing of what the IT held was done.
            state.otherwise = Some(unless);
        }
        let next = match (before, next) {
            // A conditional return or jump: what comes next is reached only
            // when it is not taken.
            (Some(before), Next::End) => {
                let left = state.conditional;
                *state = before;
                state.conditional = left;
                Next::On
            }
            (Some(_), Next::Jump(target)) => Next::Branch(target),
            (_, next) => next,
        };
        Some((size, next))
    }

    fn thumb16(&mut self, at: u32, half: u32, state: &mut State) -> Next {
        let pc = at.wrapping_add(4);
        let low = |shift: u32| (half >> shift & 7) as usize;
        let imm8 = half & 0xff;
        let imm5 = half >> 6 & 0x1f;
        match half >> 11 {
            0b00000 if imm5 == 0 => state.set(low(0), state.get(low(3)).clone()),
            0b00000 => {
                self.test(at, &state.get(low(3)).clone(), 1 << (31 - imm5));
                state.forget(low(0));
            }
            0b00001 if imm5 != 0 => {
                state.set(low(0), state.get(low(3)).shifted_right(imm5 as u8));
            }
            0b00001 | 0b00010 => state.forget(low(0)),
            0b00011 => {
                let constant = half >> 6 & 7;
                let left = state.get(low(3));
                let value = match half >> 9 & 3 {
                    0b00 => left.add_value(state.get(low(6))),
                    0b10 => left.add(constant),
                    0b11 => left.add(constant.wrapping_neg()),
                    _ => Value::Unknown,
                };
                state.set(low(0), value);
            }
            0b00100 => state.set(low(8), Value::Const(imm8)),
            0b00101 => self.compare(at, state.get(low(8)), &Value::Const(imm8)),
            0b00110 => {
                self.advance(at, state.get(low(8)), imm8);
                state.set(low(8), state.get(low(8)).add(imm8));
            }
            0b00111 => state.set(low(8), state.get(low(8)).add(imm8.wrapping_neg())),
            0b01000 => return self.thumb16_registers(at, half, state),
            0b01001 => {
                let literal = Place::Literal((pc & !3).wrapping_add(imm8 * 4));
                return self.load(state, at, low(8), &literal, Width::Word);
            }
            0b01010 if half >> 9 & 3 != 3 => {}
            0b01011 if half >> 9 & 3 == 0 => {
                return self.load(state, at, low(0), &Place::Sum(low(3), low(6)), Width::Word);
            }
            0b01010 | 0b01011 => state.forget(low(0)),
            0b01100..=0b10001 => {
                let (width, scale) = match half >> 12 {
                    0b0110 => (Width::Word, 4),
                    0b0111 => (Width::Byte, 1),
                    _ => (Width::Half, 2),
                };
                let place = (low(3), (imm5 * scale) as i32);
                let is_load = half >> 11 & 1 == 1;
                let access = Access {
                    is_load,
                    registers: (low(0), 0),
                    place,
                    width,
                    indexing: Indexing::None,
                };
                return self.access(state, at, &access);
            }
            0b10010 | 0b10011 => {
                let place = (SP, (imm8 * 4) as i32);
                let is_load = half >> 11 & 1 == 1;
                let access = Access {
                    is_load,
                    registers: (low(8), 0),
                    place,
                    width: Width::Word,
                    indexing: Indexing::None,
                };
                return self.access(state, at, &access);
            }
            0b10100 => state.set(low(8), Value::Const((pc & !3).wrapping_add(imm8 * 4))),
            0b10101 => state.set(low(8), state.get(SP).add(imm8 * 4)),
            0b10110 | 0b10111 => return self.thumb16_miscellaneous(at, half, state),
            0b11000 | 0b11001 => {
                let is_load = half >> 11 & 1 == 1;
                let how = (true, false, true);
                return self.access_list(state, at, is_load, (low(8), imm8), how);
            }
            0b11010 | 0b11011 => {
                if half >> 8 & 0xf >= 0xe {
                    return Next::End;
                }
                return Next::Branch(pc.wrapping_add(sign_extend(half << 1, 9)));
            }
            0b11100 => return Next::Jump(pc.wrapping_add(sign_extend(half << 1, 12))),
            _ => {}
        }
        Next::On
    }

    fn thumb16_registers(&mut self, at: u32, half: u32, state: &mut State) -> Next {
        let rm = (half >> 3 & 0xf) as usize;
        let rdn = (half & 7 | half >> 4 & 8) as usize;
        match half >> 8 & 7 {
            0..=3 => {
                let rdn = (half & 7) as usize;
                let left = state.get(rdn).clone();
                let right = state.get((half >> 3 & 7) as usize).clone();
                match (half >> 6 & 0xf, &right) {
                    (0, Value::Const(mask)) => {
                        self.test(at, &left, *mask);
                        state.set(rdn, left.masked(*mask));
                    }
                    (14, Value::Const(mask)) => state.set(rdn, left.masked(!mask)),
                    (8, Value::Const(mask)) => self.test(at, &left, *mask),
                    (10, right) => self.compare(at, &left, right),
                    (8 | 11, _) => {}
                    _ => state.forget(rdn),
                }
                Next::On
            }
            4 if rdn == PC => Next::End,
            4 => {
                let right = match rm {
                    PC => Value::Const(at.wrapping_add(4)),
                    register => state.get(register).clone(),
                };
                state.set(rdn, state.get(rdn).add_value(&right));
                Next::On
            }
            5 => {
                self.compare(at, state.get(rdn), state.get(rm));
                Next::On
            }
            6 => {
                let value = match rm {
                    PC => Value::Const(at.wrapping_add(4)),
                    register => state.get(register).clone(),
                };
                if rdn == PC {
                    return self.jump_value(state, at, value);
                }
                state.set(rdn, value);
                Next::On
            }
            _ => {
                let target = state.get(rm).clone();
                match half >> 7 & 1 == 1 {
                    true => self.call_value(state, at, target),
                    false => self.jump_value(state, at, target),
                }
            }
        }
    }

    fn thumb32(&mut self, at: u32, first: u32, second: u32, state: &mut State) -> Next {
        let pc = at.wrapping_add(4);
        let rn = (first & 0xf) as usize;
        let rt = (second >> 12) as usize;
        let rd = (second >> 8 & 0xf) as usize;
        if first & 0xf800 == 0xf000 && second & 0x8000 != 0 {
            return self.thumb32_branch(at, first, second, state);
        }
        match first >> 9 {
            // Loads and stores of several registers, of two, table branches.
            0b1110100 => {
                let is_load = first >> 4 & 1 == 1;
                let (before, upward) = (first >> 8 & 1 == 1, first >> 7 & 1 == 1);
                let write_back = first >> 5 & 1 == 1;
                if first >> 6 & 1 == 0 {
                    let list = (rn, second & if is_load { 0xffff } else { 0x7fff });
                    let how = (upward, before, write_back);
                    return self.access_list(state, at, is_load, list, how);
                }
                if before || write_back {
                    let distance = (second & 0xff) as i32 * 4;
                    let offset = if upward { distance } else { -distance };
                    let indexing = match (before, write_back) {
                        (true, false) => Indexing::None,
                        (true, true) => Indexing::Before,
                        (false, _) => Indexing::After,
                    };
                    if rn == PC {
                        state.forget(rt);
                        state.forget(rd);
                        return Next::On;
                    }
                    let access = Access {
                        is_load,
                        registers: (rt, rd),
                        place: (rn, offset),
                        width: Width::Double,
                        indexing,
                    };
                    return self.access(state, at, &access);
                }
                // Exclusives and table branches.
                if is_load && second & 0xffe0 == 0xf000 {
                    return Next::End;
                }
                if is_load {
                    state.forget(rt);
                    state.forget(rd);
                } else if first & 0xfff0 == 0xe840 {
                    state.forget(rd);
                } else {
                    state.forget((second & 0xf) as usize);
                }
                Next::On
            }
            // Single loads and stores.
            0b1111100 => self.thumb32_load_store(at, first, second, state),
            0b1111000..=0b1111011 => {
                self.thumb32_flags(at, first, second, state);
                let value = thumb32_constant(pc, first, second, state);
                if rd != PC {
                    state.set(rd, value);
                }
                Next::On
            }
            // Coprocessor: MRC writes a register.
            0b1110110 | 0b1110111 | 0b1111110 | 0b1111111 => {
                if first >> 4 & 1 == 1 && rt != PC {
                    state.forget(rt);
                }
                Next::On
            }
            _ => {
                let value = self.thumb32_registers(at, first, second, state);
                if rd != PC {
                    state.set(rd, value);
                }
                // Multiplications with a result of two registers.
                if first >> 7 == 0b1_1111_0111 {
                    state.forget(rt);
                }
                Next::On
            }
        }
    }

    /// Shifted registers, extensions, multiplications: what they leave in their
    /// destination.
    fn thumb32_registers(&mut self, at: u32, first: u32, second: u32, state: &State) -> Value {
        let left = state.get((first & 0xf) as usize);
        let right = state.get((second & 0xf) as usize);
        let amount = second >> 10 & 0x1c | second >> 6 & 3;
        let plain = second & 0x70f0 == 0;
        let to_flags = second >> 8 & 0xf == 0xf;
        match first {
            0xfa1f | 0xfa0f => return right.masked(0xffff),
            0xfa5f | 0xfa4f => return right.masked(0xff),
            0xea4f | 0xea5f if plain => return right.clone(),
            0xea4f | 0xea5f if second & 0x30 == 0x10 && amount != 0 => {
                return right.shifted_right(amount as u8);
            }
            0xea5f if second & 0x30 == 0 => self.test(at, right, 1 << (31 - amount)),
            _ => {}
        }
        match (first & 0xfff0, right) {
            (0xeb00 | 0xeb10, right) if plain => left.add_value(right),
            (0xebb0, right) if plain && to_flags => {
                self.compare(at, left, right);
                Value::Unknown
            }
            (0xea10, Value::Const(mask)) if plain && to_flags => {
                self.test(at, left, *mask);
                Value::Unknown
            }
            _ => Value::Unknown,
        }
    }

    /// Comparisons and tests with an immediate.
    fn thumb32_flags(&mut self, at: u32, first: u32, second: u32, state: &State) {
        let left = state.get((first & 0xf) as usize);
        let constant = expand(imm12(first, second));
        let discards = second >> 8 & 0xf == 0xf;
        match first & 0xfbf0 {
            0xf000 | 0xf010 => self.test(at, left, constant),
            0xf100 | 0xf110 if first & 0xf == second >> 8 & 0xf => {
                self.advance(at, left, constant);
            }
            0xf1b0 if discards => self.compare(at, left, &Value::Const(constant)),
            0xf110 if discards => {
                self.compare(at, left, &Value::Const(constant.wrapping_neg()));
            }
            _ => {}
        }
    }

    fn thumb32_branch(&mut self, at: u32, first: u32, second: u32, state: &mut State) -> Next {
        let pc = at.wrapping_add(4);
        let sign = first >> 10 & 1;
        let (j1, j2) = (second >> 13 & 1, second >> 11 & 1);
        let far = {
            let (i1, i2) = (1 ^ j1 ^ sign, 1 ^ j2 ^ sign);
            let value = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12;
            sign_extend(value | (second & 0x7ff) << 1, 25)
        };
        match (second >> 14 & 1, second >> 12 & 1) {
            (1, 1) => self.call(state, at, pc.wrapping_add(far)),
            // BLX: to ARM code, at a multiple of 4.
            (1, _) => self.call(state, at, (pc & !3).wrapping_add(far & !3)),
            (_, 1) => Next::Jump(pc.wrapping_add(far)),
            _ if first >> 6 & 0xf < 0xe => {
                let value = sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3f) << 12;
                let near = sign_extend(value | (second & 0x7ff) << 1, 21);
                Next::Branch(pc.wrapping_add(near))
            }
            // MSR, MRS, hints, barriers.
            _ => {
                state.forget((second >> 8 & 0xf) as usize);
                Next::On
            }
        }
    }

    fn thumb32_load_store(&mut self, at: u32, first: u32, second: u32, state: &mut State) -> Next {
        let rn = (first & 0xf) as usize;
        let rt = (second >> 12) as usize;
        let is_load = first >> 4 & 1 == 1;
        let width = match first >> 5 & 3 {
            0 => Width::Byte,
            1 => Width::Half,
            _ => Width::Word,
        };
        if is_load && rt == PC && width < Width::Word {
            // Hints.
            return Next::On;
        }
        let long = (second & 0xfff) as i32;
        let short = (second & 0xff) as i32;
        let upward = second >> 9 & 1 == 1;
        if rn == PC {
            let offset = if first >> 7 & 1 == 1 { long } else { -long };
            let literal = (at.wrapping_add(4) & !3).wrapping_add_signed(offset);
            return match is_load {
                true => self.load(state, at, rt, &Place::Literal(literal), width),
                false => Next::On,
            };
        }
        let (offset, indexing) = if first >> 7 & 1 == 1 {
            (long, Indexing::None)
        } else if second >> 11 & 1 == 1 {
            let signed = if upward { short } else { -short };
            let indexing = match (second >> 10 & 1 == 1, second >> 8 & 1 == 1) {
                (true, false) => Indexing::None,
                (true, true) => Indexing::Before,
                (false, _) => Indexing::After,
            };
            (signed, indexing)
        } else {
            // By register.
            if is_load && second & 0xff0 == 0 && width == Width::Word {
                let place = Place::Sum(rn, (second & 0xf) as usize);
                return self.load(state, at, rt, &place, width);
            }
            if is_load {
                state.forget(rt);
            }
            return match is_load && rt == PC {
                true => Next::End,
                false => Next::On,
            };
        };
        // str.w lr, [sp, #-4]!
        if (first, second) == (0xf84d, 0xed04) {
            state.pushed_lr = Some(at.wrapping_add(4));
        }
        let access = Access {
            is_load,
            registers: (rt, 0),
            place: (rn, offset),
            width,
            indexing,
        };
        self.access(state, at, &access)
    }

    fn thumb16_miscellaneous(&mut self, at: u32, half: u32, state: &mut State) -> Next {
        // CBZ, CBNZ
        if half & 0xf500 == 0xb100 {
            let distance = half >> 3 & 0x40 | half >> 2 & 0x3e;
            let tested = state.get((half & 7) as usize);
            self.compare(at, tested, &Value::Const(0));
            return Next::Branch(at.wrapping_add(4).wrapping_add(distance));
        }
        match half >> 8 {
            0xb0 => {
                let distance = (half & 0x7f) * 4;
                let moved = match half >> 7 & 1 == 1 {
                    true => distance.wrapping_neg(),
                    false => distance,
                };
                state.set(SP, state.get(SP).add(moved));
            }
            // PUSH
            0xb4 | 0xb5 => {
                if half == 0xb500 {
                    state.pushed_lr = Some(at.wrapping_add(2));
                }
                let list = half & 0xff | (half >> 8 & 1) << 14;
                return self.access_list(state, at, false, (SP, list), (false, true, true));
            }
            // POP
            0xbc | 0xbd => {
                let list = half & 0xff | (half >> 8 & 1) << 15;
                return self.access_list(state, at, true, (SP, list), (true, false, true));
            }
            // Extensions and byte reversals write a low register.
            0xb2 => {
                let mask = if half >> 6 & 1 == 1 { 0xff } else { 0xffff };
                let value = state.get((half >> 3 & 7) as usize).masked(mask);
                state.set((half & 7) as usize, value);
            }
            0xba => state.forget((half & 7) as usize),
            // IT
            0xbf if half & 0xf != 0 => {
                state.conditional = 4 - (half & 0xf).trailing_zeros() as u8;
            }
            _ => {}
        }
        Next::On
    }
}

/// What an instruction with an immediate leaves in its destination.
fn thumb32_constant(pc: u32, first: u32, second: u32, state: &State) -> Value {
    let rn = (first & 0xf) as usize;
    let rd = (second >> 8 & 0xf) as usize;
    let imm12 = imm12(first, second);
    let imm16 = (first & 0xf) << 12 | imm12;
    let left = match rn {
        PC => Value::Const(pc & !3),
        register => state.get(register).clone(),
    };
    match first & 0xfbf0 {
        0xf240 => Value::Const(imm16),
        0xf2c0 => match state.get(rd) {
            Value::Const(low) => Value::Const(low & 0xffff | imm16 << 16),
            _ => Value::Unknown,
        },
        0xf200 => left.add(imm12),
        0xf2a0 => left.add(imm12.wrapping_neg()),
        0xf100 | 0xf110 => left.add(expand(imm12)),
        0xf1a0 | 0xf1b0 => left.add(expand(imm12).wrapping_neg()),
        0xf040 | 0xf050 if rn == PC => Value::Const(expand(imm12)),
        0xf060 | 0xf070 if rn == PC => Value::Const(!expand(imm12)),
        0xf000 | 0xf010 => left.masked(expand(imm12)),
        0xf020 | 0xf030 => left.masked(!expand(imm12)),
        0xf340 | 0xf3c0 => {
            let lowest = second >> 10 & 0x1c | second >> 6 & 3;
            left.masked(field_mask(lowest, (second & 0x1f) + 1))
        }
        _ => Value::Unknown,
    }
}

/// The twelve bits of an immediate, of which either half of an instruction has some.
pub(in crate::machine) fn imm12(first: u32, second: u32) -> u32 {
    (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xff
}

/// ThumbExpandImm of the manual, section A6.3.2.
pub(in crate::machine) fn expand(imm12: u32) -> u32 {
    let byte = imm12 & 0xff;
    match imm12 >> 8 & 0xf {
        0 => byte,
        1 => byte | byte << 16,
        2 => byte << 8 | byte << 24,
        3 => byte * 0x0101_0101,
        _ => (0x80 | imm12 & 0x7f).rotate_right(imm12 >> 7),
    }
}
