@ Interrupts as a kernel takes them, for interrupts.c: the handlers run in system
@ mode, where they can let others in.
        .arm
        .text

        @ void take_over(void): the vectors, and stacks of the modes.
        .global take_over
take_over:
        mrs     r3, cpsr
        msr     cpsr_c, #0xd2
        ldr     sp, =irq_top
        msr     cpsr_c, #0xd1
        ldr     sp, =fiq_top
        msr     cpsr_c, #0xdf
        ldr     sp, =sys_top
        msr     cpsr_c, r3
        mov     r0, #0
        ldr     r1, =0xe59ff018         @ ldr pc, [pc, #24]
        ldr     r2, =irq_entry
        str     r1, [r0, #0x18]
        str     r2, [r0, #0x38]
        ldr     r2, =fiq_entry
        str     r1, [r0, #0x1c]
        str     r2, [r0, #0x3c]
        mov     r1, #0
        mcr     p15, 0, r1, c7, c10, 4
        mcr     p15, 0, r1, c7, c5, 0
        bx      lr

irq_entry:
        sub     lr, lr, #4
        stmfd   sp!, {r0-r4, r12, lr}
        mrs     r4, spsr
        stmfd   sp!, {r4}
        mrs     r4, cpsr
        @ System mode, with the mask of fast interrupts as it is.
        orr     r0, r4, #0x1f
        msr     cpsr_c, r0
        stmfd   sp!, {r4, lr}
        bl      on_irq
        ldmfd   sp!, {r4, lr}
        msr     cpsr_c, r4
        ldmfd   sp!, {r4}
        msr     spsr_cxsf, r4
        ldmfd   sp!, {r0-r4, r12, pc}^

fiq_entry:
        sub     lr, lr, #4
        stmfd   sp!, {r0-r3, r12, lr}
        bl      on_fiq
        ldmfd   sp!, {r0-r3, r12, pc}^

        @ u32 masks(u32): bits 6 and 7 of the status are these from now on; the ones
        @ before.
        .global masks
masks:  mrs     r1, cpsr
        bic     r2, r1, #0xc0
        orr     r2, r2, r0
        msr     cpsr_c, r2
        and     r0, r1, #0xc0
        bx      lr

        .bss
        .align  3
        .space  2048
irq_top:
        .space  2048
fiq_top:
        .space  4096
sys_top:
