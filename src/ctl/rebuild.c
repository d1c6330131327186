/* rebuild: a member of the group that does nothing but recover (recovery.h). */
#include "rebuild.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/recovery.h"
#include "accountd/topics.h"
#include "terminal.h"

#define LOOK_AGAIN_MS 300

struct rebuild {
    const struct acd_settings *settings;
    const struct acd_ctl_args *args;
    int64_t deadline_ms; /* for the servers to be there */
    atomic_bool stop;    /* never set: who wants to stop it, kills it */
    bool terminal;
    bool line; /* one is on the terminal, to be written over */
    struct acd_arena arena;
    struct acd_topics *topics;
    struct acd_own_topics own;
    struct acd_store_handle *store;
    struct acd_consumer *consumer;
    struct acd_recovery recovery;
};

static void show(void *context, const char *text)
{
    struct rebuild *rebuild = context;

    if (!rebuild->terminal)
        return;
    (void)fputs("\r\033[K", stderr);
    acd_ctl_put(stderr, acd_slice_str(text));
    (void)fflush(stderr);
    rebuild->line = true;
}

static void end_line(struct rebuild *rebuild)
{
    if (rebuild->line)
        (void)fputs("\r\033[K", stderr);
    rebuild->line = false;
}

/* Waits a moment before the next try. False when the time for it is over. */
static bool may_try(struct rebuild *rebuild)
{
    if (acd_clock_ms() > rebuild->deadline_ms)
        return false;
    acd_clock_sleep_ms(LOOK_AGAIN_MS);
    return true;
}

static enum acd_ctl_exit find_topics(struct rebuild *rebuild)
{
    char error[512] = "out of memory";
    enum acd_check check = ACD_CHECK_REFUSE;

    rebuild->topics = acd_topics_open(rebuild->settings, error, sizeof(error));
    if (rebuild->topics) {
        do
            check = acd_topics_check(rebuild->topics, false, &rebuild->own, error, sizeof(error));
        while (check == ACD_CHECK_WAIT && may_try(rebuild));
    }
    if (check == ACD_CHECK_OK)
        return ACD_CTL_OK;
    acd_ctl_error("%s", error);
    return check == ACD_CHECK_WAIT ? ACD_CTL_UNREACHABLE : ACD_CTL_FAILED;
}

static enum acd_ctl_exit find_redis(struct rebuild *rebuild)
{
    enum acd_store result = ACD_STORE_HALT;

    rebuild->store = acd_store_open(rebuild->settings);
    if (!rebuild->store) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    do
        result = acd_store_connect(rebuild->store, &rebuild->arena);
    while ((result == ACD_STORE_DOWN || result == ACD_STORE_LATER) && may_try(rebuild));
    if (result == ACD_STORE_OK)
        return ACD_CTL_OK;
    acd_ctl_error("Redis: %s", acd_store_error(rebuild->store));
    return result == ACD_STORE_HALT ? ACD_CTL_FAILED : ACD_CTL_UNREACHABLE;
}

static void poll_once(struct rebuild *rebuild)
{
    struct acd_record record;

    if (acd_consumer_poll(rebuild->consumer, LOOK_AGAIN_MS, &record) == ACD_POLL_RECORD)
        acd_record_release(&record);
}

static enum acd_ctl_exit join(struct rebuild *rebuild)
{
    char error[256] = "out of memory";

    rebuild->consumer = acd_consumer_open(rebuild->settings, error, sizeof(error));
    if (!rebuild->consumer) {
        acd_ctl_error("%s", error);
        return ACD_CTL_FAILED;
    }
    show(rebuild, "waiting for the consumer group");
    while (!acd_consumer_group(rebuild->consumer)) {
        if (acd_clock_ms() > rebuild->deadline_ms) {
            end_line(rebuild);
            acd_ctl_error("the group %s gives no answer in time", rebuild->settings->kafka.group);
            return ACD_CTL_UNREACHABLE;
        }
        poll_once(rebuild);
    }
    return ACD_CTL_OK;
}

/* The incarnation that is there, and whether Kafka knows the same. */
static enum acd_ctl_exit look(struct rebuild *rebuild, struct acd_slice *present, bool *whole)
{
    const char *identity = acd_store_identity(rebuild->store);
    struct acd_committed announced;

