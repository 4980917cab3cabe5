//! Instructions of both sets, and any bytes at all.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_word_is_decoded(at in any::<u32>(), word in any::<u32>()) {
        let insn = arm(at & !3, word);
        prop_assert_eq!(insn.size, 4);
        let insn = thumb(at & !1, word as u16, (word >> 16) as u16);
        prop_assert!(insn.size == 2 || insn.size == 4);
    }
}

#[test]
fn a32_control_flow() {
    assert_eq!(arm(0x100, 0xea00_0000).op, Op::Branch(0x108));
    assert_eq!(
        arm(0x100, 0xebff_fffe).op,
        Op::Call {
            target: 0x100,
            exchange: false
        }
    );
    assert_eq!(arm(0, 0xe12f_ff1e).op, Op::JumpRegister(LR));
    assert_eq!(arm(0, 0xe1a0_f00e).op, Op::JumpRegister(LR));
    assert_eq!(arm(0, 0xe89d_a800).op, Op::Return);
    assert_eq!(arm(0, 0xe8bd_8010).op, Op::Return);
    assert_eq!(arm(0, 0xe49d_f004).op, Op::Return);
    assert_eq!(arm(0, 0xe92d_4010).op, Op::Push(0x4010, 8));
    assert_eq!(arm(0, 0xe52d_e004).op, Op::Push(0x4000, 4));
    assert_eq!(arm(0, 0xe7f0_01f2).op, Op::Trap);
    assert_eq!(arm(0, 0x979f_f103).op, Op::JumpTable { base: PC, index: 3 });
}
