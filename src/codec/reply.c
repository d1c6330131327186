/* Answers as replies, and export manifests.
 *
 * MessagePack wants the number of a map's members before the first of them, so each map is made in two
 * steps: which members it has, then each of them.
 */
#include "accountd/reply.h"

/* Room in a list's reply for everything but its rows: names, a topic of 249 bytes, a cursor. */
#define LIST_REST ((size_t)4096)

/* A reply's members, in the order in which they are written. */
#define MEMBERS(X)                                                                                           \
    X(V, "v")                                                                                                \
    X(ID, "id")                                                                                              \
    X(OP, "op")                                                                                              \
    X(APP, "app")                                                                                            \
    X(ACCOUNT, "account")                                                                                    \
    X(STATUS, "status")                                                                                      \
    X(REVISION, "revision")                                                                                  \
    X(CHANGED, "changed")                                                                                    \
    X(DRY_RUN, "dry_run")                                                                                    \
    X(COUNTS, "counts")                                                                                      \
    X(RESULTS, "results")                                                                                    \
    X(RECORD, "record")                                                                                      \
    X(ROWS, "rows")                                                                                          \
    X(TOTAL, "total")                                                                                        \
    X(NEXT, "next")                                                                                          \
    X(EXPORT, "export")                                                                                      \
    X(ERROR, "error")                                                                                        \
    X(AT, "at")                                                                                              \
    X(SOURCE, "source")

enum member {
#define X(name, text) HAS_##name,
    MEMBERS(X)
#undef X
        MEMBER_COUNT
};

static const char *const member_names[MEMBER_COUNT] = {
#define X(name, text) [HAS_##name] = text,
    MEMBERS(X)
#undef X
};

struct reply {
    const struct acd_command *command;
    const struct acd_answer *answer;
    struct acd_slice id;
    const struct acd_origin *origin;
    const struct acd_manifest *manifest;
};

static uint32_t has(enum member member, bool present)
{
    return present ? UINT32_C(1) << member : 0;
}

static uint32_t count_bits(uint32_t mask)
{
    return (uint32_t)__builtin_popcount(mask);
}

static bool is_change(enum acd_op op)
{
    return op == ACD_CREATE || op == ACD_EDIT || op == ACD_DELETE;
}

static void write_refusal(struct acd_writer *writer, const struct acd_refusal *refusal)
{
    bool blames = refusal->field.data != NULL;
    bool conflict = refusal->code == ACD_REVISION_CONFLICT;

    acd_writer_map(writer, 2U + blames + conflict);
    acd_writer_key(writer, "code");
    acd_writer_str(writer, acd_code_text(refusal->code));
    acd_writer_key(writer, "message");
    acd_writer_string(writer, refusal->message);
    if (blames) {
        acd_writer_key(writer, "field");
        acd_writer_string(writer, refusal->field);
    }
    if (conflict) {
        acd_writer_key(writer, "revision");
        acd_writer_int(writer, refusal->revision);
    }
    acd_writer_end(writer);
}

/* One of `results`: of what was asked for a single account a reply's own members say the same. */
static void write_outcome(struct acd_writer *writer, const struct acd_command *command,
                          const struct acd_outcome *outcome)
{
    bool ok = outcome->refusal.code == ACD_OK;
    uint32_t members = has(HAS_ACCOUNT, true) | has(HAS_STATUS, true) | has(HAS_ERROR, !ok) |
                       has(HAS_REVISION, ok && is_change(command->op)) |
                       has(HAS_CHANGED, ok && is_change(command->op)) |
                       has(HAS_RECORD, ok && command->op == ACD_GET);

    acd_writer_map(writer, count_bits(members));
    acd_writer_key(writer, "account");
    acd_writer_string(writer, outcome->account);
    acd_writer_key(writer, "status");
    acd_writer_str(writer, acd_status_text(ok ? ACD_STATUS_OK : ACD_STATUS_ERROR));
    if (members & has(HAS_REVISION, true)) {
        acd_writer_key(writer, "revision");
        acd_writer_int(writer, outcome->revision);
        acd_writer_key(writer, "changed");
        acd_writer_bool(writer, outcome->changed);
    }
    if (members & has(HAS_RECORD, true)) {
        acd_writer_key(writer, "record");
        acd_record_write(writer, command->app, outcome->account, outcome->record);
    }
    if (!ok) {
        acd_writer_key(writer, "error");
        write_refusal(writer, &outcome->refusal);
    }
    acd_writer_end(writer);
}

static void write_results(struct acd_writer *writer, const struct reply *reply)
{
    acd_writer_array(writer, reply->answer->outcome_count);
    for (uint32_t i = 0; i < reply->answer->outcome_count; i++)
        write_outcome(writer, reply->command, &reply->answer->outcomes[i]);
    acd_writer_end(writer);
}

