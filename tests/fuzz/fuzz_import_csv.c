/* A file of CSV to be imported: the first byte says how it is read (import.h). */
#include "import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_import(ACD_CSV, data, size);
    return 0;
}
