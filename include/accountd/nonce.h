/* nonce.h: random names for batches and recoveries. */
#ifndef ACCOUNTD_NONCE_H
#define ACCOUNTD_NONCE_H

#include "accountd/position.h"

/* 64 random bits in hex. */
void acd_nonce(char out[ACD_NONCE_BYTES]);

#endif
