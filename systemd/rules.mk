# What make install puts where. The names are GNU's: prefix=/usr, DESTDIR=… for packagers.

prefix ?= /usr/local
bindir ?= $(prefix)/bin
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
docdir ?= $(datadir)/doc/accountd
sysconfdir ?= /etc
unitdir ?= $(prefix)/lib/systemd/system
bashdir ?= $(datadir)/bash-completion/completions
zshdir ?= $(datadir)/zsh/site-functions

UNITS := $(BUILD)/units/accountd.service $(BUILD)/units/accountd@.service
MAN_PAGES := $(patsubst docs/man/%.scd,$(BUILD)/man/%,$(wildcard docs/man/*.scd))
CLIENTS := $(notdir $(wildcard docs/clients/*))
INSTALL_DATA = install -D -m 644 -t $(DESTDIR)

.PHONY: install uninstall man deb

install: all $(UNITS) $(MAN_PAGES) ## into $(DESTDIR)$(prefix); an existing configuration stays
	install -D -t $(DESTDIR)$(bindir) $(BUILD)/accountd $(BUILD)/accountctl
	$(INSTALL_DATA)$(unitdir) $(UNITS)
	$(foreach page,$(MAN_PAGES),$(INSTALL_DATA)$(mandir)/man$(subst .,,$(suffix $(page))) $(page) &&) true
	$(INSTALL_DATA)$(datadir)/accountd/schemas $(wildcard schemas/*.json schemas/*.yaml)
	$(INSTALL_DATA)$(docdir) README.md $(wildcard docs/*.md)
	$(INSTALL_DATA)$(docdir)/examples docs/accountd.conf
	$(foreach client,$(CLIENTS),$(INSTALL_DATA)$(docdir)/examples/clients/$(client) $(wildcard docs/clients/$(client)/*) &&) true
	$(INSTALL_DATA)$(docdir)/monitoring $(wildcard docs/monitoring/*)
	install -D -m 644 src/ctl/completions/accountctl.bash $(DESTDIR)$(bashdir)/accountctl
	$(INSTALL_DATA)$(zshdir) src/ctl/completions/_accountctl
	test -e $(DESTDIR)$(sysconfdir)/accountd/accountd.conf || $(INSTALL_DATA)$(sysconfdir)/accountd docs/accountd.conf

# What install would put there is removed, so that the two cannot differ.
uninstall: ## what install has put there, without the configuration
	@stage=$$(mktemp -d) && trap 'rm -rf "$$stage"' EXIT && \
	 $(MAKE) --no-print-directory -s install DESTDIR=$$stage && \
	 (cd $$stage && find . -type f ! -path '.$(sysconfdir)/*' -printf '%P\n') | \
	 while read -r file; do rm -fv "$(DESTDIR)/$$file"; done
	@for directory in $(CLIENTS:%=$(docdir)/examples/clients/%) $(docdir)/examples/clients $(docdir)/examples $(docdir)/monitoring $(docdir) $(datadir)/accountd/schemas $(datadir)/accountd; do \
		rmdir $(DESTDIR)$$directory 2>/dev/null || true; done

deb: ## Debian packages for the release of this machine, in $(BUILD)/deb, as lintian likes them
	@tests/deps.sh deb
	@systemd/build-deb.sh $(VERSION) $(BUILD)/deb

man: $(MAN_PAGES) ## the man pages, in $(BUILD)/man

# The page's date is that of its source, so that the same sources make the same page.
$(BUILD)/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	@command -v scdoc >/dev/null || { echo 'scdoc is missing: run make deps'; exit 1; }
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(stat -c %Y $<)} scdoc < $< > $@

$(BUILD)/units/accountd.service: systemd/accountd.service force
	@mkdir -p $(@D)
	@sed -e 1d -e 's|/usr/bin/|$(bindir)/|' -e 's|/etc/|$(sysconfdir)/|' $< > $@

# An instance has a configuration, a directory and secrets of its own.
$(BUILD)/units/accountd@.service: $(BUILD)/units/accountd.service
	@sed -e '/^Description=/s|$$| (%i)|' -e '/^ExecStart=/s|/accountd.conf|/%i.conf|' \
		-e '/^StateDirectory=\|^WorkingDirectory=/s|accountd$$|accountd-%i|' -e '/^LoadCredential=/s|:accountd\.|:accountd.%i.|' \
		-e '/^#/s|accountd\.redis|accountd.NAME.redis|' $< > $@
