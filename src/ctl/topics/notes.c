/* A sorted array. */
#include "notes.h"

#include <stdbool.h>
#include <stdlib.h>

#include "accountd/arena.h"
#include "letter.h"

struct reading {
    struct acd_ctl_notes *notes;
    struct acd_arena arena;
    bool failed; /* for want of memory */
};

static int compare(const void *a, const void *b)
{
    const struct acd_ctl_note *left = a;
    const struct acd_ctl_note *right = b;

    return (left->offset > right->offset) - (left->offset < right->offset);
}

static bool add(struct acd_ctl_notes *notes, struct acd_ctl_note note)
{
    if (notes->count == notes->capacity) {
        size_t capacity = notes->capacity ? 2 * notes->capacity : 64;
        struct acd_ctl_note *items = reallocarray(notes->items, capacity, sizeof(*items));

        if (!items)
            return false;
        notes->items = items;
        notes->capacity = capacity;
    }
    notes->items[notes->count++] = note;
    return true;
}

static bool visit(void *context, const rd_kafka_message_t *message)
{
    struct reading *reading = context;
    struct acd_ctl_letter letter;

    acd_arena_reset(&reading->arena);
    acd_ctl_letter_read(&reading->arena, message, &letter);
    if (letter.kind == ACD_CTL_LETTER_NOTE)
        reading->failed = !add(reading->notes, (struct acd_ctl_note){letter.replayed, letter.timestamp_ms});
    return !reading->failed;
}

rd_kafka_resp_err_t acd_ctl_notes_read(struct acd_ctl_notes *out, rd_kafka_t *consumer, const char *topic,
                                       int32_t partition, struct acd_ctl_span span, int patience_ms)
{
    struct reading reading = {.notes = out};
    rd_kafka_resp_err_t error;

    *out = (struct acd_ctl_notes){0};
    acd_arena_init(&reading.arena);
    error = acd_ctl_scan(consumer, topic, partition, span, patience_ms, visit, &reading);
    acd_arena_free(&reading.arena);
    if (reading.failed)
        error = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    if (out->count)
        qsort(out->items, out->count, sizeof(*out->items), compare);
    return error;
}

int64_t acd_ctl_notes_find(const struct acd_ctl_notes *notes, int64_t offset)
{
    const struct acd_ctl_note wanted = {.offset = offset};
    const struct acd_ctl_note *found =
        notes->count ? bsearch(&wanted, notes->items, notes->count, sizeof(wanted), compare) : NULL;

    return found ? found->at_ms : -1;
}

void acd_ctl_notes_free(struct acd_ctl_notes *notes)
{
    free(notes->items);
    *notes = (struct acd_ctl_notes){0};
}
