/* Functions: the real library in a real Lua, with what Redis gives it to call. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis.h"

static lua_State *lua;
static struct redis_server *serving; /* whose function runs */
static bool may_write;
static struct acd_slice library; /* the text that was compiled */

/* ---- Answers to Lua, and back */

static void push_reply(lua_State *l, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        lua_pushnumber(l, (lua_Number)reply->integer);
        break;
    case REDIS_REPLY_STRING:
        lua_pushlstring(l, reply->str, reply->len);
        break;
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
        lua_newtable(l);
        lua_pushlstring(l, reply->str, reply->len);
        lua_setfield(l, -2, reply->type == REDIS_REPLY_STATUS ? "ok" : "err");
        break;
    case REDIS_REPLY_ARRAY:
        lua_newtable(l);
        for (size_t i = 0; i < reply->elements; i++) {
            push_reply(l, reply->element[i]);
            lua_rawseti(l, -2, (int)i + 1);
        }
        break;
    default:
        lua_pushboolean(l, 0);
    }
}

static redisReply *take_reply(lua_State *l, int at);

/* A table is an array up to its first nil, unless it is a status or an error. */
static redisReply *take_table(lua_State *l, int at)
{
    redisReply *reply = NULL;
    uint32_t count = 0;

    for (int named = 0; named < 2 && !reply; named++) {
        lua_getfield(l, at, named ? "ok" : "err");
        if (lua_isstring(l, -1))
            reply = named ? redis_status(lua_tostring(l, -1)) : redis_error("%s", lua_tostring(l, -1));
        lua_pop(l, 1);
    }
    if (reply)
        return reply;
    for (;; count++) {
        lua_rawgeti(l, at, (int)count + 1);
        if (lua_isnil(l, -1))
            break;
        lua_pop(l, 1);
    }
    lua_pop(l, 1);
    reply = redis_array(count);
    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(l, at, (int)i + 1);
        reply->element[i] = take_reply(l, lua_gettop(l));
        lua_pop(l, 1);
    }
    return reply;
}

static redisReply *take_reply(lua_State *l, int at)
{
    size_t len;
    const char *text;

    switch (lua_type(l, at)) {
    case LUA_TNUMBER:
        return redis_integer((long long)lua_tonumber(l, at));
    case LUA_TSTRING:
        text = lua_tolstring(l, at, &len);
        return redis_text(acd_slice(text, len));
    case LUA_TBOOLEAN:
        return lua_toboolean(l, at) ? redis_integer(1) : redis_text(acd_slice(NULL, 0));
    case LUA_TTABLE:
        return take_table(l, at);
    default:
        return redis_text(acd_slice(NULL, 0));
    }
}

/* ---- What a function may call */

static struct acd_slice take_argument(lua_State *l, int at)
{
    size_t len;
    const char *text;
    char number[64];

    if (lua_type(l, at) == LUA_TNUMBER) {
        snprintf(number, sizeof(number), "%.17g", lua_tonumber(l, at));
        return acd_arena_copy(&sim.memory, acd_slice_str(number));
    }
    if (lua_type(l, at) != LUA_TSTRING)
        luaL_error(l, "Lua redis lib command arguments must be strings or integers");
    text = lua_tolstring(l, at, &len);
    return acd_arena_copy(&sim.memory, acd_slice(text, len));
}

static struct redis_call take_call(lua_State *l)
{
    struct redis_call call = {.count = (uint32_t)lua_gettop(l)};

    call.args = acd_arena_calloc(&sim.memory, call.count + (size_t)1, sizeof(*call.args));
    for (uint32_t i = 0; i < call.count; i++)
        call.args[i] = take_argument(l, (int)i + 1);
    return call;
}

static int call_redis(lua_State *l, bool protected)
{
    struct redis_call call = take_call(l);
    redisReply *reply;
    bool failed;

    reply = redis_flags(&call) & REDIS_WRITES && !may_write
                ? redis_error("ERR Write commands are not allowed from read-only scripts.")
                : redis_execute(serving, &call);
    failed = reply->type == REDIS_REPLY_ERROR;
    push_reply(l, reply);
    freeReplyObject(reply);
    return failed && !protected ? lua_error(l) : 1;
}

static int lua_call_redis(lua_State *l)
{
    return call_redis(l, false);
}

static int lua_pcall_redis(lua_State *l)
{
    return call_redis(l, true);
}

static int lua_error_reply(lua_State *l)
{
    lua_newtable(l);
    lua_pushvalue(l, 1);
    lua_setfield(l, -2, "err");
    return 1;
}

/* The simulated user may do everything, but must ask for calls that there are, as Redis from 7.2 on wants it.
 */
static int lua_check_right(lua_State *l)
{
    struct redis_call call = take_call(l);

    if (redis_is_short(&call))
        luaL_error(l, "ERR Wrong number of args for redis.acl_check_cmd()");
    lua_pushboolean(l, true);
    return 1;
}

/* register_function(name, callback) or register_function{function_name, callback, flags}. */
static int lua_register_function(lua_State *l)
{
    bool named = lua_istable(l, 1);
    bool writes = true;

    if (named) {
        lua_getfield(l, 1, "function_name");
        lua_getfield(l, 1, "callback");
        lua_getfield(l, 1, "flags");
        lua_rawgeti(l, -1, 1);
        writes = !lua_isstring(l, -1) || strcmp(lua_tostring(l, -1), "no-writes") != 0;
        lua_pop(l, 2);
    }
    lua_newtable(l);
    lua_pushvalue(l, -2);
    lua_setfield(l, -2, "callback");
    lua_pushboolean(l, writes);
    lua_setfield(l, -2, "writes");
    lua_setfield(l, LUA_REGISTRYINDEX, lua_tostring(l, named ? 2 : 1));
    return 0;
}

