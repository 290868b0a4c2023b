// SPDX-License-Identifier: GPL-2.0-only
/*
 * What nghttp2 calls: frames of the client become requests and bodies, answers become frames. What
 * it finds malformed by itself it resets, and ends the connection where RFC 9113 says so.
 */
#include "h2_session.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

__thread struct h2_gather h2_gather;

static struct h2_stream *find(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool is_request(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct h2 *h2 = data;
	struct h2_stream *stream;

	if (!is_request(frame))
		return 0;
	stream = h2_stream_new(h2, frame->hd.stream_id);
	if (!stream) {
		h2->worker->counters.refused++;
		(void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
						NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	(void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
	h2_head_open(h2);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *data)
{
	struct h2 *h2 = data;

	(void)flags;
	/* Those behind a body are read and dropped, as in HTTP/1. */
	if (is_request(frame) && h2->head && find(session, frame->hd.stream_id))
		h2_head_add(h2->head, (struct text){ (const char *)name, name_len },
			    (struct text){ (const char *)value, value_len });
	return 0;
}

/* RFC 9113 8.2.1: where nghttp2 would leave a field out and go on, the request is malformed. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
			     const uint8_t *name, size_t name_len, const uint8_t *value,
			     size_t value_len, uint8_t flags, void *data)
{
	struct h2 *h2 = data;

	(void)session;
	(void)name;
	(void)name_len;
	(void)value;
	(void)value_len;
	(void)flags;
	if (!is_request(frame))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (h2->head)
		h2->head->is_malformed = true;
	return 0;
}

static void on_request(struct h2 *h2, struct h2_stream *stream, const nghttp2_frame *frame)
{
	if (!stream || !h2->head)
		return;
	stream->has_ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	h2_stream_ask(h2, stream);
	h2_head_forget(h2);
}

/* Frames that ask for nothing are bounded, PRIORITY and unknown ones among them. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *data)
{
	(void)session;
	switch (head->type) {
	case NGHTTP2_DATA:
		if (!head->length && !(head->flags & NGHTTP2_FLAG_END_STREAM))
			h2_spend(data);
		break;
	case NGHTTP2_WINDOW_UPDATE: /* answered by bytes */
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION: /* nghttp2 counts them */
		break;
	default:
		h2_spend(data);
	}
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct h2_stream *stream = NULL;
	struct h2 *h2 = data;

	if (frame->hd.stream_id)
		stream = find(session, frame->hd.stream_id);
	if (frame->hd.type == NGHTTP2_SETTINGS)
		h2->has_settings = true;
	else if (is_request(frame))
		on_request(h2, stream, frame);
	else if (stream && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
		 (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		h2_stream_end(h2, stream);
	return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
			    void *data)
{
	struct h2 *h2 = data;

	(void)session;
	(void)error;
	if (frame->hd.type == NGHTTP2_HEADERS)
		h2_head_forget(h2);
	h2->worker->counters.refused++;
	h2_spend(h2);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
		   size_t len, void *data)
{
	struct h2_stream *stream = find(session, id);

	(void)flags;
	if (stream)
		h2_stream_body(data, stream, bytes, len);
	else /* the connection's window is for the others */
		(void)nghttp2_session_consume_connection(session, len);
	return 0;
}

/* Before its end by either side, or after it. */
static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
	struct h2_stream *stream = find(session, id);
	struct h2 *h2 = data;

	(void)code;
	if (!stream)
		return 0;
	stream->is_closed = true;
	client_close(h2->worker, &stream->client);
	return 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
		       uint32_t *flags, nghttp2_data_source *source, void *data)
{
	struct h2_stream *stream = find(session, id);
	bool is_end = false;
	ssize_t len;

	(void)buf;
	(void)source;
	(void)data;
	if (!stream) /* its reset is on its way */
		return NGHTTP2_ERR_DEFERRED;
	len = h2_reply_ready(stream, length, &is_end);
	if (is_end)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (len > 0)
		*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	return len;
}

/* Only here the bytes are copied, from the page into what is encrypted. */
static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
			size_t length, nghttp2_data_source *source, void *data)
{
	struct h2_stream *stream = find(session, frame->hd.stream_id);

	(void)source;
	(void)data;
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (h2_gather.len + H2_FRAME_ROOM > H2_GATHER_SIZE)
		return NGHTTP2_ERR_WOULDBLOCK;
	memcpy(h2_gather.bytes + h2_gather.len, head, 9);
	h2_reply_take(stream, h2_gather.bytes + h2_gather.len + 9, length);
	h2_gather.len += 9 + length;
	return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct h2_stream *stream;

	(void)data;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	stream = find(session, frame->hd.stream_id);
	if (!stream)
		return 0;
	stream->client.sent += 9;
	if (frame->hd.type == NGHTTP2_HEADERS)
		stream->client.sent += frame->hd.length;
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		h2_reply_done(stream);
	return 0;
}

nghttp2_data_provider h2_reply_provider(void)
{
	return (nghttp2_data_provider){ .read_callback = on_read };
}

/* ---- set up ---------------------------------------------------------------------------------- */

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

/* The limits of nghttp2 against floods stand as they are: CONTINUATION, SETTINGS, acknowledgements,
 * and resets by the client. */
static void set_up(void)
{
	if (nghttp2_option_new(&options))
		return;
	nghttp2_option_set_no_auto_window_update(options, 1);
	nghttp2_option_set_no_closed_streams(options, 1);
	if (nghttp2_session_callbacks_new(&callbacks))
		return;
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
}

nghttp2_session *h2_session_new(struct h2 *h2)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	nghttp2_session *session;

	(void)pthread_once(&once, set_up);
	if (!callbacks || !options || nghttp2_session_server_new2(&session, callbacks, h2, options))
		return NULL;
	return session;
}
