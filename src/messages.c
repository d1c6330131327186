/* What a decided command publishes: reply, changelog records, export chunks, dead letter. */
#include "accountd/buffer.h"
#include "accountd/dead_letter.h"
#include "accountd/export.h"
#include "accountd/reply.h"
#include "accountd/text.h"
#include "worker_parts.h"

/* Bytes that a dead letter's key, headers and value are cut to together. */
#define DEAD_LETTER_MAX ((size_t)900 * 1024)

/* What a reply that is a CloudEvent has beside what goes back. */
#define EVENT_HEADERS 5

static void add_header(struct acd_header *headers, uint32_t *count, const char *name, struct acd_slice value)
{
    headers[(*count)++] = (struct acd_header){acd_slice_str(name), value};
}

/* Makes the reply a CloudEvent. Its id is one that no other reply has, and the same however often the batch
 * is decided. */
static void add_event(struct acd_worker *worker, const struct item *item, struct acd_slice source,
                      struct acd_header *headers, uint32_t *count)
{
    const struct acd_event *event = item->route.event;
    char *time = acd_arena_alloc(&worker->arena, ACD_TIME_BYTES);

    acd_time_format(acd_time_clamp(item->record.timestamp_ms), time);
    add_header(headers, count, "ce_specversion", acd_slice_str("1.0"));
    add_header(headers, count, "ce_type", acd_slice_str("accountd.reply"));
    add_header(headers, count, "ce_source",
               acd_arena_format(&worker->arena, "/accountd/%s", worker->shared->settings->kafka.commands));
    add_header(headers, count, "ce_id", source);
    add_header(headers, count, "ce_time", acd_slice_str(time));
    memcpy(headers + *count, event->echo, event->echo_count * sizeof(*headers));
    *count += event->echo_count;
}

