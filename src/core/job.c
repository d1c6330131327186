/* Jobs as messages, and lists of them. */
#include "accountd/job.h"

#include <string.h>

#include "accountd/buffer.h"
#include "accountd/text.h"

/* Headers of a job's record, before those of its command. */
enum { SOURCE, ATTEMPT, TIMESTAMP, KEY, OWN_HEADERS };

static const char *const own_names[OWN_HEADERS] = {"accountd-source", "accountd-export-attempt",
                                                   "accountd-command-timestamp", "accountd-command-key"};

static struct acd_slice job_key(struct acd_arena *arena, int64_t offset)
{
    return acd_arena_format(arena, ACD_JOB_KEY "%lld", (long long)offset);
}

struct acd_outgoing acd_job_message(struct acd_arena *arena, const struct acd_job *job,
                                    struct acd_slice source, const char *topic, int32_t partition)
{
    struct acd_header *headers =
        acd_arena_calloc(arena, (size_t)OWN_HEADERS + job->header_count, sizeof(*headers));
    const struct acd_slice own[OWN_HEADERS] = {source, acd_buffer_int(arena, job->attempt),
                                               acd_buffer_int(arena, job->timestamp_ms), job->key};

    for (int i = 0; i < OWN_HEADERS; i++)
        headers[i] = (struct acd_header){acd_slice_str(own_names[i]), own[i]};
    if (job->header_count)
        memcpy(&headers[OWN_HEADERS], job->headers, job->header_count * sizeof(*headers));
    return (struct acd_outgoing){.topic = acd_slice_str(topic),
                                 .partition = partition,
                                 .key = job_key(arena, job->offset),
                                 .value = job->value,
                                 .headers = headers,
                                 .header_count = OWN_HEADERS + job->header_count};
}

struct acd_outgoing acd_job_ended(struct acd_arena *arena, int64_t offset, struct acd_slice source,
                                  const char *topic, int32_t partition)
{
    struct acd_header *header = acd_arena_calloc(arena, 1, sizeof(*header));

    *header = (struct acd_header){acd_slice_str(own_names[SOURCE]), source};
    return (struct acd_outgoing){.topic = acd_slice_str(topic),
                                 .partition = partition,
                                 .key = job_key(arena, offset),
                                 .headers = header,
                                 .header_count = 1};
}

bool acd_job_is(struct acd_slice key)
{
    return key.len > sizeof(ACD_JOB_KEY) - 1 && memcmp(key.data, ACD_JOB_KEY, sizeof(ACD_JOB_KEY) - 1) == 0;
}

bool acd_job_read(const struct acd_outgoing *message, struct acd_job *out)
{
    const struct acd_header *headers = message->headers;
    struct acd_slice offset;

    if (!acd_job_is(message->key) || !message->value.data || message->header_count < OWN_HEADERS)
        return false;
    for (int i = 0; i < OWN_HEADERS; i++)
        if (!acd_slice_is(headers[i].name, own_names[i]))
            return false;
    offset =
        acd_slice(message->key.data + sizeof(ACD_JOB_KEY) - 1, message->key.len - sizeof(ACD_JOB_KEY) + 1);
    *out = (struct acd_job){.key = headers[KEY].value,
                            .value = message->value,
                            .headers = &headers[OWN_HEADERS],
                            .header_count = message->header_count - OWN_HEADERS};
    return acd_int_parse(offset, &out->offset) && acd_int_parse(headers[ATTEMPT].value, &out->attempt) &&
           acd_int_parse(headers[TIMESTAMP].value, &out->timestamp_ms);
}

void acd_jobs_follow(struct acd_arena *arena, struct acd_outgoing_list *jobs,
                     const struct acd_outgoing *message)
{
    uint32_t at = 0;

    while (at < jobs->count && !acd_slice_equal(jobs->items[at].key, message->key))
        at++;
    if (message->value.data && at < jobs->count) {
        jobs->items[at] = *message;
    } else if (message->value.data) {
        acd_outgoing_add(arena, jobs, message);
    } else if (at < jobs->count) {
        jobs->count--;
        memmove(&jobs->items[at], &jobs->items[at + 1], (jobs->count - at) * sizeof(*jobs->items));
    }
}

struct acd_slice acd_jobs_encode(struct acd_arena *arena, const struct acd_outgoing_list *jobs)
{
    return jobs->count ? acd_outbox_encode(arena, jobs) : acd_slice("", 0);
}

int acd_jobs_decode(struct acd_arena *arena, struct acd_slice bytes, struct acd_outgoing_list *out)
{
    *out = (struct acd_outgoing_list){0};
    return bytes.len ? acd_outbox_decode(arena, bytes, out) : 0;
}
