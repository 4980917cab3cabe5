@ Start of every program, its vectors, and the way to run a piece of code in any
@ mode and to learn which exception ended it. The layouts are those of program.h.

        .arch   armv7ve
        .arm

        .equ    frame_pc, 52
        .equ    frame_cpsr, 56
        .equ    frame_sp, 60
        .equ    frame_lr, 64

        .section .text.start, "ax"
        .global _start
_start: mrs     r0, cpsr
        and     r0, r0, #0x1f
        cmp     r0, #0x1a
        bne     1f
        @ QEMU starts a program in the hypervisor's mode where there is one.
        mov     r0, #0x1d3
        msr     spsr_cxsf, r0
        adr     r0, 1f
        msr     elr_hyp, r0
        eret
1:      msr     cpsr_c, #0xd3
        ldr     sp, =stack_top
        bl      main
        @ The end: the board is reset (SYS_LOCK, SYS_RESETCTL of DUI 0225).
        mov     r0, #0x10000000
        ldr     r1, =0xa05f
        str     r1, [r0, #0x20]
        ldr     r1, =0x105
        str     r1, [r0, #0x40]
        b       .

        @ void run(const struct frame *)
        .global run
run:    push    {r4-r11, lr}
        ldr     r1, =resting_sp
        str     sp, [r1]
        ldr     r1, [r0, #frame_cpsr]
        and     r2, r1, #0x1f
        cmp     r2, #0x10
        moveq   r2, #0x1f
        orr     r2, r2, #0xc0
        @ Registers that the mode has for itself.
        msr     cpsr_c, r2
        ldr     sp, [r0, #frame_sp]
        ldr     lr, [r0, #frame_lr]
        add     r3, r0, #32
        ldmia   r3, {r8-r12}
        @ Off from a mode that is not this one.
        cmp     r2, #0xd7
        moveq   r2, #0xdb
        movne   r2, #0xd7
        msr     cpsr_c, r2
        msr     spsr_cxsf, r1
        mov     sp, r0
        ldmia   sp, {r0-r12, pc}^

        .section .vectors, "awx"
        b       .
        b       undefined
        b       supervisor
        b       prefetch
        b       data
        b       .
        b       interrupt
        b       fast

        @ Memory may be big-endian for a handler: r0 and the status are written as it
        @ found that.
        .macro  entry name, vector
\name:  str     r0, outcome + 4
        mrs     r0, cpsr
        str     r0, outcome + 68
#if __ARM_ARCH >= 6
        setend  le
#endif
        mov     r0, #\vector
        b       common
        .endm

        entry   undefined, 0x04
        entry   supervisor, 0x08
        entry   prefetch, 0x0c
        entry   data, 0x10
        entry   interrupt, 0x18
        entry   fast, 0x1c

common: str     r0, outcome
        str     r1, outcome + 8
        adr     r0, outcome
        add     r1, r0, #12
        stmia   r1, {r2-r14}
        mrs     r1, spsr
        mrs     r2, cpsr
        str     r1, [r0, #64]
        mrc     p15, 0, r3, c5, c0, 0
        str     r3, [r0, #100]
        mrc     p15, 0, r3, c5, c0, 1
        str     r3, [r0, #104]
        mrc     p15, 0, r3, c6, c0, 0
        str     r3, [r0, #108]
#if __ARM_ARCH >= 7
        mrc     p15, 0, r3, c6, c0, 2
        str     r3, [r0, #112]
#endif
        @ What the interrupted mode has for itself.
        and     r1, r1, #0x1f
        cmp     r1, #0x10
        moveq   r1, #0x1f
        orr     r1, r1, #0xc0
        msr     cpsr_c, r1
        add     r3, r0, #72
        stmia   r3, {r8-r14}
        msr     cpsr_c, r2
        @ No interrupt that a program asks for is asked for twice.
        ldr     r3, =0x1014001c
        mvn     r4, #0
        str     r4, [r3]
        ldr     r3, returns
        cmp     r3, #0
        bne     return
        msr     cpsr_c, #0xd3
        ldr     r0, =resting_sp
        ldr     sp, [r0]
        pop     {r4-r11, pc}

        @ Back to what was interrupted, in one of four ways.
return: mov     r4, #0
        str     r4, returns
        add     r0, r0, #4
        cmp     r3, #2
        blt     1f
        beq     2f
        cmp     r3, #4
        blt     3f
        str     lr, [r0, #52]
        ldmia   r0, {r0-r12, pc}^
1:      ldmia   r0, {r0-r12}
        movs    pc, lr
2:      ldmia   r0, {r0-r12}
        subs    pc, lr, #4
3:      ldmia   r0, {r0-r12}
        subs    pc, lr, #8

        .global returns
returns:
        .word   0
        .global outcome
outcome:
        .space  116
        .pool

        .bss
        .align  3
resting_sp:
        .space  4
        .space  8192
stack_top:
