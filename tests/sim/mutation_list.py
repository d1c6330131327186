"""The rules that the exactly-once protocol stands on, each with the change of the sources that removes it.

docs/design.md says why each rule is there. A change is (file, text, text in its place); the text must be in
the file exactly once, so that a rule that moved is noticed here.

What has no place here, and why:
- an offset without a token halts the partition: an operator who sets one, and does not accept it, waits for ever;
- offsets are read before markers: the other order costs another look, not a wrong answer. A marker and a token agree
  by the nonce of one batch only, whichever was read first; what is decided on an old pair is fenced, in Redis by the
  marker and in Kafka by the generation; and a difference that is seen twice begins a recovery, which reads both anew
  behind its barrier. 1,500 seeds with stops, pauses and lost sessions aimed at "GET*accountd:marker" hold without it;
- what is published is noted by the next commit even when that one is refused: a worker notes it again at every
  turn, so that nothing hangs on it: 1,500 seeds with "late:commits: ok" and "pause:commits: ok" hold without it;
- a commit that was sent twice finds its own nonce: without that, the outbox answers: 1,500 seeds that lose
  connections before commits ("late:SCARD", "break:SCARD") hold without it;
- a call of the restore that comes late writes nothing, and the outbox that is put into its place is this batch's: the
  late call must come between two others of one connection: 3,800 seeds with "late:FCALL restore", and as many with
  "late:HSET*:next" and "pause:HSET*:next", hold without them;
- a new group is not announced over an announcement that came meanwhile: of seeds with EMPTIED_MEANWHILE one in 3,900
  needed it, too few to be waited for;
- markers and incarnation are written in one call: there is no half of it to leave out;
- stable offsets for the worker and for the recovery each by itself: both ask by one function.
"""

COMMIT = "src/store/commit.lua"
ASSIGN = "src/assign.c"
RECOVER = "src/recovery/recover.c"
RESTORE = "src/recovery/restore.c"
INCARNATION = "src/incarnation.c"
# What stands in for src/kafka: rules that are librdkafka's settings, or calls of it, are kept here.
CONSUMER = "tests/sim/consumer.c"
ASK = "tests/sim/consumer_ask.c"
CHANGELOG = "tests/sim/changelog.c"
BATCH = "src/batch.c"
POSITION = "src/core/position.c"
PENDING = "src/recovery/pending.c"
PUBLISH = "src/publish.c"
WORKER = "src/worker.c"

# Records of partitions that were given up meanwhile are no longer there to release.
RELEASE = ("src/intake.c", "    for (; n > 0; n--) {\n", "    for (; n > 0 && partition->queued; n--) {\n")

# Faults that make rules matter.
CRASHES = "kill,stop,pause,leave,session"
CALLS = "break,late,refuse,pause,stop"
ENDS = "kill,transaction,end,markers"
LOSS = "kill,stop,pause,flush,tail,wipe"
LOSS_AND_ENDS = LOSS + ",transaction,end,markers"
SERVERS = "kill,pause,restart,tail,old,failover,back"



def aimed(*aims, faults="none", **world):
    """Options of tests/sim/main.c: faults that happen where a line of the trace says so, in a world made for them."""
    options = ["--faults", faults]
    if world:
        options += ["--world", ",".join(f"{name}={value}" for name, value in world.items())]
    for aim in aims:
        options += ["--aim", aim]
    return tuple(options)


# A worker stands still between commit and transaction, and Redis is emptied meanwhile.
EMPTIED_MEANWHILE = aimed("pause:FCALL commit", "flush:stands still", accounts=1, batch=1)
# A batch is committed, remembered by its worker, and not published before Redis is emptied.
LOST_UNPUBLISHED = aimed("end:in the transaction: ok", "flush:writes account.changelog", accounts=2, processes=2,
                         workers=2, commands=40, seconds=10)
# The same, and after the recovery Redis comes back with a file that still has the batch.
OLD_FILE = aimed("end:FCALL commit", "wipe:FCALL commit", "old:FCALL finish", accounts=2, batch=1, seconds=6,
                 processes=2, workers=2)
# One worker with all partitions dies after a commit of several. The next one answers them from the outboxes one by one,
# and in between Redis is emptied: what was answered must not stand on what was not.
ONE_WORKER_DIES = aimed("kill:FCALL commit*.. 2 ", "kill:FCALL commit*.. 3 ", "pause:answered the batch",
                        "flush:answered the batch", processes=1, workers=1, batch=2000, commands=40, burst=12,
                        seconds=20)

# A process stands still between its looks at Kafka and at Redis, and what a recovery announces is lost or comes late.
LATE_ANNOUNCEMENT = aimed("stop:kafka: committed", "stop:kafka: announced", "pause:FCALL commit", "flush:stopped",
                          "announce:FCALL take", accounts=1, burst=8)

