/* MessagePack: any bytes are refused with a plain sentence or decoded, within bounded memory; what was
 * decoded comes back the same, also by way of JSON. The input is the message. */
#include "decoder.h"

/* A member takes two bytes at least and 40 in the tree, and 16 while its key is compared. */
#define BYTES_PER_BYTE 28

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_decoder(ACD_ENCODING_MSGPACK, acd_slice(data, size), BYTES_PER_BYTE);
    return 0;
}
