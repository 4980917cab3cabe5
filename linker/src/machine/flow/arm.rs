//! The A32 instructions that a trace understands (ARM DDI 0406, chapter A5).

use super::{Next, PC, Place, State, Trace, Value, sign_extend};

impl Trace<'_> {
    pub(super) fn arm(&mut self, at: u32, state: &mut State) -> Option<(u32, Next)> {
        let word = self.kernel.word(at)?;
        Some((4, self.arm_word(at, word, state)))
    }

    fn arm_word(&mut self, at: u32, word: u32, state: &mut State) -> Next {
        let pc = at.wrapping_add(8);
        if word >> 28 == 0xf {
            // BLX to a fixed address; the rest of this space (PLD, barriers,
            // CPS) leaves the general registers alone.
            if word >> 25 == 0x7d {
                let distance = sign_extend(word << 2, 26) | (word >> 23 & 2);
                return self.call(state, at, pc.wrapping_add(distance));
            }
            return Next::On;
        }
        let conditional = word >> 28 != 0xe;
        let next = match word >> 25 & 7 {
            0b000 | 0b001 => self.arm_data(at, word, state),
            0b010 | 0b011 => self.arm_load_store(at, word, state),
            0b100 => {
                if word >> 20 & 1 == 1 {
                    state.forget_list(word & 0x7fff);
                }
                if word >> 21 & 1 == 1 {
                    state.forget(register(word, 16));
                }
                match word >> 20 & 1 == 1 && word >> 15 & 1 == 1 {
                    true => Next::End,
                    false => Next::On,
                }
            }
            0b101 => {
                let target = pc.wrapping_add(sign_extend(word << 2, 26));
                match (word >> 24 & 1 == 1, conditional) {
                    (true, _) => self.call(state, at, target),
                    (false, true) => return Next::Branch(target),
                    (false, false) => Next::Jump(target),
                }
            }
            _ => {
                // MRC; other coprocessor instructions write no register that
                // matters here, SVC and the like do not occur.
                if word & 0x0f10_0010 == 0x0e10_0010 {
                    state.forget(register(word, 12));
                }
                Next::On
            }
        };
        match next {
            // A conditional return or call: the next instruction is reached too.
            Next::End if conditional => Next::On,
            next => next,
        }
    }

    fn arm_data(&mut self, at: u32, word: u32, state: &mut State) -> Next {
        let (rn, rd, rm) = (register(word, 16), register(word, 12), register(word, 0));
        match word & 0x0fff_fff0 {
            0x012f_ff10 => {
                let target = state.get(rm).clone();
                return self.jump_value(state, at, target);
            }
            0x012f_ff30 => {
                let target = state.get(rm).clone();
                return self.call_value(state, at, target);
            }
            _ => {}
        }
        match word & 0x0ff0_0000 {
            0x0300_0000 => {
                state.set(rd, Value::Const(imm16(word)));
                return Next::On;
            }
            0x0340_0000 => {
                let value = match state.get(rd) {
                    Value::Const(low) => Value::Const(low & 0xffff | imm16(word) << 16),
                    _ => Value::Unknown,
                };
                state.set(rd, value);
                return Next::On;
            }
            _ => {}
        }
        let immediate = word >> 25 & 1 == 1;
        if !immediate && word & 0x90 == 0x90 {
            return arm_extra(word, state);
        }
        let opcode = word >> 21 & 0xf;
        let flags = word >> 20 & 1 == 1;
        if (8..=11).contains(&opcode) {
            // Comparisons; without the flags bit MRS, MSR, CLZ and their kin.
            if !flags && !immediate {
                state.forget(rd);
            }
            return Next::On;
        }
        let constant = (word & 0xff).rotate_right(word >> 7 & 0x1e);
        let left = match rn {
            PC => Value::Const(at.wrapping_add(8)),
            register => state.get(register).clone(),
        };
        let value = match (opcode, immediate) {
            (0b1101, true) => Value::Const(constant),
            (0b1111, true) => Value::Const(!constant),
            (0b0100, true) => left.add(constant),
            (0b0010, true) => left.add(constant.wrapping_neg()),
            (0b1101, false) if word & 0xff0 == 0 => match rm {
                PC => Value::Const(at.wrapping_add(8)),
                register => state.get(register).clone(),
            },
            (0b0100, false) if word & 0xff0 == 0 => left.add_value(state.get(rm)),
            _ => Value::Unknown,
        };
        if rd == PC {
            return self.jump_value(state, at, value);
        }
        state.set(rd, value);
        Next::On
    }

    fn arm_load_store(&mut self, at: u32, word: u32, state: &mut State) -> Next {
        let (rn, rt) = (register(word, 16), register(word, 12));
        let is_load = word >> 20 & 1 == 1;
        let by_register = word >> 25 & 1 == 1;
        if by_register && word & 0x10 != 0 {
            // Media instructions: the destination is in one of two places.
            state.forget(rt);
            state.forget(rn);
            return Next::On;
        }
        let byte = word >> 22 & 1 == 1;
        let pre_indexed = word >> 24 & 1 == 1;
        let write_back = !pre_indexed || word >> 21 & 1 == 1;
        let size = (word & 0xfff) as i32;
        let offset = match (pre_indexed, word >> 23 & 1 == 1) {
            (false, _) => 0,
            (true, true) => size,
            (true, false) => -size,
        };
        let sum = by_register && word & 0xff0 == 0 && pre_indexed && word >> 23 & 1 == 1;
        let next = if is_load && sum && !byte {
            self.load(state, at, rt, Place::Sum(rn, register(word, 0)))
        } else if by_register || byte {
            if is_load {
                state.forget(rt);
            }
            match is_load && rt == PC {
                true => Next::End,
                false => Next::On,
            }
        } else if is_load {
            let place = match rn {
                PC => Place::Literal(at.wrapping_add(8).wrapping_add_signed(offset)),
                register => Place::Register(register, offset),
            };
            self.load(state, at, rt, place)
        } else {
            // str lr, [sp, #-4]!
            if word == 0xe52d_e004 {
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

/// Multiplications, and loads and stores of other sizes.
fn arm_extra(word: u32, state: &mut State) -> Next {
    let (rn, rt) = (register(word, 16), register(word, 12));
    let kind = word >> 5 & 3;
    let is_load = word >> 20 & 1 == 1;
    if kind == 0 {
        // MUL and its kin, SWP, exclusives.
        state.forget(rn);
        state.forget(rt);
        return Next::On;
    }
    if is_load || kind == 2 {
        state.forget(rt);
    }
    if !is_load && kind == 2 {
        state.forget(rt + 1);
    }
    if word >> 24 & 1 == 0 || word >> 21 & 1 == 1 {
        state.forget(rn);
    }
    Next::On
}

fn register(word: u32, shift: u32) -> usize {
    (word >> shift & 0xf) as usize
}

fn imm16(word: u32) -> u32 {
    word >> 4 & 0xf000 | word & 0xfff
}
