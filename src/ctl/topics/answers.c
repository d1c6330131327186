/* Replies are known by their source: the place of the command that they answer. */
#include "answers.h"

#include <inttypes.h>
#include <stdlib.h>

#include "../bytes.h"
#include "../render.h"
#include "../stream.h"
#include "../terminal.h"
#include "letter.h"

#define TOPIC_NAME_MAX 249

static const char *const fate_names[ACD_CTL_FATE_COUNT] = {"replayed", "would_replay", "replayed_before",
                                                           "cut", "not_found"};

enum acd_ctl_exit acd_ctl_answers_open(struct acd_ctl_answers *out, struct acd_ctl_link *link,
                                       rd_kafka_t *consumer)
{
    const char *topic = link->settings->kafka.replies;
    rd_kafka_resp_err_t error;

    *out = (struct acd_ctl_answers){.link = link};
    acd_arena_init(&out->arena);
    if (link->args->no_wait || link->args->dry_run)
        return ACD_CTL_OK;
    out->live = acd_ctl_live_open(consumer);
    if (!out->live) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    error = acd_ctl_live_add(out->live, topic, ACD_CTL_FROM_END, acd_clock_ms() + link->args->timeout_ms);
    return error ? acd_ctl_link_failed(link, consumer, topic, error) : ACD_CTL_OK;
}

void acd_ctl_answers_free(struct acd_ctl_answers *answers)
{
    acd_ctl_live_close(answers->live);
    free(answers->sent);
    acd_arena_free(&answers->arena);
}

int acd_ctl_answers_add(struct acd_ctl_answers *answers, struct acd_ctl_position letter,
                        struct acd_ctl_delivery at)
{
    if (answers->count == answers->capacity) {
        size_t capacity = answers->capacity ? 2 * answers->capacity : 256;
        struct acd_ctl_sent *sent = reallocarray(answers->sent, capacity, sizeof(*sent));

        if (!sent) {
            acd_ctl_error("out of memory");
            return -1;
        }
        answers->sent = sent;
        answers->capacity = capacity;
    }
    answers->sent[answers->count++] = (struct acd_ctl_sent){.letter = letter, .at = at};
    return 0;
}

/* What Kafka lets a topic be called: the name comes from a producer. */
static bool is_topic_name(struct acd_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return name.len > 0 && name.len <= TOPIC_NAME_MAX;
}

void acd_ctl_answers_expect(struct acd_ctl_answers *answers, struct acd_slice topic)
{
    char name[TOPIC_NAME_MAX + 1];

    if (!answers->live || !is_topic_name(topic))
        return;
    memcpy(name, topic.data, topic.len);
    name[topic.len] = '\0';
    /* One that cannot be read may not exist; then the reply comes to the default topic. */
    if (acd_ctl_live_add(answers->live, name, ACD_CTL_FROM_END,
                         acd_clock_ms() + answers->link->args->timeout_ms))
        return;
}

static json_t *place_json(const char *topic, int64_t partition, int64_t offset)
{
    return json_pack("{s:s, s:I, s:I}", "topic", topic, "partition", (json_int_t)partition, "offset",
                     (json_int_t)offset);
}

/* A line of JSON; `sent` and `reply` may be NULL. */
static void tell_json(const struct acd_ctl_answers *answers, struct acd_ctl_position letter,
                      enum acd_ctl_fate fate, const struct acd_ctl_sent *sent, json_t *reply)
{
    json_t *object = json_pack("{s:I, s:I, s:s}", "partition", (json_int_t)letter.partition, "offset",
                               (json_int_t)letter.offset, "result", fate_names[fate]);

    if (sent)
        (void)json_object_set_new(
            object, "command",
            place_json(answers->link->settings->kafka.commands, sent->at.partition, sent->at.offset));
    if (reply)
        (void)json_object_set(object, "reply", reply);
    if (!object || acd_ctl_json_line(stdout, object))
        acd_ctl_error("out of memory");
}

void acd_ctl_answers_tell(struct acd_ctl_answers *answers, struct acd_ctl_position letter,
                          enum acd_ctl_fate fate)
{
    static const char *const texts[ACD_CTL_FATE_COUNT] = {
        [ACD_CTL_FATE_WOULD] = "would be replayed",
        [ACD_CTL_FATE_BEFORE] = "was replayed before; --force posts it again",
        [ACD_CTL_FATE_CUT] = "cannot be replayed: it is not whole, as accountctl dlq show tells",
        [ACD_CTL_FATE_MISSING] = "is no dead letter of accountd's",
    };
    bool wrong = fate == ACD_CTL_FATE_CUT || fate == ACD_CTL_FATE_MISSING;

    answers->fates[fate]++;
    if (answers->link->args->json)
        tell_json(answers, letter, fate, NULL, NULL);
    else if (wrong)
        acd_ctl_error("%" PRId32 ":%" PRId64 " %s", letter.partition, letter.offset, texts[fate]);
    else
        printf("%" PRId32 ":%" PRId64 " %s\n", letter.partition, letter.offset, texts[fate]);
}

