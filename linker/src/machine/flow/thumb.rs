//! The T32 instructions that a trace understands (ARM DDI 0406, chapter A6).

use scroll::Endian;

use super::{Next, PC, Place, State, Trace, Value, sign_extend};
use crate::bytes::u16_at;

impl Trace<'_> {
    pub(super) fn thumb(&mut self, at: u32, state: &mut State) -> Option<(u32, Next)> {
        let half = |va: u32| {
            u16_at(&self.kernel.bytes, self.kernel.offset(va)?, Endian::Little).map(u32::from)
        };
        let first = half(at)?;
        if first < 0xe800 {
            return Some((2, self.thumb16(at, first, state)));
        }
        let second = half(at.wrapping_add(2))?;
        Some((4, self.thumb32(at, first, second, state)))
    }

    fn thumb16(&mut self, at: u32, half: u32, state: &mut State) -> Next {
        let pc = at.wrapping_add(4);
        let low = |shift: u32| (half >> shift & 7) as usize;
        let imm8 = half & 0xff;
        match half >> 11 {
            0b00000 if half >> 6 & 0x1f == 0 => state.set(low(0), state.get(low(3)).clone()),
            0b00000..=0b00010 => state.forget(low(0)),
            0b00011 => {
                let constant = half >> 6 & 7;
                let value = match half >> 9 & 3 {
                    0b10 => state.get(low(3)).add(constant),
                    0b11 => state.get(low(3)).add(constant.wrapping_neg()),
                    _ => Value::Unknown,
                };
                state.set(low(0), value);
            }
            0b00100 => state.set(low(8), Value::Const(imm8)),
            0b00101 => {}
            0b00110 => state.set(low(8), state.get(low(8)).add(imm8)),
            0b00111 => state.set(low(8), state.get(low(8)).add(imm8.wrapping_neg())),
            0b01000 => return self.thumb16_registers(at, half, state),
            0b01001 => {
                let literal = (pc & !3).wrapping_add(imm8 * 4);
                return self.load(state, at, low(8), Place::Literal(literal));
            }
            0b01100 => self.store(state, at, low(0), low(3), (half >> 6 & 0x1f) as i32 * 4),
            0b01101 => {
                let offset = (half >> 6 & 0x1f) as i32 * 4;
                return self.load(state, at, low(0), Place::Register(low(3), offset));
            }
            0b01010 if half >> 9 & 3 != 3 => {}
            0b01011 if half >> 9 & 3 == 0 => {
                return self.load(state, at, low(0), Place::Sum(low(3), low(6)));
            }
            0b01010 | 0b01011 | 0b01111 | 0b10001 => state.forget(low(0)),
            0b01110 | 0b10000 | 0b10010 => {}
            0b10011 | 0b10101 => state.forget(low(8)),
            0b10100 => state.set(low(8), Value::Const((pc & !3).wrapping_add(imm8 * 4))),
            0b10110 | 0b10111 => return thumb16_miscellaneous(at, half, state),
            0b11000 => state.forget(low(8)),
            0b11001 => {
                state.forget_list(imm8);
                state.forget(low(8));
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
                let opcode = half >> 6 & 0xf;
                if !matches!(opcode, 8 | 10 | 11) {
                    state.forget((half & 7) as usize);
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
            5 => Next::On,
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
                if first >> 6 & 1 == 1 {
                    if is_load && second & 0xffe0 == 0xf000 {
                        return Next::End;
                    }
                    if is_load {
                        state.forget(rt);
                        state.forget(rd);
                    } else if first & 0xfff0 == 0xe840 {
                        state.forget(rd);
                    }
                } else {
                    if is_load {
                        state.forget_list(second & 0x7fff);
                    }
                    if first >> 5 & 1 == 1 {
                        state.forget(rn);
                    }
                    if is_load && second >> 15 & 1 == 1 {
                        return Next::End;
                    }
                }
                Next::On
            }
            // Single loads and stores.
            0b1111100 => self.thumb32_load_store(at, first, second, state),
            0b1111000..=0b1111011 => {
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
                // Shifted registers, multiplications, bit fields. MOV.W is the
                // one that carries a value on.
                let copies = first & 0xffef == 0xea4f && second & 0x70f0 == 0;
                let value = match copies {
                    true => state.get((second & 0xf) as usize).clone(),
                    false => Value::Unknown,
                };
                if rd != PC {
                    state.set(rd, value);
                }
                if first >> 7 == 0b1_1111_0111 {
                    state.forget(rt);
                }
                Next::On
            }
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
        let word = first >> 5 & 3 == 2 && first >> 8 & 1 == 0;
        if !word {
            // Bytes and halfwords; with the program counter as their target
            // they are hints.
            if is_load && rt != PC {
                state.forget(rt);
            }
            return Next::On;
        }
        let long = (second & 0xfff) as i32;
        let short = (second & 0xff) as i32;
        let upward = second >> 9 & 1 == 1;
        let (offset, write_back) = if rn == PC {
            (if first >> 7 & 1 == 1 { long } else { -long }, false)
        } else if first >> 7 & 1 == 1 {
            (long, false)
        } else if second >> 11 & 1 == 1 {
            let before = second >> 10 & 1 == 1;
            let signed = if upward { short } else { -short };
            (if before { signed } else { 0 }, second >> 8 & 1 == 1)
        } else {
            // By register.
            if is_load && second & 0xff0 == 0 {
                return self.load(state, at, rt, Place::Sum(rn, (second & 0xf) as usize));
            }
            if is_load {
                state.forget(rt);
            }
            return match is_load && rt == PC {
                true => Next::End,
                false => Next::On,
            };
        };
        let next = if is_load {
            let place = match rn {
                PC => Place::Literal((at.wrapping_add(4) & !3).wrapping_add_signed(offset)),
                register => Place::Register(register, offset),
            };
            self.load(state, at, rt, place)
        } else {
            // str.w lr, [sp, #-4]!
            if (first, second) == (0xf84d, 0xed04) {
                state.pushed_lr = Some(at.wrapping_add(4));
            }
            self.store(state, at, rt, rn, offset);
            Next::On
        };
        if write_back {
            state.forget(rn);
        }
        next
    }
}

fn thumb16_miscellaneous(at: u32, half: u32, state: &mut State) -> Next {
    // CBZ, CBNZ
    if half & 0xf500 == 0xb100 {
        let distance = half >> 3 & 0x40 | half >> 2 & 0x3e;
        return Next::Branch(at.wrapping_add(4).wrapping_add(distance));
    }
    // push {lr}
    if half == 0xb500 {
        state.pushed_lr = Some(at.wrapping_add(2));
    }
    // POP
    if half & 0xfe00 == 0xbc00 {
        state.forget_list(half & 0xff);
        return match half >> 8 & 1 == 1 {
            true => Next::End,
            false => Next::On,
        };
    }
    // Extensions and byte reversals write a low register.
    if half & 0xff00 == 0xb200 || half & 0xff00 == 0xba00 {
        state.forget((half & 7) as usize);
    }
    Next::On
}

/// What an instruction with an immediate leaves in its destination.
fn thumb32_constant(pc: u32, first: u32, second: u32, state: &State) -> Value {
    let rn = (first & 0xf) as usize;
    let rd = (second >> 8 & 0xf) as usize;
    let imm12 = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xff;
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
        _ => Value::Unknown,
    }
}

/// ThumbExpandImm of the manual, section A6.3.2.
fn expand(imm12: u32) -> u32 {
    let byte = imm12 & 0xff;
    match imm12 >> 8 & 0xf {
        0 => byte,
        1 => byte | byte << 16,
        2 => byte << 8 | byte << 24,
        3 => byte * 0x0101_0101,
        _ => (0x80 | imm12 & 0x7f).rotate_right(imm12 >> 7),
    }
}
