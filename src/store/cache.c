/* The account cache: a hash table whose items are also in a list by last use. */
#include "accountd/cache.h"

#include <stdlib.h>

/* A bucket for each of so many bytes of cache: about one item a bucket when it is full. */
#define BYTES_PER_BUCKET 256

/* One block of memory: the item, its custom fields, its texts. */
struct item {
    uint64_t hash;
    struct item *chain;
    struct item *newer;
    struct item *older;
    size_t bytes;
    struct acd_slice app;
    struct acd_slice name;
    struct acd_account account;
    struct acd_custom custom[];
};

struct acd_cache {
    size_t limit;
    size_t bytes;
    struct item *newest;
    struct item *oldest;
    size_t bucket_count; /* a power of two */
    struct item **buckets;
};

struct acd_cache *acd_cache_new(size_t bytes)
{
    struct acd_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->limit = bytes;
    cache->bucket_count = 64;
    while (cache->bucket_count < bytes / BYTES_PER_BUCKET)
        cache->bucket_count *= 2;
    cache->buckets = calloc(cache->bucket_count, sizeof(*cache->buckets));
    if (!cache->buckets) {
        free(cache);
        return NULL;
    }
    return cache;
}

void acd_cache_free(struct acd_cache *cache)
{
    if (!cache)
        return;
    acd_cache_clear(cache);
    free(cache->buckets);
    free(cache);
}

static void unlink_use(struct acd_cache *cache, struct item *item)
{
    *(item->newer ? &item->newer->older : &cache->newest) = item->older;
    *(item->older ? &item->older->newer : &cache->oldest) = item->newer;
}

static void link_newest(struct acd_cache *cache, struct item *item)
{
    item->newer = NULL;
    item->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = item;
    cache->newest = item;
}

/* The place that points to the item, or to the chain's end. */
static struct item **find(struct acd_cache *cache, uint64_t hash, struct acd_slice app, struct acd_slice name)
{
    struct item **place = &cache->buckets[hash & (cache->bucket_count - 1)];

    while (*place && !((*place)->hash == hash && acd_slice_equal((*place)->name, name) &&
                       acd_slice_equal((*place)->app, app)))
        place = &(*place)->chain;
    return place;
}

static void remove_at(struct acd_cache *cache, struct item **place)
{
    struct item *item = *place;

    *place = item->chain;
    unlink_use(cache, item);
    cache->bytes -= item->bytes;
    free(item);
}

const struct acd_account *acd_cache_get(struct acd_cache *cache, uint64_t hash, struct acd_slice app,
                                        struct acd_slice name)
{
    struct item *item = *find(cache, hash, app, name);

    if (!item)
        return NULL;
    unlink_use(cache, item);
    link_newest(cache, item);
    return &item->account;
}

static size_t text_bytes(const struct acd_account *account)
{
    size_t bytes = 0;

    for (int f = 0; f < ACD_FIELD_COUNT; f++)
        bytes += account->fields[f].len;
    for (uint32_t i = 0; i < account->custom_count; i++)
        bytes += account->custom[i].tag.len + account->custom[i].value.len;
    return bytes;
}

/* Moves a slice's bytes into the block and points it there. */
static struct acd_slice take_text(char **at, struct acd_slice text)
{
    struct acd_slice copy = acd_slice(*at, text.len);

    if (text.len == 0)
        return acd_slice(NULL, 0);
    memcpy(*at, text.data, text.len);
    *at += text.len;
    return copy;
}

static struct item *make_item(uint64_t hash, struct acd_slice app, struct acd_slice name,
                              const struct acd_account *account)
{
    size_t head = sizeof(struct item) + account->custom_count * sizeof(struct acd_custom);
    size_t bytes = head + app.len + name.len + text_bytes(account);
    struct item *item = malloc(bytes);
    char *at = (char *)item + head;

    if (!item)
        return NULL;
    item->hash = hash;
    item->bytes = bytes;
    item->app = take_text(&at, app);
    item->name = take_text(&at, name);
    item->account = *account;
    item->account.custom = item->custom;
    for (int f = 0; f < ACD_FIELD_COUNT; f++)
        item->account.fields[f] = take_text(&at, account->fields[f]);
    for (uint32_t i = 0; i < account->custom_count; i++) {
        item->custom[i].tag = take_text(&at, account->custom[i].tag);
        item->custom[i].value = take_text(&at, account->custom[i].value);
    }
    return item;
}

void acd_cache_put(struct acd_cache *cache, uint64_t hash, struct acd_slice app, struct acd_slice name,
                   const struct acd_account *account)
{
    /* Copied before the older one goes: the account may borrow from it. */
    struct item *item = make_item(hash, app, name, account);
    struct item **place = find(cache, hash, app, name);

    if (*place)
        remove_at(cache, place);
    if (!item)
        return;
    item->chain = *place;
    *place = item;
    link_newest(cache, item);
    cache->bytes += item->bytes;
}

void acd_cache_drop(struct acd_cache *cache, uint64_t hash, struct acd_slice app, struct acd_slice name)
{
    struct item **place = find(cache, hash, app, name);

    if (*place)
        remove_at(cache, place);
}

void acd_cache_trim(struct acd_cache *cache)
{
    while (cache->oldest && cache->bytes > cache->limit)
        acd_cache_drop(cache, cache->oldest->hash, cache->oldest->app, cache->oldest->name);
}

void acd_cache_clear(struct acd_cache *cache)
{
    for (struct item *item = cache->newest, *older; item; item = older) {
        older = item->older;
        free(item);
    }
    cache->newest = NULL;
    cache->oldest = NULL;
    cache->bytes = 0;
    memset(cache->buckets, 0, cache->bucket_count * sizeof(*cache->buckets));
}
