/* Findings. */
#include "accountd/finding.h"

#include <stdarg.h>

void acd_finding_add(struct acd_findings *findings, enum acd_weight weight, const char *format, ...)
{
    static const char *const words[] = {"ok", "warning", "error", "error", "error", "error"};
    char text[sizeof(findings->first)];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (findings->out)
        fprintf(findings->out, "%s: %s\n", words[weight], text);
    if (weight <= findings->worst)
        return;
    findings->worst = weight;
    snprintf(findings->first, sizeof(findings->first), "%s", text);
}