/* A list of texts as MessagePack: all that the library packs. */
static int lua_pack(lua_State *l)
{
    luaL_Buffer out;
    int count = (int)lua_objlen(l, 1);

    luaL_buffinit(l, &out);
    luaL_addchar(&out, (char)0xdc);
    luaL_addchar(&out, (char)(count >> 8));
    luaL_addchar(&out, (char)count);
    for (int i = 1; i <= count; i++) {
        size_t len;
        const char *text;

        lua_rawgeti(l, 1, i);
        text = luaL_checklstring(l, -1, &len);
        lua_pop(l, 1);
        luaL_addchar(&out, (char)0xda);
        luaL_addchar(&out, (char)(len >> 8));
        luaL_addchar(&out, (char)len);
        luaL_addlstring(&out, text, len);
    }
    luaL_pushresult(&out);
    return 1;
}

static int lua_unpack(lua_State *l)
{
    size_t len;
    const unsigned char *at = (const unsigned char *)luaL_checklstring(l, 1, &len);
    int count;

    if (len < 3 || at[0] != 0xdc)
        return luaL_error(l, "no list");
    count = at[1] << 8 | at[2];
    at += 3;
    lua_newtable(l);
    for (int i = 1; i <= count; i++) {
        size_t bytes = (size_t)(at[1] << 8 | at[2]);

        lua_pushlstring(l, (const char *)at + 3, bytes);
        lua_rawseti(l, -2, i);
        at += 3 + bytes;
    }
    return 1;
}

static void open_lua(void)
{
    static const luaL_Reg redis_calls[] = {{"call", lua_call_redis},
                                           {"pcall", lua_pcall_redis},
                                           {"error_reply", lua_error_reply},
                                           {"acl_check_cmd", lua_check_right},
                                           {"register_function", lua_register_function},
                                           {NULL, NULL}};
    static const luaL_Reg pack_calls[] = {{"pack", lua_pack}, {"unpack", lua_unpack}, {NULL, NULL}};

    lua = luaL_newstate();
    if (!lua)
        abort();
    luaL_openlibs(lua);
    luaL_register(lua, "redis", redis_calls);
    luaL_register(lua, "cmsgpack", pack_calls);
    lua_settop(lua, 0);
}

/* ---- What a server does */

/* The first line is Redis' own: it says the library's name. */
static bool compile(struct acd_slice text)
{
    const char *body = memchr(text.data, '\n', text.len);

    if (acd_slice_equal(library, text))
        return true;
    if (!lua)
        open_lua();
    library = acd_arena_copy(&sim.memory, text);
    if (body && luaL_loadbuffer(lua, body, text.len - (size_t)(body - text.data), "@user_function") == 0 &&
        lua_pcall(lua, 0, 0, 0) == 0)
        return true;
    sim_fail("the library does not compile: %s", lua_tostring(lua, -1));
    return false;
}

redisReply *redis_lua_load(struct redis_server *server, struct acd_slice text)
{
    if (!compile(text))
        return redis_error("ERR Error compiling function");
    if (server->db.functions)
        return redis_error("ERR Library 'accountd' already exists");
    server->db.functions = true;
    server->db.writes++;
    return redis_status("accountd");
}

static redisReply *run_function(const struct redis_call *call, bool writes)
{
    redisReply *reply;

    may_write = writes;
    lua_newtable(lua);
    lua_newtable(lua);
    for (uint32_t i = 3; i < call->count; i++) {
        lua_pushlstring(lua, call->args[i].data, call->args[i].len);
        lua_rawseti(lua, -2, (int)i - 2);
    }
    if (lua_pcall(lua, 2, 1, 0) == 0) {
        reply = take_reply(lua, lua_gettop(lua));
    } else if (lua_istable(lua, -1)) {
        lua_getfield(lua, -1, "err");
        reply = redis_error("%s script: %s, on @user_function:1.", lua_tostring(lua, -1), call->args[1].data);
    } else {
        reply =
            redis_error("ERR %s script: %s, on @user_function:1.", lua_tostring(lua, -1), call->args[1].data);
        sim_fail("a function of the library failed: %s", reply->str);
    }
    lua_settop(lua, 0);
    return reply;
}

redisReply *redis_lua_call(struct redis_server *server, const struct redis_call *call)
{
    bool read_only = acd_slice_is(call->args[0], "FCALL_RO");
    bool writes;

    if (!server->db.functions)
        return redis_error("ERR Function not found");
    lua_getfield(lua, LUA_REGISTRYINDEX, acd_arena_copy(&sim.memory, call->args[1]).data);
    if (!lua_istable(lua, -1)) {
        lua_settop(lua, 0);
        return redis_error("ERR Function not found");
    }
    lua_getfield(lua, -1, "writes");
    writes = lua_toboolean(lua, -1);
    lua_pop(lua, 1);
    if (read_only && writes) {
        lua_settop(lua, 0);
        return redis_error("ERR Can not execute a script with write flag using *_ro command.");
    }
    lua_getfield(lua, -1, "callback");
    serving = server;
    return run_function(call, writes);
}
