/* The dead-letter topic is read partition by partition: its notes first, then what is to be shown. */
#include "dlq.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bytes.h"
#include "../link.h"
#include "../moment.h"
#include "../reader.h"
#include "../terminal.h"
#include "accountd/arena.h"
#include "accountd/clock.h"
#include "accountd/result.h"
#include "accountd/text.h"
#include "letter.h"
#include "notes.h"
#include "replay.h"

enum verb { LIST, SHOW, REPLAY, VERB_COUNT };

static const char *const verbs[VERB_COUNT] = {"list", "show", "replay"};

struct shelf {
    struct acd_ctl_link link;
    const char *topic;
    rd_kafka_t *consumer;
    struct acd_arena arena;
    struct acd_ctl_span *spans;
    int32_t partitions;
    struct acd_ctl_notes notes; /* of the partition that is being read */
    int64_t since_ms;           /* or ACD_CTL_FROM_BEGINNING */
    int64_t wanted;             /* show: the offset */
    int64_t shown;
    bool failed; /* something cannot be written */
};

static enum verb find_verb(const char *name)
{
    unsigned verb = 0;

    while (verb < VERB_COUNT && strcmp(verbs[verb], name) != 0)
        verb++;
    return (enum verb)verb;
}

bool acd_ctl_position_read(const char *text, struct acd_ctl_position *out)
{
    const char *colon = strchr(text, ':');
    int64_t partition;

    if (!colon || !acd_int_parse(acd_slice(text, (size_t)(colon - text)), &partition) || partition < 0 ||
        partition > INT32_MAX || !acd_int_parse(acd_slice_str(colon + 1), &out->offset) || out->offset < 0)
        return false;
    out->partition = (int32_t)partition;
    return true;
}

bool acd_ctl_code_check(const char *code)
{
    for (unsigned i = ACD_OK + 1; i < ACD_CODE_COUNT; i++)
        if (strcmp(acd_code_text((enum acd_code)i), code) == 0)
            return true;
    acd_ctl_error("--code %s: accountd has no such code", code);
    return false;
}

/* The first option that the verb does not know, or NULL. */
static const char *strange_option(const struct acd_ctl_args *args, enum verb verb)
{
    enum { IN_LIST = 1 << LIST, IN_SHOW = 1 << SHOW, IN_REPLAY = 1 << REPLAY };
    const struct {
        const char *name;
        bool given;
        unsigned verbs;
    } options[] = {
        {"code", args->code != NULL, IN_LIST | IN_REPLAY},
        {"since", args->since != NULL, IN_LIST | IN_REPLAY},
        {"limit", args->limit > 0, IN_LIST},
        {"raw", args->raw, IN_SHOW},
        {"all", args->all, IN_REPLAY},
        {"dry-run", args->dry_run, IN_REPLAY},
        {"force", args->force, IN_REPLAY},
        {"no-wait", args->no_wait, IN_REPLAY},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].given && !(options[i].verbs & 1u << verb))
            return options[i].name;
    return NULL;
}

static bool check_positions(const struct acd_ctl_args *args)
{
    struct acd_ctl_position position;

    for (uint32_t i = 1; i < args->account_count; i++) {
        if (acd_ctl_position_read(args->accounts[i], &position))
            continue;
        acd_ctl_error("%s: PARTITION:OFFSET is expected, as dlq list shows it", args->accounts[i]);
        return false;
    }
    return true;
}

static bool check_operands(const struct acd_ctl_args *args, enum verb verb)
{
    uint32_t positions = args->account_count - 1;

    if (verb == LIST && positions > 0)
        acd_ctl_error("dlq list takes no positions; see accountctl help dlq");
    else if (verb == SHOW && positions != 1)
        acd_ctl_error("dlq show which one? PARTITION:OFFSET, as dlq list shows it");
    else if (verb == SHOW && args->raw && args->json)
        acd_ctl_error("dlq show: --raw and --json exclude each other");
    else if (verb == REPLAY && (positions == 0) != args->all)
        acd_ctl_error("dlq replay which ones? PARTITION:OFFSET..., or --all");
    else
        return check_positions(args);
    return false;
}

enum acd_ctl_exit acd_ctl_dlq_check(const struct acd_ctl_args *args)
{
    enum verb verb = args->account_count ? find_verb(args->accounts[0]) : VERB_COUNT;
    const char *strange;
    int64_t moment;

    if (verb == VERB_COUNT) {
        acd_ctl_error("dlq what? list, show or replay; see accountctl help dlq");
        return ACD_CTL_USAGE;
    }
    strange = strange_option(args, verb);
    if (strange)
        acd_ctl_error("dlq %s does not know --%s; see accountctl help dlq", verbs[verb], strange);
    if (strange || !check_operands(args, verb) || (args->code && !acd_ctl_code_check(args->code)))
        return ACD_CTL_USAGE;
    if (!args->since || acd_ctl_moment_read(args->since, 0, &moment))
        return ACD_CTL_OK;
    acd_ctl_error("--since %s: a time (2026-11-22T20:09:08Z) or a duration (90s, 15m, 2h, 7d) is expected",
                  args->since);
    return ACD_CTL_USAGE;
}

/* One partition: its notes, and then each record. */
static rd_kafka_resp_err_t read_partition(struct shelf *shelf, int32_t partition, struct acd_ctl_span span,
                                          acd_ctl_visit *visit)
{
    int patience_ms = shelf->link.args->timeout_ms;
    rd_kafka_resp_err_t error =
        acd_ctl_notes_read(&shelf->notes, shelf->consumer, shelf->topic, partition, span, patience_ms);

    if (!error)
        error = acd_ctl_scan(shelf->consumer, shelf->topic, partition, span, patience_ms, visit, shelf);
    acd_ctl_notes_free(&shelf->notes);
    return error;
}

