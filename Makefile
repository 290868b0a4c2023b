# SPDX-License-Identifier: GPL-2.0-only
# Builds the datapath, the library and the programs; 'make help' lists the targets.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
B := build

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wundef -Wno-format-truncation
WERROR := $(if $(CI),-Werror)
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Iuser -Iuser/common -Iuser/liblb -I$(B)
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 $(WARN) $(WERROR) -fPIC -MMD -MP
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -MMD -MP -Iinclude -Ibpf \
	-I/usr/include/$(shell $(CC) -dumpmachine)
LIBS := -lxdp -lbpf -lelf -lz -lcyaml -lyaml -lmnl
TLS_LIBS := -lssl -lcrypto

LIBLB_SRC := $(wildcard user/liblb/*.c)
COMMON_SRC := $(wildcard user/common/*.c)
JSON_SRC := $(wildcard user/json/*.c)
EDIT_SRC := $(wildcard user/edit/*.c)
LBCTL_SRC := $(wildcard user/lbctl/*.c)
LBCACHE_SRC := $(filter-out user/lbcache/main.c,$(wildcard user/lbcache/*.c))
LBD_SRC := $(wildcard user/lbd/*.c)
objects = $(patsubst %.c,$(B)/%.o,$(1))
LIBLB_OBJ := $(call objects,$(LIBLB_SRC))
SKELETONS := $(B)/lb.skel.h $(B)/local.skel.h $(B)/cache.skel.h $(B)/clock.skel.h \
	$(B)/probe.skel.h
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
DATAPATH_TESTS := $(patsubst tests/datapath/%.c,$(B)/tests/%,$(wildcard tests/datapath/test_*.c))

.PHONY: all help demo test test-kernels bench lint install clean check-tests
all: lbctl lbd lbcache $(B)/liblb.so.0

help:
	@echo 'make               build ./lbctl and the library'
	@echo 'make demo          install packages, build, show a balancer at work, clean up'
	@echo 'make test          lint, unit, datapath and end-to-end tests (as root)'
	@echo 'make test-kernels  the same program on Debian kernels 6.1 and 6.12 in QEMU'
	@echo 'make bench         nanoseconds a packet beside floors, packets a second beside nftables'
	@echo 'make lint          formatting, static checks, layers'
	@echo 'make install       to $$(DESTDIR)$$(PREFIX)'

$(B)/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

# Kept: as an intermediate file it would be removed, and the next make would build all once more.
.PRECIOUS: $(B)/%.bpf.o

# Kept, though only rules by pattern name them: tests/other-build takes them over.
.SECONDARY: $(SKELETONS) $(SKELETONS:.skel.h=.bpf.o)

$(B)/%.skel.h: $(B)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@.tmp
	@mv $@.tmp $@

$(B)/%.o: %.c | $(SKELETONS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(B)/liblb.a: $(LIBLB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/liblb.so.0: $(LIBLB_OBJ)
	$(CC) $(LDFLAGS) -shared -Wl,-soname,liblb.so.0 -o $@ $^ $(LIBS)

lbctl: $(call objects,$(LBCTL_SRC) $(JSON_SRC) $(EDIT_SRC) $(COMMON_SRC)) $(B)/liblb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -ljansson $(TLS_LIBS)

$(B)/lbcache.a: $(call objects,$(LBCACHE_SRC))
	@rm -f $@
	$(AR) rcs $@ $^

lbcache: $(B)/user/lbcache/main.o $(B)/lbcache.a $(call objects,$(COMMON_SRC)) $(B)/liblb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -ljansson -lmicrohttpd -lseccomp -lsystemd -lhiredis -lnghttp2 -lpthread $(TLS_LIBS)

$(B)/user/lbd/page.o: user/lbd/dashboard.html

lbd: $(call objects,$(LBD_SRC) $(JSON_SRC) $(EDIT_SRC) user/common/number.c) $(B)/liblb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -ljansson -lmicrohttpd -lcurl -lcap-ng -lseccomp -lsystemd

HEADERS := $(wildcard include/*.h bpf/*.h user/liblb/*.h user/common/*.h user/edit/*.h user/lbcache/*.h tests/datapath/*.h)

# One cmocka program a file; the archive gives each just what it calls.
$(B)/tests/%: tests/unit/%.c $(B)/liblb.a $(B)/lbcache.a $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Ibpf $(CFLAGS) $< $(call objects,$(EDIT_SRC) $(COMMON_SRC)) $(B)/lbcache.a $(B)/liblb.a -o $@ $(LIBS) $(TLS_LIBS) -ljansson -lcmocka -lm

$(UNIT_TESTS): $(call objects,$(EDIT_SRC) $(COMMON_SRC))

$(B)/tests/%: tests/datapath/%.c $(filter-out tests/datapath/test_%.c,$(wildcard tests/datapath/*.c)) $(B)/liblb.a $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/datapath $(CFLAGS) $(filter %.c,$^) $(B)/liblb.a -o $@ $(LIBS) -lcmocka -lm

# Fuzz targets with the sanitizers, and a twin of each with a bug planted that it must find.
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_FLAGS := -std=gnu17 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_SRC := $(filter user/lbcache/http_%.c,$(LBCACHE_SRC)) user/lbcache/h2_head.c

$(B)/fuzz/%: tests/fuzz/%.c $(FUZZ_SRC) $(HEADERS)
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) $(filter %.c,$^) -o $@
	$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) -DPLANTED $(filter %.c,$^) -o $@-planted

# Other parsers to compare ours with: a library, and sources that Debian ships (node-llhttp).
LLHTTP ?= /usr/share/llhttp
PEER_SRC := $(wildcard tests/fuzz/peer_*.c)

$(B)/fuzz/fuzz_peers: FUZZ_FLAGS += -I/usr/share/include -I/usr/share/include/llhttp -lhttp_parser
$(B)/fuzz/fuzz_peers: $(PEER_SRC) $(wildcard $(LLHTTP)/*.c) tests/fuzz/peer.h

$(B)/tests/commit_bench: tests/bench/commit_bench.c tests/datapath/world.c tests/datapath/frame.c $(B)/liblb.a $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/datapath $(CFLAGS) $(filter %.c,$^) $(B)/liblb.a -o $@ $(LIBS) -lcmocka

$(B)/tests/insns: tests/kernels/insns.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $< -o $@

check-tests: all $(FUZZERS) $(UNIT_TESTS) $(DATAPATH_TESTS) $(B)/tests/insns

demo:
	scripts/setup demo
	$(MAKE) all
	scripts/demo

test:
	scripts/setup test
	$(MAKE) check-tests
	tests/run all

test-kernels:
	scripts/setup kernels
	$(MAKE) all
	scripts/test-kernels

bench:
	scripts/setup bench
	$(MAKE) all $(B)/tests/commit_bench
	scripts/bench
	$(B)/tests/commit_bench
	scripts/bench-cache
	scripts/bench-health

lint:
	scripts/lint

install: all
	install -D -m 0755 lbctl $(DESTDIR)$(PREFIX)/sbin/lbctl
	install -D -m 0755 lbcache $(DESTDIR)$(PREFIX)/sbin/lbcache
	install -D -m 0755 lbd $(DESTDIR)$(PREFIX)/sbin/lbd
	install -D -m 0755 $(B)/liblb.so.0 $(DESTDIR)$(PREFIX)/lib/liblb.so.0
	ln -sf liblb.so.0 $(DESTDIR)$(PREFIX)/lib/liblb.so
	install -D -m 0644 $(B)/liblb.a $(DESTDIR)$(PREFIX)/lib/liblb.a
	install -d $(DESTDIR)$(PREFIX)/include
	install -m 0644 $(wildcard include/*.h) $(DESTDIR)$(PREFIX)/include
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' packaging/liblb.pc.in \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/liblb.pc
	install -D -m 0644 packaging/bash-completion/lbctl \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/lbctl
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in lbd.service lbcache.service; do \
		sed -e 's|@PREFIX@|$(PREFIX)|' packaging/$$unit > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit; \
	done
	for page in lbctl.8 lbd.8 lbcache.8 lb.yaml.5; do \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; \
		scdoc < man/$$page.scd > $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page; \
	done

clean:
	rm -rf $(B)/*.o $(B)/*.h $(B)/*.a $(B)/*.so* $(B)/*.d $(B)/user $(B)/tests $(B)/fuzz lbctl lbd lbcache

-include $(shell find $(B) -name '*.d' 2>/dev/null)
