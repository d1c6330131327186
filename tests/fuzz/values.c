/* Values → JSON and MessagePack, written anew for the tests, and the comparison of values. */
#include <math.h>
#include <stdio.h>

#include "accountd/text.h"
#include "fuzz.h"

/* What the bits of a form choose. */
#define BLANKS       1u /* JSON: blanks around everything; MessagePack: the widest heads */
#define ESCAPED      2u /* JSON: all that is not ASCII as \uXXXX */
#define BACKWARDS    4u /* members in the opposite order */
#define AS_FLOAT     8u /* integers that a double holds as one */

#define DOUBLE_HOLDS (INT64_C(1) << 53)

static const struct acd_member *member_at(const struct acd_value *map, uint32_t i, unsigned form)
{
    return &map->members[form & BACKWARDS ? map->count - 1 - i : i];
}

static bool is_float(const struct acd_value *value, unsigned form)
{
    return value->kind == ACD_DOUBLE || (value->kind == ACD_INT && form & AS_FLOAT &&
                                         value->integer >= -DOUBLE_HOLDS && value->integer <= DOUBLE_HOLDS);
}

static double float_of(const struct acd_value *value)
{
    return value->kind == ACD_DOUBLE ? value->number : (double)value->integer;
}

/* ---- JSON */

static void blank(struct acd_buffer *out, unsigned form)
{
    if (form & BLANKS)
        acd_buffer_add_str(out, " \t\r\n");
}

/* The next character of valid UTF-8, which is taken off the front. */
static uint32_t next_character(struct acd_slice *text)
{
    const unsigned char *at = (const unsigned char *)text->data;
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t character = len == 1 ? at[0] : at[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++)
        character = character << 6 | (at[i] & 0x3fu);
    *text = acd_slice(text->data + len, text->len - len);
    return character;
}

static void add_escape(struct acd_buffer *out, uint32_t unit)
{
    char text[8];

    snprintf(text, sizeof(text), "\\u%04X", (unsigned)unit);
    acd_buffer_add_str(out, text);
}

static void add_json_string(struct acd_buffer *out, struct acd_slice text, unsigned form)
{
    acd_buffer_add_char(out, '"');
    while (text.len) {
        const char *start = text.data;
        uint32_t character = next_character(&text);

        if (character >= 0x10000 && form & ESCAPED) {
            add_escape(out, 0xd800 + ((character - 0x10000) >> 10));
            add_escape(out, 0xdc00 + ((character - 0x10000) & 0x3ff));
        } else if (character < 0x20 || character == '"' || character == '\\' ||
                   (character >= 0x7f && form & ESCAPED)) {
            add_escape(out, character);
        } else {
            acd_buffer_add(out, start, (size_t)(text.data - start));
        }
    }
    acd_buffer_add_char(out, '"');
}

static void add_json_float(struct acd_buffer *out, double number)
{
    char text[40];

    snprintf(text, sizeof(text), "%.17g", number);
    acd_buffer_add_str(out, text);
    if (!strpbrk(text, ".e"))
        acd_buffer_add_str(out, ".0");
}

static bool add_json_items(struct acd_buffer *out, const struct acd_value *value, unsigned form)
{
    bool map = value->kind == ACD_MAP;

    acd_buffer_add_char(out, map ? '{' : '[');
    for (uint32_t i = 0; i < value->count; i++) {
        const struct acd_member *member = map ? member_at(value, i, form) : NULL;

        if (i)
            acd_buffer_add_char(out, ',');
        blank(out, form);
        if (member) {
            add_json_string(out, member->key, form);
            blank(out, form);
            acd_buffer_add_char(out, ':');
        }
        if (!fuzz_write_json(out, member ? &member->value : &value->items[i], form))
            return false;
    }
    acd_buffer_add_char(out, map ? '}' : ']');
    return true;
}

bool fuzz_write_json(struct acd_buffer *out, const struct acd_value *value, unsigned form)
{
    bool possible = value->kind != ACD_BYTES;

    blank(out, form);
    if (value->kind == ACD_NULL)
        acd_buffer_add_str(out, "null");
    else if (value->kind == ACD_BOOL)
        acd_buffer_add_str(out, value->boolean ? "true" : "false");
    else if (is_float(value, form))
        add_json_float(out, float_of(value));
    else if (value->kind == ACD_INT)
        acd_buffer_add_int(out, value->integer);
    else if (value->kind == ACD_STRING)
        add_json_string(out, value->string, form);
    else if (possible)
        possible = add_json_items(out, value, form);
    blank(out, form);
    return possible;
}

/* ---- MessagePack */

static void add_big_endian(struct acd_buffer *out, unsigned char head, uint64_t number, unsigned bytes)
{
    acd_buffer_add_char(out, (char)head);
    while (bytes-- > 0)
        acd_buffer_add_char(out, (char)(number >> (8 * bytes) & 0xff));
}

/* The head of a string, array or map: in its first byte up to `fixed_max`, or in 1 (`head8`, 0: there is
 * none), 2 or 4 bytes, of which `head16` is the second. */
