# accountd whose memory runs out when a test wants it to: the same objects, linked with failing.c.

OOM := $(BUILD)/oom
comma := ,
OOM_WRAPPED := $(foreach name,acd_arena_alloc acd_arena_calloc acd_arena_copy acd_arena_format acd_arena_vformat \
	redisConnectWithTimeout,-Wl$(comma)--wrap=$(name))

.PHONY: check-oom

check-oom: $(OOM)/accountd ## no memory, at each place of a batch: nothing is lost
	@BUILD=$(OOM) tests/system/run.sh -c pytest.ini -q ../oom

$(OOM)/accountd: $(call object,$(DAEMON_SOURCES)) $(OOM)/failing.o $(LIB)
	@echo "  LD $@"
	@$(CC) $(FLAGS) $(LDFLAGS) -fno-builtin $(OOM_WRAPPED) -o $@ $^ $(LIBS)

$(OOM)/failing.o: tests/oom/failing.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(FLAGS) -fno-builtin -MMD -MP -c -o $@ $<
