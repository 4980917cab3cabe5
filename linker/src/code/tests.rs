//! Small made-up kernels, taken apart as a whole.

use proptest::prelude::*;

use super::*;
use crate::{
    kernel::Version,
    machine::testing::{BASE, Image},
};

/// Code of one function: words, and where it is called from if at all.
struct Assembler {
    image: Image,
    at: u32,
    starts: Vec<u32>,
}

impl Assembler {
    fn new() -> Self {
        Self {
            image: Image::new(0x4_0000, Version(4, 4, 0)),
            at: BASE,
            starts: Vec::new(),
        }
    }

    /// Writes a function behind the last one; its start.
    fn function(&mut self, words: &[u32]) -> u32 {
        let start = self.at;
        self.starts.push(start);
        self.image.words(start, words);
        self.at += 4 * words.len() as u32;
        start
    }

    /// Functions that nothing asks about, so that the code is long enough to be
    /// seen as such.
    fn fill(&mut self) {
        for _ in 0..80 {
            self.function(&[0xe92d_4010, 0xe1a0_4000, 0xe080_0004, 0xe8bd_8010]);
        }
    }

    fn code(&self) -> Code {
        Code::analyse(&self.image.kernel(), &Options::default())
    }

    /// Whether exactly the written functions are found.
    fn check(&self) -> Code {
        let code = self.code();
        let found: Vec<u32> = code.functions().iter().map(|f| f.start).collect();
        let hex = |list: &[u32]| list.iter().map(|a| format!("{a:x}")).collect::<Vec<_>>();
        assert_eq!(hex(&found), hex(&self.starts));
        code
    }
}

/// `bl` or `b` from one address to another.
fn branch(opcode: u32, from: u32, to: u32) -> u32 {
    opcode | (to.wrapping_sub(from + 8) >> 2 & 0xff_ffff)
}

const BL: u32 = 0xeb00_0000;
const B: u32 = 0xea00_0000;
const BEQ: u32 = 0x0a00_0000;
const BX_LR: u32 = 0xe12f_ff1e;

#[test]
fn a_leaf_behind_a_pool_is_found() {
    let mut asm = Assembler::new();
    asm.fill();
    let text = BASE + 0x2_0000;
    asm.image.text(text, "\u{1}6hello %s\n");
    // ldr r0, =text; bx lr; text
    let leaf = asm.function(&[0xe59f_0000, BX_LR, text]);
    // add r0, r0, r1; bx lr
    let sum = asm.function(&[0xe080_0001, BX_LR]);
    asm.fill();
    let code = asm.check();
    let id = code.at(leaf).unwrap();
    assert_eq!(code.users_of(text), [id]);
    assert_eq!(code.text_at(text), Some("\u{1}6hello %s\n"));
    assert_eq!(code.function(id).end, sum);
    assert_eq!(code.function(code.at(sum).unwrap()).arguments, 2);
    assert_eq!(code.containing(leaf + 8), Some(id));
    assert_eq!(code.at(leaf + 4), None);
}

#[test]
fn what_does_not_return_ends_a_function() {
    let mut asm = Assembler::new();
    asm.fill();
    let at = asm.at;
    // push {lr}; b .
    let never = asm.function(&[0xe52d_e004, branch(B, at + 4, at + 4)]);
    let at = asm.at;
    // cmp r0, #0; bxne lr; push {lr}; bl never
    let caller = asm.function(&[
        0xe350_0000,
        0x112f_ff1e,
        0xe52d_e004,
        branch(BL, at + 12, never),
    ]);
    // mov r0, #0; bx lr
    asm.function(&[0xe3a0_0000, BX_LR]);
    asm.fill();
    let code = asm.check();
    let never = code.at(never).unwrap();
    assert!(code.function(never).no_return);
    assert!(!code.function(code.at(caller).unwrap()).no_return);
    assert_eq!(code.callers(never), [code.at(caller).unwrap()]);
}

#[test]
fn a_tail_call_is_no_jump() {
    let mut asm = Assembler::new();
    asm.fill();
    let at = asm.at;
    // mov r1, #1; b at + 16: over the next function
    let first = asm.function(&[0xe3a0_1001, branch(B, at + 4, at + 16)]);
    asm.function(&[0xe3a0_0000, BX_LR]);
    let third = asm.function(&[0xe081_0000, BX_LR]);
    asm.fill();
    let code = asm.check();
    let first = code.function(code.at(first).unwrap());
    assert_eq!(first.calls.len(), 1);
    assert_eq!(first.calls[0].kind, CallKind::Tail);
    assert_eq!(
        first.calls[0].target,
        Target::Function(code.at(third).unwrap())
    );
}

#[test]
fn a_loop_with_its_test_at_the_end_is_one_function() {
    let mut asm = Assembler::new();
    asm.fill();
    let at = asm.at;
    // b test; body: add r0, r0, #1; test: cmp r0, r1; bne body; bx lr
    asm.function(&[
        branch(B, at, at + 8),
        0xe280_0001,
        0xe150_0001,
        branch(0x1a00_0000, at + 12, at + 4),
        BX_LR,
    ]);
    asm.fill();
    asm.check();
}