static void add_length(struct acd_buffer *out, uint32_t len, unsigned form, unsigned char fixed,
                       uint32_t fixed_max, unsigned char head8, unsigned char head16)
{
    if (form & BLANKS || len > UINT16_MAX)
        add_big_endian(out, (unsigned char)(head16 + 1), len, 4);
    else if (len <= fixed_max)
        acd_buffer_add_char(out, (char)(fixed | len));
    else if (head8 && len <= UINT8_MAX)
        add_big_endian(out, head8, len, 1);
    else
        add_big_endian(out, head16, len, 2);
}

static void add_string(struct acd_buffer *out, struct acd_slice text, unsigned form)
{
    add_length(out, (uint32_t)text.len, form, 0xa0, 31, 0xd9, 0xda);
    acd_buffer_add_slice(out, text);
}

static void add_integer(struct acd_buffer *out, int64_t number, unsigned form)
{
    if (form & BLANKS || number > INT32_MAX || number < INT32_MIN)
        add_big_endian(out, 0xd3, (uint64_t)number, 8);
    else if (number >= -32 && number <= 127)
        acd_buffer_add_char(out, (char)number);
    else if (number >= 0 && number <= UINT8_MAX)
        add_big_endian(out, 0xcc, (uint64_t)number, 1);
    else if (number >= 0 && number <= UINT16_MAX)
        add_big_endian(out, 0xcd, (uint64_t)number, 2);
    else
        add_big_endian(out, 0xd2, (uint64_t)number, 4);
}

static void add_float(struct acd_buffer *out, double number, unsigned form)
{
    float narrow = fabs(number) <= 1e30 ? (float)number : 0.0f;
    uint32_t half;
    uint64_t whole;

    memcpy(&half, &narrow, sizeof(half));
    memcpy(&whole, &number, sizeof(whole));
    if ((double)narrow == number && !(form & BLANKS))
        add_big_endian(out, 0xca, half, 4);
    else
        add_big_endian(out, 0xcb, whole, 8);
}

void fuzz_write_msgpack(struct acd_buffer *out, const struct acd_value *value, unsigned form)
{
    if (value->kind == ACD_NULL) {
        acd_buffer_add_char(out, (char)0xc0);
    } else if (value->kind == ACD_BOOL) {
        acd_buffer_add_char(out, (char)(value->boolean ? 0xc3 : 0xc2));
    } else if (is_float(value, form)) {
        add_float(out, float_of(value), form);
    } else if (value->kind == ACD_INT) {
        add_integer(out, value->integer, form);
    } else if (value->kind == ACD_STRING) {
        add_string(out, value->string, form);
    } else if (value->kind == ACD_BYTES) {
        add_big_endian(out, 0xc6, value->string.len, 4);
        acd_buffer_add_slice(out, value->string);
    } else if (value->kind == ACD_ARRAY) {
        add_length(out, value->count, form, 0x90, 15, 0, 0xdc);
        for (uint32_t i = 0; i < value->count; i++)
            fuzz_write_msgpack(out, &value->items[i], form);
    } else {
        add_length(out, value->count, form, 0x80, 15, 0, 0xde);
        for (uint32_t i = 0; i < value->count; i++) {
            const struct acd_member *member = member_at(value, i, form);

            add_string(out, member->key, form);
            fuzz_write_msgpack(out, &member->value, form);
        }
    }
}

/* ---- Comparing */

static const struct acd_value *find(const struct acd_value *map, struct acd_slice key, uint32_t likely)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct acd_member *member = &map->members[(likely + i) % map->count];

        if (acd_slice_equal(member->key, key))
            return &member->value;
    }
    return NULL;
}

static bool same_number(const struct acd_value *a, const struct acd_value *b)
{
    int64_t whole_a;
    int64_t whole_b;

    if (acd_value_integer(a, &whole_a))
        return acd_value_integer(b, &whole_b) && whole_a == whole_b;
    return a->kind == ACD_DOUBLE && b->kind == ACD_DOUBLE && a->number == b->number;
}

static bool same_items(const struct acd_value *a, const struct acd_value *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (!fuzz_same_value(&a->items[i], &b->items[i]))
            return false;
    return true;
}

/* A decoded map has no key twice. */
static bool same_members(const struct acd_value *a, const struct acd_value *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        const struct acd_value *other = find(b, a->members[i].key, i);

        if (!other || !fuzz_same_value(&a->members[i].value, other))
            return false;
    }
    return true;
}

bool fuzz_same_value(const struct acd_value *a, const struct acd_value *b)
{
    if (a->kind == ACD_INT || a->kind == ACD_DOUBLE)
        return same_number(a, b);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case ACD_BOOL:
        return a->boolean == b->boolean;
    case ACD_STRING:
    case ACD_BYTES:
        return acd_slice_equal(a->string, b->string);
    case ACD_ARRAY:
        return a->count == b->count && same_items(a, b);
    case ACD_MAP:
        return a->count == b->count && same_members(a, b);
    default:
        return true;
    }
}
