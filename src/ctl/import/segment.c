/* Lines to batches, replies to outcomes. */
#include "segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "accountd/codec.h"
#include "accountd/hash.h"
#include "accountd/text.h"

struct acd_ctl_segment *acd_ctl_segment_new(const struct acd_ctl_import_terms *terms)
{
    struct acd_ctl_segment *segment = calloc(1, sizeof(*segment));

    if (!segment)
        return NULL;
    segment->terms = terms;
    acd_arena_init(&segment->arena);
    segment->open =
        acd_arena_calloc(&segment->arena, (size_t)terms->partitions, sizeof(struct acd_ctl_batch *));
    return segment;
}

void acd_ctl_segment_free(struct acd_ctl_segment *segment)
{
    if (!segment)
        return;
    free(segment->commands.offsets);
    free(segment->replies.offsets);
    acd_arena_free(&segment->arena);
    free(segment);
}

/* What stands before the entries. */
static struct acd_slice begin_command(struct acd_arena *arena, const struct acd_ctl_import_terms *terms,
                                      const char *id)
{
    return acd_arena_format(
        arena,
        "{\"v\":1,\"id\":\"%s\",\"op\":\"create\",\"app\":\"%s\",\"on_exists\":\"%s\",%s\"accounts\":[", id,
        terms->app, terms->on_exists, terms->dry_run ? "\"dry_run\":true," : "");
}

static bool has_account(const struct acd_ctl_segment *segment, const struct acd_ctl_batch *batch,
                        struct acd_slice account, uint64_t hash)
{
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->hashes[i] == hash && acd_slice_equal(segment->lines[batch->lines[i]].account, account))
            return true;
    return false;
}

/* The batch that a line's entry goes to. */
static struct acd_ctl_batch *choose_batch(struct acd_ctl_segment *segment, const struct acd_ctl_line *line,
                                          uint64_t hash, size_t entry_bytes)
{
    const struct acd_ctl_import_terms *terms = segment->terms;
    int32_t partition = acd_ctl_partition_of(line->account, terms->partitions);
    struct acd_ctl_batch *batch = segment->open[partition];

    if (batch && batch->count < ACD_CTL_ACCOUNTS_MAX &&
        batch->entries.len + entry_bytes + sizeof(",]}") <= terms->command_bytes &&
        !has_account(segment, batch, line->account, hash))
        return batch;
    batch = acd_arena_calloc(&segment->arena, 1, sizeof(*batch));
    batch->partition = partition;
    batch->key = line->account;
    (void)snprintf(batch->id, sizeof(batch->id), "%s-%" PRId64, terms->run, line->number);
    acd_buffer_init(&batch->entries, &segment->arena, 4096);
    acd_buffer_add_slice(&batch->entries, begin_command(&segment->arena, terms, batch->id));
    segment->open[partition] = batch;
    segment->batches[segment->batch_count++] = batch;
    segment->unanswered++;
    return batch;
}

void acd_ctl_segment_add(struct acd_ctl_segment *segment, const struct acd_ctl_text *text,
                         const struct acd_ctl_entry *entry)
{
    struct acd_ctl_line *line = &segment->lines[segment->line_count];
    struct acd_ctl_batch *batch;

    *line = (struct acd_ctl_line){.number = text->number,
                                  .text = acd_arena_copy(&segment->arena, text->kept),
                                  .cut = text->cut,
                                  .account = acd_arena_copy(&segment->arena, entry->account)};
    segment->bytes += text->bytes;
    if (entry->refusal.code != ACD_OK) {
        line->outcome = ACD_CTL_REJECTED_LINE;
        line->code = acd_slice_str(acd_code_text(entry->refusal.code));
        line->field = acd_arena_copy(&segment->arena, entry->refusal.field);
        line->message = acd_arena_copy(&segment->arena, entry->refusal.message);
    } else {
        uint64_t hash = acd_hash_text(0, line->account);

        batch = choose_batch(segment, line, hash, entry->json.len);
        if (batch->count)
            acd_buffer_add_char(&batch->entries, ',');
        acd_buffer_add_slice(&batch->entries, entry->json);
        batch->hashes[batch->count] = hash;
        batch->lines[batch->count++] = segment->line_count;
    }
    segment->line_count++;
}