#[test]
fn a_switch_is_one_function() {
    let mut asm = Assembler::new();
    asm.fill();
    let at = asm.at;
    let case = |index: u32| at + 20 + 8 * index;
    // cmp r0, #1; ldrls pc, [pc, r0, lsl #2]; b default; two addresses
    asm.function(&[
        0xe350_0001,
        0x979f_f100,
        branch(B, at + 8, case(2)),
        case(0),
        case(1),
        0xe3a0_0005, // mov r0, #5
        BX_LR,
        0xe3e0_0015, // mvn r0, #21
        BX_LR,
        0xe3a0_0000,
        BX_LR,
    ]);
    asm.fill();
    let code = asm.check();
    let function = code.function(code.at(at).unwrap());
    assert_eq!(function.returns, [0, 5, -22_i32 as u32]);
    assert_eq!(function.constants[0].value, 1);
    assert_eq!(function.constants[0].use_, Use::Cmp);
}

#[test]
fn returns_are_found_through_registers_and_jumps() {
    let mut asm = Assembler::new();
    asm.fill();
    let callee = asm.function(&[0xe3a0_0000, BX_LR]);
    let at = asm.at;
    // push {r4, lr}; mvn r4, #11; bl callee; cmp r0, #0; beq out; mov r4, #0
    // out: mov r0, r4; pop {r4, pc}
    asm.function(&[
        0xe92d_4010,
        0xe3e0_400b,
        branch(BL, at + 8, callee),
        0xe350_0000,
        branch(BEQ, at + 16, at + 24),
        0xe3a0_4000,
        0xe1a0_0004,
        0xe8bd_8010,
    ]);
    asm.fill();
    let code = asm.check();
    let function = code.function(code.at(at).unwrap());
    assert_eq!(function.returns, [0, -12_i32 as u32]);
    assert_eq!(function.blocks, 3);
    assert_eq!(function.calls.len(), 1);
}

#[test]
fn pointers_in_data_are_starts() {
    let mut asm = Assembler::new();
    asm.fill();
    // Nothing reaches the second: before it stands what looks like its own code.
    let pointed = asm.function(&[0xe3a0_0001, BX_LR]);
    asm.fill();
    let table = BASE + 0x2_0000;
    asm.image.words(table, &[0, pointed, 0]);
    let code = asm.check();
    assert_eq!(code.pointers_to(pointed), [table + 4]);
    assert_eq!(code.pointers_to(pointed + 4), [0_u32; 0]);
}

#[test]
fn chained_constants_are_references() {
    let mut asm = Assembler::new();
    asm.fill();
    let variable = BASE + 0x2_0010;
    // movw r3, #lower; movt r3, #upper; ldr r0, [r3, #4]; bx lr
    let half = |value: u32| (value & 0xf000) << 4 | value & 0xfff;
    let at = asm.function(&[
        0xe300_3000 | half(variable & 0xffff),
        0xe340_3000 | half(variable >> 16),
        0xe593_0004,
        BX_LR,
    ]);
    // ldr r3, [pc, #4]; add r0, pc, r3; bx lr; distance
    let relative = asm.at;
    asm.function(&[
        0xe59f_3004,
        0xe08f_0003,
        BX_LR,
        variable.wrapping_sub(relative + 12),
    ]);
    asm.fill();
    let code = asm.check();
    let addresses = |start: u32| -> Vec<u32> {
        let function = code.function(code.at(start).unwrap());
        function.references.iter().map(|r| r.address).collect()
    };
    assert_eq!(addresses(at), [variable, variable + 4]);
    assert_eq!(addresses(relative), [variable]);
    assert_eq!(code.users_of(variable).len(), 2);
}

#[test]
fn exception_tables_and_the_unwind_index_are_read() {
    let mut asm = Assembler::new();
    asm.fill();
    let mut pairs = Vec::new();
    for _ in 0..12 {
        let at = asm.at;
        // ldrt r0, [r0]; bx lr; fixup: mvn r0, #13; b at + 4
        asm.function(&[0xe4b0_0000, BX_LR, 0xe3e0_000d, branch(B, at + 12, at + 4)]);
        pairs.extend([at, at + 8]);
    }
    asm.fill();
    asm.image.words(BASE + 0x2_0000, &pairs);
    let code = asm.check();
    let function = code.function(code.at(pairs[0]).unwrap());
    assert_eq!(function.returns, [-14_i32 as u32]);

    // The index names what is inside of the fillers, too.
    let index = BASE + 0x3_0000;
    for (entry, start) in (0u32..).zip(asm.starts.clone()) {
        let at = index + 8 * entry;
        let distance = start.wrapping_sub(at) & 0x7fff_ffff;
        asm.image.words(at, &[distance, 0x80b0_b0b0]);
    }
    let code = asm.check();
    let by_index = |f: &&Function| f.found_by == Origin::UnwindIndex;
    assert!(code.functions().iter().filter(by_index).count() > 100);
}

