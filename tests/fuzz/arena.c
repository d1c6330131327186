/* The arena, in place of src/base/arena.c: every allocation is one of malloc's, so that AddressSanitizer sees
 * what goes over its end, and `allocated` counts the bytes that were asked for and no more. */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

size_t fuzz_fail_after;

struct acd_arena_chunk {
    struct acd_arena_chunk *next;
    alignas(max_align_t) char data[];
};

static _Noreturn void out_of_memory(struct acd_arena *arena)
{
    FUZZ_CHECK(arena->guard, "no memory, and nowhere to go");
    longjmp(*arena->guard, 1);
}

void acd_arena_init(struct acd_arena *arena)
{
    *arena = (struct acd_arena){0};
}

void acd_arena_free(struct acd_arena *arena)
{
    while (arena->chunks) {
        struct acd_arena_chunk *chunk = arena->chunks;

        arena->chunks = chunk->next;
        free(chunk);
    }
    arena->allocated = 0;
}

void acd_arena_reset(struct acd_arena *arena)
{
    acd_arena_free(arena);
}

void *acd_arena_alloc(struct acd_arena *arena, size_t size)
{
    struct acd_arena_chunk *chunk;

    if (size > PTRDIFF_MAX / 2 || (fuzz_fail_after && --fuzz_fail_after == 0))
        out_of_memory(arena);
    chunk = malloc(sizeof(*chunk) + size);
    if (!chunk)
        out_of_memory(arena);
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->allocated += size;
    return chunk->data;
}

void *acd_arena_calloc(struct acd_arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory(arena);
    return memset(acd_arena_alloc(arena, bytes), 0, bytes);
}

struct acd_slice acd_arena_copy(struct acd_arena *arena, struct acd_slice slice)
{
    char *copy = acd_arena_alloc(arena, slice.len + 1);

    if (slice.len)
        memcpy(copy, slice.data, slice.len);
    copy[slice.len] = '\0';
    return acd_slice(copy, slice.len);
}

struct acd_slice acd_arena_format(struct acd_arena *arena, const char *format, ...)
{
    struct acd_slice text;
    va_list args;

    va_start(args, format);
    text = acd_arena_vformat(arena, format, args);
    va_end(args);
    return text;
}

struct acd_slice acd_arena_vformat(struct acd_arena *arena, const char *format, va_list args)
{
    va_list again;
    char *text;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    text = acd_arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return acd_slice(text, (size_t)len);
}
