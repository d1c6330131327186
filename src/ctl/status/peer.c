/* Two pages: the metrics, and whether it is ready. */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/clock.h"

int acd_ctl_peer_open(struct acd_ctl_peer *out, const char *address)
{
    *out = (struct acd_ctl_peer){.address = strdup(address)};
    return out->address && acd_ctl_url_read(address, &out->url) ? 0 : -1;
}

static bool ask_metrics(struct acd_ctl_peer *peer, int64_t deadline_ms)
{
    struct acd_ctl_page page;
    bool ok = acd_ctl_http_get(&peer->url, "/metrics", deadline_ms, &page, peer->error) == 0;

    if (ok && page.status != 200) {
        (void)snprintf(peer->error, sizeof(peer->error), "/metrics is answered with status %d", page.status);
        ok = false;
    }
    if (ok) {
        peer->before = peer->now;
        peer->before_us = peer->now_us;
        acd_ctl_scrape_read(page.body, &peer->now);
        peer->now_us = acd_clock_us();
    }
    if (ok && !peer->now.version[0]) {
        (void)snprintf(peer->error, sizeof(peer->error), "its metrics are not accountd's");
        ok = false;
    }
    acd_ctl_page_free(&page);
    return ok;
}

static bool ask_readiness(struct acd_ctl_peer *peer, int64_t deadline_ms)
{
    struct acd_ctl_page page;
    bool ok = acd_ctl_http_get(&peer->url, "/readyz", deadline_ms, &page, peer->error) == 0;

    peer->ready = ok && page.status == 200;
    if (ok && !peer->ready) {
        json_t *said = json_loadb(page.body.data, page.body.len, 0, NULL);

        peer->reasons = json_incref(json_object_get(said, "reasons"));
        json_decref(said);
    }
    acd_ctl_page_free(&page);
    return ok;
}

void acd_ctl_peer_ask(struct acd_ctl_peer *peer, int64_t deadline_ms)
{
    peer->error[0] = '\0';
    peer->ready = false;
    json_decref(peer->reasons);
    peer->reasons = NULL;
    /* Of one that was away in between, nothing is known about the time before. */
    if (!ask_metrics(peer, deadline_ms) || !ask_readiness(peer, deadline_ms))
        peer->now_us = 0;
}

double acd_ctl_peer_seconds(const struct acd_ctl_peer *peer)
{
    if (!peer->before_us || !peer->now_us || !acd_ctl_scrape_continues(&peer->now, &peer->before))
        return 0;
    return (double)(peer->now_us - peer->before_us) / 1e6;
}

bool acd_ctl_peer_well(const struct acd_ctl_peer *peer)
{
    /* A metric that is not there is NAN, and not above 0. */
    return !peer->error[0] && peer->ready && !(peer->now.gauges[ACD_CTL_GAUGE_HALTED] > 0) &&
           !(peer->now.gauges[ACD_CTL_GAUGE_STUCK] > 0);
}
