/* Accounts are made, the load is posted by its schedule, and they are deleted. */
#include "bench.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../client.h"
#include "../render.h"
#include "../terminal.h"
#include "mix.h"
#include "print.h"

#define DURATION_MS 10000
#define RATE        100
#define RATE_MAX    1000000
#define ACCOUNTS    1000
#define BATCH       1

/* A key space larger than this takes longer to make than a bench is worth. */
#define ACCOUNTS_OF_BENCH_MAX 1000000

/* Commands of one bench: a bit each. */
#define COMMANDS_MAX INT64_C(1000000000)

/* Accounts are made and deleted so many at once, with so many such commands under way. */
#define SWEEP_ACCOUNTS 100
#define SWEEP_WINDOW   20

/* bench-, the run, and a number. */
#define NAME_BYTES 40

/* How long an interrupt may go unnoticed. */
#define WAIT_US 100000

struct bench {
    const struct acd_settings *settings;
    const struct acd_ctl_args *args;
    struct acd_ctl_mix mix;
    int64_t rate;
    int64_t accounts;
    int64_t batch;
    int64_t commands; /* that are planned */
    char run[9];
    uint64_t random;
    struct acd_ctl_load load;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = 1;
}

static int64_t otherwise(int64_t given, int64_t usual)
{
    return given ? given : usual;
}

static void plan(struct bench *bench, const struct acd_ctl_args *args)
{
    int64_t ms = otherwise(args->duration_ms, DURATION_MS);

    bench->args = args;
    bench->rate = otherwise(args->rate, RATE);
    bench->accounts = otherwise(args->key_space, ACCOUNTS);
    bench->batch = otherwise(args->batch, BATCH);
    /* A day's milliseconds by the largest rate are far from the largest number. */
    bench->commands = bench->rate > RATE_MAX ? INT64_MAX : bench->rate * ms / 1000;
}

enum acd_ctl_exit acd_ctl_bench_check(const struct acd_ctl_args *args)
{
    struct bench bench = {0};

    plan(&bench, args);
    if (args->account_count)
        acd_ctl_error("bench makes accounts of its own; see accountctl help bench");
    else if (!args->app || !*args->app)
        acd_ctl_error("which app? Give --app, or set ACCOUNTCTL_APP");
    else if (!acd_ctl_mix_read(args->mix, &bench.mix))
        acd_ctl_error("--mix %s: create=N,edit=N,get=N,delete=N with whole numbers is expected", args->mix);
    else if (bench.rate > RATE_MAX)
        acd_ctl_error("--rate: at most %d commands a second", RATE_MAX);
    else if (bench.batch > ACD_CTL_ACCOUNTS_MAX)
        acd_ctl_error("--batch: one command takes at most %d accounts", ACD_CTL_ACCOUNTS_MAX);
    else if (bench.accounts > ACCOUNTS_OF_BENCH_MAX || bench.accounts < bench.batch)
        acd_ctl_error("--accounts: from as many as --batch says to %d", ACCOUNTS_OF_BENCH_MAX);
    else if (bench.commands < 1 || bench.commands > COMMANDS_MAX)
        acd_ctl_error("--rate and --duration give %" PRId64 " commands: from 1 to %" PRId64 " are expected",
                      bench.commands, COMMANDS_MAX);
    else
        return ACD_CTL_OK;
    return ACD_CTL_USAGE;
}

/* Numbers that need not be secret: xorshift64. */
static uint64_t next_random(struct bench *bench)
{
    bench->random ^= bench->random << 13;
    bench->random ^= bench->random >> 7;
    bench->random ^= bench->random << 17;
    return bench->random;
}

static void name_of(const struct bench *bench, int64_t number, char out[NAME_BYTES])
{
    (void)snprintf(out, NAME_BYTES, "bench-%s-%" PRId64, bench->run, number % bench->accounts);
}

