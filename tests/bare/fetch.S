@ The vectors of walk.c, and how it fetches from an address and comes back: the
@ pages that it may find hold `svc #1`.
        .arch   armv7ve
        .text
        .align  5
        .global walk_vectors
walk_vectors:
        b       .
        b       undefined
        b       served
        b       no_fetch
        b       .
        b       .
        b       .
        b       .

        @ u32 fetch(u32 address, u32 mode): 0 when the fetch succeeds, else the
        @ instruction fault status.
        .global fetch
fetch:
        push    {r4-r11, lr}
        ldr     r2, =saved
        str     sp, [r2]
        msr     spsr_cxsf, r1
        movs    pc, r0

        @ void leave_hypervisor(void): QEMU starts a program in the hypervisor's
        @ mode where there is one, whose translation is another. Stack pointer and
        @ link register are those of the new mode.
        .global leave_hypervisor
leave_hypervisor:
        mrs     r0, cpsr
        and     r0, r0, #0x1f
        cmp     r0, #0x1a
        bxne    lr
        mov     r1, sp
        mov     r2, lr
        mov     r0, #0x1d3
        msr     spsr_cxsf, r0
        adr     r0, 1f
        msr     elr_hyp, r0
        eret
1:      mov     sp, r1
        bx      r2

undefined:
        mvn     r0, #0
        b       back
no_fetch:
        mrc     p15, 0, r0, c5, c0, 1
        b       back
served:
        mov     r0, #0
back:
        cps     #0x13
        ldr     r2, =saved
        ldr     sp, [r2]
        pop     {r4-r11, pc}

        .bss
        .align  3
saved:  .space  4
