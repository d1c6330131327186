/* The arena: a list of chunks, of which the newest is filled from its start to its end, and those that the
 * batch before has left: memory that goes back to the system and comes again costs more than what is put into
 * it. */
#include "accountd/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_MIN ((size_t)64 << 10)

struct acd_arena_chunk {
    struct acd_arena_chunk *next;
    size_t capacity; /* bytes of data */
    size_t used;
    alignas(max_align_t) char data[];
};

/* Larger chunks are not kept. */
#define CHUNK_MAX (((size_t)4 << 20) - sizeof(struct acd_arena_chunk))

_Noreturn void acd_arena_no_memory(struct acd_arena *arena)
{
    if (arena->guard)
        longjmp(*arena->guard, 1);
    abort();
}

/* A chunk of the batch before, or a new one. */
static struct acd_arena_chunk *make_chunk(struct acd_arena *arena, size_t capacity)
{
    struct acd_arena_chunk **place = &arena->spare;
    struct acd_arena_chunk *chunk;

    while (*place && (*place)->capacity < capacity)
        place = &(*place)->next;
    chunk = *place;
    if (chunk) {
        *place = chunk->next;
        arena->spare_bytes -= chunk->capacity;
    } else {
        chunk = malloc(sizeof(*chunk) + capacity);
        if (!chunk)
            acd_arena_no_memory(arena);
        chunk->capacity = capacity;
    }
    chunk->used = 0;
    arena->allocated += sizeof(*chunk) + chunk->capacity;
    return chunk;
}

/* Chunks double up to CHUNK_MAX, so that few are needed for a large batch and little is wasted on a small
 * one. */
static size_t next_capacity(const struct acd_arena *arena)
{
    size_t capacity = arena->chunks ? 2 * arena->chunks->capacity : CHUNK_MIN;

    return capacity < CHUNK_MAX ? capacity : CHUNK_MAX;
}

static void *alloc_in_new_chunk(struct acd_arena *arena, size_t size)
{
    size_t capacity = next_capacity(arena);
    struct acd_arena_chunk *chunk;

    if (size > capacity / 4 && arena->chunks) {
        /* A big one gets a chunk of its own, behind the newest, which still has room for small ones. */
        chunk = make_chunk(arena, size);
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    } else {
        chunk = make_chunk(arena, size > capacity ? size : capacity);
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    chunk->used = size;
    return chunk->data;
}

void acd_arena_init(struct acd_arena *arena)
{
    *arena = (struct acd_arena){0};
}

static void free_chunks(struct acd_arena_chunk *chunk)
{
    while (chunk) {
        struct acd_arena_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

/* What this batch did without goes, a chunk each time: after a while without large batches little is left. */
static void free_one_spare(struct acd_arena *arena)
{
    struct acd_arena_chunk *chunk = arena->spare;

    if (!chunk)
        return;
    arena->spare = chunk->next;
    arena->spare_bytes -= chunk->capacity;
    free(chunk);
}

void acd_arena_reset(struct acd_arena *arena)
{
    struct acd_arena_chunk *chunk = arena->chunks;

    free_one_spare(arena);
    while (chunk) {
        struct acd_arena_chunk *next = chunk->next;

        if (chunk->capacity <= CHUNK_MAX && arena->spare_bytes + chunk->capacity <= ACD_ARENA_KEEP_BYTES) {
            chunk->next = arena->spare;
            arena->spare = chunk;
            arena->spare_bytes += chunk->capacity;
        } else {
            free(chunk);
        }
        chunk = next;
    }
    arena->chunks = NULL;
    arena->allocated = 0;
}

void acd_arena_free(struct acd_arena *arena)
{
    free_chunks(arena->chunks);
    free_chunks(arena->spare);
    arena->chunks = NULL;
    arena->spare = NULL;
    arena->spare_bytes = 0;
    arena->allocated = 0;
}

void *acd_arena_alloc(struct acd_arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct acd_arena_chunk *chunk = arena->chunks;
    void *memory;

    if (size > PTRDIFF_MAX / 2)
        acd_arena_no_memory(arena);
    size = (size + align - 1) & ~(align - 1);
    if (!chunk || size > chunk->capacity - chunk->used)
        return alloc_in_new_chunk(arena, size);
    memory = chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

void *acd_arena_calloc(struct acd_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    void *memory;

    if (__builtin_mul_overflow(count, size, &bytes))
        acd_arena_no_memory(arena);
    memory = acd_arena_alloc(arena, bytes);
    memset(memory, 0, bytes);
    return memory;
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
    char small[256];
    char *text;
    va_list again;
    int written;
    size_t len;

    va_copy(again, args);
    written = vsnprintf(small, sizeof(small), format, args);
    len = written > 0 ? (size_t)written : 0;
    text = acd_arena_alloc(arena, len + 1);
    if (len < sizeof(small))
        memcpy(text, small, len);
    else
        vsnprintf(text, len + 1, format, again);
    text[len] = '\0';
    va_end(again);
    return acd_slice(text, len);
}
