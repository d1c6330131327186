/* accountctl: from the command line to the exit status. */
#include <jansson.h>
#include <locale.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accountd/settings.h"
#include "args.h"
#include "bench/bench.h"
#include "client.h"
#include "config.h"
#include "export/export.h"
#include "import/import.h"
#include "list.h"
#include "rebuild.h"
#include "render.h"
#include "request.h"
#include "status/status.h"
#include "terminal.h"
#include "topics/dlq.h"
#include "topics/tail.h"
#include "usage.h"

/* What a command needs to run. */
struct session {
    struct acd_ctl_args args;
    struct acd_ctl_config config;
    struct acd_settings settings;
    struct acd_ctl_client *client;
};

/* Posts one command and reads its reply, which is printed here when it is wanted as it came. The caller owns
 * `*out`, which is NULL when there is none. */
static enum acd_ctl_exit call(struct session *session, const char *after, json_t **out)
{
    const struct acd_ctl_args *args = &session->args;
    json_t *request = acd_ctl_request_build(args, after);
    char *text = json_dumps(request, JSON_COMPACT);
    rd_kafka_message_t *message;
    enum acd_ctl_exit result;

    *out = NULL;
    json_decref(request);
    if (!text) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    result =
        acd_ctl_client_call(session->client, acd_slice_str(args->account_count ? args->accounts[0] : NULL),
                            acd_slice_str(text), &message);
    free(text);
    if (result != ACD_CTL_OK)
        return result;
    if (args->json) {
        if (isatty(STDOUT_FILENO))
            acd_ctl_put_json(stdout, acd_slice(message->payload, message->len));
        else
            (void)fwrite(message->payload, 1, message->len, stdout);
        (void)fputc('\n', stdout);
    }
    *out = json_loadb(message->payload, message->len, JSON_ALLOW_NUL, NULL);
    rd_kafka_message_destroy(message);
    if (*out)
        return ACD_CTL_OK;
    acd_ctl_error("the reply is not JSON");
    return ACD_CTL_FAILED;
}

static enum acd_ctl_exit run_accounts(struct session *session)
{
    json_t *reply;
    enum acd_ctl_exit result = call(session, NULL, &reply);

    if (result != ACD_CTL_OK)
        return result;
    if (!session->args.json)
        acd_ctl_render_results(stdout, &session->args, reply);
    result = acd_ctl_status(reply);
    json_decref(reply);
    return result;
}

static enum acd_ctl_exit run_delete(struct session *session)
{
    const struct acd_ctl_args *args = &session->args;
    int answer;
    int rest;

    if (args->account_count == 1 || args->confirm || args->dry_run)
        return run_accounts(session);
    (void)fprintf(stderr, "delete %u accounts of app ", args->account_count);
    acd_ctl_put(stderr, acd_slice_str(args->app));
    (void)fputs("? [y/N] ", stderr);
    answer = getchar();
    for (rest = answer; rest != '\n' && rest != EOF;)
        rest = getchar();
    if (answer == 'y' || answer == 'Y')
        return run_accounts(session);
    acd_ctl_error("nothing deleted");
    return ACD_CTL_FAILED;
}

static enum acd_ctl_exit run_list(struct session *session)
{
    struct acd_ctl_table table = {0};
    enum acd_ctl_exit result;
    json_t *last = NULL;
    bool more;

    do {
        json_t *reply;
        struct acd_slice next = acd_ctl_text(last, "next");

        result = call(session, next.data ? next.data : session->args.after, &reply);
        json_decref(last);
        last = reply;
        if (result != ACD_CTL_OK)
            break;
        result = acd_ctl_status(reply);
        if (result == ACD_CTL_OK && !session->args.json)
            acd_ctl_table_page(&table, stdout, reply);
        else if (!session->args.json)
            acd_ctl_render_results(stdout, &session->args, reply);
        more = session->args.all && acd_ctl_text(reply, "next").data;
    } while (result == ACD_CTL_OK && more);
    if (result == ACD_CTL_OK && !session->args.json)
        acd_ctl_table_end(&table, stdout, last);
    json_decref(last);
    return result;
}

static enum acd_ctl_exit run_export(struct session *session)
{
    json_t *reply;
    enum acd_ctl_exit result;

    if (session->args.all)
        return acd_ctl_export_all(session->client, &session->args, &session->settings);
    result = call(session, NULL, &reply);

