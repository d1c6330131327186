#!lua name=accountd_VERSION
-- The functions that accountd runs inside Redis. The build puts a hash of this text for VERSION, so that two releases
-- of accountd can serve one Redis, each with its own. Lua does not roll back, so each of them looks first, at
-- everything, and then writes with commands that cannot fail.

-- unpack() is bounded by Lua's stack; an even number, so that pairs stay together.
local CHUNK = 1000
local MINUS = 45

-- The batches of a run, at most: ACD_RUN_MAX of position.h.
local RUN_MAX = 8

-- A command with a list from first to last, or all of it.
local function in_chunks(command, key, list, first, last)
    last = last or #list
    for i = first or 1, last, CHUNK do
        redis.call(command, key, unpack(list, i, math.min(i + CHUNK - 1, last)))
    end
end

-- The hash accountd:unpublished has, for each app that a partition's last batch wrote, the field "PARTITION APP" with
-- the names of the accounts; '' stands for the admin set. No other partition's batch touches these before that batch
-- is known to be published. Of a run's later batches the field is "PARTITION/STEP APP".

-- The fields of others than some partitions, whose own are forgotten where what their last batches wrote is published:
-- the number of a partition in the set is then true, and false where its run goes on.
local function note_published(prefix, partitions)
    local key, others = prefix .. 'accountd:unpublished', {}

    for _, field in ipairs(redis.call('HKEYS', key)) do
        local published = partitions[string.match(field, '^%d+')]

        if published then
            redis.call('HDEL', key, field)
        elseif published == nil then
            table.insert(others, field)
        end
    end
    return others
end

