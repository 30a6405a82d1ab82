// SPDX-License-Identifier: MIT
//
// The kernel's address sanitizer, for builds with -Dkasan=true: the compiler puts a check in front
// of each access of the C code, and a shadow of memory says which bytes nobody may touch
// (docs/kasan.md). In other builds all of this is nothing. Callable in any context.
#pragma once

#include <stddef.h>

// Why nobody may touch eight bytes: the value of their byte of shadow. 0: all may be touched; 1 to
// 7: so many of them. The compilers write some of these themselves.
enum kasan_kind {
    KASAN_ALLOCA_LEFT = 0xca,
    KASAN_ALLOCA_RIGHT = 0xcb,
    KASAN_STACK_LEFT = 0xf1,
    KASAN_STACK_BETWEEN = 0xf2,
    KASAN_STACK_RIGHT = 0xf3,
    KASAN_STACK_AFTER_SCOPE = 0xf8,
    KASAN_GLOBAL_RED_ZONE = 0xf9,
    KASAN_HEAP_RED_ZONE = 0xfa,
    KASAN_HEAP_FREED = 0xfd,
};

enum kasan_access {
    KASAN_READ,
    KASAN_WRITE,
};

#ifdef KASAN

// In front of a function whose accesses are not checked: it means to touch what it must not.
// Inlined into another one, they would be. In the older notation: clang 14 has no other.
#define NO_KASAN __attribute__((no_sanitize("kernel-address"), noinline))

// Forbids memory from `address` on, a multiple of 8; the size is rounded up to one. An allocator
// poisons the whole block, and unpoisons what its caller asked for. Memory without a shadow (the
// direct map, device registers) stays open.
void kasan_poison(const void *address, size_t size_bytes, enum kasan_kind kind);

// Opens exactly `size_bytes` from `address` on, a multiple of 8.
void kasan_unpoison(const void *address, size_t size_bytes);

// The check itself, for accesses that the compiler can't see: panics if one of the bytes is not to
// be touched.
void kasan_check(const void *address, size_t size_bytes, enum kasan_access access);

#else

#define NO_KASAN

static inline void kasan_poison(const void *address, size_t size_bytes, enum kasan_kind kind)
{
    (void)address, (void)size_bytes, (void)kind;
}

static inline void kasan_unpoison(const void *address, size_t size_bytes)
{
    (void)address, (void)size_bytes;
}

static inline void kasan_check(const void *address, size_t size_bytes, enum kasan_access access)
{
    (void)address, (void)size_bytes, (void)access;
}

#endif
