/* The file of an export, its chunks and its manifest. */
#include "accountd/export.h"

#include "encode.h"

static uint32_t kept(const struct acd_command *command)
{
    uint32_t keep = 0;

    for (uint32_t i = 0; i < command->column_count; i++)
        keep |= UINT32_C(1) << command->columns[i];
    return keep;
}

uint32_t acd_export_count(const struct acd_outcome *outcomes, uint32_t count)
{
    uint32_t records = 0;

    for (uint32_t i = 0; i < count; i++)
        records += outcomes[i].record != NULL;
    return records;
}

/* ndjson, json and msgpack: the same records, framed differently. */
static struct acd_slice encode_records(struct acd_arena *arena, const struct acd_command *command,
                                       const struct acd_outcome *outcomes, uint32_t count)
{
    bool msgpack = command->format == ACD_MSGPACK;
    uint32_t keep = kept(command);
    struct acd_writer writer;

    acd_writer_init(&writer, msgpack ? ACD_ENCODING_MSGPACK : ACD_ENCODING_JSON, arena);
    if (command->format == ACD_JSON)
        acd_writer_array(&writer, acd_export_count(outcomes, count));
    for (uint32_t i = 0; i < count; i++) {
        if (!outcomes[i].record)
            continue;
        acd_record_write_kept(&writer, command->app, outcomes[i].account, outcomes[i].record, keep);
        if (command->format == ACD_NDJSON)
            acd_buffer_add_char(&writer.buffer, '\n');
    }
    if (command->format == ACD_JSON)
        acd_writer_end(&writer);
    return acd_buffer_slice(&writer.buffer);
}

struct acd_slice acd_export_encode(struct acd_arena *arena, const struct acd_command *command,
                                   const struct acd_outcome *outcomes, uint32_t count)
{
    if (command->format == ACD_CSV)
        return acd_csv_encode(arena, command, outcomes, count);
    return encode_records(arena, command, outcomes, count);
}

const char *acd_export_content_type(enum acd_format format)
{
    switch (format) {
    case ACD_JSON:
        return acd_encoding_content_type(ACD_ENCODING_JSON);
    case ACD_CSV:
        return "text/csv";
    case ACD_MSGPACK:
        return acd_encoding_content_type(ACD_ENCODING_MSGPACK);
    default:
        return "application/x-ndjson";
    }
}

static void add_header(struct acd_header *headers, uint32_t *count, const char *name, struct acd_slice value)
{
    headers[(*count)++] = (struct acd_header){acd_slice_str(name), value};
}

uint32_t acd_chunk_headers(struct acd_arena *arena, const struct acd_manifest *manifest, int64_t seq,
                           const struct acd_chunk *chunk, struct acd_header *headers)
{
    uint32_t count = 0;

    add_header(headers, &count, "export-id", manifest->export_id);
    add_header(headers, &count, "export-source", manifest->source);
    add_header(headers, &count, "export-seq", acd_buffer_int(arena, seq));
    add_header(headers, &count, "export-attempt", acd_buffer_int(arena, manifest->attempt));
    add_header(headers, &count, "export-sha256", acd_slice_str(chunk->sha256));
    add_header(headers, &count, "content-type", acd_slice_str(acd_export_content_type(manifest->format)));
    if (manifest->compression != ACD_PLAIN)
        add_header(headers, &count, "content-encoding",
                   acd_slice_str(acd_compression_text(manifest->compression)));
    return count;
}

uint32_t acd_manifest_headers(const struct acd_manifest *manifest, struct acd_header *headers)
{
    uint32_t count = 0;

    add_header(headers, &count, "export-id", manifest->export_id);
    add_header(headers, &count, "export-source", manifest->source);
    add_header(headers, &count, "export-manifest", acd_slice_str("1"));
    return count;
}

static int cut(struct acd_arena *arena, struct acd_slice file, size_t chunk_bytes, struct acd_export *out)
{
    uint32_t count = (uint32_t)((file.len + chunk_bytes - 1) / chunk_bytes);
    struct acd_chunk *chunks = acd_arena_calloc(arena, count, sizeof(*chunks));

    for (uint32_t i = 0; i < count; i++) {
        size_t start = i * chunk_bytes;
        size_t left = file.len - start;

        chunks[i].value = acd_slice(file.data + start, left < chunk_bytes ? left : chunk_bytes);
        if (acd_sha256(chunks[i].value, chunks[i].sha256) != 0)
            return -1;
    }
    out->chunks = chunks;
    out->chunk_count = count;
    return 0;
}

static void list_not_found(struct acd_arena *arena, const struct acd_answer *answer,
                           struct acd_manifest *manifest)
{
    struct acd_slice *names = acd_arena_calloc(arena, answer->outcome_count, sizeof(*names));

    for (uint32_t i = 0; i < answer->outcome_count; i++)
        if (answer->outcomes[i].refusal.code == ACD_ACCOUNT_NOT_FOUND)
            names[manifest->not_found_count++] = answer->outcomes[i].account;
    manifest->not_found = names;
}

int acd_export_build(struct acd_arena *arena, const struct acd_command *command,
                     const struct acd_answer *answer, struct acd_slice id, const struct acd_origin *origin,
                     size_t chunk_bytes, struct acd_export *out)
{
    struct acd_slice plain = acd_export_encode(arena, command, answer->outcomes, answer->outcome_count);
    char *sha256 = acd_arena_alloc(arena, 65);
    struct acd_slice file;

    *out = (struct acd_export){0};
    if (acd_compress(arena, command->compression, plain, &file) != 0 || acd_sha256(file, sha256) != 0 ||
        cut(arena, file, chunk_bytes, out) != 0)
        return -1;

    out->manifest = (struct acd_manifest){
        .export_id = id,
        .source = acd_arena_format(arena, "%.*s:%d:%lld", ACD_SLICE_ARGS(origin->topic), origin->partition,
                                   (long long)origin->offset),
        .attempt = 1,
        .app = command->app,
        .format = command->format,
        .compression = command->compression,
        .chunks = out->chunk_count,
        .bytes = (int64_t)file.len,
        .sha256 = acd_slice_str(sha256),
        .accounts = acd_export_count(answer->outcomes, answer->outcome_count),
    };
    list_not_found(arena, answer, &out->manifest);
    return 0;
}
