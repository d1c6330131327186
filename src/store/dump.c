/* A hash's serialized value: the type, a listpack as a string of the RDB format, that format's version and a
 * CRC64 of all before it.
 *
 * A listpack is its size in bytes, the number of its elements, the elements (name and value by turns), and an
 * end. Each element is its type and size, its bytes, and the length of both, to be read from behind. */
#include "dump.h"

#include <stddef.h>
#include <threads.h>

#define RDB_HASH_LISTPACK 16
#define RDB_VERSION       10 /* Redis 7.0, the oldest that has functions; every later one takes it */

#define HEAD_MAX          6  /* the type, and a length of any size */
#define FOOTER            10 /* the version and the sum */

#define LISTPACK_HEADER   6
#define LISTPACK_END      0xff

/* Of a listpack's element, beside a text's own bytes: its type and size, and its length behind it. */
#define ELEMENT_MAX 10

/* Numbers are little-endian, whatever the host is. */
static unsigned char *put_number(unsigned char *at, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        *at++ = (unsigned char)(number >> 8 * i);
    return at;
}

/* ---- CRC64 as Redis has it: Jones' polynomial, reflected, from 0 on */

#define POLYNOMIAL 0x95ac9329ac4bc9b5u

/* What a byte does to the sum with 0 to 7 more bytes behind it: eight bytes go in at once. */
static uint64_t crc_table[8][256];
static once_flag crc_once = ONCE_FLAG_INIT;

static void make_crc_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        crc_table[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (size_t behind = 1; behind < 8; behind++)
            crc_table[behind][byte] =
                crc_table[behind - 1][byte] >> 8 ^ crc_table[0][crc_table[behind - 1][byte] & 0xff];
}

static uint64_t crc64(const unsigned char *data, size_t len)
{
    uint64_t crc = 0;

    call_once(&crc_once, make_crc_table);
    for (; len >= 8; data += 8, len -= 8) {
        for (size_t i = 0; i < 8; i++)
            crc ^= (uint64_t)data[i] << 8 * i;
        crc = crc_table[7][crc & 0xff] ^ crc_table[6][crc >> 8 & 0xff] ^ crc_table[5][crc >> 16 & 0xff] ^
              crc_table[4][crc >> 24 & 0xff] ^ crc_table[3][crc >> 32 & 0xff] ^
              crc_table[2][crc >> 40 & 0xff] ^ crc_table[1][crc >> 48 & 0xff] ^ crc_table[0][crc >> 56];
    }
    for (; len > 0; data++, len--)
        crc = crc >> 8 ^ crc_table[0][(crc ^ *data) & 0xff];
    return crc;
}

/* ---- Elements */

struct listpack {
    unsigned char *at; /* where the next element goes */
    uint32_t elements;
};

/* The length of an element, seven bits a byte, the highest first; all bytes but the first say that another
 * one stands before them. Redis takes a byte more where all bits of two or more would be set. */
static void end_element(struct listpack *pack, const unsigned char *begin)
{
    size_t len = (size_t)(pack->at - begin);
    int more = 0;

    while (len >= 1 << 7 && len >= ((size_t)1 << 7 * (more + 1)) - 1)
        more++;
    for (int i = more; i >= 0; i--)
        *pack->at++ = (unsigned char)((len >> 7 * i & 127) | (i < more ? 128 : 0));
    pack->elements++;
}

static void add_text(struct listpack *pack, struct acd_slice text)
{
    unsigned char *begin = pack->at;

    if (text.len < 1 << 6) {
        *pack->at++ = (unsigned char)(0x80 | text.len);
    } else if (text.len < 1 << 12) {
        *pack->at++ = (unsigned char)(0xe0 | text.len >> 8);
        *pack->at++ = (unsigned char)text.len;
    } else {
        *pack->at++ = 0xf0;
        pack->at = put_number(pack->at, text.len, 4);
    }
    memcpy(pack->at, text.data, text.len);
    pack->at += text.len;
    end_element(pack, begin);
}

