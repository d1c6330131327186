/* The census: open addressing, at most two thirds full. */
#include "accountd/census.h"

#include "accountd/state.h"

#define CAPACITY_FIRST 1024

void acd_census_init(struct acd_census *census, struct acd_arena *arena)
{
    *census = (struct acd_census){.arena = arena, .capacity = CAPACITY_FIRST};
    census->table = acd_arena_calloc(arena, census->capacity, sizeof(*census->table));
}

static struct acd_slice app_of(const struct acd_citizen *citizen)
{
    return acd_slice(citizen->text, citizen->app_len);
}

static struct acd_slice name_of(const struct acd_citizen *citizen)
{
    return acd_slice(citizen->text + citizen->app_len, citizen->name_len);
}

/* Where the account is, or where it would go. */
static struct acd_citizen **place_of(const struct acd_census *census, struct acd_slice app,
                                     struct acd_slice name)
{
    size_t at = acd_state_hash(app, name) & (census->capacity - 1);

    while (census->table[at] && (!acd_slice_equal(name_of(census->table[at]), name) ||
                                 !acd_slice_equal(app_of(census->table[at]), app)))
        at = (at + 1) & (census->capacity - 1);
    return &census->table[at];
}

static void grow(struct acd_census *census)
{
    struct acd_census larger = {
        .arena = census->arena, .capacity = 2 * census->capacity, .count = census->count};

    larger.table = acd_arena_calloc(census->arena, larger.capacity, sizeof(*larger.table));
    for (size_t i = 0; i < census->capacity; i++)
        if (census->table[i])
            *place_of(&larger, app_of(census->table[i]), name_of(census->table[i])) = census->table[i];
    *census = larger;
}

struct acd_citizen *acd_census_take(struct acd_census *census, struct acd_slice app, struct acd_slice name)
{
    struct acd_citizen **place;
    struct acd_citizen *citizen;

    if (app.len > UINT8_MAX || name.len > UINT8_MAX)
        return NULL;
    place = place_of(census, app, name);
    if (*place)
        return *place;
    if (census->count >= census->capacity / 3 * 2) {
        grow(census);
        place = place_of(census, app, name);
    }
    citizen = acd_arena_alloc(census->arena, sizeof(*citizen) + app.len + name.len);
    *citizen = (struct acd_citizen){.app_len = (uint8_t)app.len, .name_len = (uint8_t)name.len};
    memcpy(citizen->text, app.data, app.len);
    memcpy(citizen->text + app.len, name.data, name.len);
    *place = citizen;
    census->count++;
    return citizen;
}

struct acd_citizen *acd_census_find(const struct acd_census *census, struct acd_slice app,
                                    struct acd_slice name)
{
    return *place_of(census, app, name);
}
