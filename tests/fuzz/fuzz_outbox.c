/* The outbox, and open jobs, which are written in the same way: any bytes are refused or read within bounded
 * memory, and what was read is written byte for byte; what can be read as a job is one still when it is
 * written anew. The input is what Redis holds. */
#include "accountd/job.h"
#include "accountd/outgoing.h"
#include "fuzz.h"

/* A message takes 28 bytes at least and 88 in the list, which doubles as it grows; a header 8 and 32. */
#define BYTES_PER_BYTE 16
#define BYTES_FIXED    (64 * sizeof(struct acd_outgoing))

static void touch(struct acd_slice slice)
{
    volatile char last = 0;

    for (size_t i = 0; i < slice.len; i++)
        last = slice.data[i];
    (void)last;
}

static void check_job(struct acd_arena *arena, const struct acd_outgoing *message)
{
    struct acd_outgoing written;
    struct acd_job job;
    struct acd_job again;

    if (!acd_job_read(message, &job))
        return;
    written = acd_job_message(arena, &job, acd_slice_str("t:0:1"), "changelog", 3);
    FUZZ_CHECK(acd_job_read(&written, &again), "the job at %lld cannot be read again", (long long)job.offset);
    FUZZ_CHECK(again.offset == job.offset && again.attempt == job.attempt &&
                   again.timestamp_ms == job.timestamp_ms && acd_slice_equal(again.key, job.key) &&
                   acd_slice_equal(again.value, job.value) && again.header_count == job.header_count,
               "the job at %lld is another one when it is read again", (long long)job.offset);
}

static void check(struct acd_arena *arena, struct acd_slice bytes, const struct acd_outgoing_list *list)
{
    struct acd_slice written = acd_outbox_encode(arena, list);

    for (uint32_t i = 0; i < list->count; i++) {
        const struct acd_outgoing *message = &list->items[i];

        touch(message->topic);
        touch(message->key);
        touch(message->value);
        check_job(arena, message);
        for (uint32_t h = 0; h < message->header_count; h++) {
            touch(message->headers[h].name);
            touch(message->headers[h].value);
        }
    }
    FUZZ_CHECK(acd_slice_equal(written, bytes), "%u messages of %zu bytes were written as %zu", list->count,
               bytes.len, written.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acd_outgoing_list list;
    struct acd_arena arena;
    int result;

    acd_arena_init(&arena);
    result = acd_outbox_decode(&arena, acd_slice(data, size), &list);
    FUZZ_CHECK(arena.allocated <= BYTES_FIXED + BYTES_PER_BYTE * size, "%zu bytes took %zu", size,
               arena.allocated);
    if (result == 0)
        check(&arena, acd_slice(data, size), &list);
    acd_arena_free(&arena);
    return 0;
}
