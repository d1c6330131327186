/* The last record and the last end, by partition. */
#include "reach.h"

#include <stdlib.h>

struct acd_reached {
    int64_t records; /* behind the last record; 0: none was given away */
    int64_t end;
};

static struct acd_reached *reached_of(struct acd_reach *reach, int32_t partition)
{
    int32_t count = partition + 1;
    struct acd_reached *partitions;

    if (partition < reach->count)
        return &reach->partitions[partition];
    partitions = realloc(reach->partitions, (size_t)count * sizeof(*partitions));
    if (!partitions)
        return NULL;
    for (int32_t i = reach->count; i < count; i++)
        partitions[i] = (struct acd_reached){0};
    reach->partitions = partitions;
    reach->count = count;
    return &partitions[partition];
}

void acd_reach_record(struct acd_reach *reach, int32_t partition, int64_t offset)
{
    struct acd_reached *reached = reached_of(reach, partition);

    if (reached)
        reached->records = offset + 1;
}

void acd_reach_end(struct acd_reach *reach, int32_t partition, int64_t offset)
{
    struct acd_reached *reached = reached_of(reach, partition);

    if (reached)
        reached->end = offset;
}

int64_t acd_reach_next(const struct acd_reach *reach, int32_t partition, int64_t next)
{
    const struct acd_reached *reached;

    if (partition >= reach->count)
        return next;
    reached = &reach->partitions[partition];
    return next >= reached->records && next < reached->end ? reached->end : next;
}

void acd_reach_forget(struct acd_reach *reach)
{
    free(reach->partitions);
    *reach = (struct acd_reach){0};
}
