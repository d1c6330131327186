/* The daemon's life. Workers do the work; this file starts them, answers probes and signals, and stops them.
 */
#include "accountd/daemon.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/service.h"
#include "accountd/slot.h"
#include "accountd/watch.h"
#include "accountd/worker.h"
#include "exporter.h"
#include "reload.h"
#include "status.h"

/* Between two looks at whether everything is served; and between tries to find the topics. */
#define LOOK_EVERY_MS 250

/* How long a reload waits for workers in the middle of a batch. */
#define SETTLE_MS 2000

/* Blocks of this size are taken from the system one by one: larger ones than a full batch needs. */
#define LARGE_BLOCK_BYTES (8 * 1024 * 1024)

struct daemon {
    const struct acd_settings *settings;
    const char *file; /* of the settings, or NULL */
    struct acd_shared shared;
    struct acd_http *http;
    struct acd_worker **workers;
    struct acd_slot *slots;
    uint32_t worker_count;
    struct acd_watch *watch;
    struct acd_pulse *pulses; /* this thread's, then one of each worker */
    struct status status;
    bool topics_checked;
    char waiting[512]; /* what the topics' check waits for */
    pthread_mutex_t lock;
};

/* What the daemon is told by signals. */
static void own_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void acd_daemon_prepare(void)
{
    sigset_t set;

    own_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    /* A connection that breaks while it is written to is an error to handle, not a reason to die. */
    signal(SIGPIPE, SIG_IGN);
    /* Large blocks go back to the system at once, whatever came before: without this malloc learns from one
     * large command to keep its memory. */
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
    mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK_BYTES);
}

