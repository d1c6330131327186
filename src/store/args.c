/* The arguments of a command. */
#include <string.h>

#include "accountd/buffer.h"
#include "redis.h"

void acd_args_init(struct acd_args *args, struct acd_arena *arena, uint32_t capacity)
{
    *args = (struct acd_args){.arena = arena, .capacity = capacity ? capacity : 8};
    args->values = acd_arena_calloc(arena, args->capacity, sizeof(*args->values));
    args->lengths = acd_arena_calloc(arena, args->capacity, sizeof(*args->lengths));
}

void acd_args_add(struct acd_args *args, struct acd_slice value)
{
    if (args->count == args->capacity) {
        struct acd_args larger;

        acd_args_init(&larger, args->arena, 2 * args->capacity);
        memcpy(larger.values, args->values, args->count * sizeof(*args->values));
        memcpy(larger.lengths, args->lengths, args->count * sizeof(*args->lengths));
        larger.count = args->count;
        larger.bytes = args->bytes;
        *args = larger;
    }
    args->values[args->count] = value.data ? value.data : "";
    args->lengths[args->count++] = value.len;
    args->bytes += value.len;
}

void acd_args_str(struct acd_args *args, const char *text)
{
    acd_args_add(args, acd_slice_str(text));
}

void acd_args_int(struct acd_args *args, int64_t number)
{
    acd_args_add(args, acd_buffer_int(args->arena, number));
}

void acd_args_clear(struct acd_args *args)
{
    args->count = 0;
    args->bytes = 0;
}

uint32_t acd_args_hole(struct acd_args *args)
{
    acd_args_str(args, "");
    return args->count - 1;
}

void acd_args_fill(struct acd_args *args, uint32_t hole, int64_t number)
{
    struct acd_slice text = acd_buffer_int(args->arena, number);

    args->values[hole] = text.data;
    args->lengths[hole] = text.len;
    args->bytes += text.len;
}
