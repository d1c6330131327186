/* Reply routing. */
#include "accountd/routing.h"

#include <regex.h>
#include <stdlib.h>

#include "accountd/apply.h"
#include "accountd/text.h"

#define TOPIC_NAME_MAX 249

struct acd_router {
    const struct acd_settings *settings;
    struct acd_own_topics own;
    struct acd_topics *topics;
    regex_t *patterns; /* of the reply topics that begin with ^ */
    uint32_t pattern_count;
};

struct acd_router *acd_router_new(const struct acd_settings *settings, const struct acd_own_topics *own,
                                  struct acd_topics *topics)
{
    const struct acd_strings *allowed = &settings->kafka.reply_topics;
    struct acd_router *router = calloc(1, sizeof(*router));

    if (!router)
        return NULL;
    router->settings = settings;
    router->own = *own;
    router->topics = topics;
    router->patterns = calloc((size_t)allowed->count + 1, sizeof(*router->patterns));
    /* The settings were refused if one did not compile. */
    for (uint32_t i = 0; router->patterns && i < allowed->count; i++)
        if (allowed->items[i][0] == '^' &&
            regcomp(&router->patterns[router->pattern_count], allowed->items[i], REG_EXTENDED) == 0)
            router->pattern_count++;
    return router;
}

void acd_router_free(struct acd_router *router)
{
    if (!router)
        return;
    for (uint32_t i = 0; i < router->pattern_count; i++)
        regfree(&router->patterns[i]);
    free(router->patterns);
    free(router);
}

