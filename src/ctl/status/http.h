/* http.h: one page of a server, over plain HTTP.
 *
 * No TLS, no redirects, no proxies: for the pages of accountd's http.listen, which are meant for a network of
 * their own. What the server writes is bounded and to be distrusted.
 */
#ifndef ACCOUNTD_CTL_STATUS_HTTP_H
#define ACCOUNTD_CTL_STATUS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accountd/slice.h"

/* Head and body together. The metrics of 4096 partitions are a tenth of it. */
#define ACD_CTL_HTTP_BYTES_MAX   ((size_t)4 << 20)

#define ACD_CTL_HTTP_ERROR_BYTES 256

/* A server's address; the strings are its own. */
struct acd_ctl_url {
    char host[256];
    char port[8];
    char path[256]; /* before the page's own: empty, or /PREFIX */
};

/* Takes http://HOST[:PORT][/PREFIX][/metrics]; HOST may be [IPv6]. False for anything else. */
bool acd_ctl_url_read(const char *text, struct acd_ctl_url *out) __attribute__((warn_unused_result));

struct acd_ctl_page {
    char *answer; /* owned: what came */
    int status;   /* 200 and so on */
    struct acd_slice body;
};

/* Gets a page. Looking the name up takes as long as the system's resolver takes; all that follows ends at
 * the deadline (acd_clock_ms). Returns 0, or -1 with what went wrong in `error`. Free `out` in any case. */
int acd_ctl_http_get(const struct acd_ctl_url *url, const char *page, int64_t deadline_ms,
                     struct acd_ctl_page *out, char error[ACD_CTL_HTTP_ERROR_BYTES])
    __attribute__((warn_unused_result));

void acd_ctl_page_free(struct acd_ctl_page *page);

/* Takes a whole answer apart, without the connection: `page` borrows from it. Returns 0 or the mistake. */
const char *acd_ctl_http_parse(struct acd_slice answer, struct acd_ctl_page *page)
    __attribute__((warn_unused_result));

#endif
