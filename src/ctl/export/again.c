/* An export that is in the topic already: its manifest is looked for, and then its chunks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../link.h"
#include "../progress.h"
#include "../reader.h"
#include "../terminal.h"
#include "accountd/clock.h"
#include "export.h"

struct search {
    const struct acd_ctl_args *args;
    struct acd_slice id; /* of the export, or its source */
    json_t *manifest;    /* the last one that was found, or NULL */
    int32_t partition;
    struct acd_ctl_span span; /* where its chunks can be */
    int64_t first; /* of the partition that is read: the first record of the export; -1: none yet */

    struct acd_ctl_chunks chunks;
    struct acd_ctl_output output;
    struct acd_ctl_progress progress;
    enum acd_ctl_exit result;
};

static bool is_export(const struct search *search, const rd_kafka_message_t *message)
{
    return acd_slice_equal(acd_slice(message->key, message->key_len), search->id) ||
           acd_slice_equal(acd_ctl_header(message, "export-source"), search->id);
}

static bool find(void *context, const rd_kafka_message_t *message)
{
    struct search *search = context;
    json_t *manifest;

    if (!is_export(search, message))
        return true;
    if (search->first < 0)
        search->first = message->offset;
    if (!acd_ctl_header(message, "export-manifest").data)
        return true;
    manifest = json_loadb(message->payload, message->len, JSON_ALLOW_NUL, NULL);
    if (!manifest)
        return true;
    json_decref(search->manifest);
    search->manifest = manifest;
    search->partition = message->partition;
    search->span = (struct acd_ctl_span){search->first, message->offset};
    return true;
}

static bool take(void *context, const rd_kafka_message_t *message)
{
    struct search *search = context;
    bool taken;

    search->result = acd_ctl_export_take(search->args, &search->chunks, &search->output, message, &taken);
    acd_ctl_progress_show(&search->progress, &(struct acd_ctl_extent){.done = search->chunks.seen_bytes,
                                                                      .total = search->chunks.bytes});
    return search->result == ACD_CTL_OK && !acd_ctl_chunks_complete(&search->chunks);
}

static rd_kafka_resp_err_t look(struct search *search, rd_kafka_t *consumer, const char *topic)
{
    int64_t deadline_ms = acd_clock_ms() + search->args->timeout_ms;
    struct acd_ctl_span *spans = NULL;
    int32_t count;
    rd_kafka_resp_err_t error =
        acd_ctl_spans(consumer, topic, ACD_CTL_FROM_BEGINNING, deadline_ms, &spans, &count);

    for (int32_t i = 0; !error && i < count; i++) {
        search->first = -1;
        error = acd_ctl_scan(consumer, topic, i, spans[i], search->args->timeout_ms, find, search);
    }
    free(spans);
    return error;
}

static bool is_said(const char *wanted, const json_t *manifest, const char *name, const char *unless)
{
    const char *has = json_string_value(json_object_get(manifest, name));

    return !has || strcmp(wanted ? wanted : unless ? unless : has, has) == 0;
}

/* The file is written as it is. Under a name of another kind nothing could read it, import for one. */
static enum acd_ctl_exit check_kind(const struct search *search)
{
    const struct acd_ctl_args *args = search->args;
    const json_t *manifest = search->manifest;

    /* A name that says the format says by its end, too, that nothing is packed. */
    if (is_said(args->format, manifest, "format", NULL) &&
        is_said(args->compression, manifest, "compression", args->format ? "none" : NULL))
        return ACD_CTL_OK;
    acd_ctl_error("export %s is %s with compression %s: name another file, or no format", args->from_topic,
                  json_string_value(json_object_get(manifest, "format")),
                  json_string_value(json_object_get(manifest, "compression")));
    return ACD_CTL_FAILED;
}

static enum acd_ctl_exit fetch(struct search *search, struct acd_ctl_link *link, rd_kafka_t *consumer)
{
    const struct acd_ctl_args *args = search->args;
    const char *topic = link->settings->kafka.exports;
    rd_kafka_resp_err_t error;

    if (acd_ctl_chunks_init(&search->chunks, search->manifest))
        return acd_ctl_export_complain(args, search->chunks.error);
    if (acd_ctl_output_open(&search->output, args->output))
        return acd_ctl_export_complain(args, strerror(errno));
    acd_ctl_progress_begin(&search->progress, "bytes", 0);
    error = acd_ctl_scan(consumer, topic, search->partition, search->span, args->timeout_ms, take, search);
    acd_ctl_progress_end(&search->progress);
    if (error)
        return acd_ctl_link_failed(link, consumer, topic, error);
    if (search->result == ACD_CTL_OK && !acd_ctl_chunks_complete(&search->chunks))
        return acd_ctl_export_complain(args, "Kafka has deleted a part of the file");
    if (search->result == ACD_CTL_OK)
        search->result = acd_ctl_export_keep(args, &search->chunks, &search->output, search->manifest);
    return search->result;
}

enum acd_ctl_exit acd_ctl_export_again_check(const struct acd_ctl_args *args)
{
    if (!args->account_count && !args->all && !args->fields && !acd_ctl_export_chooses(args))
        return ACD_CTL_OK;
    acd_ctl_error("--from-topic fetches a file as it is; accounts and other options than -o exclude it");
    return ACD_CTL_USAGE;
}

enum acd_ctl_exit acd_ctl_export_again(const struct acd_settings *settings, const struct acd_ctl_args *args)
{
    struct acd_ctl_link link = {.settings = settings, .args = args};
    struct search search = {.args = args, .id = acd_slice_str(args->from_topic)};
    rd_kafka_t *consumer = acd_ctl_link_reader(&link, true);
    enum acd_ctl_exit result;
    rd_kafka_resp_err_t error;

    if (!consumer)
        return ACD_CTL_USAGE;
    error = look(&search, consumer, settings->kafka.exports);
    if (error) {
        result = acd_ctl_link_failed(&link, consumer, settings->kafka.exports, error);
    } else if (!search.manifest) {
        acd_ctl_error(
            "topic %s has no export %s that is complete: it is not done yet, or Kafka has deleted it",
            settings->kafka.exports, args->from_topic);
        result = ACD_CTL_FAILED;
    } else {
        result = check_kind(&search);
        if (result == ACD_CTL_OK)
            result = fetch(&search, &link, consumer);
    }
    acd_ctl_output_discard(&search.output);
    acd_ctl_chunks_free(&search.chunks);
    json_decref(search.manifest);
    return result;
}
