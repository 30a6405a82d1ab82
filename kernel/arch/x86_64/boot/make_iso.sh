#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes the boot image: make_iso.sh KERNEL ISO FOLDER STRIP, with FOLDER for what goes into it and
# STRIP the program that takes away what is for debuggers: GRUB reads every byte of the file.
# GRUB's core holds only what finds the image; the modules that Multiboot2 needs lie beside the
# kernel, uncompressed: unpacking them costs more than reading them. The image boots from CD and,
# written to a disk or a stick as it is, from that: GRUB's hybrid boot sector is in front.
set -eu

kernel=$1
iso=$2
root=$3
strip=$4

grub=/usr/lib/grub/i386-pc
modules='multiboot2 relocator lsapm boot net acpi linux video mmap vbe normal extcmd verifiers
         datetime crypto bufio gettext terminal priority_queue video_fb'

if [ ! -f $grub/boot_hybrid.img ]; then
    echo "make_iso.sh: GRUB's i386-pc modules are missing: apt install grub-pc-bin" >&2
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

cat > "$root.cfg" <<'CONFIG'
insmod multiboot2
multiboot2 /boot/faultline.elf
boot
CONFIG
grub-mkimage -O i386-pc-eltorito -p /boot/grub -c "$root.cfg" -o "$root/boot/core.img" \
    biosdisk iso9660

# The same input makes the same image. xorriso greets on stderr even when quiet.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1} xorriso -report_about WARNING -as mkisofs -R -quiet \
    --grub2-mbr $grub/boot_hybrid.img --protective-msdos-label -partition_offset 16 \
    -b boot/core.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
    -o "$iso" "$root" 2> "$root.log" || { cat "$root.log" >&2; exit 1; }
