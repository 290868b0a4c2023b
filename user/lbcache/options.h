/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of lbcache. */
#ifndef LBCACHE_OPTIONS_H
#define LBCACHE_OPTIONS_H

#include "server.h"
#include "tls.h"

struct options {
	const char *netns, *log_path, *control_path, *user;
	bool is_log_json, is_taking_over, is_object_said;
	bool is_joined;	    /* to the datapath */
	bool is_inheriting; /* its listening sockets from systemd */
	unsigned int threads;
	struct limits limits;
	union address listen, metrics, redis; /* without family: none */
	union address backends[BACKENDS_MAX];
	unsigned int backend_count;
	const char *certs[TLS_FILES_MAX], *keys[TLS_FILES_MAX]; /* key NULL: in the same file */
	unsigned int cert_count;
	bool is_backend_tls;
	const char *verify; /* backends; NULL: against the certificates above; "off"; a file */
	struct rules rules;
};

/* Ends the program with 2 after one line for what is not understood, with 0 for -h and -V. */
void options_read(int argc, char **argv, struct options *out);

#endif
