#!lua name=accountd_VERSION
-- The functions that accountd runs inside Redis. The build puts a hash of this text for VERSION, so that two releases
-- of accountd can serve one Redis, each with its own. Lua does not roll back, so each of them looks first, at
-- everything, and then writes with commands that cannot fail.

-- unpack() is bounded by Lua's stack; an even number, so that pairs stay together.
local CHUNK = 1000

local function in_chunks(command, key, list)
    for i = 1, #list, CHUNK do
        redis.call(command, key, unpack(list, i, math.min(i + CHUNK - 1, #list)))
    end
end

-- The partition's last batch is known to be published: what it wrote may be read by other partitions.
local function note_published(prefix, partition)
    local outbox = prefix .. 'accountd:outbox:' .. partition
    local written = redis.call('HGET', outbox, 'written')

    if written then
        in_chunks('HDEL', prefix .. 'accountd:unpublished', cmsgpack.unpack(written))
    end
    redis.call('DEL', outbox)
end

-- The revision of an account as commits compare it: that of a deleted one, or 0, with a minus.
local function revision_of(key, deleted, name)
    return redis.call('HGET', key, 'rev') or '-' .. (redis.call('HGET', deleted, name) or '0')
end

-- Reads the part of the arguments that is about accounts into a table of apps. Nothing is written yet; a key
-- of a wrong type raises its error here.
local function read_apps(prefix, args, i)
    local apps, stale, ordinal = {}, {}, 0

    for a = 1, tonumber(args[i]) do
        local app = {name = args[i + 1], entries = {}, fields = {}, ordinals = {}}
        local admins, count = args[i + 2], tonumber(args[i + 3])

        app.tag = ':{' .. app.name .. '}'
        app.index = prefix .. 'accounts' .. app.tag
        app.admins = prefix .. 'admins' .. app.tag
        app.deleted = prefix .. 'deleted' .. app.tag
        redis.call('ZCARD', app.index)
        redis.call('HLEN', app.deleted)
        local members = redis.call('SCARD', app.admins)
        if admins ~= '' then
            table.insert(app.fields, app.name .. '/')
            table.insert(app.ordinals, -a)
            if members ~= tonumber(admins) then
                table.insert(stale, -a)
            end
        end
        i = i + 3
        for _ = 1, count do
            local entry = {name = args[i + 1], partition = args[i + 3], op = args[i + 4]}

            ordinal = ordinal + 1
            entry.key = prefix .. 'acct' .. app.tag .. ':' .. entry.name
            if revision_of(entry.key, app.deleted, entry.name) ~= args[i + 2] then
                table.insert(stale, ordinal)
            end
            table.insert(app.fields, app.name .. '/' .. entry.name)
            table.insert(app.ordinals, ordinal)
            i = i + 4
            if entry.op == 'w' then
                entry.score, entry.admin, entry.tomb = args[i + 1], args[i + 2], args[i + 3]
                entry.set, entry.sets = i + 5, tonumber(args[i + 4])
                i = i + 4 + entry.sets
                entry.del, entry.dels = i + 2, tonumber(args[i + 1])
                i = i + 1 + entry.dels
                table.insert(app.entries, entry)
            end
        end
        apps[a] = app
    end
    return apps, stale
end

-- Which accounts or admin sets were written last by another partition's batch that is not published yet.
local function find_busy(prefix, apps, owned)
    local busy = {}

    for _, app in ipairs(apps) do
        for i = 1, #app.fields, CHUNK do
            local last = math.min(i + CHUNK - 1, #app.fields)
            local owners = redis.call('HMGET', prefix .. 'accountd:unpublished', unpack(app.fields, i, last))

            for n, owner in ipairs(owners) do
                if owner and not owned[owner] then
                    table.insert(busy, app.ordinals[i + n - 1])
                end
            end
        end
    end
    return busy
end

local function write_account(args, app, entry, batch)
    if entry.tomb ~= '' and entry.tomb ~= '-' then
        redis.call('DEL', entry.key)
        table.insert(batch.buried, entry.name)
        table.insert(batch.buried, entry.tomb)
    elseif entry.tomb == '-' then
        table.insert(batch.revived, entry.name)
    end
    if entry.sets > 0 then
        redis.call('HSET', entry.key, unpack(args, entry.set, entry.set + entry.sets - 1))
    end
    if entry.dels > 0 then
        redis.call('HDEL', entry.key, unpack(args, entry.del, entry.del + entry.dels - 1))
    end
    if entry.score == '-' then
        table.insert(batch.unlisted, entry.name)
    elseif entry.score ~= '' then
        table.insert(batch.listed, entry.score)
        table.insert(batch.listed, entry.name)
    end
    if entry.admin == '+' then
        redis.call('SADD', app.admins, entry.name)
    elseif entry.admin == '-' then
        redis.call('SREM', app.admins, entry.name)
    end
end

-- Writes an app's accounts and adds what was written to the partitions' lists.
local function write_app(args, app, written)
    local batch = {listed = {}, unlisted = {}, buried = {}, revived = {}}

    for _, entry in ipairs(app.entries) do
        write_account(args, app, entry, batch)
        table.insert(written[entry.partition], app.name .. '/' .. entry.name)
        if entry.admin ~= '' then
            table.insert(written[entry.partition], app.name .. '/')
        end
    end
    in_chunks('ZREM', app.index, batch.unlisted)
    in_chunks('ZADD', app.index, batch.listed)
    in_chunks('HDEL', app.deleted, batch.revived)
    in_chunks('HSET', app.deleted, batch.buried)
end

local function mark_written(prefix, partition, names)
    local owners = {}

    for _, name in ipairs(names) do
        table.insert(owners, name)
        table.insert(owners, partition)
    end
    in_chunks('HSET', prefix .. 'accountd:unpublished', owners)
end

-- One batch, everything or nothing. Arguments: prefix, incarnation, number of partitions and for each its number,
-- the marker it must have ('' for none), the new marker and the outbox; then number of apps and for each its name,
-- the size that its admin set must have ('' where it was not looked at), number of accounts and for each its name,
-- revision as above, partition and 'r' (only looked at) or 'w', with the score in the index ('' as it is, '-' none),
-- '+' or '-' for the admin set, the revision of a deletion ('' none, '-' no longer deleted), and the fields to set
-- and to remove, each with the number of its arguments before them.
-- Answers ok; fenced, what differs and what is there; stale or busy and which: the ordinal of the account, or minus
-- the ordinal of the app for its admin set.
local function commit(_, args)
    local prefix, partitions, owned, written = args[1], {}, {}, {}
    local incarnation = redis.call('GET', prefix .. 'accountd:incarnation')

    if incarnation ~= args[2] then
        return {'fenced', 'incarnation', incarnation or ''}
    end
    for p = 1, tonumber(args[3]) do
        local i = 4 * p
        local marker = redis.call('GET', prefix .. 'accountd:marker:' .. args[i]) or ''

        if marker ~= args[i + 1] then
            return {'fenced', args[i], marker}
        end
        partitions[p] = {id = args[i], marker = args[i + 2], outbox = args[i + 3]}
        owned[args[i]] = true
        written[args[i]] = {}
    end
    for _, partition in ipairs(partitions) do
        note_published(prefix, partition.id)
    end

    local apps, stale = read_apps(prefix, args, 4 * (#partitions + 1))
    if #stale > 0 then
        return {'stale', unpack(stale, 1, math.min(#stale, CHUNK))}
    end
    local busy = find_busy(prefix, apps, owned)
    if #busy > 0 then
        return {'busy', unpack(busy, 1, math.min(#busy, CHUNK))}
    end

    for _, app in ipairs(apps) do
        write_app(args, app, written)
    end
    for _, partition in ipairs(partitions) do
        local names = written[partition.id]

        mark_written(prefix, partition.id, names)
        redis.call('SET', prefix .. 'accountd:marker:' .. partition.id, partition.marker)
        redis.call('HSET', prefix .. 'accountd:outbox:' .. partition.id, 'marker', partition.marker, 'messages',
            partition.outbox)
        if #names > 0 then
            redis.call('HSET', prefix .. 'accountd:outbox:' .. partition.id, 'written', cmsgpack.pack(names))
        end
        redis.call('DEL', prefix .. 'accountd:attempts:' .. partition.id)
    end
    return {'ok'}
end

-- Notes batches as published. Arguments: prefix, then partition and the marker it must still have, for each.
local function note(_, args)
    for i = 2, #args, 2 do
        if redis.call('GET', args[1] .. 'accountd:marker:' .. args[i]) == args[i + 1] then
            note_published(args[1], args[i])
        end
    end
    return {'ok'}
end

-- True when the accounts are another deployment's: of another Kafka, consumer group or command topic.
local function is_foreign(prefix, deployment)
    local owner = redis.call('GET', prefix .. 'accountd:deployment')

    return owner and owner ~= deployment
end

-- Makes a Redis that accountd has never used its own. Arguments: prefix, incarnation, number of partitions, deployment.
-- Answers the incarnation that there is afterwards; '' where there are markers, or a recovery, without one, and where
-- all of it is another deployment's.
local function establish(_, args)
    local key = args[1] .. 'accountd:incarnation'
    local present = redis.call('GET', key)

    if is_foreign(args[1], args[4]) then
        return ''
    end
    if present then
        return present
    end
    if redis.call('EXISTS', args[1] .. 'accountd:recovery') == 1 then
        return ''
    end
    for partition = 0, tonumber(args[3]) - 1 do
        if redis.call('EXISTS', args[1] .. 'accountd:marker:' .. partition) == 1 then
            return ''
        end
    end
    redis.call('SET', key, args[2])
    redis.call('SET', args[1] .. 'accountd:deployment', args[4])
    return args[2]
end

-- The attempts to get past a record: how often a process began with it and ended without a word. Arguments: prefix,
-- partition, offset, the asking worker, and what to do: 'look', 'count' one more, or 'forget' one's own, because the
-- partition was given up alive. Answers how many there were at that offset, one's own left out.
local function attempts(_, args)
    local key = args[1] .. 'accountd:attempts:' .. args[2]
    local found = redis.call('HMGET', key, 'offset', 'count', 'by')
    local before, own = 0, false

    if found[1] == args[3] then
        own = found[3] == args[4]
        before = (tonumber(found[2]) or 0) - (own and 1 or 0)
    end
    if args[5] == 'count' then
        redis.call('HSET', key, 'offset', args[3], 'count', before + 1, 'by', args[4])
    elseif args[5] == 'forget' and own then
        redis.call('HSET', key, 'count', before, 'by', '')
    end
    return before
end

-- Byte order; Lua's own comparison follows the server's locale, the index does not.
local function is_after(a, b)
    for i = 1, math.min(#a, #b) do
        local x, y = a:byte(i), b:byte(i)

        if x ~= y then
            return x > y
        end
    end
    return #a > #b
end

-- One page of an app's accounts by creation. Arguments: prefix, app, number of rows, and where to go on after:
-- created_at and name ('' and '' for the start). Answers the total, 1 where more follow, and each name with its
-- created_at.
local function list(_, args)
    local index = args[1] .. 'accounts:{' .. args[2] .. '}'
    local total, start = redis.call('ZCARD', index), 0

    if args[4] ~= '' then
        local high = redis.call('ZCOUNT', index, '-inf', args[4])

        start = redis.call('ZCOUNT', index, '-inf', '(' .. args[4])
        while start < high do
            local middle = math.floor((start + high) / 2)

            if is_after(redis.call('ZRANGE', index, middle, middle)[1], args[5]) then
                high = middle
            else
                start = middle + 1
            end
        end
    end
    local page = redis.call('ZRANGE', index, start, start + args[3] - 1, 'WITHSCORES')
    for i = 2, #page, 2 do
        page[i] = string.format('%.0f', page[i])
    end
    return {total, start + #page / 2 < total and 1 or 0, page}
end

-- ---- Recovery: one worker at a time makes Redis whole again. The key accountd:recovery names its token, and until
-- when the others leave it alone; every call compares the token, so that what a worker sent before another took over
-- does nothing.

local function now_ms()
    local time = redis.call('TIME')

    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function extend_recovery(prefix, token, lease)
    redis.call('HSET', prefix .. 'accountd:recovery', 'token', token, 'until', now_ms() + lease, 'lease', lease)
end

-- True when the recovery is still that of the token, whose lease begins anew.
local function in_recovery(prefix, token)
    local held = redis.call('HMGET', prefix .. 'accountd:recovery', 'token', 'lease')

    if held[1] ~= token then
        return false
    end
    extend_recovery(prefix, token, held[2])
    return true
end

-- Takes the recovery over. Arguments: prefix, the incarnation that was found bad ('' for none), the token, its lease in
-- milliseconds, the token that this worker had before ('' for none) and the deployment. Answers ok; an error when the
-- accounts are another deployment's; fenced when there is another incarnation; busy when another worker is at it.
local function take(_, args)
    local prefix, lease = args[1], tonumber(args[4])
    local held = redis.call('HMGET', prefix .. 'accountd:recovery', 'token', 'until')

    if held[1] ~= args[3] then
        local left = held[1] and held[1] ~= args[5] and held[2] - now_ms() or 0

        if is_foreign(prefix, args[6]) then
            return redis.error_reply('FOREIGN it holds the accounts of another deployment: ' ..
                redis.call('GET', prefix .. 'accountd:deployment'))
        elseif (redis.call('GET', prefix .. 'accountd:incarnation') or '') ~= args[2] then
            return 'fenced'
        elseif left > 0 and left <= lease then
            return 'busy'
        end
        redis.call('DEL', prefix .. 'accountd:incarnation')
        redis.call('SET', prefix .. 'accountd:deployment', args[6])
    end
    extend_recovery(prefix, args[3], lease)
    return 'ok'
end

-- Says that the recovery is under way, and deletes keys. Arguments: prefix, token, keys.
local function forget(_, args)
    if not in_recovery(args[1], args[2]) then
        return 'fenced'
    end
    for i = 3, #args, CHUNK do
        redis.call('UNLINK', unpack(args, i, math.min(i + CHUNK - 1, #args)))
    end
    return 'ok'
end

-- Ends the recovery. Arguments: prefix, token, the new incarnation, and partitions with their markers ('' for none).
-- A call that was sent before and got through finds its own incarnation.
local function finish(_, args)
    local prefix = args[1]
    local key = prefix .. 'accountd:incarnation'

    if not in_recovery(prefix, args[2]) then
        return redis.call('GET', key) == args[3] and 'ok' or 'fenced'
    end
    for i = 4, #args, 2 do
        if args[i + 1] == '' then
            redis.call('DEL', prefix .. 'accountd:marker:' .. args[i])
        else
            redis.call('SET', prefix .. 'accountd:marker:' .. args[i], args[i + 1])
        end
    end
    redis.call('SET', key, args[3])
    redis.call('DEL', prefix .. 'accountd:recovery')
    return 'ok'
end

redis.register_function('accountd_VERSION_commit', commit)
redis.register_function('accountd_VERSION_note', note)
redis.register_function('accountd_VERSION_establish', establish)
redis.register_function('accountd_VERSION_attempts', attempts)
redis.register_function{function_name = 'accountd_VERSION_list', callback = list, flags = {'no-writes'}}
redis.register_function('accountd_VERSION_take', take)
redis.register_function('accountd_VERSION_forget', forget)
redis.register_function('accountd_VERSION_finish', finish)