/* systemd waits for READY, which is said when the workers have taken up the rules. */
static void reload(struct daemon *daemon)
{
    struct acd_reload reload = {daemon->file, &daemon->shared.rules,
                                daemon->topics_checked ? &daemon->shared.own : NULL, daemon->shared.topics};
    struct timespec now;

    /* Rounded down it might be a time before systemd asked, and be taken for another reload's. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    acd_notify("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    acd_reload(&reload);
    if (!acd_rulebook_settle(&daemon->shared.rules, SETTLE_MS))
        acd_log(ACD_LOG_WARNING, "settings: a worker is busy; it takes them up after its batch");
    acd_notify("READY=1");
}

/* Waits a little for a signal, and obeys it. True when it was one to stop; with --embedded SIGHUP is that of
 * a terminal that was closed. */
static bool asked_to_stop(struct daemon *daemon, const sigset_t *set)
{
    const struct timespec wait = {0, LOOK_EVERY_MS * 1000000L};
    int signal_number = sigtimedwait(set, NULL, &wait);

    if (signal_number == SIGHUP && !daemon->shared.embedded) {
        reload(daemon);
        return false;
    }
    if (signal_number > 0)
        acd_log(ACD_LOG_INFO, "%s: stopping", strsignal(signal_number));
    return signal_number > 0;
}

/* Adds a reason to a JSON array; reasons come from our own texts and from servers' error messages. */
static void add_reason(char *out, int size, const char *reason)
{
    size_t at = strlen(out);

    if (at + 8 > (size_t)size)
        return;
    at += (size_t)snprintf(out + at, (size_t)size - at, "%s\"", at > 1 ? "," : "");
    for (; *reason && at + 8 < (size_t)size; reason++) {
        unsigned char c = (unsigned char)*reason;

        if (c == '"' || c == '\\')
            out[at++] = '\\';
        out[at++] = c < ' ' || c >= 0x7f ? ' ' : (char)c;
    }
    snprintf(out + at, (size_t)size - at, "\"");
}

/* Called on the HTTP thread. */
static bool is_live(void *context, char *reasons, int size)
{
    const struct daemon *daemon = context;
    bool live = true;
    char reason[128];

    snprintf(reasons, (size_t)size, "[");
    for (uint32_t i = 0; i <= (uint32_t)daemon->settings->worker.threads; i++) {
        int64_t late_ms = acd_pulse_late_ms(&daemon->pulses[i]);

        if (late_ms == 0)
            continue;
        live = false;
        snprintf(reason, sizeof(reason), "%s %u makes no progress: it is %lld s late",
                 i ? "worker" : "main thread", i, (long long)late_ms / 1000);
        add_reason(reasons, size, reason);
    }
    if (strlen(reasons) + 2 <= (size_t)size)
        strcat(reasons, "]");
    return live;
}

/* Called on the HTTP thread. */
static bool is_ready(void *context, char *reasons, int size)
{
    struct daemon *daemon = context;
    bool ready;
    char reason[512];

    snprintf(reasons, (size_t)size, "[");
    pthread_mutex_lock(&daemon->lock);
    ready = daemon->topics_checked && daemon->worker_count == (uint32_t)daemon->settings->worker.threads;
    if (!ready)
        add_reason(reasons, size,
                   daemon->topics_checked ? "workers are starting or stopping" : daemon->waiting);
    for (uint32_t i = 0; i < daemon->worker_count; i++)
        if (daemon->workers[i] && !acd_worker_ready(daemon->workers[i], reason, sizeof(reason))) {
            add_reason(reasons, size, reason);
            ready = false;
        }
    pthread_mutex_unlock(&daemon->lock);
    if (strlen(reasons) + 2 <= (size_t)size)
        strcat(reasons, "]");
    return ready;
}

/* Looks at the topics, after making those that are missing if that is wanted. */
static enum acd_check check_topics(struct daemon *daemon, char *error, size_t error_bytes)
{
    struct acd_findings made = {0};

    if (daemon->settings->topics.create && !daemon->shared.embedded)
        acd_topics_create(daemon->shared.topics, &made);
    if (made.worst > ACD_FOUND_WARNING) {
        snprintf(error, error_bytes, "%s", made.first);
        return made.worst == ACD_FOUND_WRONG ? ACD_CHECK_REFUSE : ACD_CHECK_WAIT;
    }
    return acd_topics_check(daemon->shared.topics, daemon->shared.embedded, &daemon->shared.own, error,
                            error_bytes);
}

/* For people: what the workers wait for, each thing once. */
static bool all_ready(struct daemon *daemon, char *reasons, size_t bytes)
{
    bool ready = true;
    char reason[256];

    reasons[0] = '\0';
    for (uint32_t i = 0; i < daemon->worker_count; i++) {
        size_t at = strlen(reasons);

        if (acd_worker_ready(daemon->workers[i], reason, sizeof(reason)))
            continue;
        ready = false;
        if (!strstr(reasons, reason))
            snprintf(reasons + at, bytes - at, "%s%s", at ? "; " : "", reason);
    }
    return ready;
}

/* Waits until the topics are there. Returns 0, an exit code, or -1 when asked to stop. */
static int wait_for_topics(struct daemon *daemon, const sigset_t *signals)
{
    char error[512] = "";
    enum acd_check check;

    while ((check = check_topics(daemon, error, sizeof(error))) != ACD_CHECK_OK) {
        acd_pulse_beat(daemon->pulses, ACD_PULSE_TALK_MS);
        if (check == ACD_CHECK_REFUSE) {
            acd_log(ACD_LOG_ERROR, "%s", error);
            return ACD_EXIT_CONFIG;
        }
        pthread_mutex_lock(&daemon->lock);
        if (strcmp(error, daemon->waiting) != 0)
            acd_log(ACD_LOG_WARNING, "waiting: %s", error);
        snprintf(daemon->waiting, sizeof(daemon->waiting), "%s", error);
        pthread_mutex_unlock(&daemon->lock);
        status_tell(&daemon->status, error);
        if (asked_to_stop(daemon, signals))
            return -1;
    }
    if (daemon->shared.own.changelog < daemon->shared.own.commands)
        acd_log(ACD_LOG_WARNING, "topic %s has %d partitions and %s has %d: the others are not served",
                daemon->settings->kafka.changelog, daemon->shared.own.changelog,
                daemon->settings->kafka.commands, daemon->shared.own.commands);
    pthread_mutex_lock(&daemon->lock);
    daemon->topics_checked = true;
    pthread_mutex_unlock(&daemon->lock);
    return 0;
}

static int start_workers(struct daemon *daemon)
{
    uint32_t count = (uint32_t)daemon->settings->worker.threads;

    acd_metric_set(ACD_METRIC_WORKERS, count);
    daemon->workers = calloc(count, sizeof(*daemon->workers));
    daemon->slots = calloc(count, sizeof(*daemon->slots));
    daemon->shared.exporter = acd_exporter_new(daemon->settings);
    if (!daemon->workers || !daemon->slots || !daemon->shared.exporter)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        struct acd_worker *worker;

        if (acd_slot_claim(daemon->shared.own.cluster, daemon->settings->kafka.group, &daemon->slots[i])) {
            acd_log(ACD_LOG_ERROR, "no free worker slot on this host");
            return -1;
        }
        worker = acd_worker_start(&daemon->shared, daemon->slots[i].number, &daemon->pulses[i + 1]);
        pthread_mutex_lock(&daemon->lock);
        daemon->workers[daemon->worker_count++] = worker;
        pthread_mutex_unlock(&daemon->lock);
        if (!worker)
            return -1;
    }
    return 0;
}

