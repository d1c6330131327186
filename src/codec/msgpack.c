/* MessagePack → acd_value, by msgpack-c.
 *
 * msgpack-c reserves memory for as many items as a header claims, so the message is walked first: nothing is
 * unpacked that is not one whole map of bounded depth. The walk also counts what the tree will need; that
 * memory is taken before msgpack-c takes its own, because the arena may jump away when there is none.
 */
#include <math.h>
#include <msgpack.h>

#include "accountd/text.h"
#include "decode.h"

struct walk {
    const unsigned char *bytes;
    size_t len;
    size_t at;
    size_t items;   /* of all arrays */
    size_t members; /* of all maps */
    uint32_t depth;
    struct {
        uint64_t owed; /* keys, values and items still to come */
        bool map;
    } open[ACD_DEPTH_MAX];
};

/* What the first byte of a value says. */
struct head {
    enum { SCALAR, STRING, ARRAY, MAP, NEVER } what;
    size_t length_bytes; /* of a big-endian length that follows */
    uint64_t length;     /* the length, where the first byte holds it */
    size_t extra;        /* bytes besides the length: the type of an ext */
};

static struct head head_of(unsigned char first)
{
    /* c0 to df, in order */
    static const struct head named[] = {
        {SCALAR, 0, 0, 0}, {NEVER, 0, 0, 0},                      /* nil, no type */
        {SCALAR, 0, 0, 0}, {SCALAR, 0, 0, 0},                     /* false, true */
        {SCALAR, 1, 0, 0}, {SCALAR, 2, 0, 0},  {SCALAR, 4, 0, 0}, /* bin 8, 16, 32 */
        {SCALAR, 1, 0, 1}, {SCALAR, 2, 0, 1},  {SCALAR, 4, 0, 1}, /* ext 8, 16, 32 */
        {SCALAR, 0, 4, 0}, {SCALAR, 0, 8, 0},                     /* float 32, 64 */
        {SCALAR, 0, 1, 0}, {SCALAR, 0, 2, 0},                     /* uint 8, 16 */
        {SCALAR, 0, 4, 0}, {SCALAR, 0, 8, 0},                     /* uint 32, 64 */
        {SCALAR, 0, 1, 0}, {SCALAR, 0, 2, 0},                     /* int 8, 16 */
        {SCALAR, 0, 4, 0}, {SCALAR, 0, 8, 0},                     /* int 32, 64 */
        {SCALAR, 0, 1, 1}, {SCALAR, 0, 2, 1},  {SCALAR, 0, 4, 1}, /* fixext 1, 2, 4 */
        {SCALAR, 0, 8, 1}, {SCALAR, 0, 16, 1},                    /* fixext 8, 16 */
        {STRING, 1, 0, 0}, {STRING, 2, 0, 0},  {STRING, 4, 0, 0}, /* str 8, 16, 32 */
        {ARRAY, 2, 0, 0},  {ARRAY, 4, 0, 0},                      /* array 16, 32 */
        {MAP, 2, 0, 0},    {MAP, 4, 0, 0},                        /* map 16, 32 */
    };

    if (first < 0x80 || first >= 0xe0)
        return (struct head){SCALAR, 0, 0, 0};
    if (first < 0x90)
        return (struct head){MAP, 0, first & 0x0f, 0};
    if (first < 0xa0)
        return (struct head){ARRAY, 0, first & 0x0f, 0};
    if (first < 0xc0)
        return (struct head){STRING, 0, first & 0x1f, 0};
    return named[first - 0xc0];
}

static const char *at_byte(struct acd_arena *arena, const char *what, size_t at)
{
    return acd_arena_format(arena, "%s, at byte %zu", what, at).data;
}

