@ Loads and stores with the rights of user mode, for unprivileged.c. r0 is the
@ address, r1 an offset, r2 what is stored.

        .include "snippet.S"
        .text

        .macro  each kind
        arm     "\kind"
        \kind   r2, [r0], #4
        svc     #0

        arm     "\kind with a register"
        \kind   r2, [r0], -r1
        svc     #0
        .endm

        each    ldrt
        each    strt
        each    ldrbt
        each    strbt

#if __ARM_ARCH >= 7
        each    ldrht
        each    strht
        each    ldrsbt
        each    ldrsht

        .macro  wide kind
        thumb   "\kind"
        \kind   r2, [r0, #4]
        svc     #0
        .endm

        wide    ldrt
        wide    strt
        wide    ldrbt
        wide    strbt
        wide    ldrht
        wide    strht
        wide    ldrsbt
        wide    ldrsht

        thumb   "ldrt in an If-Then block"
        cmp     r0, r0
        it      eq
        ldrteq  r2, [r0]
        svc     #0
#endif

        @ For comparison, and so that the page is known with all rights.
        arm     "ldr"
        ldr     r2, [r0], #4
        svc     #0

        arm     "str"
        str     r2, [r0], #4
        svc     #0
