/* The end of a run. */
#include "quiet.h"

#include "accountd/position.h"
#include "kafka.h"
#include "process.h"

static const char *key_of(const struct acd_settings *settings, const char *name)
{
    return acd_arena_format(&sim.memory, "%s%s", settings->redis.key_prefix, name).data;
}

static struct acd_slice text_at(const char *key)
{
    const struct redis_value *value = redis_value(&process_official()->db, acd_slice_str(key));

    return value && value->type == REDIS_STRING ? value->items[0].value : acd_slice(NULL, 0);
}

/* ---- What is missing */

static const char *partition_waits_for(const struct acd_settings *settings, int32_t id)
{
    const struct kafka_log *log = kafka_log(KAFKA_COMMANDS, id);
    const struct kafka_offset *offset = kafka_offset(KAFKA_COMMANDS, id);
    int64_t unanswered = kafka_visible(log, offset->exists ? offset->offset : 0, log->end);
    const char *key = key_of(settings, acd_arena_format(&sim.memory, "accountd:marker:%d", id).data);
    struct acd_slice text = text_at(key);
    struct acd_marker marker;
    struct acd_token token;

    if (unanswered >= 0)
        return acd_arena_format(&sim.memory, "command %d:%lld is not answered", id, (long long)unanswered)
            .data;
    if (!offset->exists && !text.data)
        return NULL;
    if (!offset->exists || !text.data || !acd_marker_parse(text, &marker) ||
        !acd_token_parse(offset->metadata, &token) || marker.next != offset->offset ||
        strcmp(marker.nonce, token.nonce) != 0)
        return acd_arena_format(&sim.memory, "partition %d: the marker is '%.*s', committed are %lld '%.*s'",
                                id, ACD_SLICE_ARGS(text), (long long)offset->offset,
                                ACD_SLICE_ARGS(offset->metadata))
            .data;
    return NULL;
}

static bool begins_with(struct acd_slice text, const char *front)
{
    size_t len = strlen(front);

    return text.len >= len && memcmp(text.data, front, len) == 0;
}

static bool ends_with(struct acd_slice text, const char *back)
{
    size_t len = strlen(back);

    return text.len >= len && memcmp(text.data + text.len - len, back, len) == 0;
}

/* What a late call has put beside the outbox is taken away by its function, unless Redis has forgotten that;
 * the partition's next batch overwrites it. */
static bool may_stay(const struct redis_db *db, struct acd_slice name)
{
    return !db->functions && ends_with(name, ":next");
}

static const char *redis_waits_for(const struct acd_settings *settings)
{
    static const char *const passing[] = {"accountd:recovery", "accountd:unpublished", "accountd:outbox:"};
    const struct redis_db *db = &process_official()->db;
    const struct kafka_offset *announced = kafka_offset(KAFKA_CHANGELOG, 0);
    struct acd_slice incarnation = text_at(key_of(settings, "accountd:incarnation"));

    if (!announced->exists || !acd_slice_equal(announced->metadata, incarnation))
        return acd_arena_format(&sim.memory, "the incarnation is '%.*s', announced is '%.*s'",
                                ACD_SLICE_ARGS(incarnation), ACD_SLICE_ARGS(announced->metadata))
            .data;
    for (uint32_t i = 0; i < db->count; i++)
        for (size_t p = 0; p < sizeof(passing) / sizeof(passing[0]); p++)
            if (db->keys[i].value && begins_with(db->keys[i].name, key_of(settings, passing[p])) &&
                !may_stay(db, db->keys[i].name))
                return acd_arena_format(&sim.memory, "%.*s is still there", ACD_SLICE_ARGS(db->keys[i].name))
                    .data;
    return NULL;
}

const char *quiet_waits_for(const struct acd_settings *settings)
{
    const char *waits = NULL;

    for (int32_t i = 0; i < kafka_partitions(KAFKA_COMMANDS) && !waits; i++)
        waits = partition_waits_for(settings, i);
    if (!waits && kafka_transactions_open())
        waits = "a transaction is open";
    if (!waits && redis_wire_late())
        waits = "a late call is on its way";
    return waits ? waits : redis_waits_for(settings);
}

/* ---- What is there */

static const struct sim_message *messages_of(enum kafka_topic topic, uint32_t *count)
{
    struct sim_message *messages;
    uint32_t total = 0;

    for (int32_t p = 0; p < kafka_partitions(topic); p++)
        total += (uint32_t)kafka_log(topic, p)->end;
    messages = acd_arena_calloc(&sim.memory, total, sizeof(*messages));
    *count = 0;
    for (int32_t p = 0; p < kafka_partitions(topic); p++)
        for (int64_t at = 0; at < kafka_log(topic, p)->end; at++) {
            const struct kafka_record *record = &kafka_log(topic, p)->records[at];

            if (!record->control && record->state == KAFKA_COMMITTED)
                messages[(*count)++] = (struct sim_message){
                    kafka_topic_names[topic], p, at, record->key, record->value, record->headers,
                    record->header_count};
        }
    return messages;
}

static void take_redis(const struct acd_settings *settings, struct sim_history *history)
{
    const struct redis_db *db = &process_official()->db;
    const char *own = key_of(settings, "accountd:");
    struct sim_item *items;
    uint32_t total = 0;

    for (uint32_t i = 0; i < db->count; i++)
        total += db->keys[i].value ? db->keys[i].value->count : 0;
    items = acd_arena_calloc(&sim.memory, total, sizeof(*items));
    for (uint32_t i = 0; i < db->count; i++) {
        const struct redis_key *key = &db->keys[i];

        for (uint32_t n = 0; key->value && !begins_with(key->name, own) && n < key->value->count; n++)
            items[history->redis_count++] =
                (struct sim_item){key->name, key->value->items[n].name, key->value->items[n].value};
    }
    history->redis = items;
}

void quiet_take(const struct acd_settings *settings, struct sim_history *history)
{
    history->replies = messages_of(KAFKA_REPLIES, &history->reply_count);
    history->changes = messages_of(KAFKA_CHANGELOG, &history->change_count);
    history->redis_count = 0;
    take_redis(settings, history);
    history->admins_per_app = settings->limits.admins_per_app;
    history->prefix = settings->redis.key_prefix;
}
