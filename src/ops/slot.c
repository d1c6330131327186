/* Slots, as names of abstract sockets. */
#include "accountd/slot.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Cluster and group may be longer than a socket's name: their hash stands for them. */
static uint64_t hash_name(uint64_t hash, const char *name)
{
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return hash;
}

int acd_slot_claim(const char *cluster, const char *group, struct acd_slot *slot)
{
    uint64_t hash = hash_name(hash_name(UINT64_C(14695981039346656037), cluster) + 1, group);

    slot->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (slot->number = 0; slot->socket >= 0 && slot->number < ACD_SLOT_MAX; slot->number++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int len = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "accountd/%016llx/%d",
                           (unsigned long long)hash, slot->number);
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);

        if (bind(slot->socket, (const struct sockaddr *)&address, size) == 0)
            return 0;
        if (errno != EADDRINUSE)
            break;
    }
    acd_slot_release(slot);
    return -1;
}

void acd_slot_release(struct acd_slot *slot)
{
    if (slot->socket >= 0)
        close(slot->socket);
    slot->socket = -1;
}
