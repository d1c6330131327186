/* The commands of a run, from the seed alone: no call draws twice, since C leaves the order of arguments
 * open.
 *
 * A few accounts are reached from all partitions, so that partitions meet; each partition has one more of its
 * own, of which lists must tell the truth. */
#include <jansson.h>
#include <msgpack.h>
#include <stdlib.h>

#include "history.h"

#define START_MS    INT64_C(1795378148123)
#define FEW         3
#define MANY        6
#define PERCENT(n)  (below(make, 100) < (n))
#define CHOOSE(...) choose(make, (const char *const[]){__VA_ARGS__, NULL})

struct make {
    struct acd_arena *arena;
    uint64_t random;
    uint32_t number; /* of the command; values hold it, so that each can be told from the others */
    int32_t partition;
    uint32_t shared; /* accounts that all partitions reach */
    uint32_t admins; /* percent of creates that name a type */
    uint32_t wild;   /* percent of what is no good command */
    bool two_apps;
};

/* splitmix64 */
static uint64_t draw(struct make *make)
{
    uint64_t z = make->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t below(struct make *make, uint32_t limit)
{
    return (uint32_t)(draw(make) >> 32) % limit;
}

static const char *choose(struct make *make, const char *const *choices)
{
    uint32_t count = 0;

    while (choices[count])
        count++;
    return choices[below(make, count)];
}

static void set(json_t *tree, const char *name, json_t *value)
{
    json_object_set_new(tree, name, value);
}

static json_t *numbered(struct make *make, const char *front)
{
    return json_string(acd_arena_format(make->arena, "%s%u", front, make->number).data);
}

/* ---- Good commands */

static json_t *account_name(struct make *make)
{
    static const char *const shared[MANY] = {"ann", "bob", "Cy@x", "dee", "eve", "f.f"};

    if (PERCENT(85))
        return json_string(shared[below(make, make->shared)]);
    return json_string(acd_arena_format(make->arena, "own-%d", make->partition).data);
}

static json_t *custom(struct make *make)
{
    json_t *tags = json_object();
    const char *tag = CHOOSE("A", "B", "city");

    set(tags, tag, PERCENT(25) ? json_null() : numbered(make, "c"));
    tag = CHOOSE("C", "D");
    if (PERCENT(30))
        set(tags, tag, json_string(CHOOSE("same", "")));
    return tags;
}

static json_t *profile(struct make *make)
{
    json_t *tree = json_object();

    if (PERCENT(60))
        set(tree, "nickname", numbered(make, "n"));
    else if (PERCENT(60))
        set(tree, "nickname", PERCENT(30) ? json_null() : json_string("same"));
    if (PERCENT(20))
        set(tree, "level", PERCENT(30) ? json_real(7.0) : json_integer(below(make, 3)));
    if (PERCENT(15))
        set(tree, "custom", PERCENT(15) ? json_null() : custom(make));
    if (PERCENT(10))
        set(tree, "avatar_url", json_string("https://example.com/a.png"));
    if (PERCENT(10))
        set(tree, "signature",
            json_string(CHOOSE("two\nlines", "",
                               "Gr\xc3\xbc\xc3\x9f"
                               "e")));
    return tree;
}

static void add_type(struct make *make, json_t *tree)
{
    if (PERCENT(make->admins))
        set(tree, "type", json_string(CHOOSE("admin", "admin", "general")));
}

static json_t *entry(struct make *make, const char *op)
{
    json_t *name = account_name(make);
    json_t *tree;

    if (PERCENT(60))
        return name;
    tree = json_pack("{so}", "account", name);
    if (strcmp(op, "create") == 0)
        add_type(make, tree);
    if (PERCENT(50) && (strcmp(op, "create") == 0 || strcmp(op, "edit") == 0))
        set(tree, "profile", profile(make));
    if (PERCENT(20) && (strcmp(op, "edit") == 0 || strcmp(op, "delete") == 0))
        set(tree, "if_revision", json_integer(1 + below(make, 4)));
    return tree;
}

static const char *name_of(const json_t *item)
{
    return json_string_value(json_is_string(item) ? item : json_object_get(item, "account"));
}

static void add_accounts(struct make *make, json_t *command, const char *op)
{
    json_t *accounts = json_array();

    for (uint32_t tries = 2 + below(make, 3); tries > 0; tries--) {
        json_t *item = entry(make, op);
        bool twice = false;

        for (size_t i = 0; i < json_array_size(accounts); i++)
            twice |= strcmp(name_of(json_array_get(accounts, i)), name_of(item)) == 0;
        if (twice)
            json_decref(item);
        else
            json_array_append_new(accounts, item);
    }
    set(command, "accounts", accounts);
}

static void add_target(struct make *make, json_t *command, const char *op)
{
    if (PERCENT(20))
        add_accounts(make, command, op);
    else
        set(command, "account", account_name(make));
}

static json_t *create(struct make *make, json_t *command)
{
    add_target(make, command, "create");
    add_type(make, command);
    if (PERCENT(70))
        set(command, "profile", profile(make));
    if (PERCENT(55))
        set(command, "on_exists", json_string(CHOOSE("update", "update", "skip", "error")));
    return command;
}

static json_t *edit(struct make *make, json_t *command)
{
    add_target(make, command, "edit");
    set(command, "profile", profile(make));
    if (PERCENT(25))
        set(command, "if_revision", json_integer(1 + below(make, 5)));
    if (PERCENT(8))
        set(command, "type", json_string(CHOOSE("admin", "general")));
    return command;
}

static json_t *delete (struct make *make, json_t *command)
{
    add_target(make, command, "delete");
    if (json_object_get(command, "accounts"))
        set(command, "confirm", json_true());
    if (PERCENT(25))
        set(command, "if_revision", json_integer(1 + below(make, 5)));
    return command;
}

static json_t *good(struct make *make)
{
    const char *op = CHOOSE("create", "create", "create", "create", "create", "create", "edit", "edit",
                            "edit", "edit", "delete", "delete", "get", "get", "list");
    json_t *command = json_pack("{ss}", "op", op);

    set(command, "app", json_string(make->two_apps && PERCENT(40) ? "other" : "demo"));
    if (PERCENT(50))
        set(command, "id", numbered(make, "c-"));
    if (strcmp(op, "list") == 0) {
        if (PERCENT(40))
            set(command, "limit", json_integer(1 + below(make, 3)));
        return command;
    }
    if (strcmp(op, "get") == 0) {
        add_target(make, command, op);
        return command;
    }
    if (PERCENT(8))
        set(command, "dry_run", json_true());
    return strcmp(op, "create") == 0 ? create(make, command)
           : strcmp(op, "edit") == 0 ? edit(make, command)
                                     : delete (make, command);
}

/* ---- Commands that are refused as they stand */

static json_t *refused(struct make *make)
{
    static const char *const texts[] = {
        "{\"op\":\"rename\",\"app\":\"demo\",\"account\":\"ann\"}",
        "{\"app\":\"demo\",\"account\":\"ann\"}",
        "{\"op\":\"create\",\"account\":\"ann\"}",
        "{\"op\":\"create\",\"app\":\"demo\"}",
        "{\"op\":\"create\",\"app\":\"demo\",\"account\":\"ann\",\"v\":2}",
        "{\"op\":\"create\",\"app\":\"demo\",\"account\":\"ann\",\"colour\":\"red\"}",
        "{\"op\":\"create\",\"app\":\"demo\",\"account\":\"-ann\"}",
        "{\"op\":\"create\",\"app\":\"de mo\",\"account\":\"ann\"}",
        "{\"op\":\"create\",\"app\":\"demo\",\"account\":\"ann\",\"id\":\"two words\"}",
        "{\"op\":\"create\",\"app\":\"demo\",\"account\":\"ann\",\"on_exists\":\"maybe\"}",
        "{\"op\":\"edit\",\"app\":\"demo\",\"account\":\"ann\"}",
        "{\"op\":\"edit\",\"app\":\"demo\",\"account\":\"ann\",\"profile\":{\"level\":-1}}",
        "{\"op\":\"edit\",\"app\":\"demo\",\"account\":\"ann\",\"profile\":{\"size\":null}}",
        "{\"op\":\"edit\",\"app\":\"demo\",\"account\":\"ann\",\"profile\":{\"birthday\":\"2023-02-29\"}}",
        "{\"op\":\"edit\",\"app\":\"demo\",\"account\":\"ann\",\"profile\":{},\"if_revision\":1.5}",
        "{\"op\":\"delete\",\"app\":\"demo\",\"accounts\":[\"ann\",\"bob\"]}",
        "{\"op\":\"delete\",\"app\":\"demo\",\"accounts\":[\"ann\",\"ann\"],\"confirm\":true}",
        "{\"op\":\"get\",\"app\":\"demo\",\"account\":\"ann\",\"type\":\"admin\"}",
        "{\"op\":\"list\",\"app\":\"demo\",\"limit\":0}",
    };
    json_t *command = json_loads(texts[below(make, sizeof(texts) / sizeof(texts[0]))], JSON_DECODE_ANY, NULL);

    if (PERCENT(50) && !json_object_get(command, "id"))
        set(command, "id", numbered(make, "c-"));
    return command;
}

/* ---- Encoding */

static void pack(msgpack_packer *packer, const json_t *tree)
{
    const char *name;
    json_t *value;
    size_t i;

    switch (json_typeof(tree)) {
    case JSON_OBJECT:
        msgpack_pack_map(packer, json_object_size(tree));
        json_object_foreach((json_t *)(uintptr_t)tree, name, value)
        {
            msgpack_pack_str_with_body(packer, name, strlen(name));
            pack(packer, value);
        }
        break;
    case JSON_ARRAY:
        msgpack_pack_array(packer, json_array_size(tree));
        json_array_foreach(tree, i, value) pack(packer, value);
        break;
    case JSON_STRING:
        msgpack_pack_str_with_body(packer, json_string_value(tree), json_string_length(tree));
        break;
    case JSON_INTEGER:
        msgpack_pack_int64(packer, json_integer_value(tree));
        break;
    case JSON_REAL:
        msgpack_pack_double(packer, json_real_value(tree));
        break;
    case JSON_TRUE:
        msgpack_pack_true(packer);
        break;
    case JSON_FALSE:
        msgpack_pack_false(packer);
        break;
    default:
        msgpack_pack_nil(packer);
    }
}

static struct acd_slice as_msgpack(struct make *make, const json_t *tree)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    struct acd_slice bytes;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack(&packer, tree);
    bytes = acd_arena_copy(make->arena, acd_slice(buffer.data, buffer.size));
    msgpack_sbuffer_destroy(&buffer);
    return bytes;
}

