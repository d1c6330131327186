/* peer.h: a daemon, as its pages show it.
 *
 * A peer is asked by one thread at a time, which may be another than the one that shows it later.
 */
#ifndef ACCOUNTD_CTL_STATUS_PEER_H
#define ACCOUNTD_CTL_STATUS_PEER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "http.h"
#include "scrape.h"

struct acd_ctl_peer {
    char *address; /* as it was given; owned */
    struct acd_ctl_url url;

    char error[ACD_CTL_HTTP_ERROR_BYTES]; /* why nothing is known; empty: it answers */
    bool ready;
    json_t *reasons; /* why it is not, an array of strings; NULL: they are not known */
    struct acd_ctl_scrape now;
    struct acd_ctl_scrape before;
    int64_t now_us; /* of acd_clock_us; 0: there was no scrape */
    int64_t before_us;
};

/* Takes a copy of the address. Returns 0, or -1 when it is none or there is no memory. */
int acd_ctl_peer_open(struct acd_ctl_peer *out, const char *address) __attribute__((warn_unused_result));

/* Asks for both pages. What was known until now is `before` afterwards. */
void acd_ctl_peer_ask(struct acd_ctl_peer *peer, int64_t deadline_ms);

/* The seconds between both scrapes; 0: they cannot be compared, so there are no rates. */
double acd_ctl_peer_seconds(const struct acd_ctl_peer *peer);

/* True where an operator need not look: it answers, is ready, and nothing is halted or stuck. */
bool acd_ctl_peer_well(const struct acd_ctl_peer *peer);

#endif
