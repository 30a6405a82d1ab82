/* SPDX-License-Identifier: MIT
 *
 * Somebody else's kernel on the bare machine: from PVH's 32-bit entry into long mode, with the
 * first GiB mapped where it is, and nothing else.
 */
        .section .note.pvh, "a", @note
        .align  4
        .long   4, 4, 18                # sizes of name and value, XEN_ELFNOTE_PHYS32_ENTRY
        .asciz  "Xen"
        .long   entry

        .text
        .code32
        .globl  entry
entry:  movl    $stack_end, %esp
        movl    $level3 + 3, level4     # present, writable
        movl    $level2 + 3, level3
        movl    $512, %ecx
1:      leal    -1(%ecx), %eax          # 2 MiB pages, from the last one down
        shll    $21, %eax
        orl     $0x83, %eax
        movl    %eax, level2 - 8(, %ecx, 8)
        loop    1b
        movl    $level4, %eax
        movl    %eax, %cr3
        movl    $0x20, %eax             # PAE
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x100, %eax            # EFER.LME
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000001, %eax       # PG, PE
        movl    %eax, %cr0
        lgdt    descriptor
        ljmp    $8, $long_mode

        .code64
long_mode:
        movl    $16, %eax
        movl    %eax, %ss
        movl    %eax, %ds
        movl    %eax, %es
        xorl    %ebp, %ebp
        call    kernel_main

        .section .rodata
        .align  8
gdt:    .quad   0, 0x00af9b000000ffff, 0x00cf93000000ffff
descriptor:
        .word   . - gdt - 1
        .long   gdt

        .bss
        .align  4096
level4: .skip   4096
level3: .skip   4096
level2: .skip   4096
        .skip   32768
stack_end:
        .section .note.GNU-stack, "", @progbits
