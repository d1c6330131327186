/* A transactional producer, a reader of the reply topic, and scans of the command topic. */
#include "post.h"

#include <stdlib.h>
#include <string.h>

#include "../client.h"
#include "../reader.h"
#include "../sign.h"
#include "../stream.h"
#include "../terminal.h"
#include "accountd/clock.h"

/* How long purging may take at the end. */
#define CLOSE_MS 1000

struct acd_ctl_places acd_ctl_places_copy(const struct acd_ctl_places *places)
{
    struct acd_ctl_places copy = {places->count, calloc((size_t)places->count + 1, sizeof(int64_t))};

    if (copy.offsets)
        memcpy(copy.offsets, places->offsets, (size_t)places->count * sizeof(int64_t));
    return copy;
}

int32_t acd_ctl_partition_of(struct acd_slice key, int32_t partitions)
{
    /* Looks at neither the topic nor the opaque pointers. */
    return rd_kafka_msg_partitioner_murmur2(NULL, key.data, key.len, partitions, NULL, NULL);
}

static int64_t deadline(const struct acd_ctl_poster *post)
{
    return acd_clock_ms() + post->link.args->timeout_ms;
}

/* Where the topic ends. */
static enum acd_ctl_exit find_ends(struct acd_ctl_poster *post, const char *topic, struct acd_ctl_places *out)
{
    struct acd_ctl_span *spans;
    rd_kafka_resp_err_t error =
        acd_ctl_spans(post->reader, topic, ACD_CTL_FROM_END, deadline(post), &spans, &out->count);

    if (!error)
        out->offsets = calloc((size_t)out->count + 1, sizeof(*out->offsets));
    for (int32_t i = 0; i < out->count && !error && out->offsets; i++)
        out->offsets[i] = spans[i].end;
    free(spans);
    if (!error && !out->offsets)
        error = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    return error ? acd_ctl_link_failed(&post->link, post->reader, topic, error) : ACD_CTL_OK;
}

enum acd_ctl_exit acd_ctl_poster_open(struct acd_ctl_poster *post, const struct acd_settings *settings,
                                      const struct acd_ctl_args *args)
{
    enum acd_ctl_exit result;

    *post = (struct acd_ctl_poster){.link = {.settings = settings, .args = args}};
    post->reader = acd_ctl_link_reader(&post->link, true);
    if (!post->reader)
        return ACD_CTL_USAGE;
    result = find_ends(post, settings->kafka.commands, &post->commands);
    if (result == ACD_CTL_OK)
        result = find_ends(post, settings->kafka.replies, &post->replies);
    if (result == ACD_CTL_OK)
        post->cluster = rd_kafka_clusterid(post->reader, args->timeout_ms);
    return result;
}

/* Says why a transaction cannot be; takes the error over. */
static enum acd_ctl_exit give_up(struct acd_ctl_poster *post, rd_kafka_error_t *error)
{
    enum acd_ctl_exit result = ACD_CTL_FAILED;

    if (acd_ctl_link_fenced(post->producer, error))
        acd_ctl_error("this import was begun once more, and goes on there");
    else if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        result = acd_ctl_link_failed(&post->link, post->producer, post->link.settings->kafka.commands,
                                     RD_KAFKA_RESP_ERR__TIMED_OUT);
    else
        acd_ctl_error("the commands cannot be posted: %s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return result;
}

/* True where the step that failed may be tried again; the error is kept for the last time. */
static bool again(rd_kafka_error_t *error, int64_t deadline_ms)
{
    bool retriable = rd_kafka_error_is_retriable(error) && acd_ctl_left_ms(deadline_ms) > 0;

    if (retriable)
        rd_kafka_error_destroy(error);
    return retriable;
}

enum acd_ctl_exit acd_ctl_poster_begin(struct acd_ctl_poster *post, const char *transactional_id)
{
    const char *topic = post->link.settings->kafka.commands;
    int64_t deadline_ms = deadline(post);
    rd_kafka_resp_err_t failure;
    rd_kafka_error_t *error;

