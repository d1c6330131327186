# accountd: make help says what there is. A bare Debian 12 or 13 with make is enough for demo and check.

VERSION := 0.1.0
BUILD ?= build
CFLAGS ?= -O2 -g
WERROR ?= 0
CLANG_FORMAT ?= clang-format
SANITIZE ?=

# For the scripts that run what was built.
export BUILD

# Debian 13 calls the package msgpack-c, Debian 12 msgpack.
MSGPACK := $(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)
# Debian 12's hiredis has no TLS.
REDIS_TLS := $(shell pkg-config --exists hiredis_ssl libssl 2>/dev/null && echo hiredis_ssl libssl)
PACKAGES := $(REDIS_TLS) rdkafka hiredis jansson $(MSGPACK) libconfig libmicrohttpd libzstd zlib libcrypto

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wno-unused-parameter
FLAGS := -std=c11 -D_GNU_SOURCE -DACD_VERSION='"$(VERSION)"' -Iinclude -I$(BUILD)/gen -pthread \
	-fstack-protector-strong $(WARNINGS) $(if $(REDIS_TLS),-DACD_REDIS_TLS) $(CPPFLAGS) $(CFLAGS) \
	$(if $(filter 1,$(WERROR)),-Werror) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
	$(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null))
LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

SOURCES := $(sort $(shell find src -name '*.c'))
DAEMON_SOURCES := src/main.c
CTL_SOURCES := $(filter src/ctl/%,$(SOURCES))
LIB_SOURCES := $(filter-out $(DAEMON_SOURCES) $(CTL_SOURCES),$(SOURCES))
SUPPORT_SOURCES := $(sort $(wildcard tests/unit/support*.c))
TESTS := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
FORMATTED := $(shell find src include tests -name '*.[ch]' 2>/dev/null)

object = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(1))
LIB := $(BUILD)/libaccountd.a
CTL_LIB := $(BUILD)/libaccountctl.a
FUNCTIONS := $(BUILD)/gen/functions_lua.h

.PHONY: all deps demo check check-unit check-system check-valkey roundtrip html check-asan check-asan-unit settings-docs metrics-docs format tidy clean help force
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/accountd $(BUILD)/accountctl ## build both programs

deps: ## install what building and the tests need (apt; once)
	@tests/deps.sh

# What deps installs is found by a make that starts after it.
demo: ## the main job, shown on a Kafka and a Redis of its own
	@tests/deps.sh demo
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@tests/demo/run.sh

check: deps ## all tests
	@BUILD=$(BUILD) tests/check.sh

check-unit: $(TESTS:%=$(BUILD)/unit/%) ## unit tests
	@for test in $^; do echo "== $$test"; $$test || exit 1; done

settings-docs: $(BUILD)/unit/test_settings_docs ## write the lists of settings in docs/ from their table
	@ACD_WRITE=1 $<

metrics-docs: $(BUILD)/unit/test_metrics_docs ## write the list of metrics in docs/ from the page that accountd serves
	@ACD_WRITE=1 $<

check-asan: ## unit tests, simulation and a part of the system tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory check-asan-unit
	@$(MAKE) --no-print-directory check-asan-sim
	@$(MAKE) --no-print-directory check-asan-system

# Tests ask for more memory than there can be, and malloc refuses it.
check-asan-unit: # in a make of its own, for its flags
	@ASAN_OPTIONS=allocator_may_return_null=1 $(MAKE) --no-print-directory BUILD=build-asan WERROR=1 CFLAGS='-O1 -g' SANITIZE=address,undefined check-unit

# Twice the processors: the tests wait for servers more than they compute.
SYSTEM_JOBS ?= $(shell echo $$((2 * $$(nproc))))
check-system: all ## the programs on a real Kafka and Redis, SYSTEM_JOBS files of tests at once
	@tests/system/run.sh -n $(SYSTEM_JOBS) --dist loadfile --no-loadscope-reorder