static bool is_topic_name(struct acd_slice name)
{
    if (name.len == 0 || name.len > TOPIC_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* Answering into accountd's own topics would make it talk to itself, or spoil what it restores from. */
static bool is_own(const struct acd_settings *settings, struct acd_slice name)
{
    return acd_slice_is(name, settings->kafka.commands) || acd_slice_is(name, settings->kafka.exports) ||
           acd_slice_is(name, settings->kafka.changelog) ||
           acd_slice_is(name, settings->kafka.dead_letters) ||
           (name.len >= 2 && memcmp(name.data, "__", 2) == 0);
}

static bool is_allowed(const struct acd_router *router, struct acd_slice name)
{
    const struct acd_strings *allowed = &router->settings->kafka.reply_topics;
    char text[TOPIC_NAME_MAX + 1];
    regmatch_t match;

    if (!is_topic_name(name) || is_own(router->settings, name))
        return false;
    if (acd_slice_is(name, router->settings->kafka.replies))
        return true;
    for (uint32_t i = 0; i < allowed->count; i++)
        if (acd_slice_is(name, allowed->items[i]))
            return true;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    for (uint32_t i = 0; i < router->pattern_count; i++)
        if (regexec(&router->patterns[i], text, 1, &match, 0) == 0 && match.rm_so == 0 &&
            (size_t)match.rm_eo == name.len)
            return true;
    return false;
}

/* The headers that routing knows, each the last of its name. */
enum known {
    CORRELATION,
    CORRELATION_PLAIN,
    TRACEPARENT,
    TRACESTATE,
    TOPIC,
    PARTITION,
    TOPIC_PLAIN,
    CONTENT,
    KNOWN
};

static const char *const known_names[KNOWN] = {[CORRELATION] = "kafka_correlationId",
                                               [CORRELATION_PLAIN] = "correlation_id",
                                               [TRACEPARENT] = "traceparent",
                                               [TRACESTATE] = "tracestate",
                                               [TOPIC] = "kafka_replyTopic",
                                               [PARTITION] = "kafka_replyPartition",
                                               [TOPIC_PLAIN] = "reply_to",
                                               [CONTENT] = "content-type"};

/* The attributes of a CloudEvent that mean something here; its id goes back as that of the cause. */
enum attribute {
    EVENT_ID,
    EVENT_CORRELATION,
    EVENT_TRACEPARENT,
    EVENT_TRACESTATE,
    EVENT_VERSION,
    ATTRIBUTES
};

static const struct {
    const char *name;
    const char *back; /* its name in the reply */
} attributes[ATTRIBUTES] = {[EVENT_ID] = {"ce_id", "ce_causationid"},
                            [EVENT_CORRELATION] = {"ce_correlationid", "ce_correlationid"},
                            [EVENT_TRACEPARENT] = {"ce_traceparent", "ce_traceparent"},
                            [EVENT_TRACESTATE] = {"ce_tracestate", "ce_tracestate"},
                            [EVENT_VERSION] = {"ce_specversion", NULL}};

static bool is_attribute(struct acd_slice name)
{
    return name.len > 3 && memcmp(name.data, "ce_", 3) == 0;
}

/* Returns whether there are attributes of a CloudEvent, too; most commands have none, and are not searched
 * for them. */
static bool find_known(const struct acd_header *headers, uint32_t count,
                       const struct acd_header *found[KNOWN])
{
    bool attribute = false;

    memset(found, 0, KNOWN * sizeof(found[0]));
    for (uint32_t i = 0; i < count; i++) {
        if (is_attribute(headers[i].name)) {
            attribute = true;
            continue;
        }
        for (int k = 0; k < KNOWN; k++)
            if (acd_slice_is(headers[i].name, known_names[k]))
                found[k] = &headers[i];
    }
    return attribute;
}

/* The first thing that is wrong is kept: key and headers come before the reply topic in precedence. */
static void blame(struct acd_route *route, struct acd_refusal refusal)
{
    if (route->refusal.code == ACD_OK || refusal.code < route->refusal.code)
        route->refusal = refusal;
}

/* Returns whether the header can go back. */
static bool is_short(struct acd_route *route, struct acd_arena *arena, const struct acd_header *header)
{
    if (header->value.len <= ACD_ECHO_MAX)
        return true;
    blame(route, acd_refusal(arena, ACD_INVALID_FIELD, header->name,
                             "header %.*s is %zu bytes; at most %d can be returned",
                             ACD_SLICE_ARGS(header->name), header->value.len, ACD_ECHO_MAX));
    return false;
}

static void take_echo(struct acd_route *route, struct acd_arena *arena, const struct acd_header *header)
{
    if (is_short(route, arena, header))
        route->echo[route->echo_count++] = *header;
}

/* An attribute without a value is as if absent: a CloudEvent has no empty ones. */
static void take_event(struct acd_route *route, struct acd_arena *arena, const struct acd_header *headers,
                       uint32_t count)
{
    const struct acd_header *found[ATTRIBUTES] = {NULL};
    struct acd_event *event;

    for (uint32_t i = 0; i < count; i++)
        for (int k = 0; k < ATTRIBUTES; k++)
            if (acd_slice_is(headers[i].name, attributes[k].name))
                found[k] = &headers[i];
    if (!found[EVENT_VERSION] || !acd_slice_is(found[EVENT_VERSION]->value, "1.0"))
        return;
    event = acd_arena_calloc(arena, 1, sizeof(*event));
    for (int k = 0; k < EVENT_VERSION; k++)
        if (found[k] && found[k]->value.len && is_short(route, arena, found[k]))
            event->echo[event->echo_count++] =
                (struct acd_header){acd_slice_str(attributes[k].back), found[k]->value};
    route->event = event;
}

static void take_key(struct acd_route *route, struct acd_arena *arena, struct acd_slice key)
{
    route->keyless = !key.data;
    if (key.len <= ACD_ECHO_MAX)
        route->key = key;
    else
        blame(route, acd_refusal(arena, ACD_INVALID_FIELD, acd_slice_str("key"),
                                 "the record's key is %zu bytes; at most %d can be returned", key.len,
                                 ACD_ECHO_MAX));
}

/* Spring sends an int32, NestJS digits; four digits are no partition when read as an int32. Returns false
 * when the bytes name no partition of the topic. */
static bool read_partition(struct acd_slice bytes, int32_t partitions, struct acd_route *route)
{
    const unsigned char *byte = (const unsigned char *)bytes.data;
    int64_t number;

    if (bytes.len == 4) {
        uint32_t binary =
            (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];

        if (binary < (uint32_t)partitions) {
            route->partition = (int32_t)binary;
            return true;
        }
    }
    for (size_t i = 0; i < bytes.len; i++)
        if (byte[i] < '0' || byte[i] > '9')
            return false;
    if (!acd_int_parse(bytes, &number) || number >= partitions)
        return false;
    route->partition = (int32_t)number;
    route->partition_as_digits = true;
    return true;
}

/* Sends the reply to the topic and partition that the headers name. Returns the refusal, or one with ACD_OK.
 */
static struct acd_refusal follow(const struct acd_router *router, struct acd_arena *arena, int32_t partition,
                                 const struct acd_header *topic, const struct acd_header *to_partition,
                                 struct acd_route *route)
{
    int32_t partitions = router->own.replies;

    if (topic) {
        if (!is_allowed(router, topic->value))
            return acd_refusal(
                arena, ACD_REPLY_TOPIC_FORBIDDEN, topic->name,
                "replies may not go to that topic; allowed are %s and those of kafka.reply_topics",
                router->settings->kafka.replies);
        partitions = acd_topics_partitions(router->topics, topic->value);
        if (partitions == 0)
            return acd_refusal(arena, ACD_REPLY_TOPIC_FORBIDDEN, topic->name, "topic %.*s does not exist",
                               ACD_SLICE_ARGS(topic->value));
        route->topic = topic->value;
    }
    route->partition = partition % partitions;
    if (to_partition && !read_partition(to_partition->value, partitions, route))
        return acd_refusal(arena, ACD_REPLY_TOPIC_FORBIDDEN, to_partition->name,
                           "topic %.*s has no such partition; it has 0 to %d", ACD_SLICE_ARGS(route->topic),
                           partitions - 1);
    return (struct acd_refusal){0};
}

void acd_route(const struct acd_router *router, struct acd_arena *arena, struct acd_slice key,
               int32_t partition, const struct acd_header *headers, uint32_t header_count,
               struct acd_route *out)
{
    const struct acd_header *found[KNOWN];
    struct acd_refusal refusal;
    bool attribute;

    *out = (struct acd_route){.topic = acd_slice_str(router->settings->kafka.replies)};
    attribute = find_known(headers, header_count, found);
    take_key(out, arena, key);
    for (int k = CORRELATION; k <= TRACESTATE; k++)
        if (found[k])
            take_echo(out, arena, found[k]);
    if (attribute)
        take_event(out, arena, headers, header_count);
    if (found[CONTENT])
        out->content_type = found[CONTENT]->value;
    refusal = follow(router, arena, partition, found[TOPIC] ? found[TOPIC] : found[TOPIC_PLAIN],
                     found[PARTITION], out);
    if (refusal.code == ACD_OK)
        return;
    blame(out, refusal);
    out->topic = acd_slice_str(router->settings->kafka.replies);
    out->partition = partition % router->own.replies;
    out->partition_as_digits = false;
}