#[test]
fn thumb_functions_and_their_tables_are_found() {
    let mut image = Image::new(0x4_0000, Version(4, 9, 0)).thumb2();
    let mut at = BASE;
    let mut starts = Vec::new();
    let mut function = |halves: &[u16]| {
        let start = at;
        starts.push(start);
        image.halves(start, halves);
        at += 2 * halves.len() as u32;
        start
    };
    let leaf = [0xb510, 0x4604, 0x1900, 0xbd10];
    for _ in 0..300 {
        function(&leaf);
    }
    // cmp r0, #2; bhi default; tbb [pc, r0]; three distances and a filler;
    // movs r0, #1; bx lr; three times; default: movs r0, #0; bx lr
    let switch = function(&[
        0x2802, 0xd809, 0xe8df, 0xf000, 0x0402, 0x0006, 0x2001, 0x4770, 0x2002, 0x4770, 0x2003,
        0x4770, 0x2000, 0x4770,
    ]);
    for _ in 0..300 {
        function(&leaf);
    }
    let code = Code::analyse(&image.kernel(), &Options::default());
    let found: Vec<u32> = code.functions().iter().map(|f| f.start).collect();
    assert_eq!(found, starts);
    let function = code.function(code.at(switch | 1).unwrap());
    assert!(function.thumb);
    assert_eq!(function.returns, [0, 1, 2, 3]);
}

/// Functions do not overlap and lie in the image.
fn sound(code: &Code, size: u32) {
    let mut behind = BASE;
    for (function, id) in code.functions().iter().zip(code.ids()) {
        assert!(function.start >= behind && function.start < function.end);
        assert!(function.end <= BASE + size);
        behind = function.end;
        assert_eq!(code.at(function.start), Some(id));
        let _ = code.callers(id);
        let _ = code.pointers_to(function.start);
        for reference in &function.references {
            let _ = code.text_at(reference.address);
            assert!(code.users_of(reference.address).contains(&id));
        }
    }
}

#[test]
fn what_stands_behind_a_call_into_the_middle_is_doubted() {
    let mut asm = Assembler::new();
    asm.fill();
    // b .
    let never = asm.function(&[0xeaff_fffe]);
    // push {r4, lr}; cmp r0, #0; popeq {r4, pc}; bl never
    let whole = asm.at;
    let middle = whole + 12;
    asm.function(&[
        0xe92d_4010,
        0xe350_0000,
        0x08bd_8010,
        branch(BL, middle, never),
    ]);
    // push {r4, lr}; bl middle; and behind it mov r2, #512; mov r1, #0; bx lr
    let broken = asm.at;
    asm.function(&[0xe92d_4010, branch(BL, broken + 4, middle)]);
    let behind = asm.function(&[0xe3a0_2c02, 0xe3a0_1000, BX_LR]);
    // The same with a call of what really never returns.
    let calls = asm.at;
    asm.function(&[0xe92d_4010, branch(BL, calls + 4, never)]);
    let next = asm.function(&[0xe3a0_2c02, 0xe3a0_1000, BX_LR]);
    asm.fill();
    let code = asm.code();
    let function = |start| code.function(code.at(start).expect("a function"));
    assert!(function(middle).no_return && function(middle).entered);
    assert!(function(behind).entered);
    assert!(!function(next).entered);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_taken_apart(
        bytes in proptest::collection::vec(any::<u8>(), 0x4000),
        thumb in any::<bool>(),
        always in any::<bool>(),
    ) {
        let size = bytes.len() as u32;
        let mut image = Image::new(bytes.len(), Version(4, 4, 0));
        if thumb {
            image = image.thumb2();
        }
        let mut bytes = bytes;
        if always {
            // What looks like code, without meaning anything.
            for word in bytes.chunks_exact_mut(4) {
                word[3] = word[3] & 0xf | 0xe0;
            }
        }
        image.put(BASE, &bytes);
        let code = Code::analyse(&image.kernel(), &Options::default());
        sound(&code, size);
    }
}

#[test]
fn no_bytes_take_long() {
    let size = 0x8_0000;
    // Jumps through a table, jumps to the start, jumps forward, pushes, returns.
    let patterns: [&[u32]; 5] = [
        &[0xe79f_f100, 0xe350_0fff],
        &[0x0aff_ff00],
        &[0x0a00_4000, 0x1a00_2000],
        &[0xe92d_4010, 0xebff_fffe],
        &[0x012f_ff1e, 0x0a00_0100],
    ];
    for pattern in patterns {
        let words: Vec<u32> = pattern.iter().copied().cycle().take(size / 4).collect();
        let mut image = Image::new(size, Version(4, 4, 0));
        image.words(BASE, &words);
        let start = std::time::Instant::now();
        let code = Code::analyse(&image.kernel(), &Options::default());
        sound(&code, size as u32);
        assert!(start.elapsed().as_secs() < 20, "{pattern:x?}");
    }
}

#[test]
fn an_image_at_the_end_of_the_address_space_has_no_code() {
    let mut kernel = Image::new(0x1_0000, Version(4, 4, 0)).kernel();
    kernel.base = 0xffff_0000;
    let code = Code::analyse(&kernel, &Options::default());
    assert_eq!(code.functions(), []);
    assert_eq!(code.containing(0xffff_0010), None);
}