static struct acd_slice as_json(struct make *make, const json_t *tree)
{
    char *text = json_dumps(tree, JSON_COMPACT);
    struct acd_slice bytes = acd_arena_copy(make->arena, acd_slice_str(text));

    free(text);
    return bytes;
}

static struct acd_slice framed(struct make *make, struct acd_slice bytes)
{
    char *all = acd_arena_calloc(make->arena, bytes.len + 5, 1);

    memcpy(all + 5, bytes.data, bytes.len);
    return acd_slice(all, bytes.len + 5);
}

static struct acd_slice garbage(struct make *make)
{
    static const struct acd_slice values[] = {{NULL, 0},
                                              ACD_LITERAL(""),
                                              ACD_LITERAL("{"),
                                              ACD_LITERAL("[1]"),
                                              ACD_LITERAL("delete everything"),
                                              ACD_LITERAL("\xc1\x00\xff"),
                                              ACD_LITERAL("{\"op\":\"get\",\"op\":\"get\"}"),
                                              ACD_LITERAL("{\"op\":\"get\"} and more"),
                                              ACD_LITERAL("\x82\xa2op\xa3get\xa3"
                                                          "app"),
                                              ACD_LITERAL("{\"app\":\"\xff\"}")};

    return values[below(make, sizeof(values) / sizeof(values[0]))];
}

