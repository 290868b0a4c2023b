// SPDX-License-Identifier: GPL-2.0-only
/* See reader.h. It speaks to the other process as the keeper does. */
#include "reader.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "join.h"
#include "tls.h"

#include "liblb.h"

static struct {
	int fd; /* to the reader */
	bool is_there;
	enum tls_backends backends;
} reader;

static char *read_files(const struct options *options, size_t *len)
{
	char *bytes = NULL;
	FILE *out = open_memstream(&bytes, len);

	if (!out)
		return NULL;
	for (unsigned int i = 0; i < options->cert_count; i++)
		tls_file_put(out, TLS_CERTIFICATE, options->certs[i], options->keys[i]);
	if (options->verify && strcmp(options->verify, "off"))
		tls_file_put(out, TLS_AUTHORITY, options->verify, NULL);
	if (fclose(out)) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

static _Noreturn void run(int fd, const struct options *options)
{
	int ret = 0;

	(void)prctl(PR_SET_NAME, "lbcache-reader");
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	while (!ret) {
		struct join_message message = { 0 };
		int fds[JOIN_FDS_MAX];
		unsigned int fd_count = 0;
		void *data = NULL;
		size_t len = 0;

		ret = join_receive(fd, &message, &data, fds, &fd_count);
		free(data);
		if (ret || message.kind != JOIN_RENEW)
			break;
		data = read_files(options, &len);
		message = (struct join_message){ .kind = JOIN_FILES,
						 .length = data ? (uint32_t)len : 0 };
		ret = join_send(fd, &message, data, NULL, 0);
		free(data);
	}
	_exit(0);
}

static enum tls_backends backends_of(const struct options *options)
{
	if (!options->is_backend_tls)
		return TLS_BACKENDS_CLEAR;
	return options->verify && !strcmp(options->verify, "off") ? TLS_BACKENDS_UNVERIFIED
								  : TLS_BACKENDS_VERIFIED;
}

int reader_start(const struct options *options)
{
	int pair[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		(void)close(pair[0]);
		run(pair[1], options);
	}
	(void)close(pair[1]);
	if (child < 0)
		return -errno;
	reader.fd = pair[0];
	reader.is_there = true;
	reader.backends = backends_of(options);
	return 0;
}

static int ask(struct join_message *answer, void **data)
{
	const struct join_message question = { .kind = JOIN_RENEW };
	int ret = join_send(reader.fd, &question, NULL, NULL, 0), fds[JOIN_FDS_MAX];
	unsigned int fd_count = 0;

	if (!ret)
		ret = join_receive(reader.fd, answer, data, fds, &fd_count);
	if (!ret && (answer->kind != JOIN_FILES || !*data))
		ret = -EPROTO;
	return ret;
}

int certificates_take(struct server *server, struct service *service, struct text files,
		      enum tls_backends kind)
{
	struct tls_site *site = NULL;
	struct lb_error err;

	if (files.len ? tls_site_is_of(service->tls, files, kind) : !service->tls)
		return 0;
	if (files.len && tls_site_new(&site, files, kind, &err)) {
		(void)fprintf(stderr, "lbcache: service %s: %s; %s\n", service->name, err.text,
			      service->tls ? "the certificates stay that it has"
					   : "so lbcache ends: it could not answer");
		return service->tls ? 0 : -EKEYREJECTED;
	}
	tls_site_replace(server, service, site);
	return 0;
}

int reader_renew(struct server *server, struct service *service)
{
	struct join_message answer = { 0 };
	void *data = NULL;
	int ret = ask(&answer, &data);

	if (ret)
		(void)fprintf(stderr,
			      "lbcache: certificates are not read anew, since their reader is "
			      "gone (%s): start lbcache again, with '--take-over'\n",
			      strerror(-ret));
	else
		ret = certificates_take(server, service, (struct text){ data, answer.length },
					reader.backends);
	free(data);
	return ret;
}

void certificates_renew(struct server *server)
{
	if (reader.is_there)
		(void)reader_renew(server, &server->services[0]);
	else
		join_renew();
}
