/* One loop: take, filter, write. */
#include "tail.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "../bytes.h"
#include "../link.h"
#include "../moment.h"
#include "../reader.h"
#include "../stream.h"
#include "../terminal.h"
#include "accountd/arena.h"
#include "accountd/clock.h"
#include "accountd/text.h"
#include "dlq.h"
#include "letter.h"
#include "tail_line.h"

/* How often new partitions are looked for, and how long the brokers have for the answer. */
#define GROW_EVERY_MS 2000
#define GROW_MS       1000

/* How long an interrupt may go unnoticed. */
#define WAIT_MS 200

enum stream { REPLIES, CHANGELOG, LETTERS, STREAM_COUNT };

static const char *const stream_names[STREAM_COUNT] = {"replies", "changelog", "dead-letters"};

struct tail {
    struct acd_ctl_link link;
    enum stream stream;
    const char *topic;
    rd_kafka_t *consumer;
    struct acd_ctl_live *live;
    struct acd_ctl_filter filter;
    struct acd_arena arena;
    int64_t shown;
    int64_t grow_ms; /* when to look for new partitions */
    bool away;       /* the brokers do not answer, and that was said */
    enum acd_ctl_exit result;
};

/* A record, taken apart. */
struct entry {
    const rd_kafka_message_t *message;
    int64_t at_ms;
    struct acd_slice key;
    struct acd_slice value;
    const struct acd_header *headers;
    uint32_t header_count;
    json_t *body; /* owned; NULL: it has none */
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = 1;
}

static enum stream find_stream(const char *name)
{
    unsigned stream = 0;

    while (stream < STREAM_COUNT && strcmp(stream_names[stream], name) != 0)
        stream++;
    return (enum stream)stream;
}

static const char *strange_filter(const struct acd_ctl_args *args, enum stream stream)
{
    enum { IN_REPLIES = 1 << REPLIES, IN_CHANGELOG = 1 << CHANGELOG, IN_LETTERS = 1 << LETTERS };
    const struct {
        const char *name;
        const char *given;
        unsigned streams;
    } filters[] = {{"account", args->account, IN_REPLIES | IN_CHANGELOG},
                   {"op", args->op, IN_REPLIES},
                   {"id", args->id, IN_REPLIES},
                   {"code", args->code, IN_REPLIES | IN_LETTERS}};

    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        if (filters[i].given && !(filters[i].streams & 1u << stream))
            return filters[i].name;
    return NULL;
}

enum acd_ctl_exit acd_ctl_tail_check(const struct acd_ctl_args *args)
{
    enum stream stream = args->account_count == 1 ? find_stream(args->accounts[0]) : STREAM_COUNT;
    const char *strange;
    int64_t moment;

    if (stream == STREAM_COUNT) {
        acd_ctl_error("tail what? replies, changelog or dead-letters; see accountctl help tail");
        return ACD_CTL_USAGE;
    }
    strange = strange_filter(args, stream);
    if (strange)
        acd_ctl_error("tail %s does not know --%s; see accountctl help tail", stream_names[stream], strange);
    else if (args->since && args->from_beginning)
        acd_ctl_error("--from-beginning and --since exclude each other");
    else if (args->since && !acd_ctl_moment_read(args->since, 0, &moment))
        acd_ctl_error(
            "--since %s: a time (2026-11-22T20:09:08Z) or a duration (90s, 15m, 2h, 7d) is expected",
            args->since);
    else if (!args->code || acd_ctl_code_check(args->code))
        return ACD_CTL_OK;
    return ACD_CTL_USAGE;
}

static void put_json(struct tail *tail, json_t *object)
{
    if (object && acd_ctl_json_line(stdout, object) == 0)
        return;
    acd_ctl_error("out of memory");
    tail->result = ACD_CTL_FAILED;
}

