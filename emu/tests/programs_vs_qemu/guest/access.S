@ What attempt() runs: a load and a store at r0.
        .text
        .arm
        .global read_piece, write_piece
read_piece:
        ldr     r1, [r0]
        svc     #0
write_piece:
        str     r2, [r0]
        svc     #0
