// SPDX-License-Identifier: GPL-2.0-only
/* A request as Debian's http-parser 2.9 understands it. */
#include <http_parser.h>

#include "peer.h"

static int on_target(http_parser *parser, const char *at, size_t len)
{
	return peer_add(&((struct peer *)parser->data)->target, at, len);
}

static int on_name(http_parser *parser, const char *at, size_t len)
{
	return peer_add_name(parser->data, at, len);
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	return peer_add_value(parser->data, at, len);
}

static int on_head(http_parser *parser)
{
	return peer_end_head(parser->data, parser->http_minor);
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	return peer_add(&((struct peer *)parser->data)->body, at, len);
}

static int on_end(http_parser *parser)
{
	((struct peer *)parser->data)->is_whole = true;
	return 0;
}

void peer_http_parser(struct peer *peer, const char *bytes, size_t len, size_t cut, bool *early)
{
	http_parser_settings settings;
	http_parser parser;

	http_parser_settings_init(&settings);
	settings.on_url = on_target;
	settings.on_header_field = on_name;
	settings.on_header_value = on_value;
	settings.on_headers_complete = on_head;
	settings.on_body = on_body;
	settings.on_message_complete = on_end;
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = peer;
	(void)http_parser_execute(&parser, &settings, bytes, cut);
	*early = peer->is_whole;
	if (HTTP_PARSER_ERRNO(&parser) == HPE_OK && !peer->is_whole)
		(void)http_parser_execute(&parser, &settings, bytes + cut, len - cut);
	if (HTTP_PARSER_ERRNO(&parser) != HPE_OK)
		peer->refusal = http_errno_name(HTTP_PARSER_ERRNO(&parser));
}