static void add_header(struct sim_command *command, struct acd_header *headers, const char *name,
                       struct acd_slice value)
{
    headers[command->header_count++] = (struct acd_header){acd_slice_str(name), value};
}

static void fill(struct make *make, struct sim_command *command)
{
    struct acd_header *headers = acd_arena_calloc(make->arena, 3, sizeof(*headers));
    bool msgpack = PERCENT(30);
    json_t *tree;

    command->headers = headers;
    if (PERCENT(50))
        add_header(command, headers, "kafka_correlationId",
                   acd_arena_format(make->arena, "%c%c%u", 0, 0xff, make->number));
    if (PERCENT(10))
        add_header(command, headers, "traceparent", acd_arena_format(make->arena, "00-%u", make->number));
    if (PERCENT(60))
        command->key = acd_slice_str(CHOOSE("ann", "bob", "key"));
    if (PERCENT(make->wild)) {
        command->value = garbage(make);
        return;
    }
    tree = PERCENT(make->wild) ? refused(make) : good(make);
    command->value = msgpack ? as_msgpack(make, tree) : as_json(make, tree);
    if (PERCENT(3))
        command->value = framed(make, command->value);
    if (PERCENT(30))
        add_header(command, headers, "content-type",
                   acd_slice_str(msgpack ? "application/msgpack" : "application/json"));
    json_decref(tree);
}

struct sim_command *sim_generate(struct acd_arena *arena, uint64_t seed, const struct world *world,
                                 int32_t partitions, uint32_t count)
{
    struct make all = {.arena = arena, .random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1};
    struct make *make = &all;
    struct sim_command *commands = acd_arena_calloc(arena, count, sizeof(*commands));
    int64_t now_ms = START_MS;

    /* Most runs fight over few accounts, some over the places of admins. */
    make->shared = PERCENT(75) ? 1 + below(make, FEW) : MANY;
    make->admins = make->shared == MANY ? 90 : 50;
    make->wild = PERCENT(50) ? 0 : 6;
    make->two_apps = PERCENT(20);
    if (world->accounts)
        make->shared = world->accounts;
    if (world->admins)
        make->admins = world->admins;
    for (make->number = 0; make->number < count; make->number++) {
        now_ms += below(make, 4);
        make->partition = (int32_t)below(make, (uint32_t)partitions);
        commands[make->number].partition = make->partition;
        commands[make->number].timestamp_ms = now_ms;
        fill(make, &commands[make->number]);
    }
    return commands;
}
