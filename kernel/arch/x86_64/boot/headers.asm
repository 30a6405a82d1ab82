; SPDX-License-Identifier: MIT
;
; What the loaders look for in the file: the Multiboot2 header (Multiboot2 Specification 2.0, 3.1)
; and the ELF note that makes QEMU's -kernel enter by PVH (Xen's public/elfnote.h, note 18).
; A Multiboot1 header must not stand beside them: QEMU would try it first and refuse ELF64.

%include "layout.inc"

MULTIBOOT2_MAGIC        equ 0xe85250d6
MULTIBOOT2_I386         equ 0
MULTIBOOT2_TAG_END      equ 0
MULTIBOOT2_TAG_REQUEST  equ 1
MULTIBOOT2_TAG_CONSOLE  equ 4
MULTIBOOT2_TAG_FRAMEBUFFER equ 5

MULTIBOOT2_INFO_CMDLINE equ 1
MULTIBOOT2_INFO_MMAP    equ 6

CONSOLE_EGA_TEXT        equ 1 << 1

XEN_NOTE_PHYS32_ENTRY   equ 18

extern pvh_start

section .multiboot2 progbits alloc noexec nowrite align=8
header:
        dd MULTIBOOT2_MAGIC
        dd MULTIBOOT2_I386
        dd header_bytes
        dd -(MULTIBOOT2_MAGIC + MULTIBOOT2_I386 + header_bytes)

        align 8
.request:
        dw MULTIBOOT2_TAG_REQUEST
        dw 0                            ; not optional: we do not start without a memory map
        dd .request_end - .request
        dd MULTIBOOT2_INFO_CMDLINE
        dd MULTIBOOT2_INFO_MMAP
.request_end:

        align 8
        dw MULTIBOOT2_TAG_CONSOLE
        dw 1                            ; optional
        dd 12
        dd CONSOLE_EGA_TEXT

; Where there is no text mode, as under UEFI: any size, 32 bits a pixel. On BIOS GRUB is told to
; stay in text mode (make_iso.sh).
        align 8
        dw MULTIBOOT2_TAG_FRAMEBUFFER
        dw 1                            ; optional
        dd 20
        dd 0, 0, 32

        align 8
        dw MULTIBOOT2_TAG_END
        dw 0
        dd 8
header_bytes            equ $ - header  ; no label, which debuggers would take for _start

section .note.pvh note alloc noexec nowrite align=4
        dd .name_end - .name
        dd .desc_end - .desc
        dd XEN_NOTE_PHYS32_ENTRY
.name:  db "Xen", 0
.name_end:
.desc:  dd pvh_start
.desc_end:
