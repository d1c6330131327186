/* Nonces come from the kernel: two workers never make the same. */
#include "accountd/nonce.h"

#include <stdlib.h>
#include <sys/random.h>

#include "accountd/text.h"

void acd_nonce(char out[ACD_NONCE_BYTES])
{
    unsigned char random[8];

    /* Up to 256 bytes are never cut short once the kernel's pool is ready, which it is before services start.
     */
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        abort();
    acd_hex_format(random, sizeof(random), out);
}
