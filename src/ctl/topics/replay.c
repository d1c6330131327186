/* Each dead letter is posted once, whatever dies in between and whoever else replays: the notes are read when
 * no other replay can post any more, to the end of the log, and a note is there exactly when its command is
 * (post.h).
 */
#include "replay.h"

#include <stdlib.h>

#include "../stream.h"
#include "../terminal.h"
#include "accountd/clock.h"
#include "answers.h"
#include "letter.h"
#include "notes.h"
#include "post.h"

struct replay {
    struct acd_ctl_link link;
    const char *topic; /* of the dead letters */
    rd_kafka_t *reader;
    struct acd_ctl_post *post; /* NULL: a dry run */
    int64_t since_ms;          /* or ACD_CTL_FROM_BEGINNING */
    struct acd_ctl_span *spans;
    int32_t partitions;
    struct acd_ctl_notes notes; /* of the partition that is being read */
    struct acd_ctl_position *named;
    bool *found; /* of these */
    uint32_t named_count;
    struct acd_arena arena; /* of the record that is looked at */
    struct acd_ctl_answers answers;
    enum acd_ctl_exit result;
};

/* True when the letter is asked for. */
static bool is_selected(struct replay *replay, const struct acd_ctl_letter *letter)
{
    const char *code = replay->link.args->code;
    bool selected = replay->named_count == 0;

    for (uint32_t i = 0; i < replay->named_count; i++) {
        if (replay->named[i].partition == letter->partition && replay->named[i].offset == letter->offset)
            selected = replay->found[i] = letter->kind == ACD_CTL_LETTER;
    }
    /* Producers date their records: an old one may lie behind a young one. */
    return selected && letter->kind == ACD_CTL_LETTER && letter->timestamp_ms >= replay->since_ms &&
           (!code || acd_slice_is(letter->code, code));
}

static struct acd_slice reply_topic(const struct acd_ctl_letter *letter)
{
    struct acd_slice topic = acd_ctl_find_header(letter->headers, letter->header_count, "kafka_replyTopic");

    return topic.data ? topic : acd_ctl_find_header(letter->headers, letter->header_count, "reply_to");
}

static bool replay_one(void *context, const rd_kafka_message_t *message)
{
    struct replay *replay = context;
    const struct acd_ctl_args *args = replay->link.args;
    struct acd_ctl_letter letter;
    struct acd_ctl_position position = {message->partition, message->offset};

    acd_arena_reset(&replay->arena);
    acd_ctl_letter_read(&replay->arena, message, &letter);
    if (!is_selected(replay, &letter))
        return true;
    if (acd_ctl_letter_is_cut(&letter)) {
        acd_ctl_answers_tell(&replay->answers, position, ACD_CTL_FATE_CUT);
    } else if (!args->force && acd_ctl_notes_find(&replay->notes, letter.offset) >= 0) {
        /* Of all that there are, those that were replayed before are not news. */
        if (replay->named_count)
            acd_ctl_answers_tell(&replay->answers, position, ACD_CTL_FATE_BEFORE);
        else
            replay->answers.fates[ACD_CTL_FATE_BEFORE]++;
    } else if (args->dry_run) {
        acd_ctl_answers_tell(&replay->answers, position, ACD_CTL_FATE_WOULD);
    } else {
        acd_ctl_answers_expect(&replay->answers, reply_topic(&letter));
        replay->result = acd_ctl_post_add(replay->post, &letter);
    }
    return replay->result == ACD_CTL_OK;
}

/* The part of a partition that holds what is asked for. */
static struct acd_ctl_span narrow(const struct replay *replay, int32_t partition)
{
    struct acd_ctl_span span = replay->spans[partition];
    int64_t first = replay->named_count ? span.end : span.first;

    for (uint32_t i = 0; i < replay->named_count; i++)
        if (replay->named[i].partition == partition && replay->named[i].offset < first)
            first = replay->named[i].offset;
    span.first = first > span.first ? first : span.first;
    return span;
}

static rd_kafka_resp_err_t replay_partition(struct replay *replay, int32_t partition)
{
    struct acd_ctl_span span = narrow(replay, partition);
    int patience_ms = replay->link.args->timeout_ms;
    rd_kafka_resp_err_t error =
        acd_ctl_notes_read(&replay->notes, replay->reader, replay->topic, partition, span, patience_ms);

    if (!error)
        error = acd_ctl_scan(replay->reader, replay->topic, partition, span, patience_ms, replay_one, replay);
    acd_ctl_notes_free(&replay->notes);
    return error;
}