    acd_arena_reset(&rebuild->arena);
    if (!acd_store_connected(rebuild->store) &&
        acd_store_connect(rebuild->store, &rebuild->arena) != ACD_STORE_OK) {
        acd_ctl_error("Redis: %s", acd_store_error(rebuild->store));
        return ACD_CTL_UNREACHABLE;
    }
    if (acd_consumer_announced(rebuild->consumer, &rebuild->arena, &announced)) {
        acd_ctl_error("Kafka: %s", acd_consumer_error(rebuild->consumer));
        return ACD_CTL_UNREACHABLE;
    }
    if (acd_store_incarnation(rebuild->store, &rebuild->arena, present) != ACD_STORE_OK) {
        acd_ctl_error("Redis: %s", acd_store_error(rebuild->store));
        return ACD_CTL_UNREACHABLE;
    }
    *whole = announced.exists && acd_slice_equal(announced.metadata, *present) &&
             present->len > strlen(identity) && memcmp(present->data, identity, strlen(identity)) == 0;
    return ACD_CTL_OK;
}

static enum acd_ctl_exit finish(struct rebuild *rebuild)
{
    const struct acd_recovery *recovery = &rebuild->recovery;

    end_line(rebuild);
    if (recovery->restored)
        (void)printf("Redis is restored: %lld accounts in %.1f s\n", (long long)recovery->accounts,
                     (double)recovery->took_ms / 1000);
    else
        (void)puts("nothing was lost: Redis is taken into use again");
    return ACD_CTL_OK;
}

static enum acd_ctl_exit recover(struct rebuild *rebuild)
{
    struct acd_recovery *recovery = &rebuild->recovery;
    const struct acd_ctl_args *args = rebuild->args;
    struct acd_slice present;
    bool whole;

    for (;;) {
        enum acd_ctl_exit result = look(rebuild, &present, &whole);
        enum acd_recovered recovered;

        if (result != ACD_CTL_OK)
            return result;
        if (whole && !args->force && !args->accept_offsets) {
            end_line(rebuild);
            (void)puts("Redis is whole: there is nothing to restore (--force restores all the same)");
            return ACD_CTL_OK;
        }
        acd_recovery_begin(recovery, NULL);
        recovered = acd_recover(recovery, present);
        acd_recovery_end(recovery);
        if (recovered == ACD_RECOVERED)
            return finish(rebuild);
        if (recovered == ACD_RECOVERY_IMPOSSIBLE) {
            end_line(rebuild);
            acd_ctl_error("%s", recovery->error);
            return ACD_CTL_FAILED;
        }
        poll_once(rebuild);
    }
}

enum acd_ctl_exit acd_ctl_rebuild_check(const struct acd_ctl_args *args)
{
    if (args->account_count)
        acd_ctl_error("rebuild takes no accounts; see accountctl help rebuild");
    else if (!args->config)
        acd_ctl_error("rebuild needs accountd's configuration: -c FILE");
    else
        return ACD_CTL_OK;
    return ACD_CTL_USAGE;
}

enum acd_ctl_exit acd_ctl_rebuild(const struct acd_settings *settings, const struct acd_ctl_args *args)
{
    struct rebuild *rebuild = calloc(1, sizeof(*rebuild));
    enum acd_ctl_exit result;

    if (!rebuild) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    acd_log_setup(ACD_LOG_WARNING, ACD_LOG_TEXT);
    rebuild->settings = settings;
    rebuild->args = args;
    rebuild->deadline_ms = acd_clock_ms() + args->timeout_ms;
    rebuild->terminal = isatty(STDERR_FILENO);
    acd_arena_init(&rebuild->arena);
    result = find_topics(rebuild);
    if (result == ACD_CTL_OK)
        result = find_redis(rebuild);
    if (result == ACD_CTL_OK)
        result = join(rebuild);
    if (result == ACD_CTL_OK) {
        rebuild->recovery = (struct acd_recovery){.settings = settings,
                                                  .cluster = rebuild->own.cluster,
                                                  .consumer = rebuild->consumer,
                                                  .store = rebuild->store,
                                                  .stop = &rebuild->stop,
                                                  .report = show,
                                                  .context = rebuild,
                                                  .always = args->force,
                                                  .accept_offsets = args->accept_offsets};
        result = recover(rebuild);
    }
    acd_recovery_end(&rebuild->recovery);
    acd_consumer_close(rebuild->consumer);
    acd_topics_close(rebuild->topics);
    acd_store_close(rebuild->store);
    acd_arena_free(&rebuild->arena);
    free(rebuild);
    return result;
}
