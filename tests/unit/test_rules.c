/* Rules: who holds which, when they are freed, and that no holder ever sees a mix of two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "accountd/rules.h"

#define THREADS   3
#define RELOADS   2000
#define SETTLE_MS 10000

/* Rules whose every part says the same number. */
static struct acd_rules *numbered(int number)
{
    struct acd_settings settings;
    struct acd_rules *rules;
    char app[16];

    assert_int_equal(acd_settings_default(&settings), 0);
    settings.limits.admins_per_app = number;
    settings.limits.command_bytes = number;
    snprintf(app, sizeof(app), "app%d", number);
    settings.apps.items = calloc(1, sizeof(*settings.apps.items));
    assert_non_null(settings.apps.items);
    settings.apps.items[0] = strdup(app);
    settings.apps.count = 1;
    rules = acd_rules_take_over(&settings);
    assert_non_null(rules);
    assert_null(settings.kafka.brokers);
    acd_settings_free(&settings);
    return rules;
}

static bool is_whole(const struct acd_rules *rules)
{
    char app[16];

    snprintf(app, sizeof(app), "app%lld", (long long)rules->policy.admins_per_app);
    return rules->settings->limits.command_bytes == rules->policy.admins_per_app &&
           rules->policy.app_count == 1 && acd_slice_is(rules->policy.apps[0], app);
}

static void test_holders(void **state)
{
    struct acd_rulebook book;
    const struct acd_rules *one;
    const struct acd_rules *two;

    acd_rulebook_init(&book);
    acd_rulebook_put(&book, numbered(1));
    one = acd_rulebook_take(&book, NULL);
    two = acd_rulebook_take(&book, NULL);
    assert_ptr_equal(one, two);
    assert_true(acd_rulebook_settle(&book, 0));
    acd_rulebook_put(&book, numbered(2));
    assert_false(acd_rulebook_settle(&book, 0));
    assert_int_equal(one->policy.admins_per_app, 1);
    one = acd_rulebook_take(&book, one);
    assert_int_equal(one->policy.admins_per_app, 2);
    assert_false(acd_rulebook_settle(&book, 1));
    acd_rulebook_put(&book, numbered(3));
    assert_int_equal(two->policy.admins_per_app, 1);
    two = acd_rulebook_take(&book, two);
    assert_int_equal(two->policy.admins_per_app, 3);
    assert_false(acd_rulebook_settle(&book, 0));
    acd_rulebook_give_back(&book, one);
    assert_true(acd_rulebook_settle(&book, 0));
    acd_rulebook_give_back(&book, two);
    acd_rulebook_give_back(&book, NULL);
    acd_rulebook_destroy(&book);
}

/* What the threads of the test share. */
struct shared {
    struct acd_rulebook book;
    atomic_bool stop;
    atomic_uint mixed;
};

static void *hold(void *context)
{
    struct shared *shared = context;
    const struct acd_rules *rules = NULL;

    while (!atomic_load(&shared->stop)) {
        rules = acd_rulebook_take(&shared->book, rules);
        if (!is_whole(rules))
            atomic_fetch_add(&shared->mixed, 1);
    }
    acd_rulebook_give_back(&shared->book, rules);
    return NULL;
}

static void test_threads(void **state)
{
    struct shared shared = {0};
    pthread_t threads[THREADS];

    acd_rulebook_init(&shared.book);
    acd_rulebook_put(&shared.book, numbered(1));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold, &shared), 0);
    for (int i = 2; i < RELOADS; i++) {
        acd_rulebook_put(&shared.book, numbered(i));
        if (i % 100 == 0)
            assert_true(acd_rulebook_settle(&shared.book, SETTLE_MS));
    }
    atomic_store(&shared.stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&shared.mixed), 0);
    assert_true(acd_rulebook_settle(&shared.book, 0));
    acd_rulebook_destroy(&shared.book);
}

static void note(void *context, const char *path, bool live)
{
    char *text = context;

    snprintf(text + strlen(text), 256 - strlen(text), "%s%s ", path, live ? "" : "!");
}

/* What cannot be changed while accountd runs keeps its value; all that differs is named. */
static void test_follow(void **state)
{
    static const char text[] =
        "kafka: { brokers = \"b:1\"; reply_topics = [ \"x\" ]; properties = [ \"linger.ms=1\" ]; };"
        "worker: { threads = 5; batch_max = 7; }; apps = [ \"a\" ];";
    char path[] = "/tmp/accountd-test-XXXXXX";
    int fd = mkstemp(path);
    struct acd_settings present;
    struct acd_settings next;
    char changed[256] = "";

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(acd_settings_default(&present), 0);
    assert_int_equal(acd_settings_default(&next), 0);
    assert_int_equal(acd_settings_read(&next, path, NULL, stderr), 0);
    unlink(path);
    assert_int_equal(acd_settings_follow(&next, &present, note, changed), 0);
    assert_string_equal(changed, "kafka.brokers! kafka.reply_topics kafka.properties! worker.threads! "
                                 "worker.batch_max apps ");
    assert_string_equal(next.kafka.brokers, present.kafka.brokers);
    assert_int_equal(next.kafka.properties.count, 0);
    assert_int_equal(next.worker.threads, present.worker.threads);
    assert_int_equal(next.worker.batch_max, 7);
    assert_string_equal(next.kafka.reply_topics.items[0], "x");
    changed[0] = '\0';
    assert_int_equal(acd_settings_follow(&next, &present, note, changed), 0);
    assert_string_equal(changed, "kafka.reply_topics worker.batch_max apps ");
    acd_settings_free(&present);
    acd_settings_free(&next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holders),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_follow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