static void add_number(struct listpack *pack, const char *name, int64_t number)
{
    unsigned char *begin;

    add_text(pack, acd_slice_str(name));
    begin = pack->at;
    if (number >= 0 && number < 1 << 7) {
        *pack->at++ = (unsigned char)number;
    } else {
        *pack->at++ = 0xf4;
        pack->at = put_number(pack->at, (uint64_t)number, sizeof(number));
    }
    end_element(pack, begin);
}

/* ---- An account */

static const char custom_prefix[] = "custom.";
#define CUSTOM_PREFIX_LEN (sizeof(custom_prefix) - 1)

static size_t size_at_most(const struct acd_account *account)
{
    size_t size = 4 * (sizeof("created_at") + sizeof("general") + 2 * (size_t)ELEMENT_MAX);

    for (int f = 0; f < ACD_FIELD_COUNT; f++)
        if (account->fields[f].len)
            size += strlen(acd_field_rules[f].name) + account->fields[f].len + 2 * (size_t)ELEMENT_MAX;
    for (uint32_t i = 0; i < account->custom_count; i++)
        size += CUSTOM_PREFIX_LEN + account->custom[i].tag.len + account->custom[i].value.len +
                2 * (size_t)ELEMENT_MAX;
    return size;
}

static void add_custom_name(struct listpack *pack, struct acd_arena *arena, struct acd_slice tag)
{
    char *name = acd_arena_alloc(arena, CUSTOM_PREFIX_LEN + tag.len);

    memcpy(name, custom_prefix, CUSTOM_PREFIX_LEN);
    memcpy(name + CUSTOM_PREFIX_LEN, tag.data, tag.len);
    add_text(pack, acd_slice(name, CUSTOM_PREFIX_LEN + tag.len));
}

static void add_fields(struct listpack *pack, struct acd_arena *arena, const struct acd_account *account)
{
    add_text(pack, acd_slice_str("type"));
    add_text(pack, acd_slice_str(acd_type_text(account->type)));
    add_number(pack, "rev", account->revision);
    add_number(pack, "created_at", account->created_at_ms);
    add_number(pack, "updated_at", account->updated_at_ms);
    for (int f = 0; f < ACD_FIELD_COUNT; f++) {
        if (account->fields[f].len) {
            add_text(pack, acd_slice_str(acd_field_rules[f].name));
            add_text(pack, account->fields[f]);
        }
    }
    for (uint32_t i = 0; i < account->custom_count; i++) {
        add_custom_name(pack, arena, account->custom[i].tag);
        add_text(pack, account->custom[i].value);
    }
}

/* Writes the type and the length of the string before the listpack; returns where they begin. */
static unsigned char *put_head(unsigned char *listpack, uint32_t len)
{
    unsigned char *begin;

    if (len < 1 << 14) {
        begin = listpack - 3;
        begin[1] = (unsigned char)(0x40 | len >> 8);
        begin[2] = (unsigned char)len;
    } else {
        begin = listpack - HEAD_MAX;
        begin[1] = 0x80;
        for (int i = 0; i < 4; i++)
            begin[2 + i] = (unsigned char)(len >> 8 * (3 - i));
    }
    begin[0] = RDB_HASH_LISTPACK;
    return begin;
}

struct acd_slice acd_dump(struct acd_arena *arena, const struct acd_account *account)
{
    unsigned char *memory =
        acd_arena_alloc(arena, HEAD_MAX + LISTPACK_HEADER + size_at_most(account) + 1 + FOOTER);
    unsigned char *listpack = memory + HEAD_MAX;
    struct listpack pack = {.at = listpack + LISTPACK_HEADER};
    unsigned char *begin;
    uint32_t size;

    add_fields(&pack, arena, account);
    *pack.at++ = LISTPACK_END;
    size = (uint32_t)(pack.at - listpack);
    put_number(listpack, size, 4);
    put_number(listpack + 4, pack.elements < UINT16_MAX ? pack.elements : UINT16_MAX, 2);
    begin = put_head(listpack, size);
    pack.at = put_number(pack.at, RDB_VERSION, 2);
    pack.at = put_number(pack.at, crc64(begin, (size_t)(pack.at - begin)), 8);
    return acd_slice(begin, (size_t)(pack.at - begin));
}
