@ Vector registers for programs in C.
        .arm
        .fpu    neon
        .text
        .global vector_on, vector_load, vector_store
vector_on:
#if __ARM_ARCH >= 6
        mov     r0, #0x00f00000
        mcr     p15, 0, r0, c1, c0, 2
        mov     r0, #0
        mcr     p15, 0, r0, c7, c5, 4
#endif
        mov     r0, #0x40000000
        vmsr    fpexc, r0
        bx      lr

vector_load:
        vldmia  r0!, {d0-d15}
#if __ARM_ARCH >= 7
        vldmia  r0!, {d16-d31}
#endif
        vmsr    fpscr, r1
        bx      lr

vector_store:
        vstmia  r0!, {d0-d15}
#if __ARM_ARCH >= 7
        vstmia  r0!, {d16-d31}
#endif
        vmrs    r0, fpscr
        bx      lr
