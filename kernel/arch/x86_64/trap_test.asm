; SPDX-License-Identifier: MIT
;
; What trap_test.c can't do in C: set every register, raise every vector, enter every stub.

bits 64
default rel

%include "trap.inc"

global trap_test_raise
global trap_test_stub

KERNEL_CODE             equ 0x08        ; selectors of gdt.h
KERNEL_DATA             equ 0x10
TEST_ERROR              equ 0x5a
RFLAGS_TF               equ 1 << 8

section .text progbits alloc exec nowrite align=16

; void trap_test_registers(const struct trap_frame *in, struct trap_frame *out,
;                          void (*raise)(void)): RDI, RSI, RDX.
; Loads all general registers but RSP, and RFLAGS, from *in, calls raise(), which changes none, and
; stores what they are then in *out. out->rsp is how far RSP moved. Clobbers what a callee may.
trap_test_registers:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        pushfq
        push    rsi                     ; out
        mov     [rel raise], rdx

        mov     rax, [rdi + trap_frame.rax]
        mov     rbx, [rdi + trap_frame.rbx]
        mov     rcx, [rdi + trap_frame.rcx]
        mov     rdx, [rdi + trap_frame.rdx]
        mov     rsi, [rdi + trap_frame.rsi]
        mov     rbp, [rdi + trap_frame.rbp]
        mov     r8, [rdi + trap_frame.r8]
        mov     r9, [rdi + trap_frame.r9]
        mov     r10, [rdi + trap_frame.r10]
        mov     r11, [rdi + trap_frame.r11]
        mov     r12, [rdi + trap_frame.r12]
        mov     r13, [rdi + trap_frame.r13]
        mov     r14, [rdi + trap_frame.r14]
        mov     r15, [rdi + trap_frame.r15]
        mov     [rel rsp_before], rsp
        push    qword [rdi + trap_frame.rflags]
        mov     rdi, [rdi + trap_frame.rdi]
        popfq
        call    [rel raise]
        pushfq
        push    rdi
        mov     rdi, [rsp + 16]         ; out
        mov     [rdi + trap_frame.rax], rax
        mov     [rdi + trap_frame.rbx], rbx
        mov     [rdi + trap_frame.rcx], rcx
        mov     [rdi + trap_frame.rdx], rdx
        mov     [rdi + trap_frame.rsi], rsi
        mov     [rdi + trap_frame.rbp], rbp
        mov     [rdi + trap_frame.r8], r8
        mov     [rdi + trap_frame.r9], r9
        mov     [rdi + trap_frame.r10], r10
        mov     [rdi + trap_frame.r11], r11
        mov     [rdi + trap_frame.r12], r12
        mov     [rdi + trap_frame.r13], r13
        mov     [rdi + trap_frame.r14], r14
        mov     [rdi + trap_frame.r15], r15
        pop     qword [rdi + trap_frame.rdi]
        pop     qword [rdi + trap_frame.rflags]
        mov     rax, rsp
        sub     rax, [rel rsp_before]
        mov     [rdi + trap_frame.rsp], rax

        add     rsp, 8
        popfq
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret
.end:
global trap_test_registers:function (trap_test_registers.end - trap_test_registers)

; void trap_test_enter(uint64_t stub, uint64_t has_error_code, uint64_t error): RDI, RSI, RDX.
; Enters a stub as the CPU would, with the frame that it would have pushed; so that vectors with an
; error code, for which `int n` pushes none, can be tried too. Returns when the stub does iretq.
trap_test_enter:
        push    rbp
        mov     rbp, rsp
        and     rsp, -16
        xor     eax, eax
        mov     ax, ss
        push    rax
        push    rbp                     ; RSP after iretq
        pushfq
        mov     ax, cs
        push    rax
        lea     rax, [.back]
        push    rax
        test    rsi, rsi
        jz      .enter
        push    rdx
.enter:
        jmp     rdi
.back:
        pop     rbp
        ret
.end:
global trap_test_enter:function (trap_test_enter.end - trap_test_enter)

; void trap_test_fault(void): enters the stub at trap_test_stub as the CPU would after a fault with
; an error code. Changes no register.
trap_test_fault:
        mov     [rel rsp_of_fault], rsp
        push    0                       ; aligned again, as the CPU does it
        push    KERNEL_DATA
        push    qword [rel rsp_of_fault]
        pushfq
        push    KERNEL_CODE
        push    .back
        push    TEST_ERROR
        jmp     [rel trap_test_stub]
.back:
        ret
.end:
global trap_test_fault:function (trap_test_fault.end - trap_test_fault)

; void trap_test_step(void): enters the stub at trap_test_stub as the CPU would after an exception
; without an error code, and has every instruction of the way there and back raise #DB.
trap_test_step:
        push    rbp
        mov     rbp, rsp
        and     rsp, -16
        push    KERNEL_DATA
        push    rbp                     ; RSP after iretq
        pushfq
        push    KERNEL_CODE
        push    .back
        pushfq
        or      qword [rsp], RFLAGS_TF
        popfq
        jmp     [rel trap_test_stub]    ; the first one
.back:
        pop     rbp
        ret
.end:
global trap_test_step:function (trap_test_step.end - trap_test_step)

; trap_test_raise[n](): executes `int n`.
%assign vector 0
%rep 256
raise_ %+ vector:
        int     vector
        ret
    %assign vector vector + 1
%endrep

section .rodata progbits alloc noexec nowrite align=8
trap_test_raise:
%assign vector 0
%rep 256
        dq raise_ %+ vector
    %assign vector vector + 1
%endrep

section .bss nobits alloc noexec write align=8
rsp_before:     resq 1
rsp_of_fault:   resq 1
raise:          resq 1
trap_test_stub: resq 1
