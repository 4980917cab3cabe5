@ Floating point and vectors: what the random streams keep away from. For pieces.c,
@ with vectors.c.

        .include "snippet.S"
        .fpu    neon-vfpv4
        .text

        @ The result is in r1 and r2, flags are in r3.
        .macro  rounded name, instruction:vararg
        .irp    rounding, 0, 1, 2, 3
        arm     "\name, rounding \rounding"
        mov     r5, #(\rounding << 22)
        vmsr    fpscr, r5
        ldr     r5, =0x12345679
        vmov    s8, r5
        vmov    s9, r5
        \instruction
        vmov    r1, r2, d4
        vmrs    r3, fpscr
        svc     #0
        .ltorg
        .endr
        .endm

        rounded "vcvt of signed fixed point", vcvt.f32.s32 s8, s8, #5
        rounded "vcvt of unsigned fixed point", vcvt.f32.u32 s8, s8, #16
        rounded "vcvt of an integer", vcvt.f32.s32 s8, s8
        rounded "vcvt of an integer vector", vcvt.f32.s32 d4, d4
        rounded "vcvt of a fixed point vector", vcvt.f32.s32 d4, d4, #5
        rounded "vadd", vadd.f32 s8, s8, s9

        .macro  maybe name, word
        arm     "\name"
        mov     r5, #0x40000000
        vmov    d4, r5, r5
        vmov    d5, r5, r5
        .inst   \word
        vmov    r1, r2, d4
        svc     #0
        .endm

        maybe   "vfma", 0xeea24a22
        maybe   "vfma of vectors", 0xf2054c15
        maybe   "vfms of vectors", 0xf2254c15
        maybe   "vadd of vectors of doubles", 0xf2154d05
        maybe   "vmul of vectors of doubles", 0xf3154d15
        maybe   "no operation 1101, U, C 10, B 1", 0xf3254d15
        maybe   "no operation 1110, C 00, B 1", 0xf2054e15
        maybe   "no operation 1110, C 10, B 0", 0xf2254e05
        maybe   "no operation 1111, U, C 00, B 1", 0xf3054f15
