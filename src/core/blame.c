/* Blame: precedence, paths and messages. */
#include "blame.h"

#include "accountd/text.h"
#include "names.h"

/* Bytes of a piece of input that a message quotes. */
#define EXCERPT_MAX 40

bool acd_blame_counts(const struct acd_blame *blame, enum acd_code code)
{
    return blame->refusal.code == ACD_OK || code < blame->refusal.code;
}

/* A path being written; one byte more than is shown tells whether the last character must go. */
struct written_path {
    char text[ACD_PATH_MAX + 1];
    size_t len;
};

static void write_text(struct written_path *out, struct acd_slice text)
{
    size_t room = sizeof(out->text) - out->len;
    size_t len = text.len < room ? text.len : room;

    if (len)
        memcpy(out->text + out->len, text.data, len);
    out->len += len;
}

static void write_path(struct acd_arena *arena, struct written_path *out, const struct acd_path *path)
{
    if (path->parent)
        write_path(arena, out, path->parent);
    if (path->index >= 0) {
        write_text(out, acd_arena_format(arena, "[%lld]", (long long)path->index));
        return;
    }
    if (path->parent)
        write_text(out, acd_slice(".", 1));
    write_text(out, path->key);
}

void acd_blame_add(struct acd_blame *blame, enum acd_code code, const struct acd_path *path,
                   const char *format, ...)
{
    struct written_path written = {.len = 0};
    struct acd_slice field;
    va_list args;

    if (!acd_blame_counts(blame, code))
        return;
    write_path(blame->arena, &written, path);
    field = acd_slice(written.text, written.len);
    field.len = acd_utf8_cut(field, ACD_PATH_MAX);
    blame->refusal = (struct acd_refusal){.code = code, .field = acd_arena_copy(blame->arena, field)};
    va_start(args, format);
    blame->refusal.message = acd_arena_vformat(blame->arena, format, args);
    va_end(args);
}

struct acd_slice acd_blame_excerpt(struct acd_blame *blame, struct acd_slice text)
{
    size_t len = acd_utf8_cut(text, EXCERPT_MAX);

    if (len == text.len)
        return text;
    return acd_arena_format(blame->arena, "%.*s...", (int)len, text.data);
}

struct acd_slice acd_blame_describe(struct acd_blame *blame, const struct acd_value *value)
{
    struct acd_slice excerpt;

    switch (value->kind) {
    case ACD_NULL:
        return acd_slice_str("null");
    case ACD_BOOL:
        return acd_slice_str(value->boolean ? "true" : "false");
    case ACD_INT:
        return acd_arena_format(blame->arena, "%lld", (long long)value->integer);
    case ACD_DOUBLE:
        return acd_arena_format(blame->arena, "%g", value->number);
    case ACD_STRING:
        excerpt = acd_blame_excerpt(blame, value->string);
        return acd_arena_format(blame->arena, "'%.*s'", ACD_SLICE_ARGS(excerpt));
    case ACD_BYTES:
        return acd_slice_str("binary data");
    case ACD_ARRAY:
        return acd_slice_str("an array");
    case ACD_MAP:
        break;
    }
    return acd_slice_str("a map");
}

/* What a message calls the place: its key, or "item 3" of the array. */
static struct acd_slice subject_of(struct acd_blame *blame, const struct acd_path *path)
{
    if (path->index < 0)
        return acd_blame_excerpt(blame, path->key);
    return acd_arena_format(blame->arena, "%.*s[%lld]", ACD_SLICE_ARGS(path->parent->key),
                            (long long)path->index);
}

void acd_blame_value(struct acd_blame *blame, const struct acd_path *path, const struct acd_value *value,
                     const char *what)
{
    struct acd_slice subject, is;

    if (!acd_blame_counts(blame, ACD_INVALID_FIELD))
        return;
    subject = subject_of(blame, path);
    is = acd_blame_describe(blame, value);
    acd_blame_add(blame, ACD_INVALID_FIELD, path, "%.*s is %.*s; it must be %s", ACD_SLICE_ARGS(subject),
                  ACD_SLICE_ARGS(is), what);
}

int acd_blame_unless_word(struct acd_blame *blame, const struct acd_path *path, const struct acd_value *value,
                          const struct acd_slice *words, size_t count)
{
    int place = value->kind == ACD_STRING ? acd_words_find(words, count, value->string) : -1;

    if (place < 0 && acd_blame_counts(blame, ACD_INVALID_FIELD)) {
        struct acd_slice prose = acd_arena_copy(blame->arena, acd_words_prose(blame->arena, words, count));

        acd_blame_value(blame, path, value, prose.data);
    }
    return place;
}
