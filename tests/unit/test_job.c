/* Open exports as records of the changelog, and lists of them as Redis holds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accountd/job.h"

static struct acd_arena arena;

static int begin(void **state)
{
    acd_arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    acd_arena_free(&arena);
    return 0;
}

static const struct acd_header reply_to[] = {
    {ACD_LITERAL("kafka_replyTopic"), ACD_LITERAL("other.replies")},
    {ACD_LITERAL("null"), {NULL, 0}},
    {ACD_LITERAL("accountd-export-attempt"), ACD_LITERAL("the producer's own")},
};

static const struct acd_job jobs[] = {
    {0, 1, 0, {NULL, 0}, ACD_LITERAL("{}"), NULL, 0},
    {42, 2, 1795378148123, ACD_LITERAL("alice"), ACD_LITERAL("{\"op\": \"export\"}"), reply_to, 3},
    {INT64_MAX, INT64_MAX, -1, ACD_LITERAL(""), ACD_LITERAL("\x82\xa2op"), NULL, 0},
};

#define JOBS (sizeof(jobs) / sizeof(jobs[0]))

static struct acd_outgoing message_of(const struct acd_job *job)
{
    return acd_job_message(&arena, job, acd_slice_str("account.commands:3:42"), "account.changelog", 3);
}

static void assert_same(const struct acd_job *left, const struct acd_job *right)
{
    assert_int_equal(left->offset, right->offset);
    assert_int_equal(left->attempt, right->attempt);
    assert_int_equal(left->timestamp_ms, right->timestamp_ms);
    assert_true(acd_slice_equal(left->key, right->key) && !left->key.data == !right->key.data);
    assert_true(acd_slice_equal(left->value, right->value));
    assert_int_equal(left->header_count, right->header_count);
    for (uint32_t i = 0; i < left->header_count; i++) {
        assert_true(acd_slice_equal(left->headers[i].name, right->headers[i].name));
        assert_true(acd_slice_equal(left->headers[i].value, right->headers[i].value));
        assert_int_equal(!left->headers[i].value.data, !right->headers[i].value.data);
    }
}

static void test_round_trip(void **state)
{
    struct acd_outgoing_list list = {0};
    struct acd_outgoing_list again;

    for (size_t i = 0; i < JOBS; i++) {
        struct acd_outgoing message = message_of(&jobs[i]);
        struct acd_job read;

        assert_true(acd_job_is(message.key));
        assert_true(acd_slice_is(message.topic, "account.changelog"));
        assert_int_equal(message.partition, 3);
        assert_true(acd_slice_is(message.headers[0].name, "accountd-source"));
        assert_true(acd_slice_is(message.headers[0].value, "account.commands:3:42"));
        assert_true(acd_job_read(&message, &read));
        assert_same(&read, &jobs[i]);
        acd_jobs_follow(&arena, &list, &message);
    }
    assert_int_equal(acd_jobs_decode(&arena, acd_jobs_encode(&arena, &list), &again), 0);
    assert_int_equal(again.count, JOBS);
    for (uint32_t i = 0; i < again.count; i++) {
        struct acd_job read;

        assert_true(acd_job_read(&again.items[i], &read));
        assert_same(&read, &jobs[i]);
    }
}

/* Each letter sets the job of that number to the attempt that follows, or with a minus ends it. What is left
 * is written as NUMBER:ATTEMPT, in order. */
static const struct {
    const char *script;
    const char *left;
} lists[] = {
    {"", ""},
    {"11", "1:1"},
    {"11 12", "1:2"},
    {"11 21 31", "1:1 2:1 3:1"},
    {"11 21 31 22", "1:1 2:2 3:1"},
    {"11 21 31 1-", "2:1 3:1"},
    {"11 21 31 2-", "1:1 3:1"},
    {"11 21 31 3-", "1:1 2:1"},
    {"11 1-", ""},
    {"1-", ""},
    {"11 1- 1-", ""},
    {"11 2-", "1:1"},
    {"11 1- 11", "1:1"},
};

