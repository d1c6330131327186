/* routing.h: where a command's reply goes, and what it brings back unchanged.
 *
 * Reads the headers that Spring's ReplyingKafkaTemplate, NestJS and plain clients send (contract, section 3).
 * A router is shared by all workers; it does not change.
 */
#ifndef ACCOUNTD_ROUTING_H
#define ACCOUNTD_ROUTING_H

#include "accountd/outgoing.h"
#include "accountd/result.h"
#include "accountd/topics.h"

struct acd_router;

/* A key or a header that goes back may be this large (contract, section 3). */
#define ACD_ECHO_MAX 1024

/* Correlation and trace headers: how many can go back. */
#define ACD_ECHO_COUNT 4

/* A command that is a CloudEvent in Kafka's binary mode: how many of its attributes can go back. */
#define ACD_EVENT_ECHO_COUNT 4

/* The arena's. What it has here, and what every reply to a CloudEvent has, make the reply one, too. */
struct acd_event {
    struct acd_header echo[ACD_EVENT_ECHO_COUNT]; /* named as the reply names them */
    uint32_t echo_count;
};

struct acd_route {
    struct acd_slice topic;
    int32_t partition;
    struct acd_slice key;                   /* data NULL: the command had none that can go back */
    bool keyless;                           /* the command had none at all */
    struct acd_header echo[ACD_ECHO_COUNT]; /* unchanged */
    uint32_t echo_count;
    bool partition_as_digits;      /* NestJS: the reply says that it is the last one */
    struct acd_slice content_type; /* of the command; data NULL: none */
    const struct acd_event *event; /* NULL: the command was no CloudEvent */
    struct acd_refusal refusal;    /* what is wrong with key or headers; ACD_OK: nothing */
};

/* `own` is copied. Returns NULL without memory. */
struct acd_router *acd_router_new(const struct acd_settings *settings, const struct acd_own_topics *own,
                                  struct acd_topics *topics);

/* NULL is accepted. */
void acd_router_free(struct acd_router *router);

/* Total: every record gets a route, the default one where it asks for one that cannot be used. Slices borrow
 * from the headers, the key, the settings and the arena. */
void acd_route(const struct acd_router *router, struct acd_arena *arena, struct acd_slice key,
               int32_t partition, const struct acd_header *headers, uint32_t header_count,
               struct acd_route *out);

#endif
