/* A transaction is short: readers of the command topic wait for its end. */
#include "post.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../stream.h"
#include "../terminal.h"
#include "accountd/dead_letter.h"

/* What one transaction posts at most. */
#define BATCH_MAX       500
#define BATCH_BYTES_MAX ((size_t)4 << 20)

struct acd_ctl_post {
    struct acd_ctl_link *link;
    struct acd_ctl_answers *answers;
    rd_kafka_t *producer;
    struct acd_arena arena; /* of the letters */
    struct acd_ctl_letter letters[BATCH_MAX];
    struct acd_ctl_delivery deliveries[BATCH_MAX];
    size_t count;
    size_t bytes;
};

/* Says why a transaction cannot be; takes the error over. */
static enum acd_ctl_exit give_up(struct acd_ctl_post *post, rd_kafka_error_t *error)
{
    enum acd_ctl_exit result = ACD_CTL_FAILED;

    if (acd_ctl_link_fenced(post->producer, error))
        acd_ctl_error("another replay has begun, and goes on instead of this one");
    else if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        result = acd_ctl_link_failed(post->link, post->producer, post->link->settings->kafka.commands,
                                     RD_KAFKA_RESP_ERR__TIMED_OUT);
    else
        acd_ctl_error("the dead letters cannot be posted: %s", rd_kafka_error_string(error));
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

static rd_kafka_resp_err_t post_letter(struct acd_ctl_post *post, const struct acd_ctl_letter *letter,
                                       struct acd_ctl_delivery *delivery)
{
    const char *topic = post->link->settings->kafka.commands;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(letter->header_count);
    rd_kafka_resp_err_t error;

    for (uint32_t i = 0; i < letter->header_count; i++) {
        const struct acd_header *header = &letter->headers[i];

        if (!acd_dead_letter_adds(header->name))
            (void)rd_kafka_header_add(headers, header->name.data, (ssize_t)header->name.len,
                                      header->value.data, (ssize_t)header->value.len);
    }
    error = rd_kafka_producev(post->producer, RD_KAFKA_V_TOPIC(topic),
                              RD_KAFKA_V_KEY(letter->key.data, letter->key.len),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)letter->value.data, letter->value.len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                              RD_KAFKA_V_OPAQUE(delivery), RD_KAFKA_V_END);
    if (error)
        rd_kafka_headers_destroy(headers);
    return error;
}

static rd_kafka_resp_err_t post_note(struct acd_ctl_post *post, const struct acd_ctl_letter *letter)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    rd_kafka_resp_err_t error;
    char offset[24];

    (void)snprintf(offset, sizeof(offset), "%" PRId64, letter->offset);
    (void)rd_kafka_header_add(headers, ACD_LETTER_REPLAYED, -1, offset, -1);
    error = rd_kafka_producev(post->producer, RD_KAFKA_V_TOPIC(post->link->settings->kafka.dead_letters),
                              RD_KAFKA_V_PARTITION(letter->partition), RD_KAFKA_V_HEADERS(headers),
                              RD_KAFKA_V_END);
    if (error)
        rd_kafka_headers_destroy(headers);
    return error;
}

static rd_kafka_error_t *post_all(struct acd_ctl_post *post)
{
    for (size_t i = 0; i < post->count; i++) {
        rd_kafka_resp_err_t failure = post_letter(post, &post->letters[i], &post->deliveries[i]);

        if (!failure)
            failure = post_note(post, &post->letters[i]);
        if (failure)
            return rd_kafka_error_new(failure, "%s", rd_kafka_err2str(failure));
    }
    return NULL;
}

/* One transaction. It may be unclear whether a commit took place; then the next replay will see. */
static rd_kafka_error_t *transact(struct acd_ctl_post *post)
{
    int64_t deadline_ms = acd_clock_ms() + post->link->args->timeout_ms;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(post->producer);

    if (!error)
        error = post_all(post);
    if (!error) {
        do
            error = rd_kafka_commit_transaction(post->producer, post->link->args->timeout_ms);
        while (error && again(error, deadline_ms));
    }
    if (error && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__TIMED_OUT) {
        rd_kafka_error_t *failure = rd_kafka_abort_transaction(post->producer, -1);

        if (failure)
            rd_kafka_error_destroy(failure);
    }
    return error;
}

