// SPDX-License-Identifier: MIT
//
// What gcc and clang expect of every program, also a freestanding one: they call these by
// themselves, to copy and to clear structures.
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size_bytes);
void *memmove(void *to, const void *from, size_t size_bytes);
void *memset(void *to, int value, size_t size_bytes);
int memcmp(const void *left, const void *right, size_t size_bytes);

void *memcpy(void *to, const void *from, size_t size_bytes)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size_bytes) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t size_bytes)
{
    if ((size_t)to - (size_t)from >= size_bytes) {
        return memcpy(to, from, size_bytes);
    }
    for (volatile unsigned char *end = to; size_bytes > 0; size_bytes--) {
        end[size_bytes - 1] = ((const unsigned char *)from)[size_bytes - 1];
    }
    return to;
}

void *memset(void *to, int value, size_t size_bytes)
{
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size_bytes) : "a"(value) : "memory");
    return start;
}

int memcmp(const void *left, const void *right, size_t size_bytes)
{
    const unsigned char *a = left;
    const unsigned char *b = right;
    for (; size_bytes > 0; size_bytes--, a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}
