# The fuzz targets: clang's libFuzzer under AddressSanitizer and UndefinedBehaviorSanitizer, all objects of their
# own. A target is tests/fuzz/fuzz_NAME.c.

FUZZ_CC ?= clang
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ := $(BUILD)/fuzz
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_FLAGS := $(filter-out $(WARNINGS) $(CFLAGS) -Werror -fsanitize=% -fno-sanitize-recover=all,$(FLAGS)) \
	-O1 -g -Wall -Wextra -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror) $(FUZZ_SANITIZE)
FUZZ_SUPPORT := $(patsubst %,$(FUZZ)/%.o,$(basename $(filter-out fuzz_%,$(notdir $(wildcard tests/fuzz/*.c)))))
FUZZ_LIBS := $(FUZZ)/libsupport.a $(FUZZ)/libaccountd.a
FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(FUZZ)/fuzz_%)

.PHONY: fuzz fuzz-corpus-check

fuzz: $(FUZZ_PROGRAMS) ## fuzz each target for FUZZ_SECONDS (60)
	@tests/fuzz/run.sh $(FUZZ) $(FUZZ_SECONDS) $(FUZZ_TARGETS)

fuzz-corpus-check: $(FUZZ_PROGRAMS) ## the fuzz targets on the inputs in the repository
	@tests/fuzz/run.sh $(FUZZ) check $(FUZZ_TARGETS)

$(FUZZ_PROGRAMS): $(FUZZ)/fuzz_%: $(FUZZ)/fuzz_%.o $(FUZZ_LIBS)
	@echo "  LD $@"
	@$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) -lm

# What stands in for a part of accountd comes first.
$(FUZZ)/libsupport.a: $(FUZZ_SUPPORT)
$(FUZZ)/libaccountd.a: $(patsubst src/%.c,$(FUZZ)/src/%.o,$(filter-out src/ctl/main.c,$(LIB_SOURCES) $(CTL_SOURCES)))
$(FUZZ_LIBS):
	@rm -f $@
	@echo "  AR $@"
	@$(AR) qcs $@ $^

$(FUZZ)/src/%.o: src/%.c $(BUILD)/flags | $(FUNCTIONS)
	@mkdir -p $(@D)
	@echo "  CC $< (fuzz)"
	@$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ)/%.o: tests/fuzz/%.c $(BUILD)/flags | $(FUNCTIONS)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(FUZZ_CC) $(FUZZ_FLAGS) -Isrc -Itests/fuzz -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
