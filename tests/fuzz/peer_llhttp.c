// SPDX-License-Identifier: GPL-2.0-only
/* A request as Debian's llhttp (package node-llhttp) understands it. */
#include <stdint.h>

#include <llhttp/llhttp.h>

#include "peer.h"

static int on_target(llhttp_t *parser, const char *at, size_t len)
{
	return peer_add(&((struct peer *)parser->data)->target, at, len);
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
	return peer_add_name(parser->data, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
	return peer_add_value(parser->data, at, len);
}

static int on_head(llhttp_t *parser)
{
	return peer_end_head(parser->data, parser->http_minor);
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	return peer_add(&((struct peer *)parser->data)->body, at, len);
}

static int on_end(llhttp_t *parser)
{
	((struct peer *)parser->data)->is_whole = true;
	return 0;
}

void peer_llhttp(struct peer *peer, const char *bytes, size_t len, size_t cut, bool *early)
{
	llhttp_settings_t settings;
	llhttp_t parser;
	llhttp_errno_t error;

	llhttp_settings_init(&settings);
	settings.on_url = on_target;
	settings.on_header_field = on_name;
	settings.on_header_value = on_value;
	settings.on_headers_complete = on_head;
	settings.on_body = on_body;
	settings.on_message_complete = on_end;
	llhttp_init(&parser, HTTP_REQUEST, &settings);
	parser.data = peer;
	error = llhttp_execute(&parser, bytes, cut);
	*early = peer->is_whole;
	if (error == HPE_OK && !peer->is_whole)
		error = llhttp_execute(&parser, bytes + cut, len - cut);
	/* It stops behind a request for another protocol, which is no error. */
	if (error != HPE_OK && error != HPE_PAUSED_UPGRADE)
		peer->refusal = llhttp_errno_name(error);
}
