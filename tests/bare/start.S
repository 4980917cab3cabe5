@ Start of the bare-metal programs: vectors, stacks, semihosting, and the
@ question whether an interrupt is pending at the processor.

        .section .text.start, "ax"
        .global _start
_start:
        @ IRQ and FIQ stacks are not needed: the handlers touch banked
        @ registers and memory only. Stay in SVC mode, both masked.
        ldr     sp, =stack_top
        @ The vectors are at 0, where there is RAM on the boards used.
        mov     r0, #0
        adr     r1, vectors
        ldmia   r1!, {r2-r9}
        stmia   r0!, {r2-r9}
        ldmia   r1, {r2-r9}
        stmia   r0, {r2-r9}
        bl      main
        mov     r0, #0x18               @ SYS_EXIT
        ldr     r1, =0x20026            @ ADP_Stopped_ApplicationExit
        svc     #0x123456
1:      b       1b

vectors:
        .rept   8
        ldr     pc, [pc, #24]
        .endr
        .word   _start, stray, stray, stray, stray, stray, irq, fiq

        @ An exception that no script asks for ends the program early; the
        @ host sees results missing.
stray:
        mov     r0, #0x18
        ldr     r1, =0x20023            @ ADP_Stopped_RunTimeErrorUnknown
        svc     #0x123456
        b       stray

        @ Note the interrupt and go on with its kind masked: its source stays
        @ as it is. They interrupt nothing but levels, which has no use for r0
        @ meanwhile.
irq:
        ldr     r0, taken
        orr     r0, r0, #1
        str     r0, taken
        mrs     r0, spsr
        orr     r0, r0, #0x80
        msr     spsr_c, r0
        subs    pc, lr, #4
fiq:
        ldr     r0, taken
        orr     r0, r0, #2
        str     r0, taken
        mrs     r0, spsr
        orr     r0, r0, #0x40
        msr     spsr_c, r0
        subs    pc, lr, #4

        @ unsigned levels(void): bit 0 IRQ, bit 1 FIQ asserted.
        .global levels
levels:
        mov     r0, #0
        str     r0, taken
        mrs     r1, cpsr
        bic     r2, r1, #0xc0
        msr     cpsr_c, r2
        nop
        nop
        nop
        nop
        msr     cpsr_c, r1
        ldr     r0, taken
        bx      lr

        @ int semihost(int operation, void *arguments)
        .global semihost
semihost:
        push    {lr}
        svc     #0x123456
        pop     {pc}

taken:  .word   0

        .bss
        .align  3
        .space  4096
stack_top:
