/* arena.h: the memory of one batch.
 *
 * Everything that a batch decodes, decides and encodes is taken from one arena and given back at once by
 * acd_arena_reset. Nothing is freed singly. An arena belongs to one thread.
 *
 * Errors: no function here returns NULL. When the system has no memory the arena jumps (longjmp, value 1)
 * to the point that `guard` marks, which can be done from any step of a batch: what has been written is found
 * there as after a crash. Where none is marked, which is so at start-up only, it aborts the process.
 */
#ifndef ACCOUNTD_ARENA_H
#define ACCOUNTD_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "accountd/slice.h"

/* What an arena keeps over a reset at most. It is what the batch before has used; each batch that does with
 * less gives some of it back, so that a batch of poison does not make the process large for good. */
#define ACD_ARENA_KEEP_BYTES ((size_t)32 << 20)

struct acd_arena_chunk;

struct acd_arena {
    struct acd_arena_chunk *chunks; /* newest first */
    size_t allocated;               /* bytes of these */
    struct acd_arena_chunk *spare;  /* left by the batch before */
    size_t spare_bytes;
    jmp_buf *guard; /* where to go when memory runs out, or NULL */
};

void acd_arena_init(struct acd_arena *arena);

/* Ends what is under way, as an allocation that fails does: for memory that is not the arena's. */
_Noreturn void acd_arena_no_memory(struct acd_arena *arena);

/* Gives everything back, but for what is kept for the next batch. */
void acd_arena_reset(struct acd_arena *arena);

void acd_arena_free(struct acd_arena *arena);

/* Aligned for any type; not cleared. A size of 0 gives a valid pointer. */
void *acd_arena_alloc(struct acd_arena *arena, size_t size);

/* count × size bytes, cleared; an overflow of the product counts as no memory. */
void *acd_arena_calloc(struct acd_arena *arena, size_t count, size_t size);

/* A copy in the arena, followed by a NUL that the length does not count. */
struct acd_slice acd_arena_copy(struct acd_arena *arena, struct acd_slice slice);

/* Formatted text, followed by a NUL that the length does not count. */
struct acd_slice acd_arena_format(struct acd_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct acd_slice acd_arena_vformat(struct acd_arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* A slice as the arguments of "%.*s". */
#define ACD_SLICE_ARGS(slice) (int)(slice).len, (slice).data ? (slice).data : ""

#endif