# What a worker found pending cannot be answered, again and again, while its other partitions have records.
CANNOT_ANSWER = aimed("kill:FCALL commit", "transaction:HMGET*outbox", "end:HMGET*outbox", processes=1, workers=1, batch=2,
                      commands=60, burst=20, seconds=20)
# An operator skips what was applied and not answered.
SKIPPED = aimed("skip:FCALL commit", batch=1, commands=60)
# A restore into a Redis that is full now and then.
FULL_NOW_AND_THEN = aimed("flush:FCALL commit", "refuse:FCALL take", accounts=6, commands=60)

# A worker dies, stands still or loses Redis between two batches of a run.
RUN_ENDS = aimed("kill:FCALL commit", "pause:FCALL commit", "late:FCALL commit", "break:FCALL commit", "session:FCALL commit",
                 accounts=2, batch=4, burst=20, commands=100)

# … and Redis is emptied, while other workers go on with the same accounts.
RUN_LOST = aimed("pause:in the transaction: ok", "flush:commits: ok", accounts=2, batch=4, burst=20, commands=60)

# (rule, changes, faults or options)
MUTATIONS = [
    ("every commit compares the marker", [
        (COMMIT, "if marker ~= args[i + 1] then", "if false then")], "kill,stop,pause,session,tail,old"),
    ("every commit compares the incarnation", [
        (COMMIT, "if incarnation ~= args[2] then", "if false then")], LOSS),
    ("every commit compares the accounts' revisions", [
        (COMMIT, "if (revision or present(app, name, call('HLEN', app.account .. name) > 0)) ~= expected then",
         "if false then")], "none"),
    ("every commit looks whether its new accounts are new", [
        (COMMIT, "    for k = 1, group.count, CHUNK do\n        local last", "    for k = 1, 0 do\n        local last")], "none"),
    ("and whether none of them was deleted", [
        (COMMIT, "            if deleted then\n                return false\n", "            if false then\n                return false\n")],
     "none"),
    ("every commit compares the size of the admin set", [
        (COMMIT, "if app.expected ~= '' and app.members ~= tonumber(app.expected) then", "if false then")], "pause,stop,late"),
    ("nothing is decided on another partition's unpublished effects", [
        (COMMIT, "        foreign = names_in(prefix, fields)\n", "")], LOSS),
    ("nor are reads and refusals", [
        (COMMIT, "if foreign[name] then\n            busy[#busy + 1] = n\n",
         "if foreign[name] and shapes[args[i + 2]].kind ~= 'read' then\n            busy[#busy + 1] = n\n")],
     EMPTIED_MEANWHILE),
    ("no account is touched by two partitions of one batch", [
        (BATCH, "if (entry->partition != item->partition->id || is_busy(worker, entry->hash))",
         "if (is_busy(worker, entry->hash))")], ONE_WORKER_DIES + ("--world", "accounts=1")),
    ("no admin set is touched by two partitions of one batch", [
        (BATCH, "    return app->partition == item->partition->id;\n", "    return true;\n")],
     ONE_WORKER_DIES + ("--world", "accounts=6,admins=100")),
    ("a list sees what its own partition did before", [
        (BATCH, "if (!room->mixed && (list != room->lists_only || accounts > room->accounts))",
         "if (!room->mixed && accounts > room->accounts)")], "none"),
    ("the group's metadata is that of the assignment", [
        (CONSUMER, "    return consumer->in_group ? &consumer->group : NULL;\n",
         "    struct acd_consumer *own = (struct acd_consumer *)(uintptr_t)consumer;\n\n"
         "    own->group.generation = own->generation;\n"
         "    memcpy(own->group.member, own->member, sizeof(own->member));\n"
         "    return own->in_group ? &own->group : NULL;\n")], CRASHES),
    ("offsets are fetched when no transaction is open", [
        (ASK, "    while (kafka_offset_pending(topic, partition)) {\n", "    while (false) {\n"),
        (ASK, "bool waits = kafka_offset_pending(KAFKA_COMMANDS, partitions[i]);", "bool waits = false;")], ENDS),
    ("a batch that was decided before a rebalance is dropped", [
        ("src/commit.c", """            if (!acd_worker_hold(worker) || !acd_batch_runs(batch))
                return false;
""", """            acd_worker_hold(worker);
            break;
"""),
        RELEASE], CALLS),
    ("the token holds the batch's nonce", [
        (POSITION, "if (marker->next == committed->offset && strcmp(marker->nonce, token.nonce) == 0)",
         "if (marker->next == committed->offset)")], SKIPPED),
    ("every transaction carries the offsets", [
        (PUBLISH, "acd_consumer_group(worker->consumer), offsets, count,",
         "acd_consumer_group(worker->consumer), offsets, 0,"),
        (PUBLISH, "if (worker->shared->embedded && acd_consumer_commit(",
         "if (acd_consumer_commit(")], CRASHES),
    ("the next batch waits for this one's transaction", [
        (PUBLISH, """    if (!acd_publish(worker, offsets_of(worker, last), last->part_count, &messages, true)) {
""", """    if (!acd_publish(worker, offsets_of(worker, last), last->part_count, &messages, true) &&
        !worker->producer) {
""")],
     aimed(*4 * ["transaction:in the transaction: ok"], batch=1)),
    ("what was applied and not answered is answered from the outbox", [
        (ASSIGN, "if (answer_pending(worker, partition, &pending, &marker) && partition->phase != HALTED &&",
         "if (partition->phase != HALTED &&")], CRASHES),
    ("a worker whose producer is lost runs no batch", [
        (WORKER, "    if (!worker->joined || !worker->producer)\n", "    if (!worker->joined)\n")],
     CANNOT_ANSWER),
    ("the outbox holds the answers of reads", [
        ("src/core/outbox.c", "        put_slice(&buffer, message->topic);\n",
         "        put_slice(&buffer, memmem(message->value.data, message->value.len, \"record\", 6)\n"
         "                               ? acd_slice_str(\"account.dead-letters\") : message->topic);\n")], CRASHES),
    ("deletions are in the changelog", [
        ("src/messages.c", "if (outcome->refusal.code != ACD_OK || !outcome->changed)",
         "if (outcome->refusal.code != ACD_OK || !outcome->changed || command->op == ACD_DELETE)")], "none"),
    ("the cache goes with the incarnation", [
        (INCARNATION, "    acd_cache_clear(worker->cache);\n", "")], LOST_UNPUBLISHED),
    ("a new connection compares Redis' identity", [
        (WORKER, "if (!first && strcmp(before, acd_store_identity(worker->store)) != 0) {",
         "if (false && !first) {")], SERVERS),
    ("a Redis that is still loading is not yet the one that was asked last", [
        ("src/store/store.c", "    memcpy(store->identity, before, sizeof(before));\n    acd_redis_close(",
         "    acd_redis_close(")], SERVERS),
    ("an incarnation holds only in the Redis that it was made in", [
        (INCARNATION, "    return incarnation.len > identity.len && incarnation.data[identity.len] == ' ' &&\n"
         "           memcmp(incarnation.data, identity.data, identity.len) == 0;\n",
         "    return incarnation.len > identity.len;\n")], SERVERS),
    ("an incarnation is unique", [
        (RECOVER, 'acd_arena_format(&recovery->arena, "%s %s", acd_store_identity(recovery->store), '
         "recovery->token);",
         'acd_arena_format(&recovery->arena, "%s same", acd_store_identity(recovery->store));'),
        (INCARNATION, 'acd_arena_format(&worker->arena, "%s %s", acd_store_identity(worker->store), nonce);',
         'acd_arena_format(&worker->arena, "%s same", acd_store_identity(worker->store));')], LOST_UNPUBLISHED),
    ("an incarnation is announced in Kafka", [
        (INCARNATION, "if (announced.exists && acd_slice_equal(announced.metadata, present) && "
         "made_here(worker, present)) {", "if (present.data && made_here(worker, present)) {"),
        (RECOVER, "if (!announced.exists || !acd_slice_equal(announced.metadata, recovery->incarnation))",
         "if (!announced.exists)")], SERVERS),
    ("taking the recovery over deletes the bad incarnation", [
        (COMMIT, "redis.call('DEL', prefix .. 'accountd:incarnation', prefix .. 'accountd:recovery')",
         "redis.call('DEL', prefix .. 'accountd:recovery')")],
     LATE_ANNOUNCEMENT),
    ("a recovery is taken before the barrier", [
        (RECOVER, "    enum acd_recovered step = take(recovery, bad);\n",
         "    enum acd_recovered step;\n\n    recovery->token[0] = '\\0';\n    step = barrier(recovery);\n"
         "    if (step == ACD_RECOVERED)\n        step = take(recovery, bad);\n"),
        (RECOVER, "    step = barrier(recovery);\n    if (step == ACD_RECOVERED)\n"
         "        step = read_offsets(recovery, &look);\n", "    step = read_offsets(recovery, &look);\n"),
        (RECOVER, "    do\n        result = acd_store_forget(", "    if (!recovery->token[0])\n"
         "        return true;\n    do\n        result = acd_store_forget(")], SERVERS),
    ("a recovery begins with a barrier", [
        (RECOVER, "    step = barrier(recovery);\n", "    step = ACD_RECOVERED;\n")],
     EMPTIED_MEANWHILE),
    ("a recovery reads the offsets after the barrier", [
        (RECOVER, "    step = barrier(recovery);\n    if (step == ACD_RECOVERED)\n"
         "        step = read_offsets(recovery, &look);\n",
         "    step = read_offsets(recovery, &look);\n    if (step == ACD_RECOVERED)\n"
         "        step = barrier(recovery);\n")],
     EMPTIED_MEANWHILE),
    ("a recovery reads the changelog after the offsets", [
        (RECOVER, "    step = barrier(recovery);\n    if (step == ACD_RECOVERED)\n"
         "        step = read_offsets(recovery, &look);\n",
         "    recovery->changelog = acd_changelog_open(recovery->settings, recovery->error, "
         "sizeof(recovery->error));\n"
         "    step = barrier(recovery);\n    if (step == ACD_RECOVERED)\n"
         "        step = read_offsets(recovery, &look);\n"),
        (RESTORE, "    recovery->changelog = acd_changelog_open(",
         "    if (!recovery->changelog)\n        recovery->changelog = acd_changelog_open(")], LOSS),
    ("a restore reads what committed transactions wrote", [
        (CHANGELOG, "    int64_t stable = kafka_stable_end(log);\n", "    int64_t stable = log->end;\n"),
        (CHANGELOG, "    int64_t found = kafka_visible(log, changelog->next[partition], end);\n",
         "    int64_t found = changelog->next[partition];\n\n"
         "    while (found < end && (log->records[found].control || log->records[found].compacted))\n"
         "        found++;\n"
         "    found = found < end ? found : -1;\n")], LOSS_AND_ENDS),
    ("a restore waits for transactions that are open", [
        (CHANGELOG, "    int64_t stable = kafka_stable_end(log);\n", "    int64_t stable = log->end;\n")],
     LOSS_AND_ENDS),
    ("what a recovery writes compares its token", [
        (COMMIT, "    if held[1] ~= token then\n        return false\n    end\n"
         "    extend_recovery(prefix, token, held[2])",
         "    extend_recovery(prefix, token, held[2] or 5000)")], LOSS + ",late"),
    ("a call of a restore writes only behind the one before it", [
        (COMMIT, "    if call > done + 1 then\n        return 'early'\n    elseif call == done + 1 then\n",
         "    if call > done then\n")], FULL_NOW_AND_THEN),
    ("a restore leaves nothing of a hash that was there", [
        (COMMIT, "call('RESTORE', key, '0', args[i + 1], 'REPLACE')", "call('RESTORE', key, '0', args[i + 1])")],
     OLD_FILE),
    ("a restore removes what the changelog lacks", [
        (RESTORE, "        step = sweep(recovery, is_unknown);\n", "        step = ACD_RECOVERED;\n")], OLD_FILE),
    ("a restore makes indexes, admin sets and deletions anew", [
        (RESTORE, "    return !found->name.data;\n", "    return !found->name.data && !found->app.data;\n")], SERVERS),
    ("the highest revision of an account counts, over all partitions", [
        (RESTORE, "    if (restored->account.revision <= citizen->revision)\n        return;\n", "")], LOSS),
    ("a restore forgets what was applied and not answered", [
        (RECOVER, "        look->markers[i] = marker_after(recovery, look, (int32_t)i);\n",
         "        if (!look->markers[i].data)\n"
         "            look->markers[i] = marker_after(recovery, look, (int32_t)i);\n")], LOSS),
    ("a note of what is published compares the marker", [
        (COMMIT, "if redis.call('GET', args[1] .. 'accountd:marker:' .. args[i]) == args[i + 1] then",
         "if redis.call('EXISTS', args[1] .. 'accountd:marker:' .. args[i]) == 1 then")],
     aimed("late:commits: ok", "kill:FCALL commit", accounts=1, batch=1)),
    ("every batch of a run is answered", [
        (PUBLISH, "&all, messages);\n    for (uint32_t b = 0; b < count; b++)\n",
         "&all, messages);\n    for (uint32_t b = count - 1; b < count; b++)\n")], "none"),
    ("what a run wrote counts as unpublished to its end", [
        (COMMIT, "owned[args[i]] = steps[args[i]] == 0", "owned[args[i]] = true")], RUN_LOST),
    ("each batch of a run adds the names that it wrote", [
        (COMMIT, "local step = steps[partition] > 0 and '/' .. steps[partition] or ''", "local step = ''")], RUN_LOST),
    ("what is pending of a run is answered in its order", [
        (PENDING, "        turn_around(out);\n", "")], RUN_ENDS),
    ("a run is not published when its partitions were taken away", [
        (WORKER, " && acd_consumer_epoch(worker->consumer) == worker->epoch)", ")")], RUN_ENDS),
]