static void follow(struct acd_outgoing_list *list, const char *step)
{
    struct acd_job job = {.offset = step[0] - '0', .attempt = step[1] - '0', .value = ACD_LITERAL("{}")};
    struct acd_outgoing message =
        step[1] == '-' ? acd_job_ended(&arena, job.offset, acd_slice_str("t:0:1"), "changelog", 0)
                       : message_of(&job);

    acd_jobs_follow(&arena, list, &message);
}

static void test_lists(void **state)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct acd_outgoing_list list = {0};
        struct acd_slice left = acd_slice_str("");

        for (const char *step = lists[i].script; *step; step += step[2] ? 3 : 2)
            follow(&list, step);
        for (uint32_t j = 0; j < list.count; j++) {
            struct acd_job job;

            assert_true(acd_job_read(&list.items[j], &job));
            left = acd_arena_format(&arena, "%.*s%s%d:%d", ACD_SLICE_ARGS(left), j ? " " : "",
                                    (int)job.offset, (int)job.attempt);
        }
        if (!acd_slice_is(left, lists[i].left))
            fail_msg("%s leaves %.*s, not %s", lists[i].script, ACD_SLICE_ARGS(left), lists[i].left);
        assert_int_equal(acd_jobs_encode(&arena, &list).len == 0, list.count == 0);
    }
}

static const struct {
    const char *key;
    bool is;
} keys[] = {
    {"accountd:export/0", true},
    {"accountd:export/9223372036854775807", true},
    {"accountd:export/", false},
    {"accountd:export", false},
    {"accountd/export", false},
    {"demo/accountd:export/1", false},
    {"", false},
};

static void test_keys(void **state)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (acd_job_is(acd_slice_str(keys[i].key)) != keys[i].is)
            fail_msg("%s is %sa job's key", keys[i].key, keys[i].is ? "" : "not ");
}

/* Whatever may be done to a record, so that it is a job's no longer. */
static const struct {
    const char *what;
    const char *key;
    int header; /* -1: none */
    struct acd_slice name;
    struct acd_slice value;
} harms[] = {
    {"a key without a number", ACD_JOB_KEY "x", -1, {NULL, 0}, {NULL, 0}},
    {"a number that is too large", ACD_JOB_KEY "9223372036854775808", -1, {NULL, 0}, {NULL, 0}},
    {"an account's key", "demo/alice", -1, {NULL, 0}, {NULL, 0}},
    {"another header", NULL, 0, ACD_LITERAL("source"), ACD_LITERAL("t:0:1")},
    {"an attempt that is no number", NULL, 1, ACD_LITERAL("accountd-export-attempt"), ACD_LITERAL("one")},
    {"no attempt", NULL, 1, ACD_LITERAL("accountd-export-attempt"), {NULL, 0}},
    {"a time that is no number", NULL, 2, ACD_LITERAL("accountd-command-timestamp"), ACD_LITERAL("12s")},
};

static void test_harmed(void **state)
{
    for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
        struct acd_outgoing message = message_of(&jobs[1]);
        struct acd_header headers[8];
        struct acd_job job;

        memcpy(headers, message.headers, message.header_count * sizeof(*headers));
        message.headers = headers;
        if (harms[i].key)
            message.key = acd_slice_str(harms[i].key);
        if (harms[i].header >= 0)
            headers[harms[i].header] = (struct acd_header){harms[i].name, harms[i].value};
        if (acd_job_read(&message, &job))
            fail_msg("%s is read as a job", harms[i].what);
    }
}

static void test_cut(void **state)
{
    struct acd_outgoing message = message_of(&jobs[1]);
    struct acd_outgoing_list list = {0};
    struct acd_slice bytes;
    struct acd_job job;

    acd_jobs_follow(&arena, &list, &message);
    bytes = acd_jobs_encode(&arena, &list);
    for (size_t len = 1; len < bytes.len; len++) {
        struct acd_outgoing_list read;

        assert_int_equal(acd_jobs_decode(&arena, acd_slice(bytes.data, len), &read), -1);
    }
    message.header_count = 3;
    assert_false(acd_job_read(&message, &job));
    message = acd_job_ended(&arena, 42, acd_slice_str("t:0:1"), "changelog", 0);
    assert_true(acd_job_is(message.key));
    assert_null(message.value.data);
    assert_false(acd_job_read(&message, &job));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_round_trip), TEST(test_lists), TEST(test_keys), TEST(test_harmed), TEST(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
