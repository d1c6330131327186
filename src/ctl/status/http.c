/* HTTP/1.0, so that an answer comes in one piece and ends with the connection. */
#include "http.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accountd/clock.h"
#include "accountd/text.h"

#define SCHEME "http://"
#define PAGE   "/metrics"

/* Room for the first read; doubled as more comes. */
#define FIRST_BYTES ((size_t)16 << 10)

static bool copy(struct acd_slice text, char *out, size_t bytes)
{
    if (text.len >= bytes)
        return false;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    /* A blank or a line's end would become a part of the request. */
    for (; *out; out++)
        if ((unsigned char)*out <= ' ' || (unsigned char)*out >= 0x7f)
            return false;
    return true;
}

static bool read_port(struct acd_slice text, struct acd_ctl_url *out)
{
    int64_t port;

    return acd_int_parse(text, &port) && port >= 1 && port <= 65535 &&
           copy(text, out->port, sizeof(out->port));
}

bool acd_ctl_url_read(const char *text, struct acd_ctl_url *out)
{
    struct acd_slice host;
    struct acd_slice path;
    const char *end;

    *out = (struct acd_ctl_url){.port = "80"};
    if (strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
        return false;
    text += strlen(SCHEME);
    if (*text == '[') {
        text++;
        end = strchr(text, ']');
        if (!end)
            return false;
        host = acd_slice(text, (size_t)(end - text));
        text = end + 1;
    } else {
        host = acd_slice(text, strcspn(text, ":/"));
        text += host.len;
    }
    path = acd_slice_str(strchr(text, '/'));
    if (*text == ':' && !read_port(acd_slice(text + 1, strcspn(text + 1, "/")), out))
        return false;
    if (*text && *text != ':' && *text != '/')
        return false;
    if (path.len >= strlen(PAGE) && memcmp(path.data + path.len - strlen(PAGE), PAGE, strlen(PAGE)) == 0)
        path.len -= strlen(PAGE);
    while (path.len && path.data[path.len - 1] == '/')
        path.len--;
    /* A name and its password would be shown with the address. */
    return host.len && !memchr(host.data, '@', host.len) && copy(host, out->host, sizeof(out->host)) &&
           (!path.len || copy(path, out->path, sizeof(out->path)));
}

/* What a header says, or absent. `head` begins with the line before the headers. */
static struct acd_slice find_header(struct acd_slice head, const char *name)
{
    const char *end = head.data + head.len;
    size_t len = strlen(name);

    for (const char *line = memchr(head.data, '\n', head.len); line && end - ++line > (ptrdiff_t)len;
         line = memchr(line, '\n', (size_t)(end - line))) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));

        stop = stop ? stop : end;
        if (strncasecmp(line, name, len) != 0 || line[len] != ':')
            continue;
        for (line += len + 1; line < stop && isspace((unsigned char)*line);)
            line++;
        while (stop > line && isspace((unsigned char)stop[-1]))
            stop--;
        return acd_slice(line, (size_t)(stop - line));
    }
    return acd_slice(NULL, 0);
}

const char *acd_ctl_http_parse(struct acd_slice answer, struct acd_ctl_page *page)
{
    const char *blank = answer.len ? memmem(answer.data, answer.len, "\r\n\r\n", 4) : NULL;
    struct acd_slice head;
    struct acd_slice length;
    int64_t wanted;

    page->status = 0;
    page->body = acd_slice(NULL, 0);
    if (answer.len < 12 || memcmp(answer.data, "HTTP/1.", 7) != 0 || answer.data[8] != ' ')
        return "the answer is not HTTP";
    for (int i = 9; i < 12; i++) {
        if (!isdigit((unsigned char)answer.data[i]))
            return "the answer is not HTTP";
        page->status = page->status * 10 + answer.data[i] - '0';
    }
    if (!blank)
        return "the answer is cut off";
    head = acd_slice(answer.data, (size_t)(blank - answer.data));
    page->body = acd_slice(blank + 4, answer.len - head.len - 4);
    if (find_header(head, "transfer-encoding").data)
        return "the answer comes in chunks, which HTTP/1.0 does not know";
    length = find_header(head, "content-length");
    if (!length.data)
        return NULL;
    if (!acd_int_parse(length, &wanted) || wanted < 0)
        return "the answer is not HTTP";
    if ((size_t)wanted > page->body.len)
        return "the answer is cut off";
    page->body.len = (size_t)wanted;
    return NULL;
}

