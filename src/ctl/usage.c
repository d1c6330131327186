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
    "  dlq      show the dead letters, and post them again\n"
    "  import   create the accounts of a file\n"
    "  tail     show replies, changes or dead letters as they come\n"
    "  status   show how accountd and its topics are doing\n"
    "  bench    post a load, and tell how long its replies take\n"
    "  help     show a command's own options: accountctl help COMMAND\n"
    "\n"
    "Options of all commands:\n"
    "  --brokers HOST:PORT,...  Kafka (default: ACCOUNTCTL_BROKERS, or 127.0.0.1:9092)\n"
    "  --app APP                the app of the accounts (default: ACCOUNTCTL_APP)\n"
    "  -c, --config FILE        brokers, topics and properties as in accountd's configuration\n"
    "  -X, --property NAME=VALUE\n"
    "                           a property of librdkafka, such as security.protocol=ssl; a secret as\n"
    "                           NAME_file=FILE\n"
    "  --key ID=FILE            sign commands: the key's id, and the file of its secret (default:\n"
    "                           ACCOUNTCTL_KEY)\n"
    "  --timeout SECONDS        how long to wait for the brokers, and for the reply (default: 10)\n"
    "  --json                   print replies as they come, a line each\n"
    "  -h, --help               show this, or with a command its help\n"
    "  --version                show the version\n"
    "\n"
    "~/.config/accountctl.conf holds what is not to be typed each time: brokers, app, config, key,\n"
    "properties and metrics. ACCOUNTCTL_BROKERS and so on count more, and options most.\n"
    "\n"
    "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 done for some of the accounts,\n"
    "5 no reply in time (the command may still be carried out), 6 Kafka is out of reach, 130 import or\n"
    "export was interrupted.\n";

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
        {"Usage: accountctl export ACCOUNT...|--all|--from-topic EXPORT [OPTION]...\n"
         "\n"
         "Writes up to 100 accounts, or a whole app, to a file, and checks that it is complete.\n"
         "\n"
         "  --all                 all accounts of the app; waits for up to ten minutes, or --timeout, while\n"
         "                        nothing is heard of it\n"
         "  --from-topic EXPORT   fetch the file of an earlier export again, by its id, while Kafka has it\n"
         "  -o, --output FILE     where to (default and -: stdout); appears only when it is complete\n"
         "  --format FORMAT       ndjson (default), json, csv or msgpack; else what FILE's name says\n"
         "  --compression HOW     none (default), gzip or zstd; else what FILE's name says: .gz, .zst\n"
         "  --fields A,B,...      only these members of the records, in this order\n"
         "  --type TYPE           --all: only general or admin accounts\n"
         "  --created-after WHEN  --all: only those created at a time (2026-11-22T20:09:08Z) or a duration "
         "ago\n"
         "                        (90s, 15m, 2h, 7d), or later\n"
         "  --created-before WHEN --all: only those created before\n"
         "  --updated-after WHEN  --all: only those changed then or later\n",
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
    [ACD_CTL_DLQ] =
        {"Usage: accountctl dlq list|show|replay [PARTITION:OFFSET]... [OPTION]...\n"
         "\n"
         "Shows what accountd has put aside, and posts it again. list writes a line for each dead letter, "
         "show\n"
         "all of one, and replay posts the original once more, each dead letter once.\n"
         "\n"
         "  --code CODE           list, replay: only with this code, such as malformed or internal\n"
         "  --since WHEN          list, replay: not before a time (2026-11-22T20:09:08Z) or a duration ago\n"
         "                        (90s, 15m, 2h, 7d)\n"
         "  --limit N             list: at most so many\n"
         "  --raw                 show: only the bytes of the value\n"
         "  --all                 replay: all that there are now and were not replayed\n"
         "  --dry-run             replay: only tell what would be posted\n"
         "  --force               replay: also what was replayed before\n"
         "  --no-wait             replay: do not wait for the replies\n",
         false},
    [ACD_CTL_TAIL] =
        {"Usage: accountctl tail replies|changelog|dead-letters [OPTION]...\n"
         "\n"
         "Shows a topic's records as they come, until it is interrupted. --app leaves out the replies and\n"
         "changes of other apps.\n"
         "\n"
         "  --since WHEN          begin at a time (2026-11-22T20:09:08Z) or a duration ago "
         "(90s, 15m, 2h, 7d)\n"
         "  --from-beginning      begin with the first record\n"
         "  --count N             end after so many\n"
         "  --account ACCOUNT     replies, changelog: only of this account\n"
         "  --op OP               replies: only to this operation\n"
         "  --id ID               replies: only to commands with this id\n"
         "  --code CODE           replies, dead-letters: only with this code\n",
         false},
    [ACD_CTL_IMPORT] =
        {"Usage: accountctl import FILE [OPTION]...\n"
         "\n"
         "Creates the accounts of a file, such as an export is: one for each line of ndjson, row of CSV, "
         "item\n"
         "of a JSON array or map of MessagePack; plain, or packed by gzip or zstd. - is stdin.\n"
         "\n"
         "  --on-exists WHAT      when an account exists: error (default), update (merge, as edit does),\n"
         "                        skip (leave it as it is)\n"
         "  --rejects FILE        write the lines that are rejected to a file, with why; mended, it can be\n"
         "                        imported\n"
         "  --resume              go on where an import of this file was interrupted\n"
         "  --dry-run             only tell what would happen\n"
         "  --format FORMAT       ndjson, json, csv or msgpack (default: by the name, or the first bytes)\n"
         "  --compression METHOD  none, gzip or zstd (default: by the name, or the first bytes)\n",
         true},
    [ACD_CTL_STATUS] =
        {"Usage: accountctl status [OPTION]...\n"
         "\n"
         "Shows the consumer group, the lag of each partition and missing topics, and of each daemon that "
         "is\n"
         "named its readiness, workers, rates, exports and dead letters. On a terminal it is shown anew "
         "until\n"
         "somebody presses q. Shown once, exit status 1 says that something is not as it should be.\n"
         "\n"
         "  --metrics URL         a daemon's http.listen, as in http://127.0.0.1:9464; several times for\n"
         "                        several (default: ACCOUNTCTL_METRICS, with commas between them)\n"
         "  --interval SECONDS    how often, and over which time rates are measured (default: 1)\n"
         "  --once                show it once; so it is, too, where stdout is no terminal\n",
         false},
    [ACD_CTL_BENCH] =
        {"Usage: accountctl bench [OPTION]...\n"
         "\n"
         "Makes accounts of its own in the app, posts commands to them at a steady rate whether replies "
         "come\n"
         "or not, tells how long after its moment each was answered, and deletes the accounts.\n"
         "\n"
         "  --rate N              commands a second (default: 100)\n"
         "  --duration SECONDS    for how long (default: 10)\n"
         "  --accounts N          how many accounts (default: 1000)\n"
         "  --mix OP=WEIGHT,...   of create, edit, get and delete (default: create=1,edit=5,get=4)\n"
         "  --batch N             accounts in one command, up to 100 (default: 1)\n"
         "  --yes                 also in an app that has accounts\n"
         "  --keep                leave its accounts\n",
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
