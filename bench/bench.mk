# The programs of the bench: make benches. make all neither builds nor installs them.
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0

EXTRA_PROGRAMS += bench/burst/flood bench/cost/drive bench/nftables/nftblocks \
	bench/scale/memory
bench_programs = bench/burst/flood bench/cost/drive bench/nftables/nftblocks \
	bench/scale/memory
CLEANFILES += $(bench_programs)

bench_burst_flood_SOURCES = \
	$(bench_shared) bench/burst/flood.c
bench_burst_flood_CPPFLAGS = $(BUILD_CPPFLAGS)
bench_burst_flood_LDFLAGS = $(BUILD_LDFLAGS)
bench_burst_flood_LDADD =

# Drives the engine as the plugin does, without rsyslogd around it.
bench_cost_drive_SOURCES = \
	$(bench_shared) bench/cost/drive.c \
	plugin/message.c plugin/message.h
bench_cost_drive_CPPFLAGS = $(BUILD_CPPFLAGS)
bench_cost_drive_LDFLAGS = $(BUILD_LDFLAGS) -Wl,--wrap=syscall
bench_cost_drive_LDADD = libsmtpblock.la

bench_nftables_nftblocks_SOURCES = $(bench_program) bench/nftables/nftblocks.c
bench_nftables_nftblocks_CPPFLAGS = $(BUILD_CPPFLAGS)
bench_nftables_nftblocks_LDFLAGS = $(BUILD_LDFLAGS)
bench_nftables_nftblocks_LDADD = libsmtpblock.la

bench_scale_memory_SOURCES = $(bench_program) bench/scale/memory.c
bench_scale_memory_CPPFLAGS = $(BUILD_CPPFLAGS)
bench_scale_memory_LDFLAGS = $(BUILD_LDFLAGS)
bench_scale_memory_LDADD = libsmtpblock.la

# Not "bench": that is a directory in EXTRA_DIST, and make dist would build it.
benches: latency-bench smtpblockctl $(bench_programs) bench/allow/lookup
.PHONY: benches