/* What all records have. NULL without memory. */
static json_t *entry_json(const struct entry *entry, const char *kind)
{
    json_t *object = json_object();
    char at[ACD_TIME_BYTES];

    acd_time_format(entry->at_ms, at);
    if (json_object_set_new(object, "partition", json_integer(entry->message->partition)) == 0 &&
        json_object_set_new(object, "offset", json_integer(entry->message->offset)) == 0 &&
        json_object_set_new(object, "at", json_string(at)) == 0 &&
        json_object_set_new(object, "kind", json_string(kind)) == 0 &&
        acd_ctl_put_bytes(object, "key", entry->key) == 0 &&
        json_object_set_new(object, "headers", acd_ctl_headers_json(entry->headers, entry->header_count)) ==
            0 &&
        (entry->body ? json_object_set(object, "body", entry->body)
                     : acd_ctl_put_bytes(object, "value", entry->value)) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static void put_place(const struct entry *entry)
{
    char at[ACD_TIME_BYTES];

    acd_time_format(entry->at_ms, at);
    printf("%s %" PRId32 ":%" PRId64 " ", at, entry->message->partition, entry->message->offset);
}

static bool show_reply(struct tail *tail, const struct entry *entry)
{
    if (!acd_ctl_filter_reply(&tail->filter, entry->body))
        return false;
    if (tail->link.args->json) {
        put_json(tail, entry_json(entry, "reply"));
    } else {
        put_place(entry);
        acd_ctl_reply_line(stdout, entry->key, entry->body);
        (void)fputc('\n', stdout);
    }
    return true;
}

static bool show_change(struct tail *tail, const struct entry *entry)
{
    enum acd_ctl_change_kind kind = acd_ctl_change_kind(entry->key, entry->value, entry->body);

    if (!acd_ctl_filter_change(&tail->filter, entry->key))
        return false;
    if (tail->link.args->json) {
        put_json(tail, entry_json(entry, acd_ctl_change_name(kind)));
    } else {
        put_place(entry);
        acd_ctl_change_line(stdout, kind, entry->key, entry->body);
        (void)fputc('\n', stdout);
    }
    return true;
}

static bool show_note(struct tail *tail, const struct acd_ctl_letter *letter, const struct entry *entry)
{
    if (tail->filter.code)
        return false;
    if (tail->link.args->json) {
        put_json(tail, entry_json(entry, "replayed"));
    } else {
        put_place(entry);
        printf("replayed %" PRId32 ":%" PRId64 "\n", letter->partition, letter->replayed);
    }
    return true;
}

static bool show_letter(struct tail *tail, const struct entry *entry)
{
    struct acd_ctl_letter letter;

    acd_ctl_letter_read(&tail->arena, entry->message, &letter);
    if (letter.kind == ACD_CTL_LETTER_NOTE)
        return show_note(tail, &letter, entry);
    if (tail->filter.code && !acd_slice_is(letter.code, tail->filter.code))
        return false;
    if (tail->link.args->json) {
        json_t *object = acd_ctl_letter_json(&letter, -1);

        /* Whether it will be replayed is not known yet. */
        (void)json_object_del(object, "replayed");
        (void)json_object_set_new(object, "kind", json_string("dead_letter"));
        put_json(tail, object);
    } else {
        acd_ctl_letter_line(stdout, &letter, -1);
    }
    return true;
}

static void show(struct tail *tail, const rd_kafka_message_t *message)
{
    static bool (*const shows[STREAM_COUNT])(struct tail *, const struct entry *) = {show_reply, show_change,
                                                                                     show_letter};
    rd_kafka_timestamp_type_t type;
    struct entry entry = {.message = message,
                          .at_ms = rd_kafka_message_timestamp(message, &type),
                          .key = acd_slice(message->key, message->key_len),
                          .value = acd_slice(message->payload, message->len)};

    acd_arena_reset(&tail->arena);
    entry.header_count = acd_ctl_headers(&tail->arena, message, &entry.headers);
    if (tail->stream != LETTERS)
        entry.body =
            acd_ctl_body(&tail->arena, acd_ctl_find_header(entry.headers, entry.header_count, "content-type"),
                         entry.value);
    tail->shown += shows[tail->stream](tail, &entry);
    json_decref(entry.body);
}

/* New partitions, and whether there is anybody. */
static void grow(struct tail *tail)
{
    rd_kafka_resp_err_t error;

    if (acd_clock_ms() < tail->grow_ms)
        return;
    error = acd_ctl_live_grow(tail->live, acd_clock_ms() + GROW_MS);
    tail->grow_ms = acd_clock_ms() + GROW_EVERY_MS;
    if (error && !tail->away) {
        (void)acd_ctl_link_failed(&tail->link, tail->consumer, tail->topic, error);
        acd_ctl_error("still trying");
    }
    tail->away = error != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* An error that no waiting mends. */
static bool is_final(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

static void step(struct tail *tail)
{
    /* What is there already is written at once; before waiting for more, a reader gets to see it. */
    rd_kafka_message_t *message = acd_ctl_live_next(tail->live, 0);

    if (!message) {
        if (fflush(stdout))
            tail->result = ACD_CTL_FAILED;
        grow(tail);
        message = acd_ctl_live_next(tail->live, WAIT_MS);
    }
    if (!message)
        return;
    if (!message->err)
        show(tail, message);
    else if (is_final(message->err))
        tail->result = acd_ctl_link_failed(&tail->link, tail->consumer, tail->topic, message->err);
    rd_kafka_message_destroy(message);
}

static enum acd_ctl_exit run(struct tail *tail, int64_t from_ms)
{
    const struct acd_ctl_args *args = tail->link.args;
    struct sigaction action = {.sa_handler = interrupt};
    rd_kafka_resp_err_t error;

    tail->consumer = acd_ctl_link_reader(&tail->link, ACD_CTL_READING_LIVE);
    if (!tail->consumer)
        return ACD_CTL_USAGE;
    tail->live = acd_ctl_live_open(tail->consumer);
    if (!tail->live) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    error = acd_ctl_live_add(tail->live, tail->topic, from_ms, acd_clock_ms() + args->timeout_ms);
    if (error)
        return acd_ctl_link_failed(&tail->link, tail->consumer, tail->topic, error);
    (void)sigaction(SIGINT, &action, NULL);
    tail->grow_ms = acd_clock_ms() + GROW_EVERY_MS;
    while (!interrupted && tail->result == ACD_CTL_OK && (args->count == 0 || tail->shown < args->count))
        step(tail);
    return tail->result;
}

enum acd_ctl_exit acd_ctl_tail(const struct acd_settings *settings, const struct acd_ctl_args *args)
{
    enum stream stream = find_stream(args->accounts[0]);
    const char *const topics[STREAM_COUNT] = {settings->kafka.replies, settings->kafka.changelog,
                                              settings->kafka.dead_letters};
    struct tail tail = {.link = {.settings = settings, .args = args},
                        .stream = stream,
                        .topic = topics[stream],
                        .filter = {args->app, args->account, args->op, args->code, args->id}};
    int64_t from_ms = args->from_beginning ? ACD_CTL_FROM_BEGINNING : ACD_CTL_FROM_END;
    enum acd_ctl_exit result;

    if (args->since && !acd_ctl_moment_read(args->since, acd_clock_wall_ms(), &from_ms))
        return ACD_CTL_USAGE;
    acd_arena_init(&tail.arena);
    result = run(&tail, from_ms);
    acd_ctl_live_close(tail.live);
    acd_arena_free(&tail.arena);
    return result;
}