check-valkey: all ## some of the system tests with valkey-server in the place of redis-server
	@REDIS_SERVER=valkey-server tests/system/run.sh -n $(SYSTEM_JOBS) --dist loadfile --no-loadscope-reorder \
		test_contract_operations.py test_contract_storage.py test_exactly_once.py test_recovery.py \
		test_redis_security.py test_signed.py

roundtrip: all ## an export of ACCOUNTS accounts is imported again, in every format and compression
	@ACCOUNTS=$(or $(ACCOUNTS),1000000) tests/system/run.sh -q -s test_roundtrip.py

html: all ## schemas/asyncapi.yaml as a page, build/asyncapi.html
	@tests/system/run.sh -q test_asyncapi.py -k page

format: ## lay all C files out
	$(CLANG_FORMAT) -i $(FORMATTED)

tidy: $(LIB) man ## layout, layers and sizes, as check wants them
	@if $(CLANG_FORMAT) --version | grep -q 'version 14\.'; \
	then $(CLANG_FORMAT) --dry-run -Werror $(FORMATTED); \
	else echo 'layout is not checked: clang-format 14 decides it'; fi
	@tests/check_layers.sh $(BUILD)/obj/core
	@wc -l $(FORMATTED) | awk '$$2 != "total" && $$1 > 500 { print $$2 ": " $$1 " lines, split it"; bad = 1 } END { exit bad }'

clean: ## remove what was built, but not what was fetched
	rm -rf $(BUILD)/obj $(BUILD)/unit $(BUILD)/gen $(BUILD)/flags $(BUILD)/*.a $(BUILD)/accountd $(BUILD)/accountctl \
		$(BUILD)/man $(BUILD)/units $(BUILD)/sim $(BUILD)/sim-objects $(BUILD)/oom build-asan build-tsan build-coverage

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

$(BUILD)/accountd: $(call object,$(DAEMON_SOURCES)) $(LIB)
	@echo "  LD $@"
	@$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/accountctl: $(call object,src/ctl/main.c) $(CTL_LIB) $(LIB)
	@echo "  LD $@"
	@$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Made anew as a whole, so that no object of a removed source stays in it.
$(LIB): $(call object,$(LIB_SOURCES))
$(CTL_LIB): $(call object,$(filter-out src/ctl/main.c,$(CTL_SOURCES)))
$(LIB) $(CTL_LIB):
	@rm -f $@
	@echo "  AR $@"
	@$(AR) qcs $@ $^

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags | $(FUNCTIONS)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/%.o: tests/unit/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(FLAGS) -Itests/unit -DACD_SOURCE_DIR='"$(CURDIR)"' -MMD -MP -c -o $@ $<

$(BUILD)/unit/test_%: $(BUILD)/unit/test_%.o $(SUPPORT_SOURCES:tests/unit/%.c=$(BUILD)/unit/%.o) $(CTL_LIB) $(LIB)
	@echo "  LD $@"
	@$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

# The functions that Redis runs, as a C string; their name holds a hash of their text.
$(FUNCTIONS): src/store/commit.lua
	@mkdir -p $(@D)
	@version=$$(sha256sum $< | cut -c1-8); \
	 { echo "#define ACD_FUNCTIONS_NAME \"accountd_$$version\""; \
	   echo 'static const char acd_functions_lua[] ='; \
	   sed -e "s/accountd_VERSION/accountd_$$version/" -e 's/[\\"?]/\\&/g' -e 's/.*/    "&\\n"/' $<; echo '    ;'; } > $@

# Other flags than last time mean other objects.
$(BUILD)/flags: force
	@pkg-config --exists $(PACKAGES) || { echo 'libraries are missing: run make deps'; exit 1; }
	@mkdir -p $(@D)
	@echo '$(CC) $(FLAGS)' | cmp -s - $@ || echo '$(CC) $(FLAGS)' > $@

include systemd/rules.mk

# Each kind of test has its own rules.
include $(sort $(wildcard tests/*/rules.mk))

-include $(shell find $(BUILD) -path '$(BUILD)/boot' -prune -o -path '$(BUILD)/fresh' -prune -o -name '*.d' -type f -print 2>/dev/null)