    post->producer = acd_ctl_link_transactional(&post->link, transactional_id);
    if (!post->producer)
        return ACD_CTL_USAGE;
    do
        error = rd_kafka_init_transactions(post->producer, post->link.args->timeout_ms);
    while (error && again(error, deadline_ms));
    if (error)
        return give_up(post, error);
    /* A producer that meets a new topic looks it up only after up to a second: it does so now. */
    failure = acd_ctl_stream_check(post->producer, topic, deadline_ms);
    return failure ? acd_ctl_link_failed(&post->link, post->producer, topic, failure) : ACD_CTL_OK;
}

/* Takes the places over, unless the topic begins after them. */
static enum acd_ctl_exit go_back(struct acd_ctl_poster *post, const char *topic,
                                 const struct acd_ctl_places *places, struct acd_ctl_places *out)
{
    struct acd_ctl_span *spans = NULL;
    int32_t count = 0;
    rd_kafka_resp_err_t error =
        acd_ctl_spans(post->reader, topic, ACD_CTL_FROM_BEGINNING, deadline(post), &spans, &count);
    bool gone = false;

    if (error)
        return acd_ctl_link_failed(&post->link, post->reader, topic, error);
    if (count != places->count) {
        acd_ctl_error("topic %s has %d partitions, and had %d: the import cannot be resumed", topic, count,
                      places->count);
        free(spans);
        return ACD_CTL_FAILED;
    }
    for (int32_t i = 0; i < count; i++) {
        gone = gone || places->offsets[i] < spans[i].first || places->offsets[i] > spans[i].end;
        out->offsets[i] = places->offsets[i];
    }
    free(spans);
    if (!gone)
        return ACD_CTL_OK;
    acd_ctl_error("topic %s no longer has what came since the import was interrupted: it cannot be resumed",
                  topic);
    return ACD_CTL_FAILED;
}

enum acd_ctl_exit acd_ctl_poster_return(struct acd_ctl_poster *post, const struct acd_ctl_places *commands,
                                        const struct acd_ctl_places *replies)
{
    const struct acd_settings *settings = post->link.settings;
    enum acd_ctl_exit result = go_back(post, settings->kafka.commands, commands, &post->commands);

    return result == ACD_CTL_OK ? go_back(post, settings->kafka.replies, replies, &post->replies) : result;
}

enum acd_ctl_exit acd_ctl_poster_listen(struct acd_ctl_poster *post)
{
    const char *name = post->link.settings->kafka.replies;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(post->reader, name, NULL);

    post->queue = rd_kafka_queue_new(post->reader);
    for (int32_t i = 0; topic && i < post->replies.count; i++)
        if (rd_kafka_consume_start_queue(topic, i, post->replies.offsets[i], post->queue))
            return acd_ctl_link_failed(&post->link, post->reader, name, rd_kafka_last_error());
    return topic ? ACD_CTL_OK : acd_ctl_link_failed(&post->link, post->reader, name, rd_kafka_last_error());
}

struct search {
    acd_ctl_found *found;
    void *context;
};

static bool look_at(void *context, const rd_kafka_message_t *message)
{
    const struct search *search = context;
    struct acd_slice id = acd_ctl_header(message, "kafka_correlationId");

    if (id.data)
        search->found(search->context, id);
    return true;
}

enum acd_ctl_exit acd_ctl_poster_find(struct acd_ctl_poster *post, acd_ctl_found *found, void *context)
{
    const char *topic = post->link.settings->kafka.commands;
    struct search search = {found, context};
    struct acd_ctl_span *spans = NULL;
    /* Where the log ends, open transactions of others or not. */
    rd_kafka_t *asker = acd_ctl_link_reader(&post->link, false);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    int32_t count = 0;

    if (asker)
        error = acd_ctl_spans(asker, topic, ACD_CTL_FROM_END, deadline(post), &spans, &count);
    for (int32_t i = 0; i < count && i < post->commands.count && !error; i++) {
        spans[i].first = post->commands.offsets[i];
        error = acd_ctl_scan(post->reader, topic, i, spans[i], post->link.args->timeout_ms, look_at, &search);
    }
    free(spans);
    return error ? acd_ctl_link_failed(&post->link, post->reader, topic, error) : ACD_CTL_OK;
}

/* Returns OK; another result, where it has said why; or OK with the error of librdkafka. */
static enum acd_ctl_exit post_one(struct acd_ctl_poster *post, const struct acd_ctl_command_post *command,
                                  struct acd_ctl_delivery *delivery, rd_kafka_resp_err_t *error)
{
    const char *topic = post->link.settings->kafka.commands;
    const char *key = post->link.args->key;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(5);
    enum acd_ctl_exit result = ACD_CTL_OK;

