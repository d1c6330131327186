/* Strings of JSON. */
#include <assert.h>

#include "accountd/text.h"
#include "json.h"

static int hex_digit(unsigned char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The number in a \uXXXX that begins here; -1 when none does. */
static int code_unit(const unsigned char *at, const unsigned char *end)
{
    int unit = 0;

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(at[i]);

        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static char *put_utf8(char *out, int point)
{
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *out++ = (char)(0xe0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    } else {
        *out++ = (char)(0xf0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3f));
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    }
    return out;
}

/* Decodes the escape at *at and steps over it. Returns the end of what was written, or NULL. */
static char *decode_escape(struct acd_json *json, const unsigned char **at, const unsigned char *end,
                           char *out)
{
    /* What they mean stands right after them. */
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const unsigned char *start = *at;
    int point;

    for (const char *escape = escapes; *escape; escape += 2) {
        if (start[1] == (unsigned char)*escape) {
            *at += 2;
            *out = escape[1];
            return out + 1;
        }
    }
    point = code_unit(start, end);
    *at += 6;
    if (point >= 0xd800 && point < 0xdc00) {
        int low = code_unit(*at, end);

        /* Without the other half it stays a surrogate. */
        if (low >= 0xdc00 && low < 0xe000) {
            point = 0x10000 + ((point - 0xd800) << 10 | (low - 0xdc00));
            *at += 6;
        }
    }
    if (point < 0) {
        acd_json_wrong(json, start, "JSON has no such escape");
        return NULL;
    }
    if (point >= 0xd800 && point < 0xe000) {
        acd_json_wrong(json, start, "one half of a surrogate pair without the other");
        return NULL;
    }
    return put_utf8(out, point);
}

/* No escape is shorter than what it means. */
static bool decode_escapes(struct acd_json *json, const unsigned char *at, const unsigned char *end,
                           struct acd_slice *out)
{
    char *to = json->text;

    assert(json->text_end - json->text >= end - at);
    while (at < end) {
        const unsigned char *escape = *at == '\\' ? at : memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape ? escape : end) - at);

        memcpy(to, at, plain);
        to += plain;
        at += plain;
        if (escape)
            to = decode_escape(json, &at, end, to);
        if (!to)
            return false;
    }
    *out = acd_slice(json->text, (size_t)(to - json->text));
    json->text = to;
    return true;
}

bool acd_json_string(struct acd_json *json, struct acd_slice *out)
{
    const unsigned char *start = json->at + 1;
    const unsigned char *at = start;
    uint64_t watch = ACD_JSON_HIGHS; /* until the string is known to be more than ASCII */
    bool escaped = false;

    while ((at = acd_json_special(at, json->end, watch)) < json->end && *at != '"') {
        if (*at < ' ')
            return acd_json_wrong(json, at, "a control character in a string; it must be escaped");
        if (*at == '\\') {
            escaped = true;
            at += json->end - at > 1;
        } else {
            watch = 0;
        }
        at++;
    }
    json->at = at;
    if (at == json->end)
        return acd_json_expected(json, "'\"'");
    json->at++;
    *out = acd_slice(start, (size_t)(at - start));
    if (!watch && !acd_utf8_valid(*out)) {
        json->wrong = acd_arena_format(json->arena, "the JSON is not valid UTF-8, in the string at byte %zu",
                                       (size_t)(start - 1 - json->begin))
                          .data;
        return false;
    }
    return !escaped || decode_escapes(json, start, at, out);
}
