/* The shapes of a batch: a hash table, since their number is up to what producers send. */
#include "shapes.h"

#include "accountd/hash.h"

void acd_shapes_init(struct acd_shapes *shapes)
{
    *shapes = (struct acd_shapes){0};
    shapes->tail = &shapes->first;
}

static uint64_t hash_of(const struct acd_shape *shape)
{
    uint64_t hash =
        acd_hash_mix(0, (uint64_t)shape->partition << 32 | shape->set_count << 16 | shape->gone_count);

    hash = acd_hash_text(hash, acd_slice_str(shape->kind));
    hash = acd_hash_text(hash, acd_slice_str(shape->admin));
    for (uint32_t i = 0; i < shape->set_count + shape->gone_count; i++)
        hash = acd_hash_text(hash, shape->names[i]);
    return acd_hash_finish(hash);
}

static bool is_same(const struct acd_shape *a, const struct acd_shape *b)
{
    if (a->hash != b->hash || a->partition != b->partition || a->set_count != b->set_count ||
        a->gone_count != b->gone_count || strcmp(a->kind, b->kind) != 0 || strcmp(a->admin, b->admin) != 0)
        return false;
    for (uint32_t i = 0; i < a->set_count + a->gone_count; i++)
        if (!acd_slice_equal(a->names[i], b->names[i]))
            return false;
    return true;
}

uint32_t acd_shapes_number(struct acd_shapes *shapes, struct acd_arena *arena, const struct acd_shape *wanted)
{
    struct acd_shape copy = *wanted;
    struct acd_shape **bucket;
    struct acd_shape *shape;
    uint32_t names = copy.set_count + copy.gone_count;

    copy.hash = hash_of(&copy);
    bucket = &shapes->buckets[copy.hash & (ACD_SHAPE_BUCKETS - 1)];
    for (shape = *bucket; shape && !is_same(shape, &copy); shape = shape->chain)
        ;
    if (shape)
        return shape->number;
    shape = acd_arena_alloc(arena, sizeof(*shape));
    copy.names = acd_arena_alloc(arena, names * sizeof(*copy.names));
    if (names)
        memcpy(copy.names, wanted->names, names * sizeof(*copy.names));
    copy.number = ++shapes->count;
    copy.next = NULL;
    copy.chain = *bucket;
    *shape = copy;
    *bucket = shape;
    *shapes->tail = shape;
    shapes->tail = &shape->next;
    return shape->number;
}

void acd_shapes_add(const struct acd_shapes *shapes, struct acd_args *args)
{
    acd_args_int(args, shapes->count);
    for (const struct acd_shape *shape = shapes->first; shape; shape = shape->next) {
        acd_args_int(args, shape->partition);
        acd_args_str(args, shape->kind);
        acd_args_str(args, shape->admin);
        acd_args_int(args, shape->set_count);
        for (uint32_t i = 0; i < shape->set_count; i++)
            acd_args_add(args, shape->names[i]);
        acd_args_int(args, shape->gone_count);
        for (uint32_t i = 0; i < shape->gone_count; i++)
            acd_args_add(args, shape->names[shape->set_count + i]);
    }
}
