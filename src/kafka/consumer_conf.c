/* How a worker's consumer is configured. */
#include <stdio.h>

#include "client.h"

/* Messages that all workers fetch ahead together, and one of them at least. librdkafka looks once a second
 * whether it is to fetch more: it must be more than a second's work of a worker that has the processors to
 * itself. A small message takes 400 bytes there; large ones are bounded in bytes. */
#define AHEAD     120000
#define AHEAD_MIN 30000

rd_kafka_conf_t *acd_kafka_consumer_conf(const struct acd_settings *settings)
{
    int64_t ahead = AHEAD / settings->worker.threads;
    char messages[32];
    /* A worker that died frees its partitions after session.timeout.ms; one that lives hears of a rebalance
     * with its next heartbeat; new partitions are noticed within ten seconds. */
    const struct acd_kafka_default defaults[] = {{"session.timeout.ms", "10000"},
                                                 {"heartbeat.interval.ms", "1000"},
                                                 {"fetch.wait.max.ms", "100"},
                                                 {"fetch.error.backoff.ms", "100"},
                                                 {"queued.min.messages", messages},
                                                 {"queued.max.messages.kbytes", "16384"},
                                                 {"topic.metadata.refresh.interval.ms", "10000"},
                                                 {NULL, NULL}};
    rd_kafka_conf_t *conf;

    snprintf(messages, sizeof(messages), "%lld", (long long)(ahead > AHEAD_MIN ? ahead : AHEAD_MIN));
    conf = acd_kafka_conf(settings, defaults);
    acd_kafka_set(conf, "group.id", settings->kafka.group);
    acd_kafka_set(conf, "enable.auto.commit", "false");
    acd_kafka_set(conf, "enable.auto.offset.store", "false");
    acd_kafka_set(conf, "isolation.level", "read_committed");
    /* Where to start is always said; an offset that the log does not hold is never guessed around. */
    acd_kafka_set(conf, "auto.offset.reset", "error");
    acd_kafka_set(conf, "partition.assignment.strategy", "range");
    acd_kafka_set(conf, "allow.auto.create.topics", "false");
    acd_kafka_set(conf, "check.crcs", "true");
    /* librdkafka 2.8 takes an end that comes with a batch of records for one, and after a pause reads on
     * behind the next: a command would be passed over. */
    acd_kafka_set(conf, "enable.partition.eof", "false");
    return conf;
}
