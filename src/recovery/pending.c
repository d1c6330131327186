/* A run is followed back from its last batch: each marker names the batch before, whose own marker lies with
 * its outbox, until the one is reached that begins where Kafka stands. */
#include "accountd/pending.h"

/* True when an outbox belongs to the batch before another one, whose marker is then the one of that. */
static bool read_before(struct acd_slice text, const struct acd_marker *after, struct acd_marker *out)
{
    return acd_marker_parse(text, out) && strcmp(out->nonce, after->before) == 0 &&
           out->next == after->from && out->step == after->step - 1;
}

/* They were put in from the last one on. */
static void turn_around(struct acd_pending *pending)
{
    for (uint32_t i = 0; i < pending->count / 2; i++) {
        struct acd_slice *other = &pending->outboxes[pending->count - 1 - i];
        struct acd_slice swapped = *other;

        *other = pending->outboxes[i];
        pending->outboxes[i] = swapped;
    }
}

/* From the last batch back; what does not fit together leaves none. */
static enum acd_store follow(struct acd_store_handle *store, struct acd_arena *arena, int32_t partition,
                             const struct acd_committed *committed, struct acd_slice text,
                             const struct acd_marker *marker, struct acd_pending *out)
{
    struct acd_marker at = *marker;
    struct acd_marker before;
    struct acd_stored_outbox outbox;
    enum acd_store result = acd_store_outbox(store, arena, partition, ACD_OUTBOX_LAST, &outbox);
    bool fits = result == ACD_STORE_OK && acd_slice_equal(outbox.marker, text);

    while (fits) {
        out->outboxes[out->count++] = outbox.messages;
        if (acd_standing(committed, &at) == ACD_STANDING_PENDING) {
            out->standing = ACD_STANDING_PENDING;
            out->from = at.from;
            return ACD_STORE_OK;
        }
        if (at.step == 0)
            break;
        result = acd_store_outbox(store, arena, partition, at.step - 1, &outbox);
        fits = result == ACD_STORE_OK && read_before(outbox.marker, &at, &before);
        if (fits)
            at = before;
    }
    out->count = 0;
    return result;
}

enum acd_store acd_pending_read(struct acd_store_handle *store, struct acd_arena *arena, int32_t partition,
                                const struct acd_committed *committed, struct acd_slice text,
                                const struct acd_marker *marker, struct acd_pending *out)
{
    enum acd_store result = ACD_STORE_OK;

    *out = (struct acd_pending){.standing = acd_standing(committed, marker)};
    if (out->standing == ACD_STANDING_PENDING ||
        (out->standing == ACD_STANDING_LOST && marker && marker->step > 0)) {
        result = follow(store, arena, partition, committed, text, marker, out);
        turn_around(out);
    }
    return result;
}
