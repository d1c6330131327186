/* The order of file, environment and command line. */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terminal.h"

/* The file's list, the environment's, then the command line's own. NULL without memory. */
static const char **join(const struct acd_strings *file, const struct acd_strings *environment,
                         const char **own, uint32_t own_count)
{
    const char **all = calloc((size_t)file->count + environment->count + own_count + 1, sizeof(*all));
    size_t at = 0;

    for (uint32_t i = 0; all && i < file->count; i++)
        all[at++] = file->items[i];
    for (uint32_t i = 0; all && i < environment->count; i++)
        all[at++] = environment->items[i];
    for (uint32_t i = 0; all && i < own_count; i++)
        all[at++] = own[i];
    return all;
}

static bool join_properties(const struct acd_ctl_config *config, struct acd_ctl_args *args)
{
    const char **all = join(&config->file.properties, &config->environment.properties, args->properties,
                            args->property_count);

    if (!all)
        return false;
    free(args->properties);
    args->properties = all;
    args->property_count += config->file.properties.count + config->environment.properties.count;
    return true;
}

/* Daemons do not add up: who names some means those. */
static bool choose_metrics(const struct acd_ctl_config *config, struct acd_ctl_args *args)
{
    static const struct acd_strings none;
    const struct acd_strings *named =
        getenv("ACCOUNTCTL_METRICS") ? &config->environment.metrics : &config->file.metrics;

    const char **all = args->metrics_count ? NULL : join(named, &none, NULL, 0);

    if (args->metrics_count)
        return true;
    if (!all)
        return false;
    free(args->metrics);
    args->metrics = all;
    args->metrics_count = named->count;
    return true;
}

/* The last of the three that says something; which one that was, from 1, or 0. */
static int choose(const char *file, const char *environment, const char *own, const char **out)
{
    *out = own ? own : environment ? environment : file;
    return own ? 3 : environment ? 2 : file ? 1 : 0;
}

static bool replace(char **text, const char *other)
{
    char *copy = strdup(other);

    if (!copy)
        return false;
    free(*text);
    *text = copy;
    return true;
}

static enum acd_ctl_exit fill_settings(const struct acd_ctl_config *config, struct acd_ctl_args *args,
                                       struct acd_settings *settings)
{
    const char *brokers;
    const char *file;
    int brokers_from = choose(config->file.brokers, config->environment.brokers, args->brokers, &brokers);
    int file_from = choose(config->file.config, config->environment.config, args->config, &file);

    if (acd_settings_default(settings) || (brokers && !replace(&settings->kafka.brokers, brokers))) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    args->config = file && *file ? file : NULL;
    if (args->config && acd_settings_read(settings, args->config, environ, stderr))
        return ACD_CTL_USAGE;
    if (brokers && brokers_from >= file_from && !replace(&settings->kafka.brokers, brokers)) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    return ACD_CTL_OK;
}

/* An empty variable takes back what the file says. */
static void drop_empty(char **text)
{
    if (*text && !**text) {
        free(*text);
        *text = NULL;
    }
}

static enum acd_ctl_exit read_choices(struct acd_ctl_config *config)
{
    enum acd_ctl_exit result = ACD_CTL_OK;
    char name[PATH_MAX];

    if (acd_ctl_config_name(name, sizeof(name)))
        result = acd_ctl_choice_read(&config->file, name);
    if (result == ACD_CTL_OK)
        result = acd_ctl_choice_environment(&config->environment);
    drop_empty(&config->file.brokers);
    drop_empty(&config->environment.brokers);
    return result;
}

enum acd_ctl_exit acd_ctl_config_apply(struct acd_ctl_config *out, struct acd_ctl_args *args,
                                       struct acd_settings *settings)
{
    enum acd_ctl_exit result;

    *out = (struct acd_ctl_config){.file = {.brokers = NULL}};
    result = read_choices(out);
    if (result == ACD_CTL_OK)
        result = fill_settings(out, args, settings);
    if (result != ACD_CTL_OK)
        return result;
    (void)choose(out->file.app, out->environment.app, args->app, &args->app);
    (void)choose(out->file.key, out->environment.key, args->key, &args->key);
    args->key = args->key && *args->key ? args->key : NULL;
    if (join_properties(out, args) && choose_metrics(out, args))
        return ACD_CTL_OK;
    acd_ctl_error("out of memory");
    return ACD_CTL_FAILED;
}

void acd_ctl_config_free(struct acd_ctl_config *config)
{
    acd_ctl_choice_free(&config->file);
    acd_ctl_choice_free(&config->environment);
}
