// SPDX-License-Identifier: MIT
//
// A growable array. Its capacity doubles when it is full, so that with n elements pushed fewer than
// 2n were moved. The macros only add the type; their `vector_` may have no side effects. The caller
// locks.
//
//     struct numbers { VECTOR(uint64_t); };
//     struct numbers numbers = {.vector = {.memory = &source}};
//     enum error error = vector_push(&numbers, 42);
//     numbers.elements[0], numbers.vector.count
//
// Growing moves the elements: a pointer to one is good until the next push or reserve.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/assert.h"
#include "lib/error.h"
#include "lib/memory_source.h"

// Zeroed but for `memory` it is empty. The user may lower `count`, and change nothing else.
struct vector {
    void *elements;
    size_t count;
    size_t capacity; // elements that there is memory for
    const struct memory_source *memory;
};

// Two names for one address: a vector, and its elements with their type.
#define VECTOR(type_)                                                                              \
    union {                                                                                        \
        struct vector vector;                                                                      \
        type_ *elements;                                                                           \
    }

// Adds a value behind the others; a structure may be written {1, 2}. ENOMEM: nothing has changed.
#define vector_push(vector_, ...)                                                                  \
    vector_push_bytes(&(vector_)->vector, (__typeof__(*(vector_)->elements)[1]){__VA_ARGS__},      \
                      sizeof(*(vector_)->elements))

// Removes the last element and returns it; there is one.
#define vector_pop(vector_) (vector_)->elements[vector_pop_index(&(vector_)->vector)]

// The element, for reading and writing; the index is below the count.
#define vector_at(vector_, index_) (vector_)->elements[vector_index(&(vector_)->vector, index_)]

// Memory for so many elements at least, those that there are included: so many pushes won't fail.
// ENOMEM: nothing has changed.
#define vector_reserve(vector_, count_)                                                            \
    vector_reserve_bytes(&(vector_)->vector, count_, sizeof(*(vector_)->elements))

// Gives the memory back; the vector is empty and may be used again.
#define vector_free(vector_) vector_free_bytes(&(vector_)->vector, sizeof(*(vector_)->elements))

// What the macros call.
enum error vector_reserve_bytes(struct vector *vector, size_t count, size_t element_bytes);
void vector_free_bytes(struct vector *vector, size_t element_bytes);

static inline enum error vector_push_bytes(struct vector *vector, const void *element,
                                           size_t element_bytes)
{
    if (vector->count == vector->capacity) {
        enum error error = vector_reserve_bytes(vector, vector->count + 1, element_bytes);
        if (error != OK) {
            return error;
        }
    }
    unsigned char *place = (unsigned char *)vector->elements + vector->count * element_bytes;
    __builtin_memcpy(place, element, element_bytes); // inline, where memcpy() is a call
    vector->count++;
    return OK;
}

static inline size_t vector_pop_index(struct vector *vector)
{
    assert(vector->count > 0);
    return --vector->count;
}

static inline size_t vector_index(const struct vector *vector, size_t index)
{
    assert(index < vector->count);
    return index;
}
