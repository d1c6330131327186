/* Keys and values. */
#include "redis.h"

static struct redis_key *find(const struct redis_db *db, struct acd_slice name)
{
    for (uint32_t i = 0; i < db->count; i++)
        if (acd_slice_equal(db->keys[i].name, name))
            return &db->keys[i];
    return NULL;
}

const struct redis_key *redis_find(const struct redis_db *db, struct acd_slice name)
{
    return find(db, name);
}

const struct redis_value *redis_value(const struct redis_db *db, struct acd_slice name)
{
    const struct redis_key *key = find(db, name);

    return key ? key->value : NULL;
}

static struct redis_key *add_key(struct redis_db *db, struct acd_slice name)
{
    struct redis_key *larger;

    if (db->count == db->capacity) {
        db->capacity = db->capacity ? 2 * db->capacity : 64;
        larger = acd_arena_alloc(&sim.memory, db->capacity * sizeof(*larger));
        if (db->count)
            memcpy(larger, db->keys, db->count * sizeof(*larger));
        db->keys = larger;
    }
    db->keys[db->count] = (struct redis_key){.name = acd_arena_copy(&sim.memory, name)};
    return &db->keys[db->count++];
}

struct redis_value *redis_change(struct redis_db *db, struct acd_slice name, enum redis_type type,
                                 uint32_t more)
{
    struct redis_value *value = acd_arena_calloc(&sim.memory, 1, sizeof(*value));
    struct redis_key *key = find(db, name);
    uint32_t count = key && key->value ? key->value->count : 0;

    if (!key)
        key = add_key(db, name);
    if (!key->value)
        key->number = ++db->numbers;
    value->type = type;
    value->items = acd_arena_calloc(&sim.memory, count + more, sizeof(*value->items));
    value->count = count;
    if (count)
        memcpy(value->items, key->value->items, count * sizeof(*value->items));
    key->value = value;
    key->touched = ++db->writes;
    return value;
}

bool redis_delete(struct redis_db *db, struct acd_slice name)
{
    struct redis_key *key = find(db, name);

    if (!key || !key->value)
        return false;
    key->value = NULL;
    key->touched = ++db->writes;
    return true;
}

void redis_flush(struct redis_db *db)
{
    for (uint32_t i = 0; i < db->count; i++)
        redis_delete(db, db->keys[i].name);
}

struct redis_db redis_picture(const struct redis_db *db)
{
    struct redis_db copy = *db;

    copy.capacity = db->count;
    copy.keys = acd_arena_alloc(&sim.memory, (db->count + (size_t)1) * sizeof(*copy.keys));
    if (db->count)
        memcpy(copy.keys, db->keys, db->count * sizeof(*copy.keys));
    return copy;
}

int64_t redis_item(const struct redis_value *value, struct acd_slice name)
{
    for (uint32_t i = 0; value && i < value->count; i++)
        if (acd_slice_equal(value->items[i].name, name))
            return i;
    return -1;
}

void redis_put(struct redis_value *value, struct acd_slice name, struct acd_slice item)
{
    int64_t at = redis_item(value, name);

    if (at < 0) {
        at = value->count++;
        value->items[at] = (struct redis_item){.name = acd_arena_copy(&sim.memory, name)};
    }
    if (item.data)
        value->items[at].value = acd_arena_copy(&sim.memory, item);
}

/* What is empty is not there. */
void redis_take_out(struct redis_db *db, struct acd_slice key, struct redis_value *value, uint32_t at)
{
    value->count--;
    memmove(&value->items[at], &value->items[at + 1], (value->count - at) * sizeof(*value->items));
    if (value->count == 0)
        redis_delete(db, key);
}
