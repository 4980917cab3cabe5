@ What raises exceptions, for exceptions.c. r0 is the address of a hole in memory.

        .include "snippet.S"
        .text

        arm     "svc"
        svc     #0x123
        svc     #0

        arm     "udf"
        udf     #0
        svc     #0

        arm     "no coprocessor"
        cdp     p3, 1, c0, c1, c2
        svc     #0

        arm     "load"
        ldr     r2, [r0, #4]
        svc     #0

        arm     "load byte"
        ldrb    r2, [r0, #7]
        svc     #0

        arm     "store"
        str     r2, [r0, #8]!
        svc     #0

        arm     "store halfword"
        strh    r2, [r0], #2
        svc     #0

        arm     "load many"
        ldmia   r0!, {r1-r4}
        svc     #0

        arm     "store many"
        stmdb   r0!, {r1-r4}
        svc     #0

        arm     "load doubleword"
        ldrd    r2, r3, [r0, #16]
        svc     #0

        arm     "swap"
        swp     r2, r3, [r0]
        svc     #0

        arm     "jump"
        bx      r0
        svc     #0

        arm     "bkpt"
        bkpt    #1
        svc     #0

        arm     "wait"
        nop
        svc     #0

        thumb   "svc"
        svc     #0x12
        svc     #0

        thumb   "udf"
        udf     #0
        svc     #0

        thumb   "load"
        ldr     r2, [r0, #4]
        nop
        svc     #0

        thumb   "store byte"
        strb    r2, [r0, #9]
        nop
        svc     #0

        thumb   "store many"
        stmia   r0!, {r1-r4}
        nop
        svc     #0

        thumb   "pop"
        mov     sp, r0
        pop     {r1, r2}
        nop
        svc     #0

        thumb   "jump"
        adds    r0, #1
        bx      r0
        svc     #0

        thumb   "jump to ARM code"
        bx      r0
        svc     #0

        thumb   "bkpt"
        bkpt    #1
        svc     #0

        thumb   "wait"
        nop
        svc     #0

#if __ARM_ARCH >= 7
        thumb   "wide udf"
        udf.w   #0
        svc     #0

        thumb   "wide load"
        ldr.w   r2, [r0, #0x124]
        svc     #0

        thumb   "wide store many"
        stmdb   r0!, {r1-r4}
        svc     #0

        thumb   "If-Then"
        cmp     r0, r0
        ittee   eq
        moveq   r1, #1
        ldreq   r2, [r0]
        movne   r3, #1
        movne   r3, #2
        nop
        nop
        svc     #0

        thumb   "If-Then, svc"
        cmp     r0, r0
        itte    eq
        moveq   r1, #1
        svceq   #5
        movne   r3, #1
        svc     #0

        arm     "load exclusive"
        ldrex   r2, [r0]
        svc     #0

        .fpu    neon
        arm     "load vector"
        vldr    d0, [r0, #8]
        svc     #0
#endif

#if __ARM_ARCH >= 7
        @ Vectors of Thumb code, in a page of their own.
        .thumb
        .balign 4096
        .global thumb_vectors
thumb_vectors:
        .rept   8
        ldr.w   pc, [pc, #28]
        .endr
        .word   0, 4, 8, 0xc, 0x10, 0, 0x18, 0x1c
        .space  4032
#endif
