/* slot.h: which of the workers on this host one is.
 *
 * A worker's transactional id must be the same after a restart (then the broker ends the dead one's
 * transaction at once) and must differ from that of every worker that lives. A slot is a number that is held
 * by a socket in Linux' abstract namespace: the kernel frees it when its holder dies, in whatever way.
 */
#ifndef ACCOUNTD_SLOT_H
#define ACCOUNTD_SLOT_H

#define ACD_SLOT_MAX 1024

struct acd_slot {
    int number;
    int socket;
};

/* Claims the lowest free slot of the cluster's group on this host. Returns 0, or -1 when none is free. */
int acd_slot_claim(const char *cluster, const char *group, struct acd_slot *slot);

void acd_slot_release(struct acd_slot *slot);

#endif
