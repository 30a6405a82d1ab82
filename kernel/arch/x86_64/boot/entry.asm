; SPDX-License-Identifier: MIT
;
; From the loader to C: two 32-bit entries that differ only in how they prove who called, then one
; path. It refuses a machine that it can't run on, builds the first page tables – already with the
; kernel's final permissions – switches to long mode and jumps to kernel_entry.
;
; Page tables built here (Intel SDM vol. 3, 4.5):
;   identity     the pages of .boot, read-execute; gone again before kernel_main
;   direct map   physical 0 to 4 GiB, writable, no-execute; the image's constant part read-only.
;                Its first 16 MiB by 4 KiB pages, the rest by 2 MiB pages
;   kernel       .text read-execute, .rodata read-only, .data to .bss writable, the last two
;                no-execute; the guard page under each stack is not present
;
; Machine state on entry: Multiboot2 Specification 2.0, 3.3; PVH: Xen's docs/misc/pvh.
; Both: 32-bit protected mode, flat segments, paging and interrupts off, EBX = information.

%include "layout.inc"

MULTIBOOT2_LOADED       equ 0x36d76289  ; in EAX
PVH_START_INFO_MAGIC    equ 0x336ec578  ; at EBX; EAX says nothing (qboot leaves Multiboot1's magic)

CR0_PE                  equ 1 << 0
CR0_WP                  equ 1 << 16
CR0_PG                  equ 1 << 31
CR4_PAE                 equ 1 << 5
EFLAGS_ID               equ 1 << 21
MSR_EFER                equ 0xc0000080
EFER_LME                equ 1 << 8
EFER_NXE                equ 1 << 11
CPUID_EXT_MAX           equ 0x80000000
CPUID_EXT_FEATURES      equ 0x80000001
CPUID_EDX_NX            equ 1 << 20
CPUID_EDX_LONG_MODE     equ 1 << 29

COM1                    equ 0x3f8
UART_LCR_8N1            equ 0x03
UART_LCR_DLAB           equ 0x80
UART_LSR_THRE           equ 0x20
UART_POLLS_MAX          equ 100000
VGA_TEXT                equ 0xb8000
VGA_WHITE_ON_RED        equ 0x4f

ENTRIES_PER_TABLE       equ 512
DIRECT_MAP_GIB          equ 4
SMALL_TABLES            equ KERNEL_IMAGE_END_MAX / (2 << 20)

global _start
global pvh_start
global boot_pml4
extern kernel_entry

; Physical addresses, from the linker script.
extern boot_start_phys
extern boot_end_phys
extern boot_tables_start_phys
extern boot_tables_end_phys
extern text_start_phys
extern text_end_phys
extern rodata_end_phys
extern data_start_phys
extern bss_start_phys
extern kernel_end_phys
extern boot_stacks_start_phys
extern boot_stacks_end_phys

; --- Tables -------------------------------------------------------------------------------------

section .boot_tables nobits alloc noexec write align=4096
boot_pml4:              resb PAGE_SIZE
identity_pdpt:          resb PAGE_SIZE
identity_pd:            resb PAGE_SIZE
identity_pt:            resb PAGE_SIZE
direct_pdpt:            resb PAGE_SIZE
direct_pd:              resb PAGE_SIZE * DIRECT_MAP_GIB
direct_pt:              resb PAGE_SIZE * SMALL_TABLES
kernel_pdpt:            resb PAGE_SIZE
kernel_pd:              resb PAGE_SIZE
kernel_pt:              resb PAGE_SIZE * SMALL_TABLES
loader_stack:           resb PAGE_SIZE
.top:

; --- 32-bit code --------------------------------------------------------------------------------

section .boot progbits alloc exec nowrite align=16
bits 32

_start:
        cld
        mov     esp, loader_stack.top
        mov     ebp, BOOT_MULTIBOOT2
        cmp     eax, MULTIBOOT2_LOADED
        mov     esi, refusal.multiboot2
        jne     refuse
        jmp     start

pvh_start:
        cld
        mov     esp, loader_stack.top
        mov     ebp, BOOT_PVH
        mov     esi, refusal.pvh
        test    ebx, ebx
        jz      refuse
        cmp     dword [ebx], PVH_START_INFO_MAGIC
        jne     refuse

; EBX = the loader's information, EBP = enum boot_protocol; both live until long mode.
start:
        cli
        call    check_cpu
        call    clear_memory
        call    map_identity
        call    map_direct
        call    map_kernel
        lgdt    [boot_gdt.pointer]

        mov     eax, CR4_PAE
        mov     cr4, eax
        mov     eax, boot_pml4
        mov     cr3, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME | EFER_NXE
        wrmsr
        mov     eax, cr0                ; WP: read-only holds for ring 0 too
        or      eax, CR0_PG | CR0_WP | CR0_PE
        mov     cr0, eax                ; from here on the loader's stack is not mapped
        jmp     boot_gdt.code:long_mode

; Returns if the CPU has what the kernel needs. Clobbers EAX, ECX, EDX, ESI.
check_cpu:
        push    ebx                     ; cpuid overwrites it
        pushfd                          ; CPUID exists if EFLAGS.ID can be changed
        pop     eax
        mov     ecx, eax
        xor     eax, EFLAGS_ID
        push    eax
        popfd
        pushfd
        pop     eax
        xor     eax, ecx
        test    eax, EFLAGS_ID
        mov     esi, refusal.cpuid
        jz      refuse

        mov     eax, CPUID_EXT_MAX
        cpuid
        cmp     eax, CPUID_EXT_FEATURES
        mov     esi, refusal.long_mode
        jb      refuse
        mov     eax, CPUID_EXT_FEATURES
        cpuid
        test    edx, CPUID_EDX_LONG_MODE
        jz      refuse
        test    edx, CPUID_EDX_NX
        mov     esi, refusal.no_execute
        jz      refuse
        pop     ebx
        ret

; Zeroes the page tables and .bss: loaders do so too, but nothing here rests on it.
; The stack in use lies in the tables, so its return address is kept in EDX.
clear_memory:
        pop     edx
        xor     eax, eax
        mov     edi, boot_tables_start_phys
        mov     ecx, boot_tables_end_phys
        sub     ecx, edi
        shr     ecx, 2
        rep stosd
        mov     edi, bss_start_phys
        mov     ecx, kernel_end_phys
        sub     ecx, edi
        shr     ecx, 2
        rep stosd
        jmp     edx

; Writes entries of consecutive 4 KiB tables. EDI = first table, ESI and ECX = first and last + 1
; physical address (aligned), EAX and EDX = lower and upper flags. Clobbers ESI.
map_pages:
        push    ebx
.next:
        cmp     esi, ecx
        jae     .done
        mov     ebx, esi
        shr     ebx, 9                  ; (address / 4096) * 8
        or      esi, eax
        mov     [edi + ebx], esi
        mov     [edi + ebx + 4], edx
        and     esi, ~(PAGE_SIZE - 1)
        add     esi, PAGE_SIZE
        jmp     .next
.done:
        pop     ebx
        ret

; Links ECX consecutive tables at ESI into the upper table's entry at EDI and those behind it.
link_tables:
        or      esi, PTE_PRESENT | PTE_WRITABLE
.next:
        mov     [edi], esi
        mov     dword [edi + 4], 0
        add     esi, PAGE_SIZE
        add     edi, 8
        loop    .next
        ret

; link_tables with its three arguments. Clobbers ECX, ESI, EDI.
%macro link 3                           ; entry, first table, count
        mov     edi, %1
        mov     esi, %2
        mov     ecx, %3
        call    link_tables
%endmacro

; map_pages with its arguments. Clobbers EAX, ECX, EDX, ESI, EDI.
%macro map 5                            ; first table, start, end, lower flags, upper flags
        mov     edi, %1
        mov     esi, %2
        mov     ecx, %3
        mov     eax, %4
        mov     edx, %5
        call    map_pages
%endmacro

map_identity:
        link    boot_pml4, identity_pdpt, 1
        link    identity_pdpt, identity_pd, 1
        link    identity_pd, identity_pt, 1
        map     identity_pt, boot_start_phys, boot_end_phys, PTE_PRESENT, 0
        ret

map_direct:
        link    boot_pml4 + ((DIRECT_MAP_VMA >> 39) & 511) * 8, direct_pdpt, 1
        link    direct_pdpt, direct_pd, DIRECT_MAP_GIB

        mov     edi, direct_pd          ; everything by 2 MiB pages, ...
        mov     eax, PTE_PRESENT | PTE_WRITABLE | PTE_LARGE
        mov     ecx, DIRECT_MAP_GIB * ENTRIES_PER_TABLE
.large:
        mov     [edi], eax
        mov     dword [edi + 4], PTE_NO_EXECUTE_HIGH
        add     eax, 2 << 20
        add     edi, 8
        loop    .large

        link    direct_pd, direct_pt, SMALL_TABLES ; ... but the image's part by small ones
        map     direct_pt, 0, KERNEL_IMAGE_END_MAX, PTE_PRESENT | PTE_WRITABLE, PTE_NO_EXECUTE_HIGH
        map     direct_pt, boot_start_phys, boot_end_phys, PTE_PRESENT, PTE_NO_EXECUTE_HIGH
        map     direct_pt, text_start_phys, rodata_end_phys, PTE_PRESENT, PTE_NO_EXECUTE_HIGH
        ret

map_kernel:
        link    boot_pml4 + ((KERNEL_VMA >> 39) & 511) * 8, kernel_pdpt, 1
        link    kernel_pdpt + ((KERNEL_VMA >> 30) & 511) * 8, kernel_pd, 1
        link    kernel_pd, kernel_pt, SMALL_TABLES
        map     kernel_pt, text_start_phys, text_end_phys, PTE_PRESENT, 0
        map     kernel_pt, text_end_phys, rodata_end_phys, PTE_PRESENT, PTE_NO_EXECUTE_HIGH
        map     kernel_pt, data_start_phys, kernel_end_phys, PTE_PRESENT | PTE_WRITABLE, \
                PTE_NO_EXECUTE_HIGH

        mov     esi, boot_stacks_start_phys
.guard:                                 ; the lowest page of each stack catches its overflow
        mov     edi, esi
        shr     edi, 9
        mov     dword [kernel_pt + edi], 0
        mov     dword [kernel_pt + edi + 4], 0
        add     esi, STACK_GUARD_SIZE + STACK_SIZE
        cmp     esi, boot_stacks_end_phys
        jb      .guard
        ret

; Says why on COM1 and at the top of the VGA text screen, and halts. ESI = reason.
refuse:
        mov     dx, COM1 + 3            ; line control: divisor latch, 1 = 115,200 baud, 8N1
        mov     al, UART_LCR_DLAB
        out     dx, al
        mov     dx, COM1
        mov     al, 1
        out     dx, al
        inc     dx
        dec     al
        out     dx, al
        mov     dx, COM1 + 3
        mov     al, UART_LCR_8N1
        out     dx, al

        push    esi
        mov     edi, VGA_TEXT
        mov     esi, refusal
        call    print
        pop     esi
        call    print
        mov     esi, refusal.newline
        call    print_serial
.halt:
        hlt
        jmp     .halt

; Prints the string at ESI on COM1 and at EDI, the next VGA cell. Clobbers EAX, ECX, EDX.
print:
        push    esi
        call    print_serial
        pop     esi
        mov     ah, VGA_WHITE_ON_RED
.next:
        lodsb
        test    al, al
        jz      .done
        stosw
        jmp     .next
.done:
        ret

; Prints the string at ESI on COM1, waiting a bounded time for the transmitter.
print_serial:
        mov     ecx, UART_POLLS_MAX
.wait:
        mov     dx, COM1 + 5
        in      al, dx
        test    al, UART_LSR_THRE
        loopz   .wait
        lodsb
        test    al, al
        jz      .done
        mov     dx, COM1
        out     dx, al
        jmp     print_serial
.done:
        ret

refusal:
        db "Faultline can't boot: ", 0
.multiboot2:
        db "not started by a Multiboot2 loader (wrong magic in EAX)", 0
.pvh:
        db "the PVH start information is missing (wrong magic at EBX)", 0
.cpuid:
        db "this CPU has no CPUID instruction", 0
.long_mode:
        db "this CPU has no 64-bit mode", 0
.no_execute:
        db "this CPU can't protect memory from execution (NX)", 0
.newline:
        db 13, 10, 0

; --- 64-bit code --------------------------------------------------------------------------------

        align 8
boot_gdt:                               ; until the kernel loads its own
        dq 0
.code equ $ - boot_gdt
        dq 0x00af9b000000ffff           ; 64-bit code, ring 0; accessed already: the table lies in
                                        ; a read-only page, and the CPU would have to mark it
.end:
.pointer:
        dw .end - boot_gdt - 1
        dd boot_gdt

bits 64
default rel

; Still in the identity map. The upper halves of the registers are undefined after the switch.
long_mode:
        xor     eax, eax
        mov     ss, eax
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     edi, ebp                ; kernel_main's first argument
        mov     esi, ebx                ; and its second
        mov     rax, kernel_entry
        jmp     rax
