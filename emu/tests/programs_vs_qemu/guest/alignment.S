@ Accesses that are not aligned. r0 is aligned to 4 KiB.

        .include "snippet.S"
        .text

        .macro  at offset, name, instruction:vararg
        arm     "\name at \offset"
        add     r0, r0, #\offset
        \instruction
        svc     #0
        .endm

        .macro  all offset
        at      \offset, "ldr", ldr r1, [r0]
        at      \offset, "ldrh", ldrh r1, [r0]
        at      \offset, "ldrsh", ldrsh r1, [r0]
        at      \offset, "ldrb", ldrb r1, [r0]
        at      \offset, "str", str r2, [r0]
        at      \offset, "strh", strh r2, [r0]
        at      \offset, "ldm", ldm r0, {r1, r2}
        at      \offset, "stm", stm r0, {r1, r2}
        at      \offset, "ldrd", ldrd r2, r3, [r0]
        at      \offset, "strd", strd r2, r3, [r0]
        at      \offset, "swp", swp r1, r2, [r0]
        at      \offset, "ldrt", ldrt r1, [r0]
#if __ARM_ARCH >= 6
        at      \offset, "ldrex", ldrex r1, [r0]
        at      \offset, "strex", strex r1, r2, [r0]
#endif
        thumb   "ldr at \offset"
        adds    r0, #\offset
        ldr     r1, [r0]
        nop
        svc     #0

        thumb   "push at \offset"
        adds    r0, #(\offset + 16)
        mov     sp, r0
        push    {r1, r2}
        nop
        svc     #0
        .endm

        all     0
        all     1
        all     2
        all     3
        all     4
        @ Across the end of a page.
        at      -2, "ldr", ldr r1, [r0]
        at      -1, "ldrh", ldrh r1, [r0]
        at      -3, "str", str r2, [r0]
