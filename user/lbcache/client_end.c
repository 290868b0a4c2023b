// SPDX-License-Identifier: GPL-2.0-only
/* The end of a client's connection that lets it read what was sent. */
#include <errno.h>
#include <stdlib.h>

#include "client.h"
#include "stream.h"

static void on_linger_due(struct worker *worker, struct timer *timer)
{
	client_close(worker, CONTAINER(timer, struct client, timer));
}

/* Closing at once with bytes unread would reset the connection and take the answer with it. */
void client_linger(struct worker *worker, struct client *client)
{
	stream_end(&client->watch);
	client->state = CLIENT_LINGERING;
	free(client->in);
	client->in = NULL;
	client->in_len = 0;
	timer_start(worker, &client->timer, TIMER_LINGER, on_linger_due);
}

void client_drain(struct worker *worker, struct client *client)
{
	size_t taken = 0;
	ssize_t ret;

	do {
		ret = recv(client->watch.fd, worker->scratch, SCRATCH_SIZE, 0);
		taken += ret > 0 ? (size_t)ret : 0;
	} while ((ret > 0 && taken < SHARE) || (ret < 0 && errno == EINTR));
	if (ret > 0)
		worker_again(worker, &client->watch);
	else if (ret == 0 || errno != EAGAIN)
		client_close(worker, client);
}
