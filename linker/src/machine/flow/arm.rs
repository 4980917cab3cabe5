//! The A32 instructions that a trace understands (ARM DDI 0406, chapter A5).

use super::{Access, Indexing, Next, PC, Place, Trace, Value, Width, sign_extend, state::State};

impl Trace<'_> {
    pub(super) fn arm(&mut self, at: u32, state: &mut State) -> Option<(u32, Next)> {
        let word = self.kernel.word(at)?;
        if word >> 28 == 0xf {
            return Some((4, self.arm_unconditional(at, word, state)));
        }
        let condition = word >> 28;
        let skipped = state.skipped.take().filter(|(of, _)| *of == condition);
        if condition == 0xe {
            return Some((4, self.arm_word(at, word, state)));
        }
        let before = match skipped {
            Some((_, before)) => before,
            None => Box::new(state.clone()),
        };
        let next = match self.arm_word(at, word, state) {
            // A conditional return or jump: what comes next is reached only
            // when neither it nor what had the same condition is done.
            Next::End => {
                *state = *before;
                Next::On
            }
            Next::Jump(target) => {
                state.otherwise = Some(before);
                Next::Branch(target)
            }
            next => {
                if keeps_flags(word) {
                    state.skipped = Some((condition, before));
                }
                next
            }
        };
        Some((4, next))
    }

    /// BLX to a fixed address; the rest of this space (PLD, barriers, CPS)
    /// leaves the general registers alone.
    fn arm_unconditional(&mut self, at: u32, word: u32, state: &mut State) -> Next {
        if word >> 25 == 0x7d {
            let distance = sign_extend(word << 2, 26) | (word >> 23 & 2);
            return self.call(state, at, at.wrapping_add(8).wrapping_add(distance));
        }
        Next::On
    }

    fn arm_word(&mut self, at: u32, word: u32, state: &mut State) -> Next {
        let pc = at.wrapping_add(8);
        // UDF, as BUG() has it.
        if word & 0x0ff0_00f0 == 0x07f0_00f0 {
            return Next::End;
        }
        match word >> 25 & 7 {
            0b000 | 0b001 => self.arm_data(at, word, state),
            0b010 | 0b011 => self.arm_load_store(at, word, state),
            0b100 => {
                let list = (register(word, 16), word & 0xffff);
                let bit = |number: u32| word >> number & 1 == 1;
                // push {lr} as older compilers write it.
                if word == 0xe92d_4000 {
                    state.pushed_lr = Some(at.wrapping_add(4));
                }
                self.access_list(state, at, bit(20), list, (bit(23), bit(24), bit(21)))
            }
            0b101 => {
                let target = pc.wrapping_add(sign_extend(word << 2, 26));
                match word >> 24 & 1 == 1 {
                    true => self.call(state, at, target),
                    false => Next::Jump(target),
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
            return self.arm_extra(at, word, state);
        }
        let opcode = word >> 21 & 0xf;
        let flags = word >> 20 & 1 == 1;
        let read = |number: usize, state: &State| match number {
            PC => Value::Const(at.wrapping_add(8)),
            register => state.get(register).clone(),
        };
        let left = read(rn, state);
        let right = match immediate {
            true => Value::Const((word & 0xff).rotate_right(word >> 7 & 0x1e)),
            false => shifted(&read(rm, state), word),
        };
        if (8..=11).contains(&opcode) {
            match (opcode, &right) {
                // Without the flags bit MRS, MSR, CLZ and their kin.
                _ if !flags && !immediate => state.forget(rd),
                (8, Value::Const(mask)) if flags => self.test(at, &left, *mask),
                (11, Value::Const(right)) if flags => {
                    self.compare(at, &left, &Value::Const(right.wrapping_neg()));
                }
                (10, right) if flags => self.compare(at, &left, right),
                _ => {}
            }
            return Next::On;
        }
        let value = match (opcode, &right) {
            (0b1101, right) => right.clone(),
            (0b1111, Value::Const(constant)) => Value::Const(!constant),
            (0b0100, right) => left.add_value(right),
            (0b0010, Value::Const(constant)) => left.add(constant.wrapping_neg()),
            (0b0000, Value::Const(mask)) => left.masked(*mask),
            (0b1110, Value::Const(mask)) => left.masked(!mask),
            _ => Value::Unknown,
        };
        match (opcode, &right) {
            (0b0000, Value::Const(mask)) => self.test(at, &left, *mask),
            (0b0100, Value::Const(distance)) if rd == rn => self.advance(at, &left, *distance),
            _ => {}
        }
        if flags {
            match (opcode, &right) {
                (0b0010, right) => self.compare(at, &left, right),
                // movs rd, rm, lsl #n
                (0b1101, _) if !immediate && word & 0x70 == 0 && word >> 7 & 0x1f != 0 => {
                    self.test(at, &read(rm, state), 1 << (31 - (word >> 7 & 0x1f)));
                }
                _ => {}
            }
        }
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
            arm_media(word, state);
            return Next::On;
        }
        let byte = word >> 22 & 1 == 1;
        let pre_indexed = word >> 24 & 1 == 1;
        let upward = word >> 23 & 1 == 1;
        let write_back = !pre_indexed || word >> 21 & 1 == 1;
        if by_register {
            let sum = word & 0xff0 == 0 && pre_indexed && upward;
            let next = if is_load && sum && !byte {
                let place = Place::Sum(rn, register(word, 0));
                self.load(state, at, rt, &place, Width::Word)
            } else {
                if is_load {
                    state.forget(rt);
                }
                match is_load && rt == PC {
                    true => Next::End,
                    false => Next::On,
                }
            };
            if write_back {
                state.forget(rn);
            }
            return next;
        }
        let offset = signed(word & 0xfff, upward);
        let width = if byte { Width::Byte } else { Width::Word };
        if rn == PC {
            let literal = at.wrapping_add(8).wrapping_add_signed(offset);
            return match is_load {
                true => self.load(state, at, rt, &Place::Literal(literal), width),
                false => Next::On,
            };
        }
        // str lr, [sp, #-4]!
        if word == 0xe52d_e004 {
            state.pushed_lr = Some(at.wrapping_add(4));
        }
        let indexing = indexing(pre_indexed, write_back);
        let access = Access {
            is_load,
            registers: (rt, 0),
            place: (rn, offset),
            width,
            indexing,
        };
        self.access(state, at, &access)
    }

    /// Multiplications, and loads and stores of other sizes.
    fn arm_extra(&mut self, at: u32, word: u32, state: &mut State) -> Next {
        let (rn, rt) = (register(word, 16), register(word, 12));
        let kind = word >> 5 & 3;
        if kind == 0 {
            state.forget(rt);
            match word >> 24 & 1 == 1 {
                // SWP and exclusives; ldrexd loads two.
                true if word >> 20 & 0xff == 0x1b => state.forget(rt + 1),
                true => {}
                // MUL and its kin.
                false => state.forget(rn),
            }
            return Next::On;
        }
        let (is_load, width) = match (word >> 20 & 1 == 1, kind) {
            (true, 2) => (true, Width::Byte),
            (true, _) => (true, Width::Half),
            (false, 1) => (false, Width::Half),
            (false, kind) => (kind == 2, Width::Double),
        };
        let pre_indexed = word >> 24 & 1 == 1;
        let write_back = !pre_indexed || word >> 21 & 1 == 1;
        if word >> 22 & 1 == 1 && rn != PC {
            let offset = signed(word >> 4 & 0xf0 | word & 0xf, word >> 23 & 1 == 1);
            let indexing = indexing(pre_indexed, write_back);
            let access = Access {
                is_load,
                registers: (rt, (rt + 1) & 15),
                place: (rn, offset),
                width,
                indexing,
            };
            return self.access(state, at, &access);
        }
        if is_load {
            state.forget(rt);
            if width == Width::Double {
                state.forget(rt + 1);
            }
        }
        if write_back {
            state.forget(rn);
        }
        Next::On
    }
}