/* A producer that meets a new topic looks it up only after up to a second: it does so now. */
static enum acd_ctl_exit look_up_topics(struct acd_ctl_post *post, int64_t deadline_ms)
{
    const char *topics[] = {post->link->settings->kafka.commands, post->link->settings->kafka.dead_letters};

    for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++) {
        rd_kafka_resp_err_t error = acd_ctl_stream_check(post->producer, topics[i], deadline_ms);

        if (error)
            return acd_ctl_link_failed(post->link, post->producer, topics[i], error);
    }
    return ACD_CTL_OK;
}

enum acd_ctl_exit acd_ctl_post_open(struct acd_ctl_post **out, struct acd_ctl_link *link,
                                    struct acd_ctl_answers *answers)
{
    struct acd_ctl_post *post = calloc(1, sizeof(*post));
    int64_t deadline_ms = acd_clock_ms() + link->args->timeout_ms;
    rd_kafka_error_t *error;
    char id[512];

    *out = post;
    if (!post) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    post->link = link;
    post->answers = answers;
    acd_arena_init(&post->arena);
    (void)snprintf(id, sizeof(id), "%s-dlq-replay", link->settings->kafka.group);
    post->producer = acd_ctl_link_transactional(link, id);
    if (!post->producer)
        return ACD_CTL_USAGE;
    do
        error = rd_kafka_init_transactions(post->producer, link->args->timeout_ms);
    while (error && again(error, deadline_ms));
    return error ? give_up(post, error) : look_up_topics(post, deadline_ms);
}

void acd_ctl_post_free(struct acd_ctl_post *post)
{
    if (!post)
        return;
    acd_arena_free(&post->arena);
    free(post);
}

enum acd_ctl_exit acd_ctl_post_flush(struct acd_ctl_post *post)
{
    enum acd_ctl_exit result = ACD_CTL_OK;
    rd_kafka_error_t *error;

    if (post->count == 0)
        return ACD_CTL_OK;
    for (size_t i = 0; i < post->count; i++)
        post->deliveries[i] = (struct acd_ctl_delivery){-1, -1};
    error = transact(post);
    if (error)
        result = give_up(post, error);
    for (size_t i = 0; i < post->count && !error; i++) {
        const struct acd_ctl_letter *letter = &post->letters[i];
        struct acd_ctl_position position = {letter->partition, letter->offset};

        if (acd_ctl_answers_add(post->answers, position, post->deliveries[i]))
            result = ACD_CTL_FAILED;
    }
    post->count = 0;
    post->bytes = 0;
    acd_arena_reset(&post->arena);
    return result;
}

static struct acd_slice copy(struct acd_arena *arena, struct acd_slice bytes)
{
    return bytes.data ? acd_arena_copy(arena, bytes) : bytes;
}

enum acd_ctl_exit acd_ctl_post_add(struct acd_ctl_post *post, const struct acd_ctl_letter *letter)
{
    struct acd_ctl_letter *kept = &post->letters[post->count++];
    struct acd_header *headers = acd_arena_calloc(&post->arena, letter->header_count, sizeof(*headers));

    *kept = *letter;
    kept->key = copy(&post->arena, letter->key);
    kept->value = copy(&post->arena, letter->value);
    kept->headers = headers;
    post->bytes += letter->key.len + letter->value.len;
    for (uint32_t i = 0; i < letter->header_count; i++) {
        headers[i].name = copy(&post->arena, letter->headers[i].name);
        headers[i].value = copy(&post->arena, letter->headers[i].value);
        post->bytes += headers[i].name.len + headers[i].value.len;
    }
    return post->count == BATCH_MAX || post->bytes >= BATCH_BYTES_MAX ? acd_ctl_post_flush(post) : ACD_CTL_OK;
}