/* Waits until the socket can be read or written; false with errno when the time is over. */
static bool await(int fd, short event, int64_t deadline_ms)
{
    struct pollfd what = {.fd = fd, .events = event};
    int ready;

    do {
        int64_t left = deadline_ms - acd_clock_ms();

        ready = poll(&what, 1, left > 0 ? (int)left : 0);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0)
        errno = ETIMEDOUT;
    return ready > 0;
}

/* Returns the connection, or -1 with errno. */
static int connect_one(const struct addrinfo *address, int64_t deadline_ms)
{
    int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    socklen_t len = sizeof(int);
    int failed = 0;

    if (fd < 0)
        return -1;
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    if (errno != EINPROGRESS || !await(fd, POLLOUT, deadline_ms))
        failed = errno;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len))
        failed = errno;
    if (!failed)
        return fd;
    (void)close(fd);
    errno = failed;
    return -1;
}

static int open_connection(const struct acd_ctl_url *url, int64_t deadline_ms,
                           char error[ACD_CTL_HTTP_ERROR_BYTES])
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    int failed = getaddrinfo(url->host, url->port, &hints, &addresses);
    int fd = -1;

    if (failed) {
        (void)snprintf(error, ACD_CTL_HTTP_ERROR_BYTES, "%s", gai_strerror(failed));
        return -1;
    }
    for (const struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next)
        fd = connect_one(at, deadline_ms);
    if (fd < 0)
        (void)snprintf(error, ACD_CTL_HTTP_ERROR_BYTES, "%s", strerror(errno));
    freeaddrinfo(addresses);
    return fd;
}

static bool send_all(int fd, const char *text, size_t len, int64_t deadline_ms)
{
    while (len) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (sent < 0 && !await(fd, POLLOUT, deadline_ms))
            return false;
        text += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

/* All that comes until the connection ends, as page->answer. */
static bool receive_all(int fd, int64_t deadline_ms, struct acd_ctl_page *page, size_t *len)
{
    size_t room = 0;

    for (*len = 0;;) {
        ssize_t came;

        if (*len == room) {
            char *more =
                room < ACD_CTL_HTTP_BYTES_MAX ? realloc(page->answer, room ? 2 * room : FIRST_BYTES) : NULL;

            if (!more) {
                errno = room < ACD_CTL_HTTP_BYTES_MAX ? ENOMEM : EMSGSIZE;
                return false;
            }
            page->answer = more;
            room = room ? 2 * room : FIRST_BYTES;
        }
        /* A sender that always has more is ended by the size. */
        if (!await(fd, POLLIN, deadline_ms))
            return false;
        came = recv(fd, page->answer + *len, room - *len, 0);
        if (came == 0)
            return true;
        if (came < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        *len += came > 0 ? (size_t)came : 0;
    }
}

int acd_ctl_http_get(const struct acd_ctl_url *url, const char *page, int64_t deadline_ms,
                     struct acd_ctl_page *out, char error[ACD_CTL_HTTP_ERROR_BYTES])
{
    bool ipv6 = strchr(url->host, ':') != NULL;
    const char *mistake = NULL;
    char request[1024];
    size_t len = 0;
    int result = -1;
    int fd = open_connection(url, deadline_ms, error);

    *out = (struct acd_ctl_page){0};
    if (fd < 0)
        return -1;
    (void)snprintf(request, sizeof(request),
                   "GET %s%s HTTP/1.0\r\nHost: %s%s%s:%s\r\nUser-Agent: accountctl\r\n\r\n", url->path, page,
                   ipv6 ? "[" : "", url->host, ipv6 ? "]" : "", url->port);
    if (!send_all(fd, request, strlen(request), deadline_ms) || !receive_all(fd, deadline_ms, out, &len))
        mistake = strerror(errno);
    else
        mistake = acd_ctl_http_parse(acd_slice(out->answer, len), out);
    (void)close(fd);
    if (mistake)
        (void)snprintf(error, ACD_CTL_HTTP_ERROR_BYTES, "%s", mistake);
    else
        result = 0;
    return result;
}

void acd_ctl_page_free(struct acd_ctl_page *page)
{
    free(page->answer);
    *page = (struct acd_ctl_page){0};
}
