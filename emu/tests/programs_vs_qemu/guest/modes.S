@ Status registers, modes and their registers, for pieces.c.

        .include "snippet.S"
        .text

        arm     "mrs cpsr"
        mrs     r1, cpsr
        svc     #0

        arm     "mrs spsr of a mode that has one"
        mrs     r1, cpsr
        and     r2, r1, #15
        cmp     r2, #0
        cmpne   r2, #15
        mrsne   r1, spsr
        svc     #0

        .macro  status register, fields, value
        arm     "msr \register\()_\fields, \value"
        ldr     r1, =\value
        msr     \register\()_\fields, r1
        mrs     r2, \register
        svc     #0
        .ltorg
        .endm

        status  cpsr, f, 0xffffffff
        status  cpsr, f, 0x00000000
        status  cpsr, s, 0xffffffff
        status  cpsr, x, 0xfffffeff
        status  cpsr, fs, 0xa8050000
        @ Masks alone: modes follow.
        arm     "msr cpsr_c, masks"
        mrs     r1, cpsr
        bic     r1, r1, #0xc0
        msr     cpsr_c, r1
        mrs     r2, cpsr
        svc     #0

        arm     "msr cpsr_fsxc with the T bit"
        mrs     r1, cpsr
        orr     r1, r1, #0xf0000000
        msr     cpsr_fsxc, r1
        mrs     r2, cpsr
        svc     #0

        .macro  to mode
        arm     "to mode \mode"
        msr     cpsr_c, #(0xc0 | \mode)
        mrs     r1, cpsr
        mov     r2, sp
        mov     r3, lr
        mov     r8, #0x88
        mov     r12, #0xcc
        mov     lr, #0xee
        svc     #0
        .endm

        to      0x10
        to      0x11
        to      0x12
        to      0x13
        to      0x17
        to      0x1b
        to      0x1f

        .macro  saved fields, value
        arm     "msr spsr_\fields, \value"
        mrs     r1, cpsr
        and     r2, r1, #15
        cmp     r2, #0
        cmpne   r2, #15
        ldr     r3, =\value
        msrne   spsr_\fields, r3
        mrsne   r4, spsr
        svc     #0
        .ltorg
        .endm

        saved   f, 0xffffffff
        saved   s, 0xffffffff
        saved   x, 0xffffffff
        saved   c, 0xffffffff
        saved   fsxc, 0x50000010
        saved   fsxc, 0xffffffff

        @ User registers. Not from the modes without others.
        .macro  of_user name, instruction:vararg
        arm     "\name"
        mrs     r3, cpsr
        and     r4, r3, #15
        cmp     r4, #0
        cmpne   r4, #15
        beq     9f
        \instruction
        nop
