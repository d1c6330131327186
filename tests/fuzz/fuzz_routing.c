/* Routing: whatever headers a record has, its reply goes to a topic that it may go to, to a partition that is
 * there, and brings back the last correlation and trace headers unchanged.
 *
 * The input: a byte (bit 0: there is a key), the record's partition, the key, the number of headers; for each
 * a byte (which name; 8: a name follows), the bit that it has a value, and the value. */
#include "accountd/apply.h"
#include "accountd/reply.h"
#include "accountd/routing.h"
#include "accountd/text.h"
#include "fuzz.h"

#define HEADERS_MAX 12
#define REPLIES     3 /* partitions of the default topic */

static const char *const names[] = {
    "kafka_correlationId", "correlation_id",       "traceparent", "tracestate",
    "kafka_replyTopic",    "kafka_replyPartition", "reply_to",    "content-type"};

#define NAMES (sizeof(names) / sizeof(names[0]))

/* team-[a-z]+.replies */
static bool is_team(struct acd_slice name)
{
    static const char front[] = "team-";
    static const char back[] = ".replies";
    size_t ends = sizeof(front) - 1 + sizeof(back) - 1;

    if (name.len <= ends || memcmp(name.data, front, sizeof(front) - 1) != 0 ||
        memcmp(name.data + name.len - (sizeof(back) - 1), back, sizeof(back) - 1) != 0)
        return false;
    for (size_t i = sizeof(front) - 1; i < name.len - (sizeof(back) - 1); i++)
        if (name.data[i] < 'a' || name.data[i] > 'z')
            return false;
    return true;
}

/* Stands for src/kafka/topics.c, which asks a cluster: these topics are there. */
int32_t acd_topics_partitions(struct acd_topics *topics, struct acd_slice name)
{
    if (acd_slice_is(name, "account.replies"))
        return REPLIES;
    if (acd_slice_is(name, "other.replies"))
        return 1;
    return name.len >= 5 && (memcmp(name.data, "team-", 5) == 0 || memcmp(name.data, "accou", 5) == 0) ? 100
                                                                                                       : 0;
}

static const struct acd_router *the_router(void)
{
    static char *allowed[] = {"other.replies", "gone.replies", "^team-[a-z]+\\.replies$",
                              "^account\\.(commands|exports|changelog|dead-letters)$"};
    static const struct acd_own_topics own = {"c", 4, REPLIES, 2, 4, 1};
    static struct acd_settings settings;
    static struct acd_router *router;

    if (!router) {
        FUZZ_CHECK(acd_settings_default(&settings) == 0, "no settings");
        settings.kafka.reply_topics.items = allowed;
        settings.kafka.reply_topics.count = sizeof(allowed) / sizeof(allowed[0]);
        router = acd_router_new(&settings, &own, NULL);
        FUZZ_CHECK(router, "no router");
    }
    return router;
}

/* The last header of that name, or NULL. */
static const struct acd_header *last(const struct acd_header *headers, uint32_t count, const char *name)
{
    while (count-- > 0)
        if (acd_slice_is(headers[count].name, name))
            return &headers[count];
    return NULL;
}

/* One of accountd's own topics is never answered into, although a pattern allows it. */
static bool may_go_to(struct acd_slice topic)
{
    return acd_slice_is(topic, "account.replies") || acd_slice_is(topic, "other.replies") || is_team(topic);
}

static void check_echo(const struct acd_route *route, const struct acd_header *headers, uint32_t count)
{
    uint32_t echoes = 0;

    for (size_t i = 0; i < ACD_ECHO_COUNT; i++) {
        const struct acd_header *header = last(headers, count, names[i]);

        if (!header || header->value.len > ACD_ECHO_MAX) {
            FUZZ_CHECK(!header || route->refusal.code == ACD_INVALID_FIELD,
                       "%s is too long, and nobody says so", names[i]);
            continue;
        }
        FUZZ_CHECK(echoes < route->echo_count && acd_slice_is(route->echo[echoes].name, names[i]) &&
                       acd_slice_equal(route->echo[echoes].value, header->value) &&
                       !route->echo[echoes].value.data == !header->value.data,
                   "%s does not come back as it was", names[i]);
        echoes++;
    }
    FUZZ_CHECK(echoes == route->echo_count, "%u headers come back", route->echo_count);
}

/* Of a CloudEvent the id goes back as that of the cause, and what correlates and traces as it was. */
static void check_event(const struct acd_route *route, const struct acd_header *headers, uint32_t count)
{
    static const char *const attributes[][2] = {{"ce_id", "ce_causationid"},
                                                {"ce_correlationid", "ce_correlationid"},
                                                {"ce_traceparent", "ce_traceparent"},
                                                {"ce_tracestate", "ce_tracestate"}};
    const struct acd_header *version = last(headers, count, "ce_specversion");
    uint32_t echoes = 0;

    FUZZ_CHECK((version && acd_slice_is(version->value, "1.0")) == !!route->event,
               "a CloudEvent, or none, is not seen");
    for (size_t i = 0; route->event && i < ACD_EVENT_ECHO_COUNT; i++) {
        const struct acd_header *header = last(headers, count, attributes[i][0]);

        if (!header || !header->value.len || header->value.len > ACD_ECHO_MAX)
            continue;
        FUZZ_CHECK(echoes < route->event->echo_count &&
                       acd_slice_is(route->event->echo[echoes].name, attributes[i][1]) &&
                       acd_slice_equal(route->event->echo[echoes].value, header->value),
                   "%s does not come back", attributes[i][0]);
        echoes++;
    }
    FUZZ_CHECK(!route->event || echoes == route->event->echo_count,
               "attributes come back that were not there");
}

