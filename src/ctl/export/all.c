/* The export of a whole app: posted, followed, and named by the reply. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../progress.h"
#include "../render.h"
#include "../request.h"
#include "../terminal.h"
#include "accountd/clock.h"
#include "accountd/text.h"
#include "export.h"

/* How long nothing may be heard of an export: it may stand in a line with others. */
#define PATIENCE_MS (10 * 60 * 1000)

/* How long to look for the reply before chunks are looked for again. */
#define LOOK_MS      20

#define SOURCE_BYTES 320

struct run {
    struct acd_ctl_client *client;
    const struct acd_ctl_args *args;
    struct acd_ctl_posted posted;
    struct acd_ctl_chunks chunks;
    struct acd_ctl_output output;
    struct acd_ctl_progress progress;
    json_t *reply; /* NULL until it has come */
    char source[SOURCE_BYTES];
    char last_words[SOURCE_BYTES + 256];
    int64_t heard_ms;
};

static enum acd_ctl_exit post(struct run *run, const char *topic)
{
    json_t *request = acd_ctl_request_build(run->args, NULL);
    char *text = json_dumps(request, JSON_COMPACT);
    enum acd_ctl_exit result = ACD_CTL_FAILED;

    json_decref(request);
    if (text)
        result = acd_ctl_client_post(run->client, acd_slice(NULL, 0), acd_slice_str(text), &run->posted);
    else
        acd_ctl_error("out of memory");
    free(text);
    (void)snprintf(run->source, sizeof(run->source), "%s:%d:%" PRId64, topic, (int)run->posted.partition,
                   run->posted.offset);
    return result;
}

/* "READ/TOTAL", as a chunk's header has it. */
static void show_progress(struct run *run, const rd_kafka_message_t *message)
{
    struct acd_slice done = acd_ctl_header(message, "export-progress");
    const char *slash = done.data ? memchr(done.data, '/', done.len) : NULL;
    struct acd_slice total;
    int64_t read;
    int64_t all;

    if (!slash)
        return;
    total = acd_slice(slash + 1, (size_t)(done.data + done.len - slash - 1));
    done.len -= total.len + 1;
    if (acd_int_parse(done, &read) && acd_int_parse(total, &all))
        acd_ctl_progress_show(&run->progress, &(struct acd_ctl_extent){.done = read, .total = all});
}

static enum acd_ctl_exit take_chunks(struct run *run)
{
    enum acd_ctl_exit result = ACD_CTL_OK;
    rd_kafka_message_t *message;

    while (result == ACD_CTL_OK && (message = acd_ctl_client_chunk_now(run->client, 0)) != NULL) {
        bool taken;

        result = acd_ctl_export_take(run->args, &run->chunks, &run->output, message, &taken);
        if (taken) {
            run->heard_ms = acd_clock_ms();
            show_progress(run, message);
        }
        rd_kafka_message_destroy(message);
    }
    return result;
}

/* The reply is printed as it came when that is wanted. */
static enum acd_ctl_exit take_reply(struct run *run)
{
    rd_kafka_message_t *message = acd_ctl_client_reply(run->client, &run->posted, LOOK_MS);
    enum acd_ctl_exit result;

    if (!message)
        return ACD_CTL_OK;
    run->heard_ms = acd_clock_ms();
    if (run->args->json) {
        acd_ctl_progress_end(&run->progress);
        acd_ctl_put_json(stdout, acd_slice(message->payload, message->len));
        (void)fputc('\n', stdout);
    }
    run->reply = json_loadb(message->payload, message->len, JSON_ALLOW_NUL, NULL);
    rd_kafka_message_destroy(message);
    if (!run->reply)
        return acd_ctl_export_complain(run->args, "the reply is not JSON");
    result = acd_ctl_status(run->reply);
    if (result != ACD_CTL_OK && !run->args->json)
        acd_ctl_render_results(stdout, run->args, run->reply);
    if (result == ACD_CTL_OK && acd_ctl_chunks_expect(&run->chunks, json_object_get(run->reply, "export")))
        result = acd_ctl_export_complain(run->args, run->chunks.error);
    return result;
}

static enum acd_ctl_exit follow(struct run *run)
{
    int64_t patience_ms = run->args->timeout_given ? run->args->timeout_ms : PATIENCE_MS;
    enum acd_ctl_exit result = ACD_CTL_OK;

    run->heard_ms = acd_clock_ms();
    while (result == ACD_CTL_OK && !(run->reply && acd_ctl_chunks_complete(&run->chunks))) {
        if (!run->reply)
            result = take_reply(run);
        else
            (void)usleep(LOOK_MS * 1000);
        if (result == ACD_CTL_OK)
            result = take_chunks(run);
        if (run->chunks.seen_count == 0)
            acd_ctl_progress_wait(&run->progress, "accountd");
        if (result == ACD_CTL_OK && acd_clock_ms() - run->heard_ms > patience_ms) {
            acd_ctl_progress_end(&run->progress);
            acd_ctl_error("nothing was heard of the export for %g s; it may still be carried out, and then "
                          "be fetched by accountctl export --from-topic %s",
                          (double)patience_ms / 1000, run->source);
            return ACD_CTL_TIMEOUT;
        }
    }
    acd_ctl_progress_end(&run->progress);
    return result;
}

enum acd_ctl_exit acd_ctl_export_all(struct acd_ctl_client *client, const struct acd_ctl_args *args,
                                     const struct acd_settings *settings)
{
    struct run run = {.client = client, .args = args};
    struct acd_slice source = acd_slice(run.source, 0);
    enum acd_ctl_exit result;

    if (acd_ctl_output_open(&run.output, args->output))
        return acd_ctl_export_complain(args, strerror(errno));
    result = post(&run, settings->kafka.commands);
    source.len = strlen(run.source);
    if (result == ACD_CTL_OK && acd_ctl_chunks_follow(&run.chunks, source, source))
        result = acd_ctl_export_complain(args, run.chunks.error);
    acd_ctl_progress_begin(&run.progress, "accounts", 0);
    if (result == ACD_CTL_OK) {
        (void)snprintf(run.last_words, sizeof(run.last_words),
                       "%saccountctl: interrupted; the export is carried out all the same, and can then be "
                       "fetched by accountctl export --from-topic %s\n",
                       acd_ctl_terminal(stderr) ? "\r\033[K" : "", run.source);
        acd_ctl_output_last_words(run.last_words);
        result = follow(&run);
        acd_ctl_output_last_words(NULL);
    }
    if (result == ACD_CTL_OK)
        result = acd_ctl_export_keep(args, &run.chunks, &run.output, json_object_get(run.reply, "export"));
    acd_ctl_output_discard(&run.output);
    acd_ctl_chunks_free(&run.chunks);
    json_decref(run.reply);
    return result;
}
