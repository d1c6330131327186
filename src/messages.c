/* What a decided command publishes: reply, changelog records, export chunks, dead letter. */
#include "accountd/buffer.h"
#include "accountd/export.h"
#include "accountd/metrics.h"
#include "accountd/reply.h"
#include "worker_parts.h"

/* Bytes that a dead letter's value is cut to, where key and headers leave room for so many. */
#define DEAD_LETTER_MAX ((size_t)900 * 1024)

/* What Kafka adds to a header at most: two lengths of up to five bytes. */
#define HEADER_OVERHEAD 10

static void add_header(struct acd_header *headers, uint32_t *count, const char *name, struct acd_slice value)
{
    headers[(*count)++] = (struct acd_header){acd_slice_str(name), value};
}

void acd_messages_reply(struct acd_worker *worker, struct part *part, const struct item *item,
                        const struct acd_answer *answer, struct acd_slice value)
{
    struct acd_header *headers = acd_arena_calloc(&worker->arena, ACD_ECHO_COUNT + 4, sizeof(*headers));
    struct acd_outgoing message = {.topic = item->route.topic,
                                   .partition = item->route.partition,
                                   .key = item->route.key,
                                   .value = value,
                                   .headers = headers};

    memcpy(headers, item->route.echo, item->route.echo_count * sizeof(*headers));
    message.header_count = item->route.echo_count;
    add_header(headers, &message.header_count, "content-type",
               acd_slice_str(acd_encoding_content_type(item->encoding)));
    add_header(headers, &message.header_count, "accountd-status",
               acd_slice_str(acd_status_text(answer->status)));
    if (answer->status == ACD_STATUS_ERROR)
        add_header(headers, &message.header_count, "accountd-code",
                   acd_slice_str(acd_code_text(answer->refusal.code)));
    /* NestJS takes a reply with this header for the last one of its request. */
    if (item->route.partition_as_digits)
        add_header(headers, &message.header_count, "kafka_nest-is-disposed", acd_slice("\0", 1));
    if (item->route.keyless && item->command.account.len)
        message.key = item->command.account;
    acd_outgoing_add(&worker->arena, &part->messages, &message);
}

static struct acd_slice changelog_key(struct acd_arena *arena, struct acd_slice app, struct acd_slice account)
{
    struct acd_buffer key;

    acd_buffer_init(&key, arena, app.len + account.len + 1);
    acd_buffer_add_slice(&key, app);
    acd_buffer_add_char(&key, '/');
    acd_buffer_add_slice(&key, account);
    return acd_buffer_slice(&key);
}

void acd_messages_changes(struct acd_worker *worker, struct batch *batch, struct part *part,
                          const struct item *item, const struct acd_answer *answer, struct acd_slice source)
{
    const struct acd_command *command = &item->command;
    struct acd_header *headers;

    if (command->dry_run || answer->ok_count == 0)
        return;
    headers = acd_arena_calloc(&worker->arena, 1, sizeof(*headers));
    headers[0] = (struct acd_header){ACD_LITERAL("accountd-source"), source};
    for (uint32_t i = 0; i < answer->outcome_count; i++) {
        const struct acd_outcome *outcome = &answer->outcomes[i];
        const struct acd_account *now;

        if (outcome->refusal.code != ACD_OK || !outcome->changed)
            continue;
        now = acd_state_find(&batch->state, command->app, outcome->account)->current;
        acd_outgoing_add(
            &worker->arena, &part->messages,
            &(struct acd_outgoing){
                .topic = acd_slice_str(worker->shared->settings->kafka.changelog),
                .partition = item->partition->id,
                .key = changelog_key(&worker->arena, command->app, outcome->account),
                .value = acd_changelog_encode(&worker->arena, command->app, outcome->account, now),
                .headers = headers,
                .header_count = 1});
    }
}