/* The partition that the header names, or -1: four bytes that are one, else digits that are. */
static int64_t named_partition(const struct acd_header *header, int32_t partitions)
{
    const unsigned char *byte = (const unsigned char *)header->value.data;
    int64_t number = 0;

    if (header->value.len == 4) {
        for (int i = 0; i < 4; i++)
            number = number << 8 | byte[i];
        if (number < partitions)
            return number;
        number = 0;
    }
    for (size_t i = 0; i < header->value.len; i++) {
        if (byte[i] < '0' || byte[i] > '9')
            return -1;
        number = number > 1000000 ? number : 10 * number + (byte[i] - '0');
    }
    return header->value.len && number < partitions ? number : -1;
}

static void check_target(const struct acd_route *route, int32_t partition, const struct acd_header *headers,
                         uint32_t count)
{
    const struct acd_header *topic = last(headers, count, "kafka_replyTopic");
    const struct acd_header *to_partition = last(headers, count, "kafka_replyPartition");
    int32_t partitions = acd_topics_partitions(NULL, route->topic);
    bool good = true;
    int64_t expected;

    if (!topic)
        topic = last(headers, count, "reply_to");
    FUZZ_CHECK(may_go_to(route->topic), "the reply goes to %.*s", ACD_SLICE_ARGS(route->topic));
    FUZZ_CHECK(route->partition >= 0 && route->partition < partitions, "partition %d of %d", route->partition,
               partitions);
    if (topic && !may_go_to(topic->value))
        good = false;
    expected = good ? partition % acd_topics_partitions(NULL, topic ? topic->value : route->topic) : 0;
    if (good && to_partition) {
        expected =
            named_partition(to_partition, acd_topics_partitions(NULL, topic ? topic->value : route->topic));
        good = expected >= 0;
    }
    if (!good) {
        FUZZ_CHECK(route->refusal.code != ACD_OK && acd_slice_is(route->topic, "account.replies") &&
                       route->partition == partition % REPLIES && !route->partition_as_digits,
                   "a bad target is not refused, or not answered on the default topic");
        return;
    }
    FUZZ_CHECK(route->refusal.code != ACD_REPLY_TOPIC_FORBIDDEN, "a good target is refused: %.*s",
               ACD_SLICE_ARGS(route->refusal.message));
    FUZZ_CHECK(route->partition == expected && (!topic || acd_slice_equal(route->topic, topic->value)),
               "the reply goes to %.*s, partition %d, not %lld", ACD_SLICE_ARGS(route->topic),
               route->partition, (long long)expected);
}

/* What is said of the headers is said in a reply. */
static void check_reply(struct acd_arena *arena, const struct acd_route *route)
{
    const struct acd_origin origin = {ACD_LITERAL("account.commands"), 3, 42, 0};
    struct acd_answer answer = acd_refuse(route->refusal);
    struct acd_command command = {.op = ACD_GET};
    struct acd_slice bytes;
    struct acd_value reply;

    if (route->refusal.code == ACD_OK)
        return;
    FUZZ_CHECK(route->refusal.field.len <= ACD_PATH_MAX, "a field of %zu bytes", route->refusal.field.len);
    bytes = acd_reply_encode(arena, ACD_ENCODING_JSON, &command, &answer, acd_slice_str("x"), &origin, NULL);
    FUZZ_CHECK(!acd_codec_decode(ACD_ENCODING_JSON, bytes, arena, &reply), "the reply cannot be read: %.*s",
               ACD_SLICE_ARGS(bytes));
}

static uint32_t read_headers(struct fuzz_input *input, struct acd_arena *arena, struct acd_header *headers)
{
    uint32_t count = fuzz_below(input, HEADERS_MAX + 1);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t name = fuzz_below(input, NAMES + 1);

        headers[i].name = name < NAMES ? acd_slice_str(names[name]) : fuzz_slice(input, arena);
        headers[i].value = fuzz_byte(input) & 1 ? fuzz_slice(input, arena) : acd_slice(NULL, 0);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct acd_header headers[HEADERS_MAX];
    struct acd_route route;
    struct acd_arena arena;
    struct acd_slice key;
    int32_t partition;
    uint32_t count;
    bool keyed;

    acd_arena_init(&arena);
    keyed = fuzz_byte(&input) & 1;
    partition = fuzz_byte(&input);
    key = keyed ? fuzz_slice(&input, &arena) : acd_slice(NULL, 0);
    count = read_headers(&input, &arena, headers);
    acd_route(the_router(), &arena, key, partition, headers, count, &route);
    FUZZ_CHECK(route.keyless == !keyed, "the key is not seen");
    FUZZ_CHECK(key.len > ACD_ECHO_MAX ? !route.key.data && route.refusal.code == ACD_INVALID_FIELD
                                      : acd_slice_equal(route.key, key),
               "the key does not come back");
    check_echo(&route, headers, count);
    check_event(&route, headers, count);
    check_target(&route, partition, headers, count);
    check_reply(&arena, &route);
    acd_arena_free(&arena);
    return 0;
}