/* A command for `count` accounts from one number on; its key goes to `key`. */
static json_t *make_command(struct bench *bench, enum acd_ctl_mix_op op, int64_t first, int64_t count,
                            char key[NAME_BYTES])
{
    json_t *command =
        json_pack("{s:i,s:s,s:s}", "v", 1, "op", acd_ctl_mix_names[op], "app", bench->args->app);
    json_t *names = json_array();

    for (int64_t i = count - 1; i >= 0; i--) {
        name_of(bench, first + i, key);
        (void)json_array_insert_new(names, 0, json_string(key));
    }
    if (count == 1)
        (void)json_object_set(command, "account", json_array_get(names, 0));
    else
        (void)json_object_set(command, "accounts", names);
    json_decref(names);
    if (op == ACD_CTL_MIX_CREATE)
        (void)json_object_set_new(command, "on_exists", json_string("update"));
    if (op == ACD_CTL_MIX_CREATE || op == ACD_CTL_MIX_EDIT)
        (void)json_object_set_new(command, "profile",
                                  json_pack("{s:s,s:I}", "nickname", "a bench's account", "level",
                                            (json_int_t)(next_random(bench) % 1000000)));
    if (op == ACD_CTL_MIX_DELETE && count > 1)
        (void)json_object_set_new(command, "confirm", json_true());
    return command;
}

/* Waits for replies until at most `open` are missing; false when none comes for the time that is allowed. */
static bool wait_for_replies(struct bench *bench, int64_t open)
{
    struct acd_ctl_load *load = &bench->load;
    int64_t seen = load->replied;
    int64_t deadline_us = acd_clock_us() + (int64_t)bench->args->timeout_ms * 1000;

    while (load->posted - load->replied > open && acd_clock_us() < deadline_us) {
        acd_ctl_load_take(load, acd_clock_us() + WAIT_US);
        if (load->replied > seen)
            deadline_us = acd_clock_us() + (int64_t)bench->args->timeout_ms * 1000;
        seen = load->replied;
    }
    return load->posted - load->replied <= open;
}

/* One operation on all accounts. */
static enum acd_ctl_exit sweep(struct bench *bench, enum acd_ctl_mix_op op)
{
    enum acd_ctl_exit result = acd_ctl_load_begin(&bench->load);
    bool answered = true;

    for (int64_t i = 0; result == ACD_CTL_OK && answered && i < bench->accounts; i += SWEEP_ACCOUNTS) {
        int64_t left = bench->accounts - i;
        char key[NAME_BYTES];
        json_t *command = make_command(bench, op, i, left < SWEEP_ACCOUNTS ? left : SWEEP_ACCOUNTS, key);

        result = acd_ctl_load_post(&bench->load, key, command, acd_clock_us());
        answered = wait_for_replies(bench, SWEEP_WINDOW);
        if (op == ACD_CTL_MIX_CREATE && interrupted)
            break;
    }
    if (result == ACD_CTL_OK && !(answered && wait_for_replies(bench, 0))) {
        acd_ctl_error("no reply on topic %s within %g s, while the accounts of the bench are %sd",
                      bench->settings->kafka.replies, bench->args->timeout_ms / 1000.0,
                      acd_ctl_mix_names[op]);
        result = ACD_CTL_TIMEOUT;
    }
    return result;
}

/* Makes the key space. */
static enum acd_ctl_exit fill(struct bench *bench)
{
    enum acd_ctl_exit result = sweep(bench, ACD_CTL_MIX_CREATE);

    for (int i = 0; result == ACD_CTL_OK && i < bench->load.code_count; i++) {
        if (strcmp(bench->load.codes[i].name, "ok") == 0)
            continue;
        acd_ctl_error("the accounts of the bench cannot be made: %s", bench->load.codes[i].name);
        result = ACD_CTL_FAILED;
    }
    return result;
}

static enum acd_ctl_exit post_all(struct bench *bench, double *seconds)
{
    bool progress = isatty(STDERR_FILENO);
    int64_t start_us = acd_clock_us();
    int64_t told = 0;
    enum acd_ctl_exit result = acd_ctl_load_begin(&bench->load);

    while (result == ACD_CTL_OK && !interrupted && bench->load.posted < bench->commands) {
        int64_t now_us = acd_clock_us();
        int64_t due_us = start_us + bench->load.posted * 1000000 / bench->rate;

        if (due_us <= now_us) {
            enum acd_ctl_mix_op op = acd_ctl_mix_choose(&bench->mix, next_random(bench));
            int64_t first = (int64_t)(next_random(bench) % (uint64_t)bench->accounts);
            char key[NAME_BYTES];
            json_t *command = make_command(bench, op, first, bench->batch, key);

            result = acd_ctl_load_post(&bench->load, key, command, due_us);
            acd_ctl_load_take(&bench->load, 0);
        } else {
            acd_ctl_load_take(&bench->load, due_us < now_us + WAIT_US ? due_us : now_us + WAIT_US);
        }
        if (progress && (now_us - start_us) / 1000000 > told) {
            told = (now_us - start_us) / 1000000;
            acd_ctl_bench_progress(stderr, &bench->load, told);
        }
    }
    *seconds = (double)(acd_clock_us() - start_us) / 1e6;
    (void)wait_for_replies(bench, 0);
    return result;
}

