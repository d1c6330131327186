/* worker.h: one worker thread: consumer, transactional producer, Redis connection, and the loop that joins
 * them.
 *
 * Workers share nothing but what never changes, the book of rules and the directory of topics.
 */
#ifndef ACCOUNTD_WORKER_H
#define ACCOUNTD_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "accountd/rules.h"
#include "accountd/settings.h"
#include "accountd/topics.h"
#include "accountd/watch.h"

struct acd_exporter;

/* What all workers are given; outlives them. */
struct acd_shared {
    const struct acd_settings *settings; /* of the start: what no reload changes is read here */
    struct acd_rulebook rules;
    struct acd_own_topics own;
    struct acd_topics *topics;
    struct acd_exporter *exporter; /* of whole apps, for all workers */
    bool embedded;                 /* the Kafka is librdkafka's mock cluster */
    atomic_bool stop;              /* set once: workers finish their batch and end */
};

struct acd_worker;

/* Starts the thread. `slot` is this worker's number on the host, which makes its transactional id the same
 * after a restart. The thread beats `pulse`, which outlives it. Returns NULL without memory or threads. */
struct acd_worker *acd_worker_start(struct acd_shared *shared, int slot, struct acd_pulse *pulse);

/* Waits for the thread to end and frees the worker; set shared->stop before. NULL is accepted. */
void acd_worker_join(struct acd_worker *worker);

/* True when the worker serves all it was assigned; else the reason is written to `reason`. From any thread.
 */
bool acd_worker_ready(struct acd_worker *worker, char *reason, size_t reason_bytes);

#endif
