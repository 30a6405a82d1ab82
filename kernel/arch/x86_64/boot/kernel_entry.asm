; SPDX-License-Identifier: MIT
;
; From the identity map to C, at the kernel's own address. Apart from entry.asm, as gdb gets lost in
; a file with two sections of code.

%include "layout.inc"

bits 64
default rel

extern kernel_main
%ifdef KASAN
extern kasan_init
%endif
%ifdef STACK_PROTECTOR
extern stack_protector_init
%endif
extern boot_stacks                      ; struct guarded_stack[], stack.h; the first is ours
extern boot_pml4

section .text progbits alloc exec nowrite align=16

; Keeps kernel_main's arguments.
%macro call_before_main 1
        push    rdi
        push    rsi
        call    %1
        pop     rsi
        pop     rdi
%endmacro

; First code at the kernel's own address: RDI = enum boot_protocol, RSI = physical address of the
; loader's information. Takes the identity map away, and with it the null page.
kernel_entry:
        mov     rsp, boot_stacks + STACK_GUARD_SIZE + STACK_SIZE
        mov     rax, DIRECT_MAP_VMA + boot_pml4
        mov     qword [rax], 0
        mov     rax, cr3
        mov     cr3, rax
        xor     ebp, ebp                ; the end of every backtrace
%ifdef KASAN
        call_before_main kasan_init     ; before any code that is checked
%endif
%ifdef STACK_PROTECTOR
        call_before_main stack_protector_init ; before any function that compares what it writes
%endif
        call    kernel_main
        ud2                             ; it does not return
.end:
global kernel_entry:function (kernel_entry.end - kernel_entry)
