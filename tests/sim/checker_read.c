/* From bytes to trees. MessagePack becomes the same tree that JSON does. */
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>

#include "checker.h"

#define DEPTH_MAX 16

json_t *check_own(struct check *check, json_t *tree)
{
    if (!tree)
        return NULL;
    if (check->tree_count == check->tree_capacity)
        check->trees =
            check_grow(check, check->trees, check->tree_count, &check->tree_capacity, sizeof(json_t *));
    check->trees[check->tree_count++] = tree;
    return tree;
}

static bool too_deep(const json_t *tree, int depth)
{
    const char *key;
    json_t *value;
    size_t i;

    if (!json_is_object(tree) && !json_is_array(tree))
        return false;
    if (depth > DEPTH_MAX)
        return true;
    json_object_foreach((json_t *)(uintptr_t)tree, key, value) if (too_deep(value, depth + 1)) return true;
    json_array_foreach(tree, i, value) if (too_deep(value, depth + 1)) return true;
    return false;
}

static json_t *from_msgpack(const msgpack_object *object);

static json_t *map_from_msgpack(const msgpack_object_map *map)
{
    json_t *tree = json_object();

    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key;
        json_t *value = from_msgpack(&map->ptr[i].val);
        char *name;
        bool good;

        if (!value || key->type != MSGPACK_OBJECT_STR || memchr(key->via.str.ptr, 0, key->via.str.size)) {
            json_decref(value);
            json_decref(tree);
            return NULL;
        }
        name = strndup(key->via.str.ptr, key->via.str.size);
        good = !json_object_get(tree, name) && json_object_set(tree, name, value) == 0;
        free(name);
        json_decref(value);
        if (!good) {
            json_decref(tree);
            return NULL;
        }
    }
    return tree;
}

static json_t *array_from_msgpack(const msgpack_object_array *array)
{
    json_t *tree = json_array();

    for (uint32_t i = 0; i < array->size; i++) {
        if (json_array_append_new(tree, from_msgpack(&array->ptr[i]))) {
            json_decref(tree);
            return NULL;
        }
    }
    return tree;
}

static json_t *from_msgpack(const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return json_null();
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(object->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return object->via.u64 <= INT64_MAX ? json_integer((json_int_t)object->via.u64) : NULL;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(object->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return json_real(object->via.f64);
    case MSGPACK_OBJECT_STR:
        return json_stringn(object->via.str.ptr, object->via.str.size);
    case MSGPACK_OBJECT_ARRAY:
        return array_from_msgpack(&object->via.array);
    case MSGPACK_OBJECT_MAP:
        return map_from_msgpack(&object->via.map);
    default:
        /* Binary data and extensions are no value of any field, as an array is none. */
        return json_array();
    }
}

static json_t *decode_msgpack(struct acd_slice value)
{
    msgpack_unpacked unpacked;
    size_t used = 0;
    json_t *tree = NULL;

    msgpack_unpacked_init(&unpacked);
    if (msgpack_unpack_next(&unpacked, value.data, value.len, &used) == MSGPACK_UNPACK_SUCCESS &&
        used == value.len)
        tree = from_msgpack(&unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
    return tree;
}

json_t *check_decode(struct check *check, struct acd_slice value, bool msgpack)
{
    json_t *tree;

    if (value.len == 0)
        return NULL;
    tree = check_own(
        check, msgpack ? decode_msgpack(value)
                       : json_loadb(value.data, value.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL));
    return json_is_object(tree) && !too_deep(tree, 1) ? tree : NULL;
}

bool check_header(const struct acd_header *headers, uint32_t count, const char *name, struct acd_slice *out)
{
    bool found = false;

    for (uint32_t i = 0; i < count; i++) {
        if (acd_slice_is(headers[i].name, name)) {
            *out = headers[i].value;
            found = true;
        }
    }
    return found;
}

struct acd_slice check_unframe(struct acd_slice value)
{
    return value.len > 5 && value.data[0] == 0 ? acd_slice(value.data + 5, value.len - 5) : value;
}

bool check_is_msgpack(const struct sim_command *command)
{
    static const char *const names[] = {"application/msgpack", "application/x-msgpack",
                                        "application/vnd.msgpack"};
    struct acd_slice value = check_unframe(command->value);
    unsigned char first = value.len ? (unsigned char)value.data[0] : 0;
    struct acd_slice type;

    if (check_header(command->headers, command->header_count, "content-type", &type)) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (acd_slice_is(type, names[i]))
                return true;
        if (acd_slice_is(type, "application/json"))
            return false;
    }
    return (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t shifted = month > 2 ? year : year - 1;
    int64_t days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400;

    return days + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 719469;
}

int64_t check_time_parse(const char *text)
{
    int year, month, day, hour, minute, second, ms, used = 0;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour, &minute, &second, &ms,
               &used) != 7 ||
        used != 24 || text[used])
        return CHECK_NONE;
    return (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms;
}

const char *check_time(struct check *check, int64_t ms)
{
    int64_t days = ms / 86400000;
    int in_day = (int)(ms % 86400000);
    int64_t year = 1970 + days / 366;
    int month = 1;

    while (days_of(year + 1, 1, 1) <= days)
        year++;
    while (month < 12 && days_of(year, month + 1, 1) <= days)
        month++;
    return acd_arena_format(check->arena, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year, month,
                            (int)(days - days_of(year, month, 1)) + 1, in_day / 3600000, in_day / 60000 % 60,
                            in_day / 1000 % 60, in_day % 1000)
        .data;
}

const char *check_dump(struct check *check, const json_t *tree)
{
    char *text = json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    const char *copy = text ? acd_arena_copy(check->arena, acd_slice_str(text)).data : "nothing";

    free(text);
    return copy;
}