static enum acd_ctl_exit report(struct bench *bench, double seconds, bool deleted,
                                const struct acd_ctl_load *load)
{
    const struct acd_ctl_bench_result found = {load,    bench->run,       bench->rate,
                                               seconds, interrupted != 0, deleted};

    if (!bench->args->json) {
        acd_ctl_bench_print(stdout, &found);
    } else if (acd_ctl_bench_json(stdout, &found)) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    return load->posted == load->replied ? ACD_CTL_OK : ACD_CTL_TIMEOUT;
}

static enum acd_ctl_exit run_bench(struct bench *bench)
{
    /* A second interrupt ends the program at once. */
    const struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    enum acd_ctl_exit result;
    enum acd_ctl_exit cleaned = ACD_CTL_OK;
    struct acd_ctl_load *found = NULL;
    double seconds = 0;

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    result = fill(bench);
    if (result == ACD_CTL_OK)
        result = post_all(bench, &seconds);
    if (result == ACD_CTL_OK) {
        found = malloc(sizeof(*found));
        if (found)
            *found = bench->load;
    }
    if (!bench->args->keep)
        cleaned = sweep(bench, ACD_CTL_MIX_DELETE);
    if (found)
        result = report(bench, seconds, !bench->args->keep && cleaned == ACD_CTL_OK, found);
    free(found);
    return result == ACD_CTL_OK ? cleaned : result;
}

/* Who benches where somebody's accounts are has to say that it is meant. */
static enum acd_ctl_exit check_app(const struct bench *bench)
{
    json_t *command =
        json_pack("{s:i,s:s,s:s,s:i}", "v", 1, "op", "list", "app", bench->args->app, "limit", 1);
    char *text = json_dumps(command, JSON_COMPACT);
    struct acd_ctl_client *client = NULL;
    rd_kafka_message_t *message = NULL;
    enum acd_ctl_exit result = ACD_CTL_USAGE;
    json_t *reply = NULL;

    json_decref(command);
    if (!text) {
        acd_ctl_error("the app is not UTF-8");
        return ACD_CTL_USAGE;
    }
    result = acd_ctl_client_open(&client, bench->settings, bench->args, false);
    if (result == ACD_CTL_OK)
        result = acd_ctl_client_call(client, acd_slice(NULL, 0), acd_slice_str(text), &message);
    if (result == ACD_CTL_OK) {
        reply = json_loadb(message->payload, message->len, JSON_ALLOW_NUL, NULL);
        result = acd_ctl_status(reply);
        if (result != ACD_CTL_OK)
            acd_ctl_render_results(stderr, bench->args, reply);
        rd_kafka_message_destroy(message);
    }
    if (result == ACD_CTL_OK && json_array_size(json_object_get(reply, "rows")) && !bench->args->yes) {
        acd_ctl_error("app %s has accounts; with --yes they share it with the bench's own", bench->args->app);
        result = ACD_CTL_FAILED;
    }
    json_decref(reply);
    acd_ctl_client_close(client);
    free(text);
    return result;
}

enum acd_ctl_exit acd_ctl_bench(const struct acd_settings *settings, const struct acd_ctl_args *args)
{
    static struct bench bench; /* librdkafka's callbacks refer to it until the program ends */
    enum acd_ctl_exit result;
    uint32_t run;

    plan(&bench, args);
    bench.settings = settings;
    if (!acd_ctl_mix_read(args->mix, &bench.mix))
        return ACD_CTL_USAGE;
    if (getrandom(&run, sizeof(run), 0) != (ssize_t)sizeof(run) ||
        getrandom(&bench.random, sizeof(bench.random), 0) != (ssize_t)sizeof(bench.random)) {
        acd_ctl_error("the system has no random bytes");
        return ACD_CTL_FAILED;
    }
    bench.random |= 1;
    (void)snprintf(bench.run, sizeof(bench.run), "%08" PRIx32, run);
    result = check_app(&bench);
    if (result == ACD_CTL_OK)
        result = acd_ctl_load_open(&bench.load, settings, args,
                                   bench.commands > bench.accounts ? bench.commands : bench.accounts);
    if (result == ACD_CTL_OK)
        result = run_bench(&bench);
    acd_ctl_load_free(&bench.load);
    return result;
}
