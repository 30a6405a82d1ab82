; SPDX-License-Identifier: MIT
;
; 256 stubs that make one frame of every exception and interrupt, and the way back.
; Source: Intel SDM vol. 3, 6.12.1 and 6.14.
;
; struct trap_frame on the stack when trap_dispatch is called, from RSP upwards:
;
;     rax rbx rcx rdx rsi rdi rbp r8 ... r15     pushed here
;     vector                                     pushed by the stub
;     error                                      by the CPU, or 0 by the stub
;     rip cs rflags rsp ss                       by the CPU
;
; The CPU aligns RSP to 16 bytes before it pushes; 22 words later it is aligned again, as the C
; ABI wants it at a call. The stubs preserve every register; RFLAGS comes back with iretq.

bits 64
default rel

%include "trap.inc"

extern trap_dispatch
global trap_stubs

; Vectors for which the CPU pushes an error code: 8, 10 to 14, 17, 21, 29, 30.
%define has_error_code(v) (v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || \
                           v == 30)

section .text progbits alloc exec nowrite align=16

; In: the CPU's frame, error code, vector. Returns to what was interrupted.
trap_common:
        push    r15
        push    r14
        push    r13
        push    r12
        push    r11
        push    r10
        push    r9
        push    r8
        push    rbp
        push    rdi
        push    rsi
        push    rdx
        push    rcx
        push    rbx
        push    rax
        cld                             ; the C ABI wants DF clear; iretq brings it back
        mov     rdi, rsp
        call    trap_dispatch
        pop     rax
        pop     rbx
        pop     rcx
        pop     rdx
        pop     rsi
        pop     rdi
        pop     rbp
        pop     r8
        pop     r9
        pop     r10
        pop     r11
        pop     r12
        pop     r13
        pop     r14
        pop     r15
        add     rsp, 16                 ; vector and error code
        iretq
.end:
global trap_common:function (trap_common.end - trap_common)

%assign vector 0
%rep 256
trap_stub_ %+ vector:
    %if !has_error_code(vector)
        push    0
    %endif
        push    vector
        jmp     trap_common
    %assign vector vector + 1
%endrep

; void trap_capture(struct trap_frame *frame): RDI. The registers as the caller has them at its
; call, RIP being the return address; vector and error are 0. Changes no register.
trap_capture:
        mov     [rdi + trap_frame.rax], rax
        mov     [rdi + trap_frame.rbx], rbx
        mov     [rdi + trap_frame.rcx], rcx
        mov     [rdi + trap_frame.rdx], rdx
        mov     [rdi + trap_frame.rsi], rsi
        mov     [rdi + trap_frame.rdi], rdi
        mov     [rdi + trap_frame.rbp], rbp
        mov     [rdi + trap_frame.r8], r8
        mov     [rdi + trap_frame.r9], r9
        mov     [rdi + trap_frame.r10], r10
        mov     [rdi + trap_frame.r11], r11
        mov     [rdi + trap_frame.r12], r12
        mov     [rdi + trap_frame.r13], r13
        mov     [rdi + trap_frame.r14], r14
        mov     [rdi + trap_frame.r15], r15
        mov     qword [rdi + trap_frame.vector], 0
        mov     qword [rdi + trap_frame.error], 0
        push    rax
        mov     rax, [rsp + 8]
        mov     [rdi + trap_frame.rip], rax
        lea     rax, [rsp + 16]
        mov     [rdi + trap_frame.rsp], rax
        mov     ax, cs
        movzx   eax, ax
        mov     [rdi + trap_frame.cs], rax
        mov     ax, ss
        movzx   eax, ax
        mov     [rdi + trap_frame.ss], rax
        pushfq
        pop     rax
        mov     [rdi + trap_frame.rflags], rax
        pop     rax
        ret
.end:
global trap_capture:function (trap_capture.end - trap_capture)

section .rodata progbits alloc noexec nowrite align=8
trap_stubs:
%assign vector 0
%rep 256
        dq trap_stub_ %+ vector
    %assign vector vector + 1
%endrep