static bool is_dead_letter_header(struct acd_slice name)
{
    static const char *const prefixes[] = {"__dlq.errors.", "accountd-error-code", "accountd-cut"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (name.len >= strlen(prefixes[i]) && memcmp(name.data, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* The original as it came, and why. What does not fit into one message is cut: the value first, then the
 * headers. */
void acd_messages_dead_letter(struct acd_worker *worker, struct part *part, const struct item *item,
                              const struct acd_refusal *refusal)
{
    const struct acd_settings *settings = worker->shared->settings;
    const struct acd_record *record = &item->record;
    struct acd_header *headers =
        acd_arena_calloc(&worker->arena, (size_t)item->header_count + 7, sizeof(*headers));
    struct acd_outgoing message = {.topic = acd_slice_str(settings->kafka.dead_letters),
                                   .partition = record->partition % worker->shared->own.dead_letters,
                                   .timestamp_ms = record->timestamp_ms,
                                   .key = record->key,
                                   .value = record->value,
                                   .headers = headers};
    size_t room = DEAD_LETTER_MAX - (record->key.len < DEAD_LETTER_MAX ? record->key.len : DEAD_LETTER_MAX);

    if (record->key.len > DEAD_LETTER_MAX)
        message.key = acd_slice(NULL, 0);
    for (uint32_t i = 0; i < item->header_count; i++) {
        size_t bytes = item->headers[i].name.len + item->headers[i].value.len + HEADER_OVERHEAD;

        if (is_dead_letter_header(item->headers[i].name) || bytes > room)
            continue;
        headers[message.header_count++] = item->headers[i];
        room -= bytes;
    }
    add_header(headers, &message.header_count, "__dlq.errors.topic", acd_slice_str(settings->kafka.commands));
    add_header(headers, &message.header_count, "__dlq.errors.partition",
               acd_arena_format(&worker->arena, "%d", record->partition));
    add_header(headers, &message.header_count, "__dlq.errors.offset",
               acd_arena_format(&worker->arena, "%lld", (long long)record->offset));
    add_header(headers, &message.header_count, "__dlq.errors.group", acd_slice_str(settings->kafka.group));
    add_header(headers, &message.header_count, "__dlq.errors.message", refusal->message);
    add_header(headers, &message.header_count, "accountd-error-code",
               acd_slice_str(acd_code_text(refusal->code)));
    if (record->value.len > room) {
        message.value = acd_slice(record->value.data, room);
        add_header(headers, &message.header_count, "accountd-cut",
                   acd_arena_format(&worker->arena, "%zu", record->value.len));
    }
    acd_outgoing_add(&worker->arena, &part->messages, &message);
    acd_metric_add(ACD_METRIC_DEAD_LETTERS, 1);
}

static void add_chunk(struct acd_worker *worker, struct part *part, const struct acd_export *file, uint32_t n)
{
    const struct acd_chunk *chunk = &file->chunks[n];
    struct acd_header *headers = acd_arena_calloc(&worker->arena, 7, sizeof(*headers));
    uint32_t count = 0;

    add_header(headers, &count, "export-id", file->manifest.export_id);
    add_header(headers, &count, "export-source", file->manifest.source);
    add_header(headers, &count, "export-seq", acd_arena_format(&worker->arena, "%u", n + 1));
    add_header(headers, &count, "export-attempt",
               acd_arena_format(&worker->arena, "%lld", (long long)file->manifest.attempt));
    add_header(headers, &count, "export-sha256", acd_slice_str(chunk->sha256));
    add_header(headers, &count, "content-type", acd_slice_str(file->content_type));
    if (file->content_encoding)
        add_header(headers, &count, "content-encoding", acd_slice_str(file->content_encoding));
    acd_outgoing_add(&worker->arena, &part->messages,
                     &(struct acd_outgoing){.topic = acd_slice_str(worker->shared->settings->kafka.exports),
                                            .partition = ACD_ANY_PARTITION,
                                            .key = file->manifest.export_id,
                                            .value = chunk->value,
                                            .headers = headers,
                                            .header_count = count});
}

void acd_messages_file(struct acd_worker *worker, struct part *part, const struct acd_export *file)
{
    struct acd_header *headers = acd_arena_calloc(&worker->arena, 3, sizeof(*headers));
    uint32_t count = 0;

    for (uint32_t n = 0; n < file->chunk_count; n++)
        add_chunk(worker, part, file, n);
    add_header(headers, &count, "export-id", file->manifest.export_id);
    add_header(headers, &count, "export-source", file->manifest.source);
    add_header(headers, &count, "export-manifest", acd_slice_str("1"));
    acd_outgoing_add(&worker->arena, &part->messages,
                     &(struct acd_outgoing){.topic = acd_slice_str(worker->shared->settings->kafka.exports),
                                            .partition = ACD_ANY_PARTITION,
                                            .key = file->manifest.export_id,
                                            .value = acd_manifest_encode(&worker->arena, &file->manifest),
                                            .headers = headers,
                                            .header_count = count});
}
