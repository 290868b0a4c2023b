// SPDX-License-Identifier: GPL-2.0-only
/* The command line of lbcache: a table of options, and what their values mean. */
#include "options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/number.h"
#include "liblb.h"

static const char usage[] =
	"Usage: lbcache [-n NAME] [OPTIONS]                   for the services of 'lbctl cache "
	"on'\n"
	"       lbcache --listen ADDR:PORT --backend ADDR:PORT… [OPTIONS]        by itself\n\n"
	"  -n, --netns NAME      in the namespace that 'ip netns' calls NAME\n"
	"  --listen ADDR:PORT    take clients here; 'systemd': at the sockets of its .socket unit\n"
	"  --backend ADDR:PORT   fetch from here; may be given several times\n"
	"  --cert FILE           take clients in TLS by this certificate; may be given several "
	"times\n"
	"  --key FILE            its key, if that is not in the same file\n"
	"  --backend-tls         fetch in TLS\n"
	"  --verify off|FILE     do not look at backends' certificates; or trust those in FILE "
	"too\n"
	"  --ttl SECONDS         keep what has no freshness of its own so long (0: do not)\n"
	"  --negative SECONDS    the same for 301, 308, 404, 405, 410, 414\n"
	"  --stale SECONDS       serve stale so long while it is fetched anew\n"
	"  --pass PREFIX         never store paths that begin so; may be given several times\n"
	"  --ignore-cookies      a Cookie neither passes by nor reaches the backend\n"
	"  --memory BYTES        of stored pages (256M)\n"
	"  --object BYTES        of one page at most (8M)\n"
	"  --connections COUNT   of clients (10000)\n"
	"  --per-address COUNT   of one client address (1000)\n"
	"  --threads COUNT       (one a processor)\n"
	"  --control PATH        the control socket, if not where 'lbctl cache' looks for it\n"
	"  --user NAME           whom to become when started by root (nobody)\n"
	"  --log PATH            the access log, '-' for standard output; --log-json as JSON\n"
	"  --metrics ADDR:PORT   figures for Prometheus there, at /metrics\n"
	"  --redis ADDR:PORT     a second tier that several balancers share: asked on a miss,\n"
	"                        for 5 ms at most\n"
	"  --take-over           pages and sockets of the lbcache that runs here, which then ends\n"
	"  -V, --version  -h, --help\n";

enum long_option {
	O_LISTEN = 256,
	O_BACKEND,
	O_CERT,
	O_KEY,
	O_BACKEND_TLS,
	O_VERIFY,
	O_TTL,
	O_NEGATIVE,
	O_STALE,
	O_PASS,
	O_COOKIES,
	O_MEMORY,
	O_OBJECT,
	O_CONNECTIONS,
	O_PER_ADDRESS,
	O_THREADS,
	O_CONTROL,
	O_USER,
	O_LOG,
	O_LOG_JSON,
	O_METRICS,
	O_REDIS,
	O_TAKE_OVER,
};