    if (result != ACD_CTL_OK)
        return result;
    result = acd_ctl_status(reply);
    if (!session->args.json)
        acd_ctl_render_results(stdout, &session->args, reply);
    if (result != ACD_CTL_FAILED) {
        enum acd_ctl_exit fetched = acd_ctl_export_fetch(session->client, &session->args, reply);

        result = fetched == ACD_CTL_OK ? result : fetched;
    }
    json_decref(reply);
    return result;
}

static enum acd_ctl_exit (*const runs[ACD_CTL_COMMAND_COUNT])(struct session *) = {
    [ACD_CTL_CREATE] = run_accounts, [ACD_CTL_EDIT] = run_accounts, [ACD_CTL_DELETE] = run_delete,
    [ACD_CTL_GET] = run_accounts,    [ACD_CTL_LIST] = run_list,     [ACD_CTL_EXPORT] = run_export,
};

/* Commands that post nothing in the way of those above. */
static const struct lone {
    enum acd_ctl_exit (*check)(const struct acd_ctl_args *);
    enum acd_ctl_exit (*run)(const struct acd_settings *, const struct acd_ctl_args *);
} lone[ACD_CTL_COMMAND_COUNT] = {
    [ACD_CTL_REBUILD] = {acd_ctl_rebuild_check, acd_ctl_rebuild},
    [ACD_CTL_DLQ] = {acd_ctl_dlq_check, acd_ctl_dlq},
    [ACD_CTL_TAIL] = {acd_ctl_tail_check, acd_ctl_tail},
    [ACD_CTL_IMPORT] = {acd_ctl_import_check, acd_ctl_import},
    [ACD_CTL_STATUS] = {acd_ctl_status_check, acd_ctl_status_run},
    [ACD_CTL_BENCH] = {acd_ctl_bench_check, acd_ctl_bench},
};

static const struct lone *lone_of(const struct acd_ctl_args *args)
{
    static const struct lone export_again = {acd_ctl_export_again_check, acd_ctl_export_again};

    return args->from_topic ? &export_again : &lone[args->command];
}

static enum acd_ctl_exit check(const struct acd_ctl_args *args)
{
    bool many = args->command == ACD_CTL_DELETE && args->account_count > 1;
    enum acd_ctl_exit result =
        lone_of(args)->check ? lone_of(args)->check(args) : acd_ctl_request_check(args);

    if (result == ACD_CTL_OK && args->command == ACD_CTL_EXPORT)
        result = acd_ctl_export_check(args);
    if (result == ACD_CTL_OK && many && !args->confirm && !args->dry_run && !isatty(STDIN_FILENO)) {
        acd_ctl_error("delete: %u accounts are deleted only with --confirm", args->account_count);
        result = ACD_CTL_USAGE;
    }
    return result;
}

static enum acd_ctl_exit run(struct session *session)
{
    const struct acd_ctl_args *args = &session->args;
    enum acd_ctl_exit result = acd_ctl_config_apply(&session->config, &session->args, &session->settings);

    if (args->command == ACD_CTL_EXPORT && args->output)
        acd_ctl_export_guess(&session->args);
    if (result == ACD_CTL_OK)
        result = check(args);
    if (result == ACD_CTL_OK && lone_of(args)->run)
        result = lone_of(args)->run(&session->settings, args);
    else if (result == ACD_CTL_OK)
        result =
            acd_ctl_client_open(&session->client, &session->settings, args, args->command == ACD_CTL_EXPORT);
    if (result == ACD_CTL_OK && session->client)
        result = runs[args->command](session);
    acd_ctl_client_close(session->client);
    acd_settings_free(&session->settings);
    acd_ctl_config_free(&session->config);
    return result;
}

int main(int argc, char **argv)
{
    struct session session = {0};
    enum acd_ctl_exit result;

    /* Threads of librdkafka are still at work at the end: OpenSSL must not be taken down around them. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    /* For the width of characters only: numbers stay as C writes them. */
    (void)setlocale(LC_CTYPE, "");
    result = acd_ctl_args_read(&session.args, argc, argv);
    if (result == ACD_CTL_OK && session.args.help)
        acd_ctl_usage(stdout, session.args.command);
    else if (result == ACD_CTL_OK && session.args.version)
        (void)puts("accountctl " ACD_VERSION);
    else if (result == ACD_CTL_OK)
        result = run(&session);
    acd_ctl_args_free(&session.args);
    if (fflush(stdout) || ferror(stdout)) {
        acd_ctl_error("stdout cannot be written to");
        result = result == ACD_CTL_OK ? ACD_CTL_FAILED : result;
    }
    return (int)result;
}