static void write_counts(struct acd_writer *writer, const struct acd_answer *answer)
{
    acd_writer_map(writer, 2);
    acd_writer_key(writer, "ok");
    acd_writer_int(writer, answer->ok_count);
    acd_writer_key(writer, "error");
    acd_writer_int(writer, answer->outcome_count - answer->ok_count);
    acd_writer_end(writer);
}

static void write_row(struct acd_writer *writer, const struct acd_row *row)
{
    const struct acd_account *record = row->record;
    struct acd_slice nickname = record->fields[ACD_NICKNAME];
    struct acd_slice avatar_url = record->fields[ACD_AVATAR_URL];

    acd_writer_map(writer, 3U + (nickname.len > 0) + (avatar_url.len > 0));
    acd_writer_key(writer, "account");
    acd_writer_string(writer, row->account);
    if (nickname.len) {
        acd_writer_key(writer, "nickname");
        acd_writer_string(writer, nickname);
    }
    acd_writer_key(writer, "type");
    acd_writer_str(writer, acd_type_text(record->type));
    if (avatar_url.len) {
        acd_writer_key(writer, "avatar_url");
        acd_writer_string(writer, avatar_url);
    }
    acd_writer_key(writer, "created_at");
    acd_writer_time(writer, record->created_at_ms);
    acd_writer_end(writer);
}

static void write_rows(struct acd_writer *writer, const struct acd_answer *answer)
{
    acd_writer_array(writer, answer->row_count);
    for (uint32_t i = 0; i < answer->row_count; i++)
        write_row(writer, &answer->rows[i]);
    acd_writer_end(writer);
}

static void write_next(struct acd_writer *writer, const struct acd_answer *answer)
{
    const struct acd_row *last;

    if (!answer->more || answer->row_count == 0) {
        acd_writer_null(writer);
        return;
    }
    last = &answer->rows[answer->row_count - 1];
    acd_writer_string(writer,
                      acd_cursor_write(last->record->created_at_ms, last->account, writer->buffer.arena));
}

static void write_source(struct acd_writer *writer, const struct acd_origin *origin)
{
    acd_writer_map(writer, 3);
    acd_writer_key(writer, "topic");
    acd_writer_string(writer, origin->topic);
    acd_writer_key(writer, "partition");
    acd_writer_int(writer, origin->partition);
    acd_writer_key(writer, "offset");
    acd_writer_int(writer, origin->offset);
    acd_writer_end(writer);
}

static void write_manifest(struct acd_writer *writer, const struct acd_manifest *manifest)
{
    acd_writer_map(writer, manifest->swept ? 14 : 11);
    acd_writer_key(writer, "export_id");
    acd_writer_string(writer, manifest->export_id);
    acd_writer_key(writer, "source");
    acd_writer_string(writer, manifest->source);
    acd_writer_key(writer, "attempt");
    acd_writer_int(writer, manifest->attempt);
    acd_writer_key(writer, "app");
    acd_writer_string(writer, manifest->app);
    acd_writer_key(writer, "format");
    acd_writer_str(writer, acd_format_text(manifest->format));
    acd_writer_key(writer, "compression");
    acd_writer_str(writer, acd_compression_text(manifest->compression));
    acd_writer_key(writer, "chunks");
    acd_writer_int(writer, manifest->chunks);
    acd_writer_key(writer, "bytes");
    acd_writer_int(writer, manifest->bytes);
    acd_writer_key(writer, "sha256");
    acd_writer_string(writer, manifest->sha256);
    acd_writer_key(writer, "accounts");
    acd_writer_int(writer, manifest->accounts);
    acd_writer_key(writer, "not_found");
    acd_writer_array(writer, manifest->not_found_count);
    for (uint32_t i = 0; i < manifest->not_found_count; i++)
        acd_writer_string(writer, manifest->not_found[i]);
    acd_writer_end(writer);
    if (manifest->swept) {
        acd_writer_key(writer, "read");
        acd_writer_int(writer, manifest->accounts + manifest->gone + manifest->left_out);
        acd_writer_key(writer, "gone");
        acd_writer_int(writer, manifest->gone);
        acd_writer_key(writer, "left_out");
        acd_writer_int(writer, manifest->left_out);
    }
    acd_writer_end(writer);
}

struct acd_slice acd_manifest_encode(struct acd_arena *arena, const struct acd_manifest *manifest)
{
    struct acd_writer writer;

    acd_writer_init(&writer, ACD_ENCODING_JSON, arena);
    write_manifest(&writer, manifest);
    return acd_buffer_slice(&writer.buffer);
}

