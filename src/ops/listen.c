/* ADDRESS:PORT as a socket address. Names are not looked up: what a name stands for may change, and with it
 * who can reach the daemon. */
#include "listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "accountd/text.h"

/* The address without its brackets, as a C string. */
static bool copy_address(const char *from, size_t len, char *out, size_t out_bytes)
{
    if (len >= out_bytes)
        return false;
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

bool acd_listen_parse(const char *text, struct sockaddr_storage *address, socklen_t *len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    const char *colon = strrchr(text, ':');
    bool brackets = colon && text[0] == '[' && colon[-1] == ']';
    char host[INET6_ADDRSTRLEN];
    int64_t port;

    memset(address, 0, sizeof(*address));
    if (!colon || colon == text || !acd_int_parse(acd_slice_str(colon + 1), &port) || port < 0 ||
        port > 65535)
        return false;
    if (brackets) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *len = sizeof(*v6);
        return copy_address(text + 1, (size_t)(colon - text) - 2, host, sizeof(host)) &&
               inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    *len = sizeof(*v4);
    return copy_address(text, (size_t)(colon - text), host, sizeof(host)) &&
           inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}
