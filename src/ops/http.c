/* The HTTP thread: libmicrohttpd with one thread, and four pages. */
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/service.h"
#include "listen.h"

#define CONNECTIONS_MAX 64u
#define IDLE_TIMEOUT_S  10u
#define REASONS_BYTES   2048
#define BACKLOG         64

struct acd_http {
    struct MHD_Daemon *daemon;
    struct acd_probes probes;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *content_type,
                              struct MHD_Response *response)
{
    enum MHD_Result result = MHD_NO;

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *content_type, const char *text)
{
    return answer(
        connection, status, content_type,
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return MHD_NO;
    acd_metrics_print(out);
    if (fclose(out)) {
        free(text);
        return MHD_NO;
    }
    return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
                  MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result answer_probe(struct MHD_Connection *connection, const char *name,
                                    bool (*probe)(void *context, char *reasons, int size), void *context)
{
    char reasons[REASONS_BYTES] = "[]";
    char text[REASONS_BYTES + 64];

    if (probe(context, reasons, sizeof(reasons))) {
        snprintf(text, sizeof(text), "{\"%s\":true}\n", name);
        return answer_text(connection, MHD_HTTP_OK, "application/json", text);
    }
    snprintf(text, sizeof(text), "{\"%s\":false,\"reasons\":%s}\n", name, reasons);
    return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "application/json", text);
}

static enum MHD_Result answer_version(struct MHD_Connection *connection)
{
    char text[128];

    snprintf(text, sizeof(text), "{\"version\":\"" ACD_VERSION "\",\"librdkafka\":\"%s\"}\n",
             rd_kafka_version_str());
    return answer_text(connection, MHD_HTTP_OK, "application/json", text);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **request)
{
    const struct acd_probes *probes = context;

    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n");
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(connection);
    if (strcmp(url, "/livez") == 0)
        return answer_probe(connection, "live", probes->live, probes->context);
    if (strcmp(url, "/readyz") == 0)
        return answer_probe(connection, "ready", probes->ready, probes->context);
    if (strcmp(url, "/version") == 0)
        return answer_version(connection);
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "text/plain", "/metrics /livez /readyz /version\n");
}

/* libmicrohttpd's own socket would take SO_REUSEPORT with it, by which two daemons could share a port and
 * each answer for the other. Returns -1 with errno set. */
static int open_socket(const char *listen_at)
{
    struct sockaddr_storage address;
    socklen_t len;
    int on = 1;
    int fd;

    if (!acd_listen_parse(listen_at, &address, &len)) {
        errno = EINVAL;
        return -1;
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, BACKLOG)) {
        int why = errno;

        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* The port, which the kernel chose when 0 was asked for. */
static unsigned port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len))
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

struct acd_http *acd_http_start(const char *listen, const struct acd_probes *probes)
{
    struct acd_http *http = calloc(1, sizeof(*http));
    int fd = http ? open_socket(listen) : -1;
    unsigned port;

    if (fd < 0) {
        acd_log(ACD_LOG_ERROR, "http: cannot listen on %s: %s", listen, strerror(errno));
        free(http);
        return NULL;
    }
    http->probes = *probes;
    port = port_of(fd);
    http->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, handle, &http->probes,
                         MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_END);
    if (!http->daemon) {
        acd_log(ACD_LOG_ERROR, "http: libmicrohttpd cannot serve %s", listen);
        close(fd);
        free(http);
        return NULL;
    }
    acd_log(ACD_LOG_INFO, "http: listening on %s (port %u)", listen, port);
    return http;
}

void acd_http_stop(struct acd_http *http)
{
    if (!http)
        return;
    MHD_stop_daemon(http->daemon); /* closes the socket too */
    free(http);
}
