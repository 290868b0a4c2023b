// SPDX-License-Identifier: GPL-2.0-only
/* TLS towards backends: which connections are, and for which host. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fetch.h"
#include "key.h"
#include "stream.h"
#include "tls.h"

#define TELL_MS 60000

/* The host as the backend will see it. */
static struct text host_of(const struct request *request, char buf[ADDRESS_TEXT_SIZE])
{
	const struct text host = http_text(request->data, request->head.host);

	if (host.len)
		return host;
	(void)address_format(&request->service->listen, buf);
	return (struct text){ buf, strlen(buf) };
}

uint64_t fetch_secure_key(const struct worker *worker, const struct request *request)
{
	const struct tls_site *site = request->service->tls;
	char buf[ADDRESS_TEXT_SIZE];
	struct text host;

	if (!site || !site->backends)
		return 0;
	host = host_of(request, buf);
	return key_hash(host.at, host.len, (uint32_t)site->id, store_seed(worker->server->store)) |
	       1;
}

/* Once a minute: whoever reads it knows by then, and a backend is asked all the time. */
static void tell(const struct worker *worker, const struct fetch *fetch, const char *why)
{
	static _Atomic uint64_t told_ms;
	char address[ADDRESS_TEXT_SIZE];
	uint64_t last = told_ms;

	if ((last && worker->now_ms - last < TELL_MS) ||
	    !__atomic_compare_exchange_n(&told_ms, &last, worker->now_ms, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return;
	(void)fprintf(stderr, "lbcache: note: backend %s gets no requests in TLS: %s\n",
		      address_format(&fetch->backend->address, address), why);
}

int fetch_secure(struct worker *worker, struct fetch *fetch)
{
	const struct request *request = fetch->fill->request;
	const struct tls_site *site = request->service->tls;
	char buf[ADDRESS_TEXT_SIZE];
	int ret;

	if (!fetch->secure_key)
		return 1;
	if (!fetch->watch.tls) {
		if (site && site->backends)
			fetch->watch.tls =
				tls_connect(site, fetch->watch.fd, host_of(request, buf));
		if (!fetch->watch.tls)
			return -EKEYREJECTED;
		fetch->secure_key = fetch_secure_key(worker, request);
		timer_start(worker, &fetch->timer, TIMER_HEADER, fetch->timer.on_due);
	}
	ret = stream_shake(&fetch->watch);
	if (ret >= 0)
		return ret;
	tell(worker, fetch, tls_failure(fetch->watch.tls));
	return tls_is_distrusted(fetch->watch.tls) ? -EKEYREJECTED : -EBADMSG;
}