/* Joins the workers, which finish the batch they are in; the slots stay ours until the last has ended. */
static void stop_workers(struct daemon *daemon)
{
    uint32_t count = daemon->worker_count;

    atomic_store(&daemon->shared.stop, true);
    pthread_mutex_lock(&daemon->lock);
    daemon->worker_count = 0;
    pthread_mutex_unlock(&daemon->lock);
    acd_watch_stopping(daemon->watch);
    for (uint32_t i = 0; i < count; i++) {
        acd_pulse_beat(daemon->pulses, ACD_PULSE_TALK_MS);
        acd_worker_join(daemon->workers[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        acd_slot_release(&daemon->slots[i]);
    acd_exporter_free(daemon->shared.exporter);
    free(daemon->workers);
    free(daemon->slots);
}

/* Tells systemd, and with --embedded the person at the terminal, how it goes, until a signal comes. */
static void serve(struct daemon *daemon, const sigset_t *signals)
{
    char reasons[1024];
    bool announced = false;

    do {
        bool ready = all_ready(daemon, reasons, sizeof(reasons));

        acd_pulse_beat(daemon->pulses, ACD_PULSE_TALK_MS);
        status_tell(&daemon->status, ready ? NULL : reasons);
        if (ready && !announced && daemon->shared.embedded) {
            printf("ready: commands are served; Ctrl-C ends\n");
            fflush(stdout);
        }
        announced |= ready;
    } while (!asked_to_stop(daemon, signals));
}

/* The keys are there since the settings were checked, unless somebody took them away since. */
static int read_keys(struct daemon *daemon)
{
    struct acd_rules *rules = daemon->shared.rules.present;
    struct acd_keyring *keyring = NULL;
    char error[1024] = "no memory";

    if (!rules || acd_keyring_open(daemon->settings, &keyring, error, sizeof(error))) {
        acd_log(ACD_LOG_ERROR, "auth.keys: %s", error);
        return -1;
    }
    acd_rules_keys(rules, keyring);
    return 0;
}

static int run(struct daemon *daemon, const sigset_t *signals)
{
    const struct acd_probes probes = {is_live, is_ready, daemon};
    char error[256] = "no memory";
    int code;

    daemon->pulses = calloc((size_t)daemon->settings->worker.threads + 1, sizeof(*daemon->pulses));
    if (daemon->pulses)
        daemon->watch = acd_watch_start(daemon->pulses, (uint32_t)daemon->settings->worker.threads + 1);
    if (!daemon->watch) {
        acd_log(ACD_LOG_ERROR, "%s", error);
        return ACD_EXIT_FAILED;
    }
    acd_pulse_beat(daemon->pulses, ACD_PULSE_TALK_MS);
    daemon->http = acd_http_start(daemon->settings->http.listen, &probes);
    if (!daemon->http && !daemon->shared.embedded)
        return ACD_EXIT_FAILED;
    daemon->shared.topics = acd_topics_open(daemon->settings, error, sizeof(error));
    if (!daemon->shared.topics || !daemon->shared.rules.present) {
        acd_log(ACD_LOG_ERROR, "%s", error);
        return ACD_EXIT_FAILED;
    }
    if (read_keys(daemon))
        return ACD_EXIT_CONFIG;
    acd_notify("READY=1");
    code = wait_for_topics(daemon, signals);
    if (code) {
        acd_notify("STOPPING=1\nSTATUS=stopping");
        return code < 0 ? ACD_EXIT_OK : code;
    }
    code = acd_rules_route(daemon->shared.rules.present, &daemon->shared.own, daemon->shared.topics) == 0 &&
                   start_workers(daemon) == 0
               ? ACD_EXIT_OK
               : ACD_EXIT_FAILED;
    if (code == ACD_EXIT_OK)
        serve(daemon, signals);
    acd_notify("STOPPING=1\nSTATUS=stopping: each worker answers its batch");
    stop_workers(daemon);
    return code;
}

int acd_daemon_run(const struct acd_settings *settings, const char *file, bool embedded)
{
    struct daemon daemon = {.settings = settings, .file = file, .waiting = "starting"};
    sigset_t signals;
    int code;

    daemon.shared.settings = settings;
    daemon.shared.embedded = embedded;
    acd_rulebook_init(&daemon.shared.rules);
    acd_rulebook_put(&daemon.shared.rules, acd_rules_new(settings));
    pthread_mutex_init(&daemon.lock, NULL);
    own_signals(&signals);
    code = run(&daemon, &signals);
    acd_http_stop(daemon.http);
    acd_rulebook_destroy(&daemon.shared.rules);
    acd_topics_close(daemon.shared.topics);
    acd_watch_end(daemon.watch);
    free(daemon.pulses);
    pthread_mutex_destroy(&daemon.lock);
    return code;
}
