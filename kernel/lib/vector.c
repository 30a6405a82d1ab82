// SPDX-License-Identifier: MIT
#include "lib/vector.h"

#define CAPACITY_MIN 8

// No object is larger than PTRDIFF_MAX, so doubling the capacity can't overflow.
enum error vector_reserve_bytes(struct vector *vector, size_t count, size_t element_bytes)
{
    if (count <= vector->capacity) {
        return OK;
    }
    size_t capacity = vector->capacity > 0 ? 2 * vector->capacity : CAPACITY_MIN;
    if (capacity < count) {
        capacity = count;
    }
    if (capacity > PTRDIFF_MAX / element_bytes) {
        return ENOMEM;
    }
    const struct memory_source *memory = vector->memory;
    void *elements = memory->resize(memory->context, vector->elements,
                                    vector->capacity * element_bytes, capacity * element_bytes);
    if (elements == NULL) {
        return ENOMEM;
    }
    vector->elements = elements;
    vector->capacity = capacity;
    return OK;
}

void vector_free_bytes(struct vector *vector, size_t element_bytes)
{
    const struct memory_source *memory = vector->memory;
    memory->resize(memory->context, vector->elements, vector->capacity * element_bytes, 0);
    *vector = (struct vector){.memory = memory};
}
