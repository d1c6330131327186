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

static uint32_t count_records(const struct acd_outcome *outcomes, uint32_t count)
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
        acd_writer_array(&writer, count_records(outcomes, count));
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

static const char *content_type(enum acd_format format)
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

static int cut(struct acd_arena *arena, struct acd_slice file, struct acd_export *out)
{
    uint32_t count = (uint32_t)((file.len + ACD_CHUNK_MAX - 1) / ACD_CHUNK_MAX);
    struct acd_chunk *chunks = acd_arena_calloc(arena, count, sizeof(*chunks));

    for (uint32_t i = 0; i < count; i++) {
        size_t start = i * ACD_CHUNK_MAX;
        size_t left = file.len - start;

        chunks[i].value = acd_slice(file.data + start, left < ACD_CHUNK_MAX ? left : ACD_CHUNK_MAX);
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
                     struct acd_export *out)
{
    struct acd_slice plain = acd_export_encode(arena, command, answer->outcomes, answer->outcome_count);
    char *sha256 = acd_arena_alloc(arena, 65);
    struct acd_slice file;

    *out = (struct acd_export){
        .content_type = content_type(command->format),
        .content_encoding =
            command->compression == ACD_PLAIN ? NULL : acd_compression_text(command->compression),
    };
    if (acd_compress(arena, command->compression, plain, &file) != 0 || acd_sha256(file, sha256) != 0 ||
        cut(arena, file, out) != 0)
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
        .accounts = count_records(answer->outcomes, answer->outcome_count),
    };
    list_not_found(arena, answer, &out->manifest);
    return 0;
}
