/* A file of ndjson, JSON or MessagePack to be imported: the first byte says which, the next how it is read.
 */
#include "import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum acd_format formats[] = {ACD_NDJSON, ACD_JSON, ACD_MSGPACK};

    if (size)
        fuzz_import(formats[data[0] % 3], data + 1, size - 1);
    return 0;
}