/// Media instructions: bit fields and extensions are followed.
fn arm_media(word: u32, state: &mut State) {
    let (rd, rm) = (register(word, 12), register(word, 0));
    let value = state.get(rm);
    let known = match word & 0x0fff_03f0 {
        0x06af_0070 | 0x06ef_0070 => Some(value.masked(0xff)),
        0x06bf_0070 | 0x06ff_0070 => Some(value.masked(0xffff)),
        _ if word & 0x0fa0_0070 == 0x07a0_0050 => {
            let (lowest, width) = (word >> 7 & 0x1f, (word >> 16 & 0x1f) + 1);
            Some(value.masked(field_mask(lowest, width)))
        }
        _ => None,
    };
    match known {
        Some(value) => state.set(rd, value),
        // The destination is in one of two places.
        None => {
            state.forget(rd);
            state.forget(register(word, 16));
        }
    }
}

/// The bits of a field of so many bits.
pub(super) fn field_mask(lowest: u32, width: u32) -> u32 {
    let low = u32::MAX.checked_shr(32 - width.min(32)).unwrap_or(0);
    low << (lowest & 31)
}

/// Whether an instruction is certain to leave the flags as they are: a load or
/// store, or one that moves or computes without an S.
fn keeps_flags(word: u32) -> bool {
    match word >> 26 & 3 {
        0 => word >> 20 & 1 == 0 && word & 0x0fff_ffd0 != 0x012f_ff10,
        1 => true,
        _ => false,
    }
}

/// The second operand of a data-processing instruction.
fn shifted(value: &Value, word: u32) -> Value {
    let amount = word >> 7 & 0x1f;
    match word >> 4 & 7 {
        0b000 if amount == 0 => value.clone(),
        0b010 if amount != 0 => value.shifted_right(amount as u8),
        _ => Value::Unknown,
    }
}

fn signed(size: u32, upward: bool) -> i32 {
    match upward {
        true => size as i32,
        false => -(size as i32),
    }
}

fn indexing(pre_indexed: bool, write_back: bool) -> Indexing {
    match (pre_indexed, write_back) {
        (false, _) => Indexing::After,
        (true, true) => Indexing::Before,
        (true, false) => Indexing::None,
    }
}

fn register(word: u32, shift: u32) -> usize {
    (word >> shift & 0xf) as usize
}

fn imm16(word: u32) -> u32 {
    word >> 4 & 0xf000 | word & 0xfff
}
