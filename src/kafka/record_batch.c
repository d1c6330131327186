/* How full a transaction's record batches are, as librdkafka will count. */
#include "record_batch.h"

#include <stdlib.h>

/* What a request has beside its messages, and what a message has beside key, value and headers: lengths,
 * flags and a time, each as long as it can be. */
#define REQUEST_OVERHEAD 512
#define MESSAGE_OVERHEAD 36

static size_t configured(rd_kafka_t *rk, const char *name)
{
    char text[32] = "";
    size_t size = sizeof(text);

    rd_kafka_conf_get(rd_kafka_conf(rk), name, text, &size);
    return strtoul(text, NULL, 10);
}

void acd_record_batches_init(struct acd_record_batches *batches, rd_kafka_t *rk)
{
    size_t batch = configured(rk, "batch.size");
    size_t request = configured(rk, "message.max.bytes");

    *batches = (struct acd_record_batches){.messages_max = configured(rk, "batch.num.messages")};
    batches->bytes_max = batch < request ? batch : request;
    batches->bytes_max -= batches->bytes_max < REQUEST_OVERHEAD ? batches->bytes_max : REQUEST_OVERHEAD;
}

static size_t bytes_of(const struct acd_outgoing *message)
{
    return acd_outgoing_bytes(message) + MESSAGE_OVERHEAD +
           message->header_count * (size_t)ACD_HEADER_OVERHEAD;
}

/* The partition's, made when it has none; NULL when there are too many. Messages that the client chooses a
 * partition for count as if all had the same. */
static struct acd_record_batch *find(struct acd_record_batches *batches, const rd_kafka_topic_t *topic,
                                     int32_t partition)
{
    struct acd_record_batch *item = batches->items;

    for (; item < batches->items + batches->count; item++)
        if (item->topic == topic && item->partition == partition)
            return item;
    if (batches->count == ACD_RECORD_BATCHES)
        return NULL;
    *item = (struct acd_record_batch){topic, partition, 0, 0};
    batches->count++;
    return item;
}

bool acd_record_batches_add(struct acd_record_batches *batches, const rd_kafka_topic_t *topic,
                            const struct acd_outgoing *message)
{
    struct acd_record_batch *batch = find(batches, topic, message->partition);
    size_t bytes = bytes_of(message);

    if (!batch)
        return true;
    /* One that is too large for any batch has one of its own. */
    if (batch->messages &&
        (batch->bytes + bytes > batches->bytes_max || batch->messages >= batches->messages_max))
        return false;
    batch->bytes += bytes;
    batch->messages++;
    return true;
}

void acd_record_batches_empty(struct acd_record_batches *batches)
{
    batches->count = 0;
}
