/* decoder.h: the same look at both decoders. */
#ifndef ACCOUNTD_FUZZ_DECODER_H
#define ACCOUNTD_FUZZ_DECODER_H

#include "accountd/codec.h"
#include "fuzz.h"

/* Decodes the message; it may take `bytes_per_byte` of the arena for each byte it has. */
void fuzz_decoder(enum acd_encoding encoding, struct acd_slice message, size_t bytes_per_byte);

#endif