/* Reads one value's head and steps over it, and over the bytes of a scalar or string. */
static const char *step(struct walk *walk, struct acd_arena *arena, struct head *head)
{
    static const char too_short[] = "the MessagePack ends too early";
    size_t start = walk->at;
    size_t header;

    if (walk->at == walk->len)
        return at_byte(arena, too_short, start);
    *head = head_of(walk->bytes[walk->at]);
    if (head->what == NEVER)
        return at_byte(arena, "the MessagePack holds the byte c1, which begins no value", start);

    header = 1 + head->length_bytes + head->extra;
    if (walk->len - start < header)
        return at_byte(arena, too_short, start);
    for (size_t i = 0; i < head->length_bytes; i++)
        head->length = head->length << 8 | walk->bytes[start + 1 + i];

    /* An item of a container takes a byte at least. */
    if (head->length > walk->len - start - header)
        return at_byte(arena, too_short, start);
    walk->at += header;
    if (head->what == SCALAR || head->what == STRING)
        walk->at += (size_t)head->length;
    return NULL;
}

static const char *enter(struct walk *walk, const struct head *head)
{
    bool map = head->what == MAP;

    if (walk->depth == ACD_DEPTH_MAX)
        return ACD_TOO_DEEP;
    walk->open[walk->depth].map = map;
    walk->open[walk->depth].owed = map ? 2 * head->length : head->length;
    walk->depth++;
    if (map)
        walk->members += (size_t)head->length;
    else
        walk->items += (size_t)head->length;
    return NULL;
}

/* Returns NULL when the bytes are exactly one map, whole, with strings for keys, and not too deep. */
static const char *check_structure(struct walk *walk, struct acd_arena *arena)
{
    do {
        size_t start = walk->at;
        bool key = false;
        struct head head = {NEVER, 0, 0, 0};
        const char *wrong = step(walk, arena, &head);

        if (wrong)
            return wrong;
        if (walk->depth) {
            key = walk->open[walk->depth - 1].map && walk->open[walk->depth - 1].owed % 2 == 0;
            walk->open[walk->depth - 1].owed--;
        } else if (head.what != MAP) {
            return "the value is no MessagePack map";
        }
        if (key && head.what != STRING)
            return at_byte(arena, "a key of a MessagePack map is no string", start);
        if (head.what == ARRAY || head.what == MAP)
            wrong = enter(walk, &head);
        if (wrong)
            return wrong;
        while (walk->depth && walk->open[walk->depth - 1].owed == 0)
            walk->depth--;
    } while (walk->depth);

    if (walk->at < walk->len)
        return at_byte(arena, "something follows the MessagePack map", walk->at);
    return NULL;
}

/* The memory of the tree that is not used yet. */
struct pool {
    struct acd_value *items;
    struct acd_member *members;
};

static const char *convert(const msgpack_object *object, struct pool *pool, struct acd_value *out);

static const char *convert_array(const msgpack_object_array *array, struct pool *pool, struct acd_value *out)
{
    struct acd_value *items = pool->items;

    pool->items += array->size;
    *out = (struct acd_value){.kind = ACD_ARRAY, .count = array->size, .items = items};
    for (uint32_t i = 0; i < array->size; i++) {
        const char *wrong = convert(&array->ptr[i], pool, &items[i]);

        if (wrong)
            return wrong;
    }
    return NULL;
}

static const char *convert_map(const msgpack_object_map *map, struct pool *pool, struct acd_value *out)
{
    struct acd_member *members = pool->members;

    pool->members += map->size;
    *out = (struct acd_value){.kind = ACD_MAP, .count = map->size, .members = members};
    for (uint32_t i = 0; i < map->size; i++) {
        struct acd_value key;
        const char *wrong = convert(&map->ptr[i].key, pool, &key);

        if (!wrong && key.string.len && memchr(key.string.data, 0, key.string.len))
            wrong = "a key of the MessagePack holds a NUL";
        if (!wrong)
            wrong = convert(&map->ptr[i].val, pool, &members[i].value);
        if (wrong)
            return wrong;
        members[i].key = key.string;
    }
    return NULL;
}

