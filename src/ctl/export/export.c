/* Chunks from the client, through the checks, into the output. */
#include "export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "../output.h"
#include "../suffix.h"
#include "../terminal.h"
#include "accountd/arena.h"
#include "accountd/clock.h"
#include "chunks.h"

bool acd_ctl_export_chooses(const struct acd_ctl_args *args)
{
    return args->type || args->created_after || args->created_before || args->updated_after;
}

enum acd_ctl_exit acd_ctl_export_check(const struct acd_ctl_args *args)
{
    bool binary = (args->format && strcmp(args->format, "msgpack") == 0) ||
                  (args->compression && strcmp(args->compression, "none") != 0);

    if (!args->all && !args->from_topic && acd_ctl_export_chooses(args)) {
        acd_ctl_error("export: --type, --created-after, --created-before and --updated-after go with --all");
        return ACD_CTL_USAGE;
    }
    if (args->output)
        return ACD_CTL_OK;
    if (args->json)
        acd_ctl_error("export: --json needs -o FILE, for the reply and the file cannot share stdout");
    else if (binary && isatty(STDOUT_FILENO))
        acd_ctl_error("export: the file is not text; write it to a file by -o FILE, or to a pipe");
    else
        return ACD_CTL_OK;
    return ACD_CTL_USAGE;
}

void acd_ctl_export_guess(struct acd_ctl_args *args)
{
    struct acd_ctl_suffix suffix;

    if (strcmp(args->output, "-") == 0) {
        args->output = NULL;
        return;
    }
    suffix = acd_ctl_suffix_of(args->output);
    if (!args->compression && suffix.has_compression)
        args->compression = acd_compression_text(suffix.compression);
    if (!args->format && suffix.has_format)
        args->format = acd_format_text(suffix.format);
}

struct acd_ctl_chunk acd_ctl_export_chunk(const rd_kafka_message_t *message)
{
    return (struct acd_ctl_chunk){
        .key = acd_slice(message->key, message->key_len),
        .source = acd_ctl_header(message, "export-source"),
        .attempt = acd_ctl_header(message, "export-attempt"),
        .seq = acd_ctl_header(message, "export-seq"),
        .sha256 = acd_ctl_header(message, "export-sha256"),
        .value = acd_slice(message->payload, message->len),
    };
}

enum acd_ctl_exit acd_ctl_export_complain(const struct acd_ctl_args *args, const char *reason)
{
    acd_ctl_error("export%s%s: %s", args->output ? " to " : "", args->output ? args->output : "", reason);
    return ACD_CTL_FAILED;
}

enum acd_ctl_exit acd_ctl_export_take(const struct acd_ctl_args *args, struct acd_ctl_chunks *chunks,
                                      struct acd_ctl_output *output, const rd_kafka_message_t *message,
                                      bool *taken)
{
    struct acd_ctl_chunk chunk = acd_ctl_export_chunk(message);
    bool begun = chunks->seen_count > 0;
    enum acd_ctl_chunk_is is = acd_ctl_chunks_add(chunks, &chunk);

    *taken = is == ACD_CTL_CHUNK_NEXT || is == ACD_CTL_CHUNK_FIRST;
    if (is == ACD_CTL_CHUNK_BAD)
        return acd_ctl_export_complain(args, chunks->error);
    if (is == ACD_CTL_CHUNK_FIRST && begun && acd_ctl_output_restart(output))
        return acd_ctl_export_complain(args, "accountd has begun the file anew; write it to one by -o FILE");
    if (*taken && acd_ctl_output_write(output, chunk.value))
        return acd_ctl_export_complain(args, strerror(errno));
    return ACD_CTL_OK;
}

static enum acd_ctl_exit copy(struct acd_ctl_client *client, const struct acd_ctl_args *args,
                              struct acd_ctl_chunks *chunks, struct acd_ctl_output *output)
{
    int64_t deadline_ms = acd_clock_ms() + args->timeout_ms;

    while (!acd_ctl_chunks_complete(chunks)) {
        rd_kafka_message_t *message;
        enum acd_ctl_exit result = acd_ctl_client_chunk(client, deadline_ms, &message);
        bool taken;

        if (result != ACD_CTL_OK)
            return result;
        result = acd_ctl_export_take(args, chunks, output, message, &taken);
        rd_kafka_message_destroy(message);
        if (result != ACD_CTL_OK)
            return result;
        /* A large file may take long, as long as it comes. */
        if (taken)
            deadline_ms = acd_clock_ms() + args->timeout_ms;
    }
    return ACD_CTL_OK;
}

static void report(const struct acd_ctl_args *args, const struct acd_ctl_chunks *chunks,
                   const json_t *manifest)
{
    int64_t accounts = (int64_t)json_integer_value(json_object_get(manifest, "accounts"));

    if (!args->output || args->json)
        return;
    printf("exported %" PRId64 " account%s to %s (%" PRId64 " bytes, sha256 %.*s)\n", accounts,
           accounts == 1 ? "" : "s", args->output, chunks->bytes, ACD_SLICE_ARGS(chunks->sha256));
}

enum acd_ctl_exit acd_ctl_export_keep(const struct acd_ctl_args *args, struct acd_ctl_chunks *chunks,
                                      struct acd_ctl_output *output, const json_t *manifest)
{
    if (acd_ctl_chunks_finish(chunks))
        return acd_ctl_export_complain(args, chunks->error);
    if (acd_ctl_output_keep(output))
        return acd_ctl_export_complain(args, strerror(errno));
    report(args, chunks, manifest);
    return ACD_CTL_OK;
}

enum acd_ctl_exit acd_ctl_export_fetch(struct acd_ctl_client *client, const struct acd_ctl_args *args,
                                       const json_t *reply)
{
    const json_t *manifest = json_object_get(reply, "export");
    struct acd_ctl_output output = {0};
    struct acd_ctl_chunks chunks;
    enum acd_ctl_exit result;

    if (acd_ctl_chunks_init(&chunks, manifest)) {
        result = acd_ctl_export_complain(args, chunks.error);
        goto out;
    }
    if (acd_ctl_output_open(&output, args->output)) {
        result = acd_ctl_export_complain(args, strerror(errno));
        goto out;
    }
    result = copy(client, args, &chunks, &output);
    if (result == ACD_CTL_OK)
        result = acd_ctl_export_keep(args, &chunks, &output, manifest);
out:
    acd_ctl_output_discard(&output);
    acd_ctl_chunks_free(&chunks);
    return result;
}
