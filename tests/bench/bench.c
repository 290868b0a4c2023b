// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures lbctl's loaded program beside the floor programs, and whole chains of namespaces beside
 * nftables. scripts/bench makes the surroundings and calls it.
 */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>

struct options {
	const char *prefix; /* of the namespaces: PREFIXlb, PREFIXgen, PREFIXsink */
	const char *ifname;
	struct measure_options measure;
	uint32_t flows;
	uint32_t packets;
	bool is_json;
	bool has_paths;
	bool has_live;
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: bench -p PREFIX [-i IF] [-r ROUNDS] [-f FLOWS] [-P PACKETS] [-o TEXT] "
		     "[-a] [-j] [-c COMMAND] [-L | -N]\n"
		     "  -p  prefix of the namespaces that scripts/bench makes\n"
		     "  -i  interface of PREFIXlb that lbctl is attached to (bench0)\n"
		     "  -r  rounds, 1 to 99 (9)\n"
		     "  -f  flows of the rows with many (1000000)\n"
		     "  -P  live frames a round (300000)\n"
		     "  -o  only the paths whose name begins with this\n"
		     "  -a  all paths, also those that are left out otherwise\n"
		     "  -c  command that makes the many services what its argument says\n"
		     "  -j  JSON\n"
		     "  -L  live frames only    -N  nanoseconds only\n");
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN && getenv("BENCH_DEBUG") ? vfprintf(stderr, format, args) : 0;
}

static uint32_t number(const char *text, uint32_t low, uint32_t high)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || value < low || value > high) {
		fprintf(stderr, "bench: '%s' is not a number from %u to %u\n", text, low, high);
		exit(2);
	}
	return (uint32_t)value;
}

static void parse_options(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "p:i:r:f:P:o:c:ajLNh")) != -1) {
		switch (option) {
		case 'p':
			options->prefix = optarg;
			break;
		case 'i':
			options->ifname = optarg;
			break;
		case 'r':
			options->measure.rounds = number(optarg, 1, BENCH_ROUNDS_MAX);
			break;
		case 'f':
			options->flows = number(optarg, 1, 1000000);
			break;
		case 'P':
			options->packets = number(optarg, 1000, 100000000);
			break;
		case 'o':
			options->measure.only = optarg;
			break;
		case 'a':
			options->measure.has_extra = true;
			break;
		case 'c':
			options->measure.configure = optarg;
			break;
		case 'j':
			options->is_json = true;
			break;
		case 'L':
			options->has_paths = false;
			break;
		case 'N':
			options->has_live = false;
			break;
		default:
			usage(option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	}
	if (!options->prefix || optind != argc) {
		usage(stderr);
		exit(2);
	}
}

static int measure_paths(const struct options *options)
{
	struct bench *bench = NULL;
	char netns[128];
	int err;

	snprintf(netns, sizeof(netns), "%slb", options->prefix);
	err = bench_open(&bench, netns, options->ifname);
	if (!err)
		err = measure_rows(bench, &options->measure);
	bench_close(bench);
	return err;
}

static bool is_any_refused(const struct live_result *live)
{
	for (unsigned int i = 0; i < row_count; i++) {
		if (figures[i].refusal[0])
			return true;
	}
	for (int i = 0; live && i < LIVE_CONTENDERS; i++) {
		if (live[i].refusal[0])
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct options options = {
		.ifname = "bench0",
		.measure = { .rounds = 9, .configure = "false" },
		.flows = 1000000,
		.packets = 300000,
		.has_paths = true,
		.has_live = true,
	};
	struct live_result live[LIVE_CONTENDERS];
	int err = 0;

	parse_options(&options, argc, argv);
	libbpf_set_print(quiet);
	srandom((unsigned int)time(NULL));
	feeds_init(options.flows);
	bench_pin();
	if (options.has_paths)
		err = measure_paths(&options);
	if (!err && options.has_live)
		err = measure_live(options.prefix, options.measure.rounds, options.packets, live);
	if (err) {
		fprintf(stderr, "bench: %s\n", strerror(-err));
		return 1;
	}
	if (options.is_json) {
		err = report_json(stdout, options.measure.rounds, options.has_live ? live : NULL);
	} else {
		if (options.has_paths)
			report_rows_text(stdout, options.measure.rounds);
		if (options.has_live)
			report_live_text(stdout, live);
	}
	if (is_any_refused(options.has_live ? live : NULL)) {
		fprintf(stderr, "bench: a refused figure is no figure; exit 1\n");
		return 1;
	}
	return err ? 1 : 0;
}