static const char *convert_number(const msgpack_object *object, struct acd_value *out)
{
    if (object->type == MSGPACK_OBJECT_FLOAT32 || object->type == MSGPACK_OBJECT_FLOAT64) {
        *out = (struct acd_value){.kind = ACD_DOUBLE, .number = object->via.f64};
        return isfinite(object->via.f64) ? NULL : "a number of the MessagePack is NaN or infinite";
    }
    /* The union holds a negative integer as int64, any other as uint64. */
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 > INT64_MAX)
        return "a number of the MessagePack is larger than a signed 64 bit integer can be";
    *out = (struct acd_value){.kind = ACD_INT, .integer = object->via.i64};
    return NULL;
}

/* Recurses no deeper than the walk went. Strings borrow from the message. */
static const char *convert(const msgpack_object *object, struct pool *pool, struct acd_value *out)
{
    switch (object->type) {
    case MSGPACK_OBJECT_MAP:
        return convert_map(&object->via.map, pool, out);
    case MSGPACK_OBJECT_ARRAY:
        return convert_array(&object->via.array, pool, out);
    case MSGPACK_OBJECT_STR:
        /* Of an empty one msgpack-c does not set the pointer. */
        *out = (struct acd_value){.kind = ACD_STRING,
                                  .string = object->via.str.size
                                                ? acd_slice(object->via.str.ptr, object->via.str.size)
                                                : acd_slice_str("")};
        return acd_utf8_valid(out->string) ? NULL : "a string of the MessagePack is not valid UTF-8";
    case MSGPACK_OBJECT_BIN:
        *out = (struct acd_value){.kind = ACD_BYTES,
                                  .string = acd_slice(object->via.bin.ptr, object->via.bin.size)};
        break;
    case MSGPACK_OBJECT_EXT:
        *out = (struct acd_value){.kind = ACD_BYTES,
                                  .string = acd_slice(object->via.ext.ptr, object->via.ext.size)};
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        *out = (struct acd_value){.kind = ACD_BOOL, .boolean = object->via.boolean};
        break;
    case MSGPACK_OBJECT_NIL:
        *out = (struct acd_value){.kind = ACD_NULL};
        break;
    default:
        return convert_number(object, out);
    }
    return NULL;
}

/* A key that a map of the tree has twice, or the absent slice. */
static struct acd_slice twice(const struct acd_value *value, struct acd_arena *arena)
{
    struct acd_slice found = {NULL, 0};

    if (value->kind == ACD_MAP) {
        found = acd_key_twice(value->members, value->count, arena);
        for (uint32_t i = 0; i < value->count && !found.data; i++)
            found = twice(&value->members[i].value, arena);
    } else if (value->kind == ACD_ARRAY) {
        for (uint32_t i = 0; i < value->count && !found.data; i++)
            found = twice(&value->items[i], arena);
    }
    return found;
}

const char *acd_msgpack_decode(struct acd_slice bytes, struct acd_arena *arena, struct acd_value *out)
{
    struct walk walk = {.bytes = (const unsigned char *)bytes.data, .len = bytes.len};
    const char *wrong = check_structure(&walk, arena);
    msgpack_unpack_return unpacked;
    msgpack_unpacked result;
    struct acd_slice key;
    struct pool pool;

    if (wrong)
        return wrong;
    pool.items = acd_arena_alloc(arena, walk.items * sizeof(*pool.items));
    pool.members = acd_arena_alloc(arena, walk.members * sizeof(*pool.members));

    msgpack_unpacked_init(&result);
    unpacked = msgpack_unpack_next(&result, bytes.data, bytes.len, NULL);
    if (unpacked == MSGPACK_UNPACK_SUCCESS)
        wrong = convert(&result.data, &pool, out);
    msgpack_unpacked_destroy(&result);
    /* What the walk let through fails only for want of memory, which the arena knows how to deal with. */
    if (unpacked != MSGPACK_UNPACK_SUCCESS)
        acd_arena_calloc(arena, SIZE_MAX, 2);
    if (wrong)
        return wrong;

    key = twice(out, arena);
    if (key.data && key.len == 0)
        return "an empty key of a MessagePack map comes twice";
    if (key.data)
        return at_byte(arena, "a key of a MessagePack map comes twice", (size_t)(key.data - bytes.data));
    return NULL;
}