static const struct option long_options[] = {
	{ "netns", required_argument, NULL, 'n' },
	{ "listen", required_argument, NULL, O_LISTEN },
	{ "backend", required_argument, NULL, O_BACKEND },
	{ "cert", required_argument, NULL, O_CERT },
	{ "key", required_argument, NULL, O_KEY },
	{ "backend-tls", no_argument, NULL, O_BACKEND_TLS },
	{ "verify", required_argument, NULL, O_VERIFY },
	{ "ttl", required_argument, NULL, O_TTL },
	{ "negative", required_argument, NULL, O_NEGATIVE },
	{ "stale", required_argument, NULL, O_STALE },
	{ "pass", required_argument, NULL, O_PASS },
	{ "ignore-cookies", no_argument, NULL, O_COOKIES },
	{ "memory", required_argument, NULL, O_MEMORY },
	{ "object", required_argument, NULL, O_OBJECT },
	{ "connections", required_argument, NULL, O_CONNECTIONS },
	{ "per-address", required_argument, NULL, O_PER_ADDRESS },
	{ "threads", required_argument, NULL, O_THREADS },
	{ "control", required_argument, NULL, O_CONTROL },
	{ "user", required_argument, NULL, O_USER },
	{ "log", required_argument, NULL, O_LOG },
	{ "log-json", no_argument, NULL, O_LOG_JSON },
	{ "metrics", required_argument, NULL, O_METRICS },
	{ "redis", required_argument, NULL, O_REDIS },
	{ "take-over", no_argument, NULL, O_TAKE_OVER },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

__attribute__((format(printf, 1, 2), noreturn)) static void refuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("lbcache: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputs("; see 'lbcache -h'\n", stderr);
	va_end(args);
	exit(2);
}

static void read_address(const char *option, union address *out)
{
	union lb_addr addr;
	struct lb_error err;
	__u16 port;

	if (lb_endpoint_parse(optarg, &addr, &port, NULL, &err))
		refuse("%s: %s", option, err.text);
	address_make(out, &addr, port);
}

static uint32_t read_number(const char *option, uint32_t low, uint32_t high)
{
	uint64_t number;

	if (number_parse(optarg, low, high, &number))
		refuse("%s '%s' is not possible, expected %u to %u", option, optarg, low, high);
	return (uint32_t)number;
}

/* 1048576, 1024K, 256M, 4G */
static uint64_t read_bytes(const char *option, uint64_t low)
{
	static const char units[] = "KMG";
	size_t len = strlen(optarg);
	const char *unit = len ? strchr(units, optarg[len - 1]) : NULL;
	unsigned int shift = unit && *unit ? 10 * (unsigned int)(unit - units + 1) : 0;
	uint64_t number;

	if (shift)
		optarg[len - 1] = '\0';
	if (number_parse(optarg, 1, 1ull << (50 - shift), &number) || number << shift < low)
		refuse("%s is not possible, expected bytes, as 4M or 1G, and at least %llu", option,
		       (unsigned long long)low);
	return number << shift;
}

static void add_pass(struct options *out)
{
	struct rules *rules = &out->rules;
	struct rule *rule = &rules->rule[rules->count];

	if (rules->count == RULES_MAX)
		refuse("--pass: more than %d are not possible", RULES_MAX);
	if (optarg[0] != '/' || strlen(optarg) >= PREFIX_SIZE)
		refuse("--pass '%s' is not possible, expected a path that begins with '/'", optarg);
	rule_set_prefix(rule, optarg);
	rule->policy.is_pass = true;
	rules->count++;
}

static void take_tls(int letter, struct options *out)
{
	switch (letter) {
	case O_CERT:
		if (out->cert_count == TLS_FILES_MAX)
			refuse("--cert: more than %d are not possible", TLS_FILES_MAX);
		out->certs[out->cert_count++] = optarg;
		break;
	case O_KEY:
		if (!out->cert_count || out->keys[out->cert_count - 1])
			refuse("--key '%s' follows no --cert that it could be of", optarg);
		out->keys[out->cert_count - 1] = optarg;
		break;
	case O_BACKEND_TLS:
		out->is_backend_tls = true;
		break;
	default:
		out->verify = optarg;
	}
}

static void take_limit(int letter, struct options *out)
{
	switch (letter) {
	case O_MEMORY:
		out->limits.memory = read_bytes("--memory", 1u << 20);
		break;
	case O_OBJECT:
		out->is_object_said = true;
		out->limits.object = read_bytes("--object", 1024);
		break;
	case O_CONNECTIONS:
		out->limits.connections = read_number("--connections", 10, 1000000);
		break;
	case O_PER_ADDRESS:
		out->limits.per_address = read_number("--per-address", 1, 65535);
		break;
	case O_THREADS:
		out->threads = read_number("--threads", 1, WORKERS_MAX);
		break;
	default:
		refuse("unknown option");
	}
}

static void take(int letter, struct options *out)
{
	switch (letter) {
	case O_LISTEN:
		out->is_inheriting = !strcmp(optarg, "systemd");
		if (!out->is_inheriting)
			read_address("--listen", &out->listen);
		break;
	case O_BACKEND:
		if (out->backend_count == BACKENDS_MAX)
			refuse("--backend: more than %d are not possible", BACKENDS_MAX);
		read_address("--backend", &out->backends[out->backend_count++]);
		break;
	case O_CERT:
	case O_KEY:
	case O_BACKEND_TLS:
	case O_VERIFY:
		take_tls(letter, out);
		break;
	case O_TTL:
		out->rules.standard.ttl = read_number("--ttl", 0, 31536000);
		break;
	case O_NEGATIVE:
		out->rules.standard.negative_ttl = read_number("--negative", 0, 31536000);
		break;
	case O_STALE:
		out->rules.standard.stale_while = read_number("--stale", 0, 31536000);
		break;
	case O_PASS:
		add_pass(out);
		break;
	case O_COOKIES:
		out->rules.standard.is_cookie_ignored = true;
		break;
	case 'n':
		out->netns = optarg;
		break;
	case O_CONTROL:
		out->control_path = optarg;
		break;
	case O_USER:
		out->user = optarg;
		break;
	case O_LOG:
		out->log_path = optarg;
		break;
	case O_METRICS:
		read_address("--metrics", &out->metrics);
		break;
	case O_REDIS:
		read_address("--redis", &out->redis);
		break;
	case O_TAKE_OVER:
		out->is_taking_over = true;
		break;
	case O_LOG_JSON:
		out->is_log_json = true;
		break;
	case 'V':
		(void)printf("lbcache %s\n", LB_VERSION);
		exit(0);
	case 'h':
		(void)fputs(usage, stdout);
		exit(0);
	default:
		take_limit(letter, out);
	}
}

void options_read(int argc, char **argv, struct options *out)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	bool has_listen;
	int letter;

	*out = (struct options){
		.user = "nobody",
		.threads = cpus > 0 && cpus < WORKERS_MAX ? (unsigned int)cpus : 1,
		.limits = { .memory = 256u << 20,
			    .object = 8u << 20,
			    .connections = 10000,
			    .per_address = 1000 },
	};
	policy_init(&out->rules.standard);
	opterr = 0;
	while ((letter = getopt_long(argc, argv, ":n:Vh", long_options, NULL)) != -1) {
		if (letter == '?')
			refuse("unknown option '%s'", argv[optind - 1]);
		if (letter == ':')
			refuse("option '%s' has no value", argv[optind - 1]);
		take(letter, out);
	}
	if (optind < argc)
		refuse("unexpected '%s'", argv[optind]);
	has_listen = out->is_inheriting || out->listen.any.sa_family;
	out->is_joined = !has_listen && !out->backend_count;
	if (out->is_joined && (out->rules.standard.ttl || out->rules.count))
		refuse("--ttl and --pass are for --listen: of a service 'lbctl cache' says them");
	if (out->is_joined && (out->cert_count || out->is_backend_tls || out->verify))
		refuse("--cert, --backend-tls and --verify are for --listen: of a service 'lbctl "
		       "cache on' says them");
	if (out->is_backend_tls && !out->cert_count)
		refuse("--backend-tls needs --cert: without it nobody is met in TLS");
	if (out->verify && !out->is_backend_tls)
		refuse("--verify is for --backend-tls");
	if (!out->is_joined && !has_listen)
		refuse("--listen is missing: there is nowhere to take clients");
	if (!out->is_joined && !out->backend_count)
		refuse("--backend is missing: there is nobody to fetch from");
	/* A page may not push all others out. */
	if (out->limits.object > out->limits.memory / 4) {
		if (out->is_object_said)
			refuse("--object is more than a quarter of --memory, so one page would "
			       "push "
			       "all others out: give at most %llu, or more --memory",
			       (unsigned long long)out->limits.memory / 4);
		out->limits.object = out->limits.memory / 4;
	}
}