-- The fields of each app.
local function by_app(fields)
    local apps = {}

    for _, field in ipairs(fields) do
        local app = string.match(field, '^%S+ (.*)$')
        local list = apps[app] or {}

        list[#list + 1] = field
        apps[app] = list
    end
    return apps
end

-- The names that these fields hold, as a set. There may be thousands, and few batches need to know.
local function names_in(prefix, fields)
    local names = {}

    for _, field in ipairs(fields) do
        for _, name in ipairs(cmsgpack.unpack(redis.call('HGET', prefix .. 'accountd:unpublished', field))) do
            names[name] = true
        end
    end
    return names
end

-- What an account that is made anew brings is its creation and the whole hash, a deleted one its revision.
local VALUES = {rewrite = 2, delete = 1}

-- Accounts to which a batch does the same differ only in values. Reads what is done from the arguments at i.
local function read_shapes(args, i)
    local shapes = {}

    for s = 1, tonumber(args[i]) do
        local shape = {partition = args[i + 1], kind = args[i + 2], admin = args[i + 3], row = {}, gone = {}}

        i = i + 4
        shape.values = tonumber(args[i])
        for v = 1, shape.values do
            shape.row[2 * v - 1] = args[i + v]
        end
        i = i + shape.values + 1
        for g = 1, tonumber(args[i]) do
            shape.gone[g] = args[i + g]
        end
        i = i + #shape.gone
        shape.values = VALUES[shape.kind] or shape.values
        shapes[tostring(s)] = shape
    end
    return shapes, i + 1
end

-- New accounts, of which a call may bring thousands: pairs of creation and name, and behind all of them the hashes.
local function read_group(args, i, app)
    local group = {partition = args[i], admin = args[i + 1] == '+', count = tonumber(args[i + 2]), at = i + 3}
    local keys, names = {}, {}

    group.hashes = group.at + 2 * group.count
    for n = 1, group.count do
        local name = args[i + 2 + 2 * n]

        names[n] = name
        keys[n] = app.account .. name
    end
    group.keys, group.names = keys, names
    return group, group.hashes + group.count
end

-- The apps of a batch, and where their accounts stand in the arguments. A key of a wrong type raises its error here.
local function read_apps(prefix, args, i, shapes)
    local apps = {}

    for a = 1, tonumber(args[i]) do
        local app = {ordinal = a, name = args[i + 1], expected = args[i + 2], groups = {}}
        local tag, groups = ':{' .. app.name .. '}', tonumber(args[i + 3])

        app.account = prefix .. 'acct' .. tag .. ':'
        app.index = prefix .. 'accounts' .. tag
        app.admins = prefix .. 'admins' .. tag
        app.deleted = prefix .. 'deleted' .. tag
        redis.call('ZCARD', app.index)
        app.members = redis.call('SCARD', app.admins)
        app.any_deleted = redis.call('HLEN', app.deleted) > 0
        i = i + 4
        for g = 1, groups do
            app.groups[g], i = read_group(args, i, app)
        end
        app.count, app.at = tonumber(args[i]), i + 1
        for _ = 1, app.count do
            i = i + 3 + shapes[args[i + 3]].values
        end
        apps[a] = app
    end
    return apps
end

-- The revision of an account's hash; false when it has none. A hash without a revision is nobody's account, as the daemon
-- sees it, too: one that is made in its place must not take over what is left there.
local function revision_of(app, name)
    local revision = redis.call('HGET', app.account .. name, 'rev')

    if revision and #revision < 19 and string.find(revision, '^[1-9]%d*$') then
        return revision
    end
    app.nobodys = app.nobodys or {}
    app.nobodys[name] = true
    return false
end

-- The revision of an account, of a deleted one, or 0, with a minus.
local function present(app, name, exists)
    local revision = exists and revision_of(app, name)

    return revision or '-' .. (app.any_deleted and redis.call('HGET', app.deleted, name) or '0')
end

-- True when none of a group's accounts exists, or was deleted. Then no batch that is not published wrote one of them, either:
-- each leaves an account or a deletion.
local function is_new(app, group)
    local keys, names = group.keys, group.names

    for k = 1, group.count, CHUNK do
        local last = math.min(k + CHUNK - 1, group.count)

        if redis.call('EXISTS', unpack(keys, k, last)) > 0 then
            return false
        end
        for _, deleted in ipairs(app.any_deleted and redis.call('HMGET', app.deleted, unpack(names, k, last)) or {}) do
            if deleted then
                return false
            end
        end
    end
    return true
end

-- Compares a group's accounts one by one, to find out which are not new.
local function compare_group(app, group, foreign, ordinal, stale, busy)
    for n, name in ipairs(group.names) do
        if present(app, name, redis.call('HLEN', group.keys[n]) > 0) ~= '-0' then
            stale[#stale + 1] = ordinal + n
        end
        if foreign[name] then
            busy[#busy + 1] = ordinal + n
        end
    end
end

-- Compares an app's other accounts with what they were decided on.
local function compare_others(args, app, shapes, foreign, ordinal, stale, busy)
    local call, i = redis.call, app.at

    for n = ordinal + 1, ordinal + app.count do
        local name, expected, revision = args[i], args[i + 1], nil

        if string.byte(expected) ~= MINUS then
            revision = call('HGET', app.account .. name, 'rev')
        end
        if (revision or present(app, name, call('HLEN', app.account .. name) > 0)) ~= expected then
            stale[#stale + 1] = n
        end
        if foreign[name] then
            busy[#busy + 1] = n
        end
        i = i + 3 + shapes[args[i + 2]].values
    end
end

-- Compares an app's accounts, and its admin set where a decision looked at it, with what they were decided on. `fields` are
-- those of accountd:unpublished that others wrote about it. Answers the ordinal of its last account.
local function compare_app(prefix, args, app, shapes, fields, ordinal, stale, busy)
    local doubtful, foreign = {}, {}

    for _, group in ipairs(app.groups) do
        doubtful[group] = not is_new(app, group) or nil
    end
    if app.expected ~= '' or app.count > 0 or next(doubtful) then
        foreign = names_in(prefix, fields)
    end
    if app.expected ~= '' and app.members ~= tonumber(app.expected) then
        stale[#stale + 1] = -app.ordinal
    end
    if app.expected ~= '' and foreign[''] then
        busy[#busy + 1] = -app.ordinal
    end
    for _, group in ipairs(app.groups) do
        if doubtful[group] then
            compare_group(app, group, foreign, ordinal, stale, busy)
        end
        ordinal = ordinal + group.count
    end
    compare_others(args, app, shapes, foreign, ordinal, stale, busy)
    return ordinal + app.count
end

local function compare(prefix, args, apps, shapes, unpublished)
    local ordinal, stale, busy = 0, {}, {}

    for _, app in ipairs(apps) do
        ordinal = compare_app(prefix, args, app, shapes, unpublished[app.name] or {}, ordinal, stale, busy)
    end
    return stale, busy
end

-- Writes one account's hash; its values begin at i. What else has to be written is added to the lists.
local function write_account(args, i, app, name, shape, lists)
    local call, key, row = redis.call, app.account .. name, shape.row

    if shape.kind == 'delete' then
        call('DEL', key)
        table.insert(lists.unlisted, name)
        table.insert(lists.buried, name)
        table.insert(lists.buried, args[i])
    elseif shape.kind == 'write' then
        for v = 1, shape.values do
            row[2 * v] = args[i + v - 1]
        end
        call('HSET', key, unpack(row))
        if #shape.gone > 0 then
            call('HDEL', key, unpack(shape.gone))
        end
    else
        call('RESTORE', key, '0', args[i + 1], 'REPLACE')
        table.insert(lists.listed, args[i])
        table.insert(lists.listed, name)
        table.insert(lists.revived, name)
    end
    if shape.admin == '+' then
        call('SADD', app.admins, name)
    elseif shape.admin == '-' then
        call('SREM', app.admins, name)
    end
end

-- Writes a group's accounts; where Redis has a hash that is nobody's account, in its place.
local function write_group(args, app, group)
    local call, keys, hashes, nobodys = redis.call, group.keys, group.hashes - 1, app.nobodys or {}

    for n = 1, group.count do
        if nobodys[group.names[n]] then
            call('RESTORE', keys[n], '0', args[hashes + n], 'REPLACE')
        else
            call('RESTORE', keys[n], '0', args[hashes + n])
        end
    end
    in_chunks('ZADD', app.index, args, group.at, hashes)
    if group.admin then
        in_chunks('SADD', app.admins, group.names)
    end
end

local function list_of(lists, partition)
    lists[partition] = lists[partition] or {}
    return lists[partition]
end

-- Writes an app's accounts. Answers the names that each partition wrote.
local function write_app(args, app, shapes)
    local lists, written, i = {listed = {}, unlisted = {}, buried = {}, revived = {}}, {}, app.at

    for _, group in ipairs(app.groups) do
        local names = list_of(written, group.partition)

        write_group(args, app, group)
        for _, name in ipairs(group.names) do
            names[#names + 1] = name
        end
        if group.admin then
            names[#names + 1] = ''
        end
    end
    for _ = 1, app.count do
        local name, shape = args[i], shapes[args[i + 2]]

        if shape.kind ~= 'read' then
            local names = list_of(written, shape.partition)

            write_account(args, i + 3, app, name, shape, lists)
            names[#names + 1] = name
            if shape.admin ~= '' then
                names[#names + 1] = ''
            end
        end
        i = i + 3 + shape.values
    end
    in_chunks('ZREM', app.index, lists.unlisted)
    in_chunks('ZADD', app.index, lists.listed)
    in_chunks('HDEL', app.deleted, lists.revived)
    in_chunks('HSET', app.deleted, lists.buried)
    return written
end

-- Signed commands take effect once, whoever posts them again. The sorted set accountd:spent has those that did, by the time
-- of signing; the hash accountd:spent:newest the latest of each partition; accountd:spent:floor the time before which they
-- may have been forgotten, so that no older one takes effect. Arguments from i on, which may be none: number of the topic's
-- partitions, window in milliseconds, how many are remembered at most; then partitions with their latest, and commands with
-- their times of signing, each with their number before them.
local DAY_MS = 86400000
local FORGET = 10000

-- True when one of the commands took effect before, or may have.
local function is_spent(prefix, args, i)
    local key = prefix .. 'accountd:spent'
    local floor = tonumber(redis.call('GET', key .. ':floor') or 0)

    redis.call('HLEN', key .. ':newest')
    i = i + 4 + 2 * args[i + 3]
    for n = i + 1, i + 2 * args[i], 2 do
        if tonumber(args[n + 1]) < floor or redis.call('ZSCORE', key, args[n]) then
            return true
        end
    end
    return false
end

-- How far all partitions are; one that nobody posts to holds up the others for a day.
local function slowest(key, partitions)
    local newest, count, least, most = redis.call('HGETALL', key .. ':newest'), 0, math.huge, 0

    for n = 2, #newest, 2 do
        count = count + 1
        least = math.min(least, newest[n])
        most = math.max(most, newest[n])
    end
    return count < partitions and most - DAY_MS or math.max(least, most - DAY_MS)
end

local function forget_spent(key, args, i)
    local before = tonumber(redis.call('GET', key .. ':floor') or 0)
    local floor = math.max(before, slowest(key, tonumber(args[i])) - args[i + 1])
    local surplus = math.max(0, redis.call('ZCARD', key) - args[i + 2])

    if surplus > 0 then
        floor = math.max(floor, redis.call('ZRANGE', key, surplus - 1, surplus - 1, 'WITHSCORES')[2] + 1)
    end
    if floor > before then
        redis.call('SET', key .. ':floor', string.format('%.0f', floor))
    end
    local count = redis.call('ZCOUNT', key, '-inf', string.format('(%.0f', floor))

    if count > 0 then
        redis.call('ZREMRANGEBYRANK', key, 0, math.min(count, FORGET + surplus) - 1)
    end
end

local function spend(prefix, args, i)
    local key, scored, first = prefix .. 'accountd:spent', {}, i

    for n = i + 4, i + 3 + 2 * args[i + 3], 2 do
        local before = tonumber(redis.call('HGET', key .. ':newest', args[n]) or 0)

        if tonumber(args[n + 1]) > before then
            redis.call('HSET', key .. ':newest', args[n], args[n + 1])
        end
    end
    i = i + 4 + 2 * args[i + 3]
    for n = i + 1, i + 2 * args[i], 2 do
        scored[#scored + 1] = args[n + 1]
        scored[#scored + 1] = args[n]
    end
    in_chunks('ZADD', key, scored)
    forget_spent(key, args, first)
end

-- What a partition's batch publishes was put beside the outbox just before: it is too large to pass through here.
local function has_outbox(prefix, partition, marker)
    return redis.call('HGET', prefix .. 'accountd:outbox:' .. partition .. ':next', 'marker') == marker
end

-- How many batches of a partition's run are before this one, whose outbox is there; false when it is not. A run needs the
-- outbox of the batch before.
local function step_of(prefix, partition, expected, marker)
    local outbox = prefix .. 'accountd:outbox:' .. partition
    local step = has_outbox(prefix, partition, marker) and tonumber(redis.call('HGET', outbox .. ':next', 'step'))

    if step and step > 0 and redis.call('HGET', outbox, 'marker') ~= expected then
        return false
    end
    return step
end

-- A batch that is refused leaves nothing behind.
local function refuse(prefix, args, count, answer)
    for p = 4, 3 * count + 3, 3 do
        if has_outbox(prefix, args[p], args[p + 2]) then
            redis.call('DEL', prefix .. 'accountd:outbox:' .. args[p] .. ':next')
        end
    end
    return answer
end

-- The partition's open exports of whole apps; '' for none.
local function set_jobs(prefix, partition, jobs)
    if jobs == '' then
        redis.call('DEL', prefix .. 'accountd:exports:' .. partition)
    else
        redis.call('SET', prefix .. 'accountd:exports:' .. partition, jobs)
    end
end

-- A batch that has no records got past none: the attempts at the next one stay counted. Its open exports are what the
-- outbox says, '=' for as before. The outbox of the batch before stays where a run goes on.
local function mark(prefix, partition, marker, step)
    local outbox = prefix .. 'accountd:outbox:' .. partition
    local beside = redis.call('HMGET', outbox .. ':next', 'exports', 'records')

    redis.call('SET', prefix .. 'accountd:marker:' .. partition, marker)
    if step > 0 then
        redis.call('RENAME', outbox, outbox .. ':' .. step - 1)
    end
    redis.call('RENAME', outbox .. ':next', outbox)
    if beside[1] ~= '=' then
        set_jobs(prefix, partition, beside[1])
    end
    if beside[2] ~= '0' then
        redis.call('DEL', prefix .. 'accountd:attempts:' .. partition)
    end
end

-- What a commit writes with, by the kind of its keys, and how many arguments of each tell of its rights: as many as a call
-- has at least, or Redis from 7.2 on refuses to say.
local WRITES = {
    own = {SET = 2, DEL = 1, RENAME = 2, HSET = 3, HDEL = 2, ZADD = 3, ZREMRANGEBYRANK = 3},
    account = {RESTORE = 3, HSET = 3, HDEL = 2, DEL = 1},
    index = {ZADD = 3, ZREM = 2},
    admins = {SADD = 2, SREM = 2},
    deleted = {HSET = 3, HDEL = 2},
}

-- The first of these that the user may not do, with its key; a right that is missing must show before anything is
-- written. Users who may read one app's keys only are told apart by the reads.
local function forbidden(prefix, app)
    local keys = {own = prefix .. 'accountd:unpublished'}

    if app then
        keys.account, keys.index, keys.admins, keys.deleted = app.account, app.index, app.admins, app.deleted
    end
    for kind, key in pairs(keys) do
        for command, count in pairs(WRITES[kind]) do
            -- The first is the key, and so is the second of RENAME.
            if not redis.acl_check_cmd(command, unpack({key, key, key}, 1, count)) then
                return command .. ' ' .. key
            end
        end
    end
    return nil
end

-- One batch, everything or nothing. Arguments: prefix, incarnation, number of partitions and for each its number, the
-- marker it must have ('' for none) and the new marker; where the shapes begin; number of apps and for each its name, the
-- size that its admin set must have ('' where it was not looked at), new accounts and other ones. New accounts: number of
-- groups and for each its partition, '+' where they are admins, how many, creation and name of each, and then the hash of
-- each as RESTORE takes it. Other ones: how many and for each its name, its revision (of a deleted one, or 0, with a
-- minus), number of its shape, and the values of its fields, or of one that is made anew its creation and its hash, or the
-- revision of its deletion. Then number of shapes and for each its partition, kind ('read', 'write', 'rewrite' after a
-- deletion or in place of another one, 'delete'), '+' or '-' for the admin set, and the names of the fields to set and of
-- those to remove, each with their number before them; then signed commands that take effect, see above.
-- Answers ok; fenced, what differs and what is there; unsent when an outbox is not there; stale or busy and which: the
-- ordinal of the account, or minus the ordinal of the app for its admin set; stale alone for a signed command.
local function commit(_, args)
    local prefix, count, owned, steps = args[1], tonumber(args[3]), {}, {}
    local incarnation = redis.call('GET', prefix .. 'accountd:incarnation')

    if incarnation ~= args[2] then
        return refuse(prefix, args, count, {'fenced', 'incarnation', incarnation or ''})
    end
    for i = 4, 3 * count + 3, 3 do
        local marker = redis.call('GET', prefix .. 'accountd:marker:' .. args[i]) or ''

        if marker ~= args[i + 1] then
            return refuse(prefix, args, count, {'fenced', args[i], marker})
        end
        steps[args[i]] = step_of(prefix, args[i], args[i + 1], args[i + 2])
        if not steps[args[i]] then
            return {'unsent'}
        end
        owned[args[i]] = steps[args[i]] == 0
    end
    local unpublished = by_app(note_published(prefix, owned))
    local shapes, signed = read_shapes(args, tonumber(args[3 * count + 4]))
    local apps = read_apps(prefix, args, 3 * count + 5, shapes)
    local stale, busy = compare(prefix, args, apps, shapes, unpublished)

    if #stale > 0 then
        return refuse(prefix, args, count, {'stale', unpack(stale, 1, math.min(#stale, CHUNK))})
    elseif #busy > 0 then
        return refuse(prefix, args, count, {'busy', unpack(busy, 1, math.min(#busy, CHUNK))})
    elseif args[signed] and is_spent(prefix, args, signed) then
        return refuse(prefix, args, count, {'stale'})
    end
    local missing = forbidden(prefix, apps[1])

    if missing then
        return redis.error_reply('NOPERM this user may not do ' .. missing .. ': give it the right with ACL SETUSER')
    end

    for _, app in ipairs(apps) do
        for partition, names in pairs(write_app(args, app, shapes)) do
            local step = steps[partition] > 0 and '/' .. steps[partition] or ''

            redis.call('HSET', prefix .. 'accountd:unpublished', partition .. step .. ' ' .. app.name, cmsgpack.pack(names))
        end
    end
    if args[signed] then
        spend(prefix, args, signed)
    end
    for p = 4, 3 * count + 3, 3 do
        mark(prefix, args[p], args[p + 2], steps[args[p]])
    end
    return {'ok'}
end

-- Notes batches as published, with the outboxes of their runs. Arguments: prefix, then partition and the marker it must still
-- have, for each.
local function note(_, args)
    local published = {}

    for i = 2, #args, 2 do
        local outbox = args[1] .. 'accountd:outbox:' .. args[i]
        local sent = {outbox, outbox .. ':next'}

        if redis.call('GET', args[1] .. 'accountd:marker:' .. args[i]) == args[i + 1] then
            published[args[i]] = true
            for step = 0, RUN_MAX - 2 do
                table.insert(sent, outbox .. ':' .. step)
            end
            redis.call('DEL', unpack(sent))
        end
    end
    note_published(args[1], published)
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

-- The rank of the first account that is after a cursor. `guess`, where there is one, is the rank that the cursor's
-- own account had; when it is no longer there it is searched for among those of the same time.
local function rank_after(index, created_at, name, guess)
    if guess then
        local row = redis.call('ZRANGE', index, guess, guess, 'WITHSCORES')

        if row[1] == name and tonumber(row[2]) == tonumber(created_at) then
            return guess + 1
        end
    end
    local start, high = redis.call('ZCOUNT', index, '-inf', '(' .. created_at), redis.call('ZCOUNT', index, '-inf', created_at)

    while start < high do
        local middle = math.floor((start + high) / 2)

        if is_after(redis.call('ZRANGE', index, middle, middle)[1], name) then
            high = middle
        else
            start = middle + 1
        end
    end
    return start
end

-- One page of an app's accounts by creation. Arguments: prefix, app, number of rows, where to go on after: created_at
-- and name ('' and '' for the start), and that account's rank if it is known. Answers the total, 1 where more follow,
-- each name with its created_at, and the rank behind the last one.
local function list(_, args)
    local index = args[1] .. 'accounts:{' .. args[2] .. '}'
    local total, start = redis.call('ZCARD', index), 0

    if args[4] ~= '' then
        start = rank_after(index, args[4], args[5], args[6])
    end
    local page = redis.call('ZRANGE', index, start, start + args[3] - 1, 'WITHSCORES')
    local behind, score, text = start + #page / 2, nil, nil

    for i = 2, #page, 2 do
        if page[i] ~= score then
            score, text = page[i], string.format('%.0f', page[i])
        end
        page[i] = text
    end
    return {total, behind < total and 1 or 0, page, behind}
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
        redis.call('DEL', prefix .. 'accountd:incarnation', prefix .. 'accountd:recovery')
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

-- Writes accounts as they must be. Arguments: prefix, token, the number of this call, from 1 on, and then as for a commit,
-- from where the shapes begin on; accounts of which Redis may have something are of kind 'rewrite' or 'delete'. Calls are
-- sent ahead, and a Redis at the limit of its memory may refuse one and do the next: so each writes only behind the one
-- before it, or is early. One that has written before was sent twice.
local function restore(_, args)
    local prefix, key = args[1], args[1] .. 'accountd:recovery'

    if not in_recovery(prefix, args[2]) then
        return 'fenced'
    end
    local call, done = tonumber(args[3]), tonumber(redis.call('HGET', key, 'call') or '0')

    if call > done + 1 then
        return 'early'
    elseif call == done + 1 then
        local shapes = read_shapes(args, tonumber(args[4]))

        for _, app in ipairs(read_apps(prefix, args, 5, shapes)) do
            write_app(args, app, shapes)
        end
        redis.call('HSET', key, 'call', args[3])
    end
    return 'ok'
end

-- Ends the recovery. Arguments: prefix, token, the new incarnation, the floor of signed commands (0 for none), and
-- partitions with their markers and their open exports of whole apps ('' for none).
-- A call that was sent before and got through finds its own incarnation.
local function finish(_, args)
    local prefix = args[1]
    local key = prefix .. 'accountd:incarnation'

    if not in_recovery(prefix, args[2]) then
        return redis.call('GET', key) == args[3] and 'ok' or 'fenced'
    end
    if args[4] ~= '0' then
        redis.call('SET', prefix .. 'accountd:spent:floor', args[4])
    end
    for i = 5, #args, 3 do
        if args[i + 1] == '' then
            redis.call('DEL', prefix .. 'accountd:marker:' .. args[i])
        else
            redis.call('SET', prefix .. 'accountd:marker:' .. args[i], args[i + 1])
        end
        set_jobs(prefix, args[i], args[i + 2])
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
redis.register_function('accountd_VERSION_restore', restore)
redis.register_function('accountd_VERSION_forget', forget)
redis.register_function('accountd_VERSION_finish', finish)
