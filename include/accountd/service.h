/* service.h: what systemd and probes are told.
 */
#ifndef ACCOUNTD_SERVICE_H
#define ACCOUNTD_SERVICE_H

#include <stdbool.h>

/* Sends one datagram of sd_notify's protocol ("READY=1\nSTATUS=…") to $NOTIFY_SOCKET; without that variable
 * nothing happens. */
void acd_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The HTTP thread: /metrics, /livez, /readyz, /version. */
struct acd_http;

/* Each returns true, or false with a JSON array of reasons in `reasons` (of `size` bytes). Called on the HTTP
 * thread. */
struct acd_probes {
    bool (*live)(void *context, char *reasons, int size);  /* /livez: false asks for a restart */
    bool (*ready)(void *context, char *reasons, int size); /* /readyz */
    void *context;
};

/* `listen` is ADDRESS:PORT, an IPv6 address in brackets. Returns NULL after writing the reason to the log. */
struct acd_http *acd_http_start(const char *listen, const struct acd_probes *probes);

/* Ends the thread; NULL is accepted. */
void acd_http_stop(struct acd_http *http);

#endif