uint32_t acd_ctl_segment_commands(struct acd_ctl_segment *segment, struct acd_ctl_command_post *out)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < segment->batch_count; i++) {
        struct acd_ctl_batch *batch = segment->batches[i];

        if (batch->posted)
            continue;
        acd_buffer_add_str(&batch->entries, "]}");
        out[count++] = (struct acd_ctl_command_post){batch->id, batch->key, acd_buffer_slice(&batch->entries),
                                                     batch->partition};
    }
    return count;
}

struct acd_ctl_batch *acd_ctl_segment_find(struct acd_ctl_segment *segment, struct acd_slice id)
{
    for (uint32_t i = 0; i < segment->batch_count; i++)
        if (acd_slice_is(id, segment->batches[i]->id))
            return segment->batches[i];
    return NULL;
}

static struct acd_slice text_of(const struct acd_value *map, const char *key)
{
    const struct acd_value *value = map && map->kind == ACD_MAP ? acd_value_member(map, key) : NULL;

    return value && value->kind == ACD_STRING ? value->string : acd_slice(NULL, 0);
}

/* Of "accounts[3].profile.level", what lies in the entry. */
static struct acd_slice strip_path(struct acd_slice field)
{
    static const char prefix[] = "accounts[";
    const char *end;

    if (field.len < sizeof(prefix) || memcmp(field.data, prefix, sizeof(prefix) - 1) != 0)
        return field;
    end = memchr(field.data, ']', field.len);
    if (!end)
        return field;
    end += 1;
    end += end < field.data + field.len && *end == '.';
    return acd_slice(end, (size_t)(field.data + field.len - end));
}

/* `error` may be NULL: the reply is not what it should be. */
static void reject(struct acd_ctl_segment *segment, struct acd_ctl_line *line, const struct acd_value *error)
{
    struct acd_slice code = text_of(error, "code");

    line->outcome = ACD_CTL_REJECTED_LINE;
    line->code = code.data ? acd_arena_copy(&segment->arena, code) : acd_slice_str("internal");
    line->field = acd_arena_copy(&segment->arena, strip_path(text_of(error, "field")));
    line->message = code.data ? acd_arena_copy(&segment->arena, text_of(error, "message"))
                              : acd_slice_str("the reply does not tell what came of it");
}

static enum acd_ctl_outcome outcome_of(const struct acd_ctl_import_terms *terms,
                                       const struct acd_value *result)
{
    const struct acd_value *changed = acd_value_member(result, "changed");
    const struct acd_value *revision = acd_value_member(result, "revision");

    if (changed && changed->kind == ACD_BOOL && !changed->boolean)
        return ACD_CTL_SKIPPED;
    if (strcmp(terms->on_exists, "update") == 0 && revision && revision->kind == ACD_INT &&
        revision->integer > 1)
        return ACD_CTL_UPDATED;
    return ACD_CTL_CREATED;
}

static void answer_line(struct acd_ctl_segment *segment, struct acd_ctl_line *line,
                        const struct acd_value *result)
{
    struct acd_slice status = text_of(result, "status");

    if (!acd_slice_equal(text_of(result, "account"), line->account))
        reject(segment, line, NULL);
    else if (acd_slice_is(status, "ok"))
        line->outcome = outcome_of(segment->terms, result);
    else
        reject(segment, line, acd_value_member(result, "error"));
}

void acd_ctl_segment_answer(struct acd_ctl_segment *segment, struct acd_ctl_batch *batch,
                            struct acd_slice reply)
{
    struct acd_value body = {.kind = ACD_MAP};
    const struct acd_value *results = NULL;
    const struct acd_value *error = NULL;
    struct acd_arena arena;

    if (batch->answered)
        return;
    batch->answered = true;
    segment->unanswered--;
    acd_arena_init(&arena);
    if (!acd_codec_decode(ACD_ENCODING_JSON, reply, &arena, &body)) {
        results = acd_value_member(&body, "results");
        error = acd_value_member(&body, "error");
    }
    if (results && (results->kind != ACD_ARRAY || results->count != batch->count))
        results = NULL;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct acd_ctl_line *line = &segment->lines[batch->lines[i]];

        if (results)
            answer_line(segment, line, &results->items[i]);
        else
            reject(segment, line, error);
    }
    acd_arena_free(&arena);
}