/* Where the log ends, open transactions or not; a dry run takes what is there. */
static rd_kafka_resp_err_t find_spans(struct replay *replay)
{
    int64_t from_ms = replay->named_count ? ACD_CTL_FROM_BEGINNING : replay->since_ms;
    int64_t deadline_ms = acd_clock_ms() + replay->link.args->timeout_ms;
    rd_kafka_t *asker =
        replay->post ? acd_ctl_link_reader(&replay->link, ACD_CTL_READING_ENDS) : replay->reader;

    if (!asker)
        return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    return acd_ctl_spans(asker, replay->topic, from_ms, deadline_ms, &replay->spans, &replay->partitions);
}

static enum acd_ctl_exit replay_all(struct replay *replay)
{
    rd_kafka_resp_err_t error = find_spans(replay);

    for (int32_t i = 0; i < replay->partitions && !error && replay->result == ACD_CTL_OK; i++)
        error = replay_partition(replay, i);
    if (!error && replay->result == ACD_CTL_OK && replay->post)
        replay->result = acd_ctl_post_flush(replay->post);
    for (uint32_t i = 0; i < replay->named_count && !error && replay->result == ACD_CTL_OK; i++)
        if (!replay->found[i])
            acd_ctl_answers_tell(&replay->answers, replay->named[i], ACD_CTL_FATE_MISSING);
    return error ? acd_ctl_link_failed(&replay->link, replay->reader, replay->topic, error) : replay->result;
}

static enum acd_ctl_exit open_clients(struct replay *replay)
{
    const struct acd_ctl_args *args = replay->link.args;
    const char *commands = replay->link.settings->kafka.commands;
    enum acd_ctl_exit result;
    rd_kafka_resp_err_t error;

    replay->reader = acd_ctl_link_reader(&replay->link, ACD_CTL_READING_SCAN);
    if (!replay->reader)
        return ACD_CTL_USAGE;
    error = acd_ctl_stream_check(replay->reader, commands, acd_clock_ms() + args->timeout_ms);
    if (error)
        return acd_ctl_link_failed(&replay->link, replay->reader, commands, error);
    result = acd_ctl_answers_open(&replay->answers, &replay->link, replay->reader);
    if (result == ACD_CTL_OK && !args->dry_run)
        result = acd_ctl_post_open(&replay->post, &replay->link, &replay->answers);
    return result;
}

static bool read_names(struct replay *replay)
{
    const struct acd_ctl_args *args = replay->link.args;

    replay->named = calloc(args->account_count, sizeof(*replay->named));
    replay->found = calloc(args->account_count, sizeof(*replay->found));
    if (!replay->named || !replay->found)
        return false;
    for (uint32_t i = 1; i < args->account_count; i++)
        if (acd_ctl_position_read(args->accounts[i], &replay->named[replay->named_count]))
            replay->named_count++;
    return true;
}

enum acd_ctl_exit acd_ctl_replay(const struct acd_settings *settings, const struct acd_ctl_args *args,
                                 int64_t since_ms)
{
    struct replay *replay = calloc(1, sizeof(*replay));
    enum acd_ctl_exit result = ACD_CTL_FAILED;

    if (!replay) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    replay->link = (struct acd_ctl_link){.settings = settings, .args = args};
    replay->topic = settings->kafka.dead_letters;
    replay->since_ms = since_ms;
    acd_arena_init(&replay->arena);
    if (read_names(replay))
        result = open_clients(replay);
    else
        acd_ctl_error("out of memory");
    if (result == ACD_CTL_OK) {
        enum acd_ctl_exit ended;

        result = replay_all(replay);
        /* What was posted before something failed is told all the same. */
        ended = acd_ctl_answers_end(&replay->answers);
        result = result == ACD_CTL_OK ? ended : result;
    }
    acd_ctl_answers_free(&replay->answers);
    free(replay->spans);
    free(replay->named);
    free(replay->found);
    acd_arena_free(&replay->arena);
    acd_ctl_post_free(replay->post);
    free(replay);
    return result;
}