static bool put_json(const struct acd_ctl_letter *letter, int64_t replayed_ms)
{
    json_t *object = acd_ctl_letter_json(letter, replayed_ms);

    return object && acd_ctl_json_line(stdout, object) == 0;
}

static bool list_one(void *context, const rd_kafka_message_t *message)
{
    struct shelf *shelf = context;
    const struct acd_ctl_args *args = shelf->link.args;
    struct acd_ctl_letter letter;
    int64_t replayed_ms;

    acd_arena_reset(&shelf->arena);
    acd_ctl_letter_read(&shelf->arena, message, &letter);
    /* Producers date their records: an old one may lie behind a young one. */
    if (letter.kind == ACD_CTL_LETTER_NOTE || letter.timestamp_ms < shelf->since_ms ||
        (args->code && !acd_slice_is(letter.code, args->code)))
        return true;
    replayed_ms = acd_ctl_notes_find(&shelf->notes, letter.offset);
    if (args->json) {
        shelf->failed = !put_json(&letter, replayed_ms);
    } else {
        if (shelf->shown == 0)
            acd_ctl_letter_titles(stdout);
        acd_ctl_letter_line(stdout, &letter, replayed_ms);
    }
    shelf->shown++;
    return !shelf->failed && (args->limit == 0 || shelf->shown < args->limit);
}

static rd_kafka_resp_err_t list(struct shelf *shelf)
{
    int64_t limit = shelf->link.args->limit;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (int32_t i = 0; i < shelf->partitions && !error && (limit == 0 || shelf->shown < limit); i++)
        error = read_partition(shelf, i, shelf->spans[i], list_one);
    if (!error && shelf->shown == 0 && isatty(STDERR_FILENO))
        (void)fputs("no dead letters\n", stderr);
    return error;
}

static void put_raw(struct shelf *shelf, struct acd_slice value)
{
    bool text = acd_utf8_valid(value) && !acd_text_has_control(value, true);

    if (!text && isatty(STDOUT_FILENO)) {
        acd_ctl_error("dlq show: the value is not text; write it to a file or to a pipe");
        shelf->failed = true;
    } else if (value.data) {
        (void)fwrite(value.data, 1, value.len, stdout);
    }
}

static bool show_one(void *context, const rd_kafka_message_t *message)
{
    struct shelf *shelf = context;
    const struct acd_ctl_args *args = shelf->link.args;
    struct acd_ctl_letter letter;
    int64_t replayed_ms;

    acd_arena_reset(&shelf->arena);
    acd_ctl_letter_read(&shelf->arena, message, &letter);
    if (letter.offset != shelf->wanted || letter.kind == ACD_CTL_LETTER_NOTE)
        return false;
    shelf->shown++;
    replayed_ms = acd_ctl_notes_find(&shelf->notes, letter.offset);
    if (args->raw)
        put_raw(shelf, letter.value);
    else if (args->json)
        shelf->failed = !put_json(&letter, replayed_ms);
    else
        acd_ctl_letter_show(stdout, &letter, replayed_ms);
    return false;
}

static rd_kafka_resp_err_t show(struct shelf *shelf)
{
    struct acd_ctl_position position;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    struct acd_ctl_span span;

    if (acd_ctl_position_read(shelf->link.args->accounts[1], &position) &&
        position.partition < shelf->partitions) {
        span = shelf->spans[position.partition];
        shelf->wanted = position.offset;
        if (position.offset >= span.first) {
            span.first = position.offset;
            error = read_partition(shelf, position.partition, span, show_one);
        }
    }
    if (!error && shelf->shown == 0) {
        acd_ctl_error("%s is no dead letter of topic %s", shelf->link.args->accounts[1], shelf->topic);
        shelf->failed = true;
    }
    return error;
}

/* Lists, or shows one. */
static enum acd_ctl_exit look(struct shelf *shelf, enum verb verb)
{
    rd_kafka_resp_err_t error;

    shelf->consumer = acd_ctl_link_reader(&shelf->link, ACD_CTL_READING_SCAN);
    if (!shelf->consumer)
        return ACD_CTL_USAGE;
    error = acd_ctl_spans(shelf->consumer, shelf->topic, shelf->since_ms,
                          acd_clock_ms() + shelf->link.args->timeout_ms, &shelf->spans, &shelf->partitions);
    if (!error)
        error = verb == LIST ? list(shelf) : show(shelf);
    if (error)
        return acd_ctl_link_failed(&shelf->link, shelf->consumer, shelf->topic, error);
    return shelf->failed ? ACD_CTL_FAILED : ACD_CTL_OK;
}

enum acd_ctl_exit acd_ctl_dlq(const struct acd_settings *settings, const struct acd_ctl_args *args)
{
    struct shelf shelf = {.link = {.settings = settings, .args = args},
                          .topic = settings->kafka.dead_letters,
                          .since_ms = ACD_CTL_FROM_BEGINNING};
    enum verb verb = find_verb(args->accounts[0]);
    enum acd_ctl_exit result;

    if (args->since && !acd_ctl_moment_read(args->since, acd_clock_wall_ms(), &shelf.since_ms))
        return ACD_CTL_USAGE;
    if (verb == REPLAY)
        return acd_ctl_replay(settings, args, shelf.since_ms);
    acd_arena_init(&shelf.arena);
    result = look(&shelf, verb);
    free(shelf.spans);
    acd_arena_free(&shelf.arena);
    return result;
}