    (void)rd_kafka_header_add(headers, "kafka_correlationId", -1, command->id, -1);
    (void)rd_kafka_header_add(headers, "content-type", -1, "application/json", -1);
    if (key)
        result = acd_ctl_sign(key, topic, command->key, command->value, headers);
    if (result != ACD_CTL_OK) {
        rd_kafka_headers_destroy(headers);
        return result;
    }
    *error =
        rd_kafka_producev(post->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(command->partition),
                          RD_KAFKA_V_KEY(command->key.data, command->key.len),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)command->value.data, command->value.len),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                          RD_KAFKA_V_OPAQUE(delivery), RD_KAFKA_V_END);
    if (*error)
        rd_kafka_headers_destroy(headers);
    return ACD_CTL_OK;
}

static void abort_transaction(struct acd_ctl_poster *post)
{
    rd_kafka_error_t *error = rd_kafka_abort_transaction(post->producer, post->link.args->timeout_ms);

    if (error)
        rd_kafka_error_destroy(error);
}

static enum acd_ctl_exit transact(struct acd_ctl_poster *post, const struct acd_ctl_command_post *commands,
                                  uint32_t count, struct acd_ctl_delivery *deliveries,
                                  rd_kafka_error_t **error)
{
    int64_t deadline_ms = deadline(post);
    enum acd_ctl_exit result = ACD_CTL_OK;
    rd_kafka_resp_err_t failure = RD_KAFKA_RESP_ERR_NO_ERROR;

    *error = rd_kafka_begin_transaction(post->producer);
    for (uint32_t i = 0; i < count && !*error && !failure && result == ACD_CTL_OK; i++)
        result = post_one(post, &commands[i], &deliveries[i], &failure);
    if (failure)
        *error = rd_kafka_error_new(failure, "%s", rd_kafka_err2str(failure));
    if (!*error && result == ACD_CTL_OK) {
        do
            *error = rd_kafka_commit_transaction(post->producer, acd_ctl_left_ms(deadline_ms) + 1);
        while (*error && again(*error, deadline_ms));
    }
    /* After a timeout it is not known whether the commit took place: it must not be undone here. */
    if (result != ACD_CTL_OK || (*error && rd_kafka_error_code(*error) != RD_KAFKA_RESP_ERR__TIMED_OUT))
        abort_transaction(post);
    return result;
}

enum acd_ctl_exit acd_ctl_poster_all(struct acd_ctl_poster *post, struct acd_arena *arena,
                                     const struct acd_ctl_command_post *commands, uint32_t count)
{
    struct acd_ctl_delivery *deliveries = acd_arena_calloc(arena, count, sizeof(*deliveries));
    rd_kafka_error_t *error;
    enum acd_ctl_exit result;

    for (uint32_t i = 0; i < count; i++)
        deliveries[i] = (struct acd_ctl_delivery){-1, -1};
    result = transact(post, commands, count, deliveries, &error);
    if (error)
        return give_up(post, error);
    for (uint32_t i = 0; i < count; i++) {
        int64_t *behind = &post->commands.offsets[commands[i].partition];

        if (deliveries[i].offset >= *behind)
            *behind = deliveries[i].offset + 1;
    }
    return result;
}

rd_kafka_message_t *acd_ctl_poster_reply(struct acd_ctl_poster *post, int timeout_ms)
{
    int64_t deadline_ms = acd_clock_ms() + timeout_ms;

    for (;;) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(post->queue, acd_ctl_left_ms(deadline_ms));

        if (!message)
            return NULL;
        if (!message->err) {
            post->replies.offsets[message->partition] = message->offset + 1;
            return message;
        }
        if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            (void)snprintf(post->link.trouble, sizeof(post->link.trouble), "%s",
                           rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
    }
}

void acd_ctl_poster_close(struct acd_ctl_poster *post)
{
    if (post->producer) {
        (void)rd_kafka_purge(post->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(post->producer, CLOSE_MS);
    }
    if (post->queue)
        rd_kafka_queue_destroy(post->queue);
    free(post->commands.offsets);
    free(post->replies.offsets);
    if (post->cluster)
        rd_kafka_mem_free(post->reader, post->cluster);
}
