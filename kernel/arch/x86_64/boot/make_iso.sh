#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes the boot image: make_iso.sh KERNEL ISO FOLDER STRIP, with FOLDER for what goes into it and
# STRIP the program that takes away what is for debuggers: GRUB reads every byte of the file.
# GRUB's core holds only what finds the image; the modules that Multiboot2 needs lie beside the
# kernel, uncompressed: unpacking them costs more than reading them. For UEFI, which reads a FAT
# file system only, all of GRUB is one file in an image of one. Either way the image boots from CD
# and, written to a disk or a stick as it is, from that: GRUB's hybrid boot sector is in front, and
# the FAT image is a partition.
set -eu

kernel=$1
iso=$2
root=$3
strip=$4

grub=/usr/lib/grub/i386-pc
grub_efi=/usr/lib/grub/x86_64-efi
modules='multiboot2 relocator lsapm boot net acpi linux video mmap vbe normal extcmd verifiers
         datetime crypto bufio gettext terminal priority_queue video_fb configfile'

if [ ! -f $grub/boot_hybrid.img ]; then
    echo "make_iso.sh: GRUB's i386-pc modules are missing: apt install grub-pc-bin" >&2
    exit 1
fi
if [ ! -f $grub_efi/multiboot2.mod ]; then
    echo "make_iso.sh: GRUB's x86_64-efi modules are missing: apt install grub-efi-amd64-bin" >&2
    exit 1
fi
grub-file --is-x86-multiboot2 "$kernel"

rm -rf "$root"
mkdir -p "$root/boot/grub/i386-pc"
"$strip" -s -o "$root/boot/faultline.elf" "$kernel"
for module in $modules; do
    cp "$grub/$module.mod" "$root/boot/grub/i386-pc/"
done
cp $grub/moddep.lst "$root/boot/grub/i386-pc/"

# On BIOS the screen stays in text mode; UEFI has none, and hands over a framebuffer. What GRUB does
# stands in a file with room for words to the kernel, a comment that can be written over in place:
# the harness does so where there is no fw_cfg. (GRUB 2.06 hangs on a comment of 8192 bytes.)
cat > "$root.cfg" <<'CONFIG'
insmod multiboot2
insmod configfile
source /boot/grub/grub.cfg
CONFIG
{
    printf 'multiboot2 /boot/faultline.elf '
    head -c 6144 /dev/zero | tr '\0' '#'
    printf '\nset gfxpayload=text\nboot\n'
} > "$root/boot/grub/grub.cfg"
grub-mkimage -O i386-pc-eltorito -p /boot/grub -c "$root.cfg" -o "$root/boot/core.img" \
    biosdisk iso9660

# It was started from the FAT image, and looks for the CD or the disk that this is a part of.
cat > "$root.efi.cfg" <<'CONFIG'
search --file --set=root /boot/faultline.elf
multiboot2 /boot/faultline.elf
boot
CONFIG
efi=$root.efi
rm -rf "$efi"
mkdir -p "$efi/EFI/BOOT"
grub-mkimage -O x86_64-efi -p /boot/grub -c "$root.efi.cfg" -o "$efi/EFI/BOOT/BOOTX64.EFI" \
    search search_fs_file iso9660 part_gpt part_msdos multiboot2 boot efi_gop all_video

# The same input makes the same image.
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1}"
find "$efi" "$root" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
size_kib=$(($(du -sk "$efi" | cut -f1) + 64))
rm -f "$root/boot/efi.img"
mformat -C -i "$root/boot/efi.img" -N 0 -h 2 -s 16 -t $(((size_kib + 15) / 16)) ::
mcopy -s -m -i "$root/boot/efi.img" "$efi/EFI" ::
touch -d "@$SOURCE_DATE_EPOCH" "$root/boot/efi.img" "$root/boot"

# xorriso greets on stderr even when quiet.
xorriso -report_about WARNING -as mkisofs -R -quiet \
    --grub2-mbr $grub/boot_hybrid.img --protective-msdos-label -partition_offset 16 \
    -b boot/core.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
    --efi-boot boot/efi.img -efi-boot-part --efi-boot-image \
    -o "$iso" "$root" 2> "$root.log" || { cat "$root.log" >&2; exit 1; }
