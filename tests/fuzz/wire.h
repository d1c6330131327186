/* wire.h: a connection to Redis that is none: see wire.c. */
#ifndef ACCOUNTD_FUZZ_WIRE_H
#define ACCOUNTD_FUZZ_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/slice.h"

void fuzz_wire_open(void);
void fuzz_wire_close(void);

/* What Redis will say next; when it has said all, the connection breaks. False: it is not to be said, because
 * hiredis would reserve memory for a claim that a Redis never makes. */
bool fuzz_wire_feed(struct acd_slice bytes);

/* Commands sent over the present connection whose answers were not read. */
int64_t fuzz_wire_unread(void);

#endif
