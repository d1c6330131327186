/* RESTORE of a hash that is serialized as a listpack: every byte of it is held against the format. */
#include <stdio.h>

#include "redis.h"

#define RDB_HASH_LISTPACK 16
#define RDB_VERSION       10
#define FOOTER            10 /* the version and the sum */
#define LISTPACK_END      0xff

static uint64_t number_at(const unsigned char *at, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes; i++)
        number |= (uint64_t)at[i] << 8 * i;
    return number;
}

/* Bit by bit: CRC64 of Jones, reflected, from 0 on. */
static uint64_t crc64(const unsigned char *data, size_t len)
{
    uint64_t crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x95ac9329ac4bc9b5u : crc >> 1;
    }
    return crc;
}

/* The listpack inside a serialized hash, or NULL. */
static const unsigned char *listpack_of(struct acd_slice value, size_t *len)
{
    const unsigned char *data = (const unsigned char *)value.data;
    size_t end = value.len - FOOTER;

    if (value.len < 6 + FOOTER || data[0] != RDB_HASH_LISTPACK || number_at(data + end, 2) != RDB_VERSION ||
        number_at(data + end + 2, 8) != crc64(data, end + 2))
        return NULL;
    if (data[1] >> 6 == 1) {
        *len = (size_t)(data[1] & 0x3f) << 8 | data[2];
        return *len == end - 3 ? data + 3 : NULL;
    }
    *len = (size_t)data[2] << 24 | (size_t)data[3] << 16 | (size_t)data[4] << 8 | data[5];
    return data[1] == 0x80 && *len == end - 6 ? data + 6 : NULL;
}

/* Bytes of an element's length behind it, which must be right. */
static size_t behind(const unsigned char *at, size_t len)
{
    size_t bytes = len < 128 ? 1 : len < 16383 ? 2 : len < 2097151 ? 3 : 4;
    size_t said = 0;

    for (size_t i = 0; i < bytes; i++) {
        if ((at[i] & 0x80) != (i > 0 ? 0x80 : 0))
            return 0;
        said = said << 7 | (at[i] & 0x7f);
    }
    return said == len ? bytes : 0;
}

/* The element as text, and what follows it; NULL when it is not one that accountd writes. */
static const unsigned char *read_element(const unsigned char *at, struct acd_slice *out)
{
    const unsigned char *begin = at;
    size_t len;

    if (at[0] < 0x80) {
        *out = acd_arena_format(&sim.memory, "%d", at[0]);
        at += 1;
    } else if (at[0] == 0xf4) {
        *out = acd_arena_format(&sim.memory, "%lld", (long long)number_at(at + 1, 8));
        at += 9;
    } else if (at[0] == 0xf0 || (at[0] & 0xf0) == 0xe0 || (at[0] & 0xc0) == 0x80) {
        size_t head = at[0] == 0xf0 ? 5 : (at[0] & 0xf0) == 0xe0 ? 2 : 1;

        len = head == 5 ? number_at(at + 1, 4) : head == 2 ? (at[0] & 0x0fu) << 8 | at[1] : at[0] & 0x3fu;
        *out = acd_slice(at + head, len);
        at += head + len;
    } else {
        return NULL;
    }
    len = behind(at, (size_t)(at - begin));
    return len ? at + len : NULL;
}

static bool read_hash(const unsigned char *listpack, size_t len, struct redis_value *value)
{
    const unsigned char *at = listpack + 6;
    uint32_t elements = 0;
    struct acd_slice pair[2];

    while (at && at < listpack + len - 1) {
        at = read_element(at, &pair[elements % 2]);
        if (elements++ % 2) {
            if (redis_item(value, pair[0]) >= 0)
                return false;
            redis_put(value, pair[0], pair[1]);
        }
    }
    return at == listpack + len - 1 && *at == LISTPACK_END && elements > 0 && elements % 2 == 0 &&
           number_at(listpack, 4) == len && number_at(listpack + 4, 2) == elements;
}

redisReply *redis_restore(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    bool replaces = count == 5 && acd_slice_is(args[4], "REPLACE");
    size_t len = 0;
    const unsigned char *listpack = listpack_of(args[3], &len);

    if (!acd_slice_is(args[2], "0") || (count > 4 && !replaces))
        return redis_error("ERR syntax error");
    if (!replaces && redis_value(&server->db, args[1]))
        return redis_error("BUSYKEY Target key name already exists.");
    if (!listpack)
        return redis_error("ERR DUMP payload version or checksum are wrong");
    redis_delete(&server->db, args[1]);
    if (!read_hash(listpack, len, redis_change(&server->db, args[1], REDIS_HASH, (uint32_t)len)))
        return redis_error("ERR Bad data format");
    return redis_status("OK");
}
