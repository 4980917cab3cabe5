@ Exclusive accesses: what the store says and what memory holds.

        .include "snippet.S"
        .text

        .macro  pair kind
        arm     "ldrex\kind, strex\kind"
        ldrex\kind r2, [r0]
        strex\kind r1, r4, [r0]
        svc     #0

        arm     "strex\kind alone"
        strex\kind r1, r4, [r0]
        svc     #0

        arm     "strex\kind twice"
        ldrex\kind r2, [r0]
        strex\kind r1, r4, [r0]
        strex\kind r3, r4, [r0]
        svc     #0

        arm     "strex\kind elsewhere"
        ldrex\kind r2, [r0]
        add     r5, r0, #64
        strex\kind r1, r4, [r5]
        svc     #0

        arm     "ldrex\kind twice"
        ldrex\kind r2, [r0]
        add     r5, r0, #8
        ldrex\kind r2, [r5]
        strex\kind r1, r4, [r0]
        strex\kind r3, r4, [r5]
        svc     #0

        arm     "an exception between ldrex\kind and strex\kind"
        ldr     r5, =returns
        mov     r6, #1
        str     r6, [r5]
        ldrex\kind r2, [r0]
        svc     #1
        strex\kind r1, r4, [r0]
        svc     #0
        .ltorg

        arm     "a store between ldrex\kind and strex\kind"
        ldrex\kind r2, [r0]
        str     r7, [r0]
        strex\kind r1, r4, [r0]
        svc     #0
        .endm

        pair
        @ MPCore and 1176 have what came with Armv6K.
        .arch   armv7-a
        .macro  kept kind
        pair    \kind

        arm     "clrex between ldrex\kind and strex\kind"
        ldrex\kind r2, [r0]
        clrex
        strex\kind r1, r4, [r0]
        svc     #0
        .endm

        kept    b
        kept    h

        arm     "ldrexd, strexd"
        ldrexd  r2, r3, [r0]
        strexd  r1, r4, r5, [r0]
        svc     #0

        arm     "strexd alone"
        strexd  r1, r4, r5, [r0]
        svc     #0

        arm     "strexd of what ldrex has marked"
        ldrex   r2, [r0]
        strexd  r1, r4, r5, [r0]
        svc     #0

        arm     "clrex, strexd"
        ldrexd  r2, r3, [r0]
        clrex
        strexd  r1, r4, r5, [r0]
        svc     #0

        arm     "swp"
        swp     r1, r2, [r0]
        swpb    r3, r4, [r0]
        svc     #0
