/* import.h: what must hold for any file that is imported. */
#ifndef ACCOUNTD_FUZZ_IMPORT_H
#define ACCOUNTD_FUZZ_IMPORT_H

#include "accountd/command.h"
#include "fuzz.h"

/* The input: a byte, how many bytes the file is read by at a time; the file. */
void fuzz_import(enum acd_format format, const uint8_t *data, size_t size);

#endif