/* "0:17 replayed as account.commands:1:42: malformed: the value is empty" */
static void tell_sent(const struct acd_ctl_answers *answers, const struct acd_ctl_sent *sent, json_t *reply)
{
    const json_t *error = json_object_get(reply, "error");

    if (answers->link->args->json) {
        tell_json(answers, sent->letter, ACD_CTL_FATE_REPLAYED, sent, reply);
        return;
    }
    printf("%" PRId32 ":%" PRId64 " replayed as ", sent->letter.partition, sent->letter.offset);
    acd_ctl_put(stdout, acd_slice_str(answers->link->settings->kafka.commands));
    printf(":%" PRId32 ":%" PRId64, sent->at.partition, sent->at.offset);
    if (reply) {
        (void)fputs(": ", stdout);
        acd_ctl_put(stdout, acd_ctl_text(error ? error : reply, error ? "code" : "status"));
    }
    if (error) {
        (void)fputs(": ", stdout);
        acd_ctl_put(stdout, acd_ctl_text(error, "message"));
    }
    (void)fputc('\n', stdout);
}

static int compare(const void *a, const void *b)
{
    const struct acd_ctl_delivery *left = &((const struct acd_ctl_sent *)a)->at;
    const struct acd_ctl_delivery *right = &((const struct acd_ctl_sent *)b)->at;

    if (left->partition != right->partition)
        return left->partition < right->partition ? -1 : 1;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

/* The command that a reply answers, or NULL: others post, too. */
static struct acd_ctl_sent *find(struct acd_ctl_answers *answers, const json_t *reply)
{
    const json_t *source = json_object_get(reply, "source");
    const struct acd_ctl_sent wanted = {
        .at = {(int32_t)json_integer_value(json_object_get(source, "partition")),
               (int64_t)json_integer_value(json_object_get(source, "offset"))}};

    if (!acd_slice_is(acd_ctl_text(source, "topic"), answers->link->settings->kafka.commands))
        return NULL;
    return bsearch(&wanted, answers->sent, answers->count, sizeof(wanted), compare);
}

static bool take(struct acd_ctl_answers *answers, const rd_kafka_message_t *message)
{
    const struct acd_header *headers;
    struct acd_ctl_sent *sent;
    uint32_t count;
    json_t *reply;

    acd_arena_reset(&answers->arena);
    count = acd_ctl_headers(&answers->arena, message, &headers);
    reply = acd_ctl_body(&answers->arena, acd_ctl_find_header(headers, count, "content-type"),
                         acd_slice(message->payload, message->len));
    sent = find(answers, reply);
    if (sent && !sent->answered) {
        sent->answered = true;
        answers->answered++;
        answers->done += acd_ctl_status(reply) == ACD_CTL_OK;
        tell_sent(answers, sent, reply);
    } else {
        sent = NULL;
    }
    json_decref(reply);
    return sent != NULL;
}

static void wait_for_replies(struct acd_ctl_answers *answers)
{
    int64_t deadline_ms = acd_clock_ms() + answers->link->args->timeout_ms;

    qsort(answers->sent, answers->count, sizeof(*answers->sent), compare);
    while (answers->answered < answers->count && acd_ctl_left_ms(deadline_ms)) {
        rd_kafka_message_t *message = acd_ctl_live_next(answers->live, acd_ctl_left_ms(deadline_ms));

        if (message && !message->err && take(answers, message))
            deadline_ms = acd_clock_ms() + answers->link->args->timeout_ms;
        if (message)
            rd_kafka_message_destroy(message);
    }
}

static void sum_up(const struct acd_ctl_answers *answers)
{
    const size_t *fates = answers->fates;

    if (answers->link->args->dry_run)
        (void)fprintf(stderr, "%zu would be replayed", fates[ACD_CTL_FATE_WOULD]);
    else
        (void)fprintf(stderr, "%zu replayed", answers->count);
    if (answers->live)
        (void)fprintf(stderr, " (%zu ok, %zu refused, %zu without a reply)", answers->done,
                      answers->answered - answers->done, answers->count - answers->answered);
    (void)fprintf(stderr, ", %zu replayed before, %zu cut, %zu not found\n", fates[ACD_CTL_FATE_BEFORE],
                  fates[ACD_CTL_FATE_CUT], fates[ACD_CTL_FATE_MISSING]);
}

enum acd_ctl_exit acd_ctl_answers_end(struct acd_ctl_answers *answers)
{
    size_t wrong = answers->fates[ACD_CTL_FATE_CUT] + answers->fates[ACD_CTL_FATE_MISSING];
    size_t right = answers->fates[ACD_CTL_FATE_BEFORE] + answers->fates[ACD_CTL_FATE_WOULD];

    if (answers->live && answers->count) {
        wait_for_replies(answers);
        wrong += answers->answered - answers->done;
        right += answers->done;
    } else {
        right += answers->count;
    }
    for (size_t i = 0; i < answers->count; i++)
        if (!answers->sent[i].answered)
            tell_sent(answers, &answers->sent[i], NULL);
    (void)fflush(stdout);
    sum_up(answers);
    if (answers->live && answers->answered < answers->count)
        return ACD_CTL_TIMEOUT;
    if (wrong == 0)
        return ACD_CTL_OK;
    return right ? ACD_CTL_PARTIAL : ACD_CTL_FAILED;
}