9:      svc     #0
        .endm

        of_user "stm ^", stmia r0, {r1, r8-r14}^
        of_user "stmdb ^", stmdb sp, {r8-r14}^
        of_user "stmib ^", stmib r0, {r12, sp, pc}^
        of_user "stmda ^", stmda sp, {r8, lr}^
        of_user "ldm ^", ldmia r0, {r1, r2, r8-r14}^
        of_user "ldmdb ^", ldmdb sp, {r8, sp}^
        of_user "ldmib ^", ldmib r0, {sp, lr}^

        .macro  returning name, target, instruction:vararg
        arm     "\name"
        mrs     r3, cpsr
        and     r4, r3, #15
        cmp     r4, #0
        cmpne   r4, #15
        beq     1f
        ldr     r5, =\target
        msr     spsr_fsxc, r5
        adr     lr, 2f
        str     lr, [r0]
        str     lr, [r0, #12]
        str     lr, [sp]
        \instruction
        @ In either instruction set a supervisor call.
2:      .inst   0xdf00df00
1:      svc     #0
        svc     #0
        .ltorg
        .endm

        returning "movs pc, lr to user mode", 0xa0000010, movs pc, lr
        returning "movs pc, lr to system mode", 0x500000df, movs pc, lr
        returning "movs pc, lr to fiq mode", 0x500000d1, movs pc, lr
        returning "subs pc, lr, #0", 0x900000d3, subs pc, lr, #0
        returning "ldm ^ with pc", 0x400000d7, ldmia r0, {pc}^
        returning "ldm! ^ with pc", 0x40000010, ldmia sp!, {pc}^
        returning "ldm ^ with pc and others", 0xf0000012, ldmia r0, {r1, r2, r3, pc}^
        returning "adds pc, lr, r0, lsr 31", 0x60000010, adds pc, lr, r0, lsr #31
#if __ARM_ARCH >= 6
        returning "to Thumb code", 0x60000030, movs pc, lr

        arm     "cpsie"
        cpsie   aif
        mrs     r1, cpsr
        svc     #0

        arm     "cpsid"
        cpsie   if
        cpsid   i
        mrs     r1, cpsr
        svc     #0

        .macro  change mode
        arm     "cps \mode"
        cps     #\mode
        mrs     r1, cpsr
        mov     r2, sp
        svc     #0

        arm     "cpsie, \mode"
        cpsie   f, #\mode
        mrs     r1, cpsr
        svc     #0
        .endm

        change  0x11
        change  0x12
        change  0x13
        change  0x17
        change  0x1b
        change  0x1f
        change  0x10

        .macro  store kind, mode
        arm     "srs\kind \mode"
        mrs     r3, cpsr
        and     r4, r3, #15
        cmp     r4, #0
        cmpne   r4, #15
        beq     1f
        @ The stack of that mode is somewhere known.
        msr     cpsr_c, #(0xc0 | \mode)
        ldr     sp, =0x00180060
        msr     cpsr_c, r3
        mvn     r5, #0
        msr     spsr_fsxc, r5
        srs\kind sp!, #\mode
1:      svc     #0
        .ltorg
        .endm

        store   ia, 0x13
        store   ib, 0x1f
        store   da, 0x17
        store   db, 0x12

        .macro  return kind, first, target
        arm     "rfe\kind to \target"
        mrs     r3, cpsr
        and     r4, r3, #15
        cmp     r4, #0
        beq     1f
        adr     r5, 2f
        ldr     r6, =\target
        str     r5, [sp, #\first]
        str     r6, [sp, #(\first + 4)]
        rfe\kind sp!
        nop
2:      .inst   0xdf00df00
1:      svc     #0
        svc     #0
        .ltorg
        .endm

        return  ia, 0, 0xa00000d3
        return  ib, 4, 0x500001df
        return  da, -4, 0x00000010
        return  db, -8, 0x0800001b
        return  ia, 0, 0x60000030

        .macro  big name, instruction:vararg
        arm     "big-endian \name"
        setend  be
        \instruction
        mrs     r6, cpsr
        setend  le
        svc     #0
        .endm

        big     "ldr", ldr r1, [r0, #4]
        big     "ldrh", ldrh r1, [r0, #6]
        big     "ldrb", ldrb r1, [r0, #5]
        big     "ldrd", ldrd r4, r5, [r0, #8]
        big     "ldm", ldm r0, {r1, r2, r3}
        big     "str", str r2, [r0, #4]
        big     "strh", strh r2, [r0, #6]
        big     "strd", strd r2, r3, [r0, #8]
        big     "stm", stm r0, {r1, r2, r3}
        big     "unaligned ldr", ldr r1, [r0, #5]
        big     "ldrex", ldrex r1, [r0]
        big     "swp", swp r1, r2, [r0]

        @ The handler's own: SCTLR.EE is 0, so it is little-endian.
        arm     "svc while big-endian"
        setend  be
        svc     #0

        arm     "rev and its kin"
        rev     r1, r2
        rev16   r3, r2
        revsh   r4, r2
        svc     #0
#endif
#if __ARM_ARCH >= 7
        thumb   "cps"
        cps     #0x12
        mrs     r1, cpsr
        svc     #0

        thumb   "cpsid"
        cpsie   i
        cpsid   f
        mrs     r1, cpsr
        svc     #0

        thumb   "msr"
        mov     r1, #0xf8000000
        msr     cpsr_fs, r1
        mrs     r2, cpsr
        svc     #0

        @ From a mode that has a saved status; on to 2, from others to 1.
        .macro  thumb_return name
        thumb   "\name"
        mrs     r3, cpsr
        and     r4, r3, #15
        cmp     r4, #0
        it      ne
        cmpne   r4, #15
        beq     1f
        adr     r5, 2f
        mov     lr, r5
        .endm

        thumb_return "srs and rfe"
        mov     r6, #0x30
        msr     spsr_fsxc, r6
        srsdb   sp!, #0x13
        cps     #0x13
        rfeia   sp!
        nop
        .balign 4
2:      nop
        nop
1:      svc     #0
        svc     #0

        thumb_return "subs pc, lr"
        mov     r6, #0x70
        msr     spsr_fsxc, r6
        subs    pc, lr, #0
        .balign 4
2:      nop
        nop
1:      svc     #0
        svc     #0

        thumb   "setend"
        setend  be
        ldr     r1, [r0, #4]
        strh    r2, [r0, #8]
        setend  le
        svc     #0
#endif
