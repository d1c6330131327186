/* Metrics of the process, from /proc/self. What cannot be read is left out. */
#include "process.h"

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The fields of /proc/self/stat that are asked for. */
struct usage {
    double cpu_s;
    unsigned long long threads;
    unsigned long long start_ticks; /* since the machine started */
    unsigned long long virtual_bytes;
    unsigned long long resident_pages;
};

static int read_usage(struct usage *out)
{
    unsigned long long user_ticks;
    unsigned long long system_ticks;
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    const char *after_name;
    size_t len;
    int found = 0;

    if (!file)
        return -1;
    len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    /* The second field is the program's name in parentheses, which may hold anything. */
    after_name = strrchr(text, ')');
    if (after_name)
        found = sscanf(after_name,
                       ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %llu %*d "
                       "%llu %llu %llu",
                       &user_ticks, &system_ticks, &out->threads, &out->start_ticks, &out->virtual_bytes,
                       &out->resident_pages);
    if (found != 6)
        return -1;
    out->cpu_s = (double)(user_ticks + system_ticks) / (double)sysconf(_SC_CLK_TCK);
    return 0;
}

static int count_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    if (!directory)
        return -1;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 3; /* ".", ".." and the directory itself */
}

static void print(FILE *out, const char *name, const char *type, const char *help, double value)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

static double start_time(unsigned long long ticks)
{
    struct timespec now;
    struct timespec up;

    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9 +
           (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void acd_process_metrics_print(FILE *out)
{
    struct usage usage;
    struct rlimit limit;
    int files = count_files();

    if (read_usage(&usage) == 0) {
        print(out, "process_cpu_seconds_total", "counter", "User and system time in seconds.", usage.cpu_s);
        print(out, "process_start_time_seconds", "gauge", "Start, in seconds since 1970.",
              start_time(usage.start_ticks));
        print(out, "process_threads", "gauge", "Threads of the process.", (double)usage.threads);
        print(out, "process_virtual_memory_bytes", "gauge", "Address space in bytes.",
              (double)usage.virtual_bytes);
        print(out, "process_resident_memory_bytes", "gauge", "Resident memory in bytes.",
              (double)usage.resident_pages * (double)sysconf(_SC_PAGESIZE));
    }
    if (files >= 0)
        print(out, "process_open_fds", "gauge", "Open file descriptors.", files);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        print(out, "process_max_fds", "gauge", "File descriptors that may be open.", (double)limit.rlim_cur);
}
