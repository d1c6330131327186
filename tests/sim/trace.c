/* What a person reads of a run: a line a step. */
#include <stdarg.h>
#include <stdio.h>

#include "aim.h"
#include "sim.h"

void sim_trace(const char *who, const char *format, ...)
{
    static char line[8192];
    int front;
    va_list args;

    if (!who)
        who = sim.task ? sim_task_name(sim.task) : "-";
    front = snprintf(line, sizeof(line), "%-6s ", who);
    va_start(args, format);
    vsnprintf(line + front, sizeof(line) - (size_t)front, format, args);
    va_end(args);
    if (sim.trace)
        printf("%10.3f ms  %s\n", (double)sim.now_us / 1000.0, line);
    aim_see(line);
}

void sim_fail(const char *format, ...)
{
    va_list args;

    if (sim.failure[0])
        return;
    va_start(args, format);
    vsnprintf(sim.failure, sizeof(sim.failure), format, args);
    va_end(args);
    sim_say_of("sim", "FAILED: %s", sim.failure);
}

const char *sim_readable(struct acd_slice bytes, size_t max)
{
    char *out = acd_arena_alloc(&sim.memory, 4 * max + 4);
    size_t used = 0;

    for (size_t i = 0; i < bytes.len && i < max; i++) {
        unsigned char c = (unsigned char)bytes.data[i];

        if (c >= ' ' && c < 0x7f)
            out[used++] = (char)c;
        else
            used += (size_t)sprintf(out + used, "\\x%02x", c);
    }
    if (bytes.len > max)
        used += (size_t)sprintf(out + used, "..");
    out[used] = '\0';
    return out;
}
