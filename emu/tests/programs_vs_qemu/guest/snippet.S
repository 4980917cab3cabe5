@ Pieces of code with names, for tables of them. Each ends with svc #0, unless
@ something else ends it.

        .syntax unified

        .macro  piece name, thumb
        .pushsection .rodata
8:      .asciz  "\name"
        .popsection
        .pushsection .snippets, "a"
        .word   8b, 9f + \thumb
        .popsection
        .align  2
9:
        .endm

        @ ARM code.
        .macro  arm name
        .arm
        piece   "\name", 0
        .endm

        @ Thumb code.
        .macro  thumb name
        .thumb
        piece   "\name", 1
        .endm