/* A command that was refused as a whole has no outcomes, whatever it named. */
static uint32_t members_of(const struct reply *reply)
{
    const struct acd_command *command = reply->command;
    const struct acd_answer *answer = reply->answer;
    bool ok = answer->status == ACD_STATUS_OK;
    bool one = !command->many && answer->outcome_count == 1 && ok;
    bool many = command->many && answer->outcome_count > 0;
    bool list = command->op == ACD_LIST && ok;

    return has(HAS_V, true) | has(HAS_ID, true) | has(HAS_OP, command->op != ACD_OP_NONE) |
           has(HAS_APP, command->app.len > 0) | has(HAS_ACCOUNT, !command->many && command->account.len > 0) |
           has(HAS_STATUS, true) | has(HAS_REVISION, one && is_change(command->op)) |
           has(HAS_CHANGED, one && is_change(command->op)) |
           has(HAS_DRY_RUN, command->dry_run && is_change(command->op)) | has(HAS_COUNTS, many) |
           has(HAS_RESULTS, many) | has(HAS_RECORD, one && command->op == ACD_GET) | has(HAS_ROWS, list) |
           has(HAS_TOTAL, list) | has(HAS_NEXT, list) | has(HAS_EXPORT, reply->manifest != NULL) |
           has(HAS_ERROR, answer->status == ACD_STATUS_ERROR) | has(HAS_AT, true) | has(HAS_SOURCE, true);
}

static void write_member(struct acd_writer *writer, enum member member, const struct reply *reply)
{
    const struct acd_command *command = reply->command;
    const struct acd_answer *answer = reply->answer;

    switch (member) {
    case HAS_V:
        acd_writer_int(writer, 1);
        break;
    case HAS_ID:
        acd_writer_string(writer, reply->id);
        break;
    case HAS_OP:
        acd_writer_str(writer, acd_op_text(command->op));
        break;
    case HAS_APP:
        acd_writer_string(writer, command->app);
        break;
    case HAS_ACCOUNT:
        acd_writer_string(writer, command->account);
        break;
    case HAS_STATUS:
        acd_writer_str(writer, acd_status_text(answer->status));
        break;
    case HAS_REVISION:
        acd_writer_int(writer, answer->outcomes[0].revision);
        break;
    case HAS_CHANGED:
        acd_writer_bool(writer, answer->outcomes[0].changed);
        break;
    case HAS_DRY_RUN:
        acd_writer_bool(writer, true);
        break;
    case HAS_COUNTS:
        write_counts(writer, answer);
        break;
    case HAS_RESULTS:
        write_results(writer, reply);
        break;
    case HAS_RECORD:
        acd_record_write(writer, command->app, answer->outcomes[0].account, answer->outcomes[0].record);
        break;
    case HAS_ROWS:
        write_rows(writer, answer);
        break;
    case HAS_TOTAL:
        acd_writer_int(writer, answer->total);
        break;
    case HAS_NEXT:
        write_next(writer, answer);
        break;
    case HAS_EXPORT:
        write_manifest(writer, reply->manifest);
        break;
    case HAS_ERROR:
        write_refusal(writer, &answer->refusal);
        break;
    case HAS_AT:
        acd_writer_time(writer, reply->origin->at_ms);
        break;
    case HAS_SOURCE:
        write_source(writer, reply->origin);
        break;
    case MEMBER_COUNT:
        break;
    }
}

static struct acd_slice encode(struct acd_arena *arena, enum acd_encoding encoding, const struct reply *reply)
{
    uint32_t members = members_of(reply);
    struct acd_writer writer;

    acd_writer_init(&writer, encoding, arena);
    acd_writer_map(&writer, count_bits(members));
    for (enum member member = 0; member < MEMBER_COUNT; member++) {
        if (members & has(member, true)) {
            acd_writer_key(&writer, member_names[member]);
            write_member(&writer, member, reply);
        }
    }
    acd_writer_end(&writer);
    return acd_buffer_slice(&writer.buffer);
}

/* How many of the first rows a reply holds. Rows are bounded, so that is one at least. */
static uint32_t rows_that_fit(struct acd_arena *arena, enum acd_encoding encoding,
                              const struct acd_answer *answer)
{
    struct acd_writer writer;
    uint32_t count = 0;

    acd_writer_init(&writer, encoding, arena);
    acd_writer_array(&writer, answer->row_count);
    while (count < answer->row_count) {
        write_row(&writer, &answer->rows[count]);
        if (count && writer.buffer.len > ACD_REPLY_MAX - LIST_REST)
            break;
        count++;
    }
    return count;
}

struct acd_slice acd_reply_encode(struct acd_arena *arena, enum acd_encoding encoding,
                                  const struct acd_command *command, struct acd_answer *answer,
                                  struct acd_slice id, const struct acd_origin *origin,
                                  const struct acd_manifest *manifest)
{
    struct reply reply = {command, answer, id, origin, manifest};
    struct acd_slice bytes = encode(arena, encoding, &reply);

    if (bytes.len <= ACD_REPLY_MAX)
        return bytes;
    if (command->op == ACD_LIST) {
        answer->row_count = rows_that_fit(arena, encoding, answer);
        answer->more = true;
    } else {
        *answer = acd_refuse((struct acd_refusal){
            .code = ACD_REPLY_TOO_LARGE,
            .message = ACD_LITERAL("the reply would be larger than 900 KiB; ask for fewer accounts"),
        });
    }
    return encode(arena, encoding, &reply);
}