void acd_messages_reply(struct acd_worker *worker, struct part *part, const struct item *item,
                        const struct acd_answer *answer, struct acd_slice value, struct acd_slice source)
{
    size_t room = ACD_ECHO_COUNT + 4 + (item->route.event ? EVENT_HEADERS + ACD_EVENT_ECHO_COUNT : 0);
    struct acd_header *headers = acd_arena_calloc(&worker->arena, room, sizeof(*headers));
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
    if (item->route.event)
        add_event(worker, item, source, headers, &message.header_count);
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

void acd_messages_changes(struct acd_worker *worker, struct part *part, const struct item *item,
                          const struct acd_answer *answer)
{
    const struct acd_command *command = &item->command;

    if (command->dry_run || answer->ok_count == 0)
        return;
    for (uint32_t i = 0; i < answer->outcome_count; i++) {
        const struct acd_outcome *outcome = &answer->outcomes[i];
        const struct acd_account *now;

        if (outcome->refusal.code != ACD_OK || !outcome->changed)
            continue;
        now = item->entries[i]->current;
        acd_outgoing_add(
            &worker->arena, &part->messages,
            &(struct acd_outgoing){
                .topic = acd_slice_str(worker->shared->settings->kafka.changelog),
                .partition = item->partition->id,
                .key = changelog_key(&worker->arena, command->app, outcome->account),
                .value = acd_changelog_encode(&worker->arena, command->app, outcome->account, now)});
    }
}

/* Copies the original's headers, as far as there is room for them. Returns how many had none. */
static uint32_t copy_headers(const struct item *item, struct acd_header *headers, uint32_t *count,
                             size_t *room)
{
    uint32_t missing = 0;

    for (uint32_t i = 0; i < item->header_count; i++) {
        size_t bytes = item->headers[i].name.len + item->headers[i].value.len + ACD_HEADER_OVERHEAD;

        if (acd_dead_letter_adds(item->headers[i].name))
            continue;
        if (bytes > *room) {
            missing++;
            continue;
        }
        headers[(*count)++] = item->headers[i];
        *room -= bytes;
    }
    return missing;
}

/* The original as it came, and why. What does not fit into one message is cut, and a header says so: the
 * value first, then the headers, then the key. */
void acd_messages_dead_letter(struct acd_worker *worker, struct part *part, const struct item *item,
                              const struct acd_refusal *refusal)
{
    const struct acd_settings *settings = worker->shared->settings;
    const struct acd_record *record = &item->record;
    struct acd_arena *arena = &worker->arena;
    bool key_fits = record->key.len <= DEAD_LETTER_MAX;
    size_t room = DEAD_LETTER_MAX - (key_fits ? record->key.len : 0);
    struct acd_header *headers =
        acd_arena_calloc(arena, (size_t)item->header_count + ACD_LETTER_HEADERS, sizeof(*headers));
    struct acd_outgoing message = {.topic = acd_slice_str(settings->kafka.dead_letters),
                                   .partition = record->partition % worker->shared->own.dead_letters,
                                   .timestamp_ms = record->timestamp_ms,
                                   .key = key_fits ? record->key : acd_slice(NULL, 0),
                                   .value = record->value,
                                   .headers = headers};
    uint32_t *count = &message.header_count;
    uint32_t missing = copy_headers(item, headers, count, &room);

    add_header(headers, count, ACD_LETTER_TOPIC, acd_slice_str(settings->kafka.commands));
    add_header(headers, count, ACD_LETTER_PARTITION, acd_buffer_int(arena, record->partition));
    add_header(headers, count, ACD_LETTER_OFFSET, acd_buffer_int(arena, record->offset));
    add_header(headers, count, ACD_LETTER_GROUP, acd_slice_str(settings->kafka.group));
    add_header(headers, count, ACD_LETTER_MESSAGE, refusal->message);
    add_header(headers, count, ACD_LETTER_CODE, acd_slice_str(acd_code_text(refusal->code)));
    if (record->value.len > room) {
        message.value = acd_slice(record->value.data, room);
        add_header(headers, count, ACD_LETTER_CUT, acd_buffer_int(arena, (int64_t)record->value.len));
    }
    if (!key_fits)
        add_header(headers, count, ACD_LETTER_CUT_KEY, acd_buffer_int(arena, (int64_t)record->key.len));
    if (item->headers_unread)
        add_header(headers, count, ACD_LETTER_CUT_HEADERS, acd_slice_str(ACD_LETTER_CUT_ALL));
    else if (missing)
        add_header(headers, count, ACD_LETTER_CUT_HEADERS, acd_buffer_int(arena, missing));
    acd_outgoing_add(arena, &part->messages, &message);
}

static void add_export_message(struct acd_worker *worker, struct part *part, struct acd_slice id,
                               struct acd_slice value, const struct acd_header *headers, uint32_t count)
{
    acd_outgoing_add(&worker->arena, &part->messages,
                     &(struct acd_outgoing){.topic = acd_slice_str(worker->shared->settings->kafka.exports),
                                            .partition = ACD_ANY_PARTITION,
                                            .key = id,
                                            .value = value,
                                            .headers = headers,
                                            .header_count = count});
}

void acd_messages_chunks(struct acd_worker *worker, struct part *part, const struct acd_export *file)
{
    for (uint32_t n = 0; n < file->chunk_count; n++) {
        const struct acd_chunk *chunk = &file->chunks[n];
        struct acd_header *headers = acd_arena_calloc(&worker->arena, ACD_CHUNK_HEADERS, sizeof(*headers));
        uint32_t count = acd_chunk_headers(&worker->arena, &file->manifest, n + 1, chunk, headers);

        add_export_message(worker, part, file->manifest.export_id, chunk->value, headers, count);
    }
}

void acd_messages_manifest(struct acd_worker *worker, struct part *part, const struct acd_manifest *manifest)
{
    struct acd_header *headers = acd_arena_calloc(&worker->arena, ACD_CHUNK_HEADERS, sizeof(*headers));
    uint32_t count = acd_manifest_headers(manifest, headers);

    add_export_message(worker, part, manifest->export_id, acd_manifest_encode(&worker->arena, manifest),
                       headers, count);
}
