/* The texts, and the profile fields from their table. */
#include "usage.h"

#include <stdbool.h>
#include <string.h>

#include "accountd/account.h"

static const char program[] =
    "Usage: accountctl [OPTION]... COMMAND [ACCOUNT]... [OPTION]...\n"
    "\n"
    "Posts a command to accountd by Kafka and waits for its reply.\n"
    "\n"
    "Commands:\n"
    "  create   make accounts\n"
    "  edit     change accounts' profiles\n"
    "  delete   remove accounts\n"
    "  get      show accounts\n"
    "  list     show all accounts, oldest first\n"
    "  export   write accounts to a file\n"
    "  rebuild  restore Redis from the changelog (for operators: takes part in accountd's work)\n"
    "  help     show a command's own options: accountctl help COMMAND\n"
    "\n"
    "Options of all commands:\n"
    "  --brokers HOST:PORT,...  Kafka (default: ACCOUNTCTL_BROKERS, or 127.0.0.1:9092)\n"
    "  --app APP                the app of the accounts (default: ACCOUNTCTL_APP)\n"
    "  -c, --config FILE        brokers, topics and properties as in accountd's configuration\n"
    "  -X, --property NAME=VALUE\n"
    "                           a property of librdkafka, such as security.protocol=ssl\n"
    "  --timeout SECONDS        how long to wait for the brokers, and for the reply (default: 10)\n"
    "  --json                   print replies as they come, a line each\n"
    "  -h, --help               show this, or with a command its help\n"
    "  --version                show the version\n"
    "\n"
    "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 done for some of the accounts,\n"
    "5 no reply in time (the command may still be carried out), 6 Kafka is out of reach.\n";

static const struct {
    const char *text;
    bool fields; /* to be followed by the profile fields */
} commands[ACD_CTL_COMMAND_COUNT] = {
    [ACD_CTL_CREATE] =
        {"Usage: accountctl create ACCOUNT... [OPTION]...\n"
         "\n"
         "Makes up to 100 accounts, all with the same type and profile.\n"
         "\n"
         "  --type TYPE           general (default) or admin\n"
         "  --set FIELD=VALUE     set a field of the profile\n"
         "  --custom KEY=VALUE    set a custom field\n"
         "  --on-exists WHAT      when an account exists: error (default), update (merge, as edit does),\n"
         "                        skip (leave it as it is)\n"
         "  --dry-run             only tell what would happen\n",
         true},
    [ACD_CTL_EDIT] = {"Usage: accountctl edit ACCOUNT... [OPTION]...\n"
                      "\n"
                      "Changes the profile of up to 100 accounts, each in the same way.\n"
                      "\n"
                      "  --set FIELD=VALUE     set a field of the profile\n"
                      "  --unset FIELD         remove a field; `custom` removes all custom fields\n"
                      "  --custom KEY=VALUE    set a custom field\n"
                      "  --unset-custom KEY    remove a custom field\n"
                      "  --type TYPE           only if the account is of this type\n"
                      "  --if-revision N       only if the account is at this revision\n"
                      "  --dry-run             only tell what would happen\n",
                      true},
    [ACD_CTL_DELETE] = {"Usage: accountctl delete ACCOUNT... [OPTION]...\n"
                        "\n"
                        "Removes up to 100 accounts. More than one at once must be confirmed.\n"
                        "\n"
                        "  --confirm             do not ask; needed without a terminal\n"
                        "  --if-revision N       only if the account is at this revision\n"
                        "  --dry-run             only tell what would happen\n",
                        false},
    [ACD_CTL_GET] = {"Usage: accountctl get ACCOUNT... [OPTION]...\n"
                     "\n"
                     "Shows up to 100 accounts.\n",
                     false},
    [ACD_CTL_LIST] = {"Usage: accountctl list [OPTION]...\n"
                      "\n"
                      "Shows the accounts of an app, oldest first.\n"
                      "\n"
                      "  --limit N             at most so many in one reply, up to 1000 (default: 100)\n"
                      "  --after CURSOR        go on after what was shown before\n"
                      "  --all                 ask until all are shown\n",
                      false},
    [ACD_CTL_EXPORT] =
        {"Usage: accountctl export ACCOUNT... [OPTION]...\n"
         "\n"
         "Writes up to 100 accounts to a file, and checks that it is complete.\n"
         "\n"
         "  -o, --output FILE     where to (default: stdout); appears only when it is complete\n"
         "  --format FORMAT       ndjson (default), json, csv or msgpack\n"
         "  --compression HOW     none (default), gzip or zstd\n"
         "  --fields A,B,...      only these members of the records, in this order\n",
         false},
    [ACD_CTL_REBUILD] =
        {"Usage: accountctl -c accountd.conf rebuild [OPTION]...\n"
         "\n"
         "Restores Redis from the changelog, as accountd does by itself when Redis has lost its memory.\n"
         "Daemons may run or not; while it lasts they wait.\n"
         "\n"
         "  --force               restore also when nothing seems lost\n"
         "  --accept-offsets      committed offsets that somebody else has set are right: commands that\n"
         "                        they skip get no effect and no reply, commands that they repeat get a\n"
         "                        second one\n",
         false},
};

static void put_fields(FILE *out)
{
    (void)fputs("\nFields of the profile:\n", out);
    for (unsigned i = 0; i < ACD_FIELD_COUNT; i++) {
        const struct acd_field_rule *rule = &acd_field_rules[i];

        (void)fprintf(out, "  %-20s  ", rule->name);
        switch (rule->kind) {
        case ACD_FIELD_TEXT:
            (void)fprintf(out, "text, up to %zu bytes\n", rule->max);
            break;
        case ACD_FIELD_URL:
            (void)fprintf(out, "http or https URL, up to %zu bytes\n", rule->max);
            break;
        case ACD_FIELD_ENUM:
            (void)fprintf(out, "one of: %s\n", rule->choices);
            break;
        case ACD_FIELD_DATE:
            (void)fputs("date, YYYY-MM-DD\n", out);
            break;
        case ACD_FIELD_UINT32:
            (void)fputs("number, 0 to 4294967295\n", out);
            break;
        }
    }
}

void acd_ctl_usage(FILE *out, enum acd_ctl_command command)
{
    if (command == ACD_CTL_COMMAND_COUNT) {
        (void)fputs(program, out);
        return;
    }
    (void)fputs(commands[command].text, out);
    if (commands[command].fields)
        put_fields(out);
    (void)fputs("\nOptions of all commands: accountctl --help\n", out);
}
