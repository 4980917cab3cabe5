@ System registers: what they hold, and what is kept of a value that is written.

        .include "snippet.S"
        .text

        @ One that is looked at.
        .macro  look name, opc1, crn, crm, opc2
        arm     "\name"
        mov     r1, #0x55
        mrc     p15, \opc1, r1, \crn, \crm, \opc2
        svc     #0
        .endm

        @ One that is written: all bits, some bits, and back.
        .macro  keep name, opc1, crn, crm, opc2, mask=0xffffffff
        look    "\name", \opc1, \crn, \crm, \opc2
        arm     "\name, written"
        mrc     p15, \opc1, r1, \crn, \crm, \opc2
        ldr     r2, =\mask
        mcr     p15, \opc1, r2, \crn, \crm, \opc2
        mrc     p15, \opc1, r3, \crn, \crm, \opc2
        ldr     r2, =(0x12345678 & \mask)
        mcr     p15, \opc1, r2, \crn, \crm, \opc2
        mrc     p15, \opc1, r4, \crn, \crm, \opc2
        mcr     p15, \opc1, r1, \crn, \crm, \opc2
        mrc     p15, \opc1, r5, \crn, \crm, \opc2
        svc     #0
        .ltorg
        .endm

        @ An operation that is done.
        .macro  act name, opc1, crn, crm, opc2
        arm     "\name"
        mov     r1, #0
        mcr     p15, \opc1, r1, \crn, \crm, \opc2
        svc     #0
        .endm

        @ What a SoC's own part would have, and what its firmware would answer.
        look    "a register of an absent part", 1, c15, c9, 0
        act     "a register of an absent part, written", 5, c15, c5, 2

        arm     "smc"
        .inst   0xe1600070
        svc     #0

        look    "MIDR", 0, c0, c0, 0
        look    "CTR", 0, c0, c0, 1
        look    "TCMTR", 0, c0, c0, 2
        look    "SCTLR", 0, c1, c0, 0
        keep    "DACR", 0, c3, c0, 0
        keep    "TTBR0", 0, c2, c0, 0, 0xffffc000
        keep    "DFSR", 0, c5, c0, 0, 0xdff
        keep    "IFSR", 0, c5, c0, 1, 0x5ff
        keep    "DFAR", 0, c6, c0, 0
        act     "all caches, invalidate", 0, c7, c7, 0
        act     "instruction cache", 0, c7, c5, 0
        act     "instruction cache, by address", 0, c7, c5, 1
        act     "branch predictor", 0, c7, c5, 6
        act     "data cache, clean by address", 0, c7, c10, 1
        act     "data cache, clean and invalidate by address", 0, c7, c14, 1
        act     "data cache, invalidate by address", 0, c7, c6, 1
        act     "write buffer", 0, c7, c10, 4
        act     "TLB", 0, c8, c7, 0
        act     "TLB of instructions", 0, c8, c5, 0
        act     "TLB of data, by address", 0, c8, c6, 1
#if __ARM_ARCH < 6
        arm     "data cache, test and clean"
1:      mrc     p15, 0, r15, c7, c10, 3
        bne     1b
        svc     #0

        arm     "data cache, test, clean and invalidate"
1:      mrc     p15, 0, r15, c7, c14, 3
        bne     1b
        svc     #0
#else
        look    "TLBTR", 0, c0, c0, 3
        look    "ID_PFR0", 0, c0, c1, 0
        look    "ID_PFR1", 0, c0, c1, 1
        look    "ID_DFR0", 0, c0, c1, 2
        look    "ID_MMFR0", 0, c0, c1, 4
        look    "ID_MMFR1", 0, c0, c1, 5
        look    "ID_MMFR2", 0, c0, c1, 6
        look    "ID_MMFR3", 0, c0, c1, 7
        look    "ID_ISAR0", 0, c0, c2, 0
        look    "ID_ISAR1", 0, c0, c2, 1
        look    "ID_ISAR2", 0, c0, c2, 2
        look    "ID_ISAR3", 0, c0, c2, 3
        look    "ID_ISAR4", 0, c0, c2, 4
        look    "ID_ISAR5", 0, c0, c2, 5
        look    "ACTLR", 0, c1, c0, 1
        look    "CPACR", 0, c1, c0, 2
        keep    "TTBR1", 0, c2, c0, 1, 0xffffc000
        keep    "TTBCR", 0, c2, c0, 2, 7
        keep    "CONTEXTIDR", 0, c13, c0, 1
        keep    "TPIDRURW", 0, c13, c0, 2
        keep    "TPIDRURO", 0, c13, c0, 3
        keep    "TPIDRPRW", 0, c13, c0, 4
        act     "TLB, by ASID", 0, c8, c7, 2
        act     "data memory barrier", 0, c7, c10, 5
        act     "prefetch buffer", 0, c7, c5, 4
#endif
#if __ARM_ARCH >= 7
        look    "MPIDR", 0, c0, c0, 5
        look    "CLIDR", 1, c0, c0, 1
        look    "CCSIDR", 1, c0, c0, 0
        look    "CSSELR", 2, c0, c0, 0
        arm     "CCSIDR of the instruction cache"
        mov     r1, #1
        mcr     p15, 2, r1, c0, c0, 0
        isb
        mrc     p15, 1, r2, c0, c0, 0
        mov     r1, #0
        mcr     p15, 2, r1, c0, c0, 0
        svc     #0

        keep    "IFAR", 0, c6, c0, 2
        keep    "PRRR", 0, c10, c2, 0
        keep    "NMRR", 0, c10, c2, 1
        act     "TLB, by address of all ASIDs", 0, c8, c7, 3
        act     "data cache, clean by set and way", 0, c7, c10, 2
        act     "data cache, clean and invalidate by set and way", 0, c7, c14, 2
        act     "data cache, clean to unification", 0, c7, c11, 1
        arm     "PMCR"
        mrc     p15, 0, r1, c9, c12, 0
        svc     #0
#endif
