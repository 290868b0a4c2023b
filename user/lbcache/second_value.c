// SPDX-License-Identifier: GPL-2.0-only
/* How a page is written to the second tier, and read back with distrust. */
#include "second_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lb_hash.h"
#include "liblb.h"

#define MAGIC "lbcache"
#define VERSION 1u
#define BUILD_SIZE 32

struct value_head {
	char magic[8];
	uint32_t version, kind;
	char build[BUILD_SIZE];
	uint64_t object_size;	  /* of the struct: other compilers may lay it out otherwise */
	uint64_t written_ms, len; /* wall clock; of what follows */
	uint64_t sum;		  /* of the head with 0 here, and what follows */
};

static uint64_t sum_of(uint64_t sum, const char *bytes, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum = lb_hash_mix(sum ^ word) + sizeof(word);
	}
	word = 0;
	memcpy(&word, bytes, len);
	return lb_hash_mix(sum ^ word) + len;
}

static uint64_t sum_value(const struct value_head *head, const char *rest)
{
	struct value_head plain = *head;

	plain.sum = 0;
	return sum_of(sum_of(0, (const char *)&plain, sizeof(plain)), rest, plain.len);
}

static char *allocate(enum second_kind kind, const struct second_time *now, size_t rest,
		      size_t *len)
{
	struct value_head head = { .magic = MAGIC,
				   .version = VERSION,
				   .kind = kind,
				   .build = LB_VERSION,
				   .object_size = sizeof(struct object),
				   .written_ms = now->wall_ms,
				   .len = rest };
	char *value = malloc(sizeof(head) + rest);

	if (!value)
		return NULL;
	memcpy(value, &head, sizeof(head));
	*len = sizeof(head) + rest;
	return value;
}

static char *finish(char *value)
{
	struct value_head head;

	memcpy(&head, value, sizeof(head));
	head.sum = sum_value(&head, value + sizeof(head));
	memcpy(value, &head, sizeof(head));
	return value;
}

char *second_pack(const struct object *object, const struct second_time *now, size_t *len)
{
	const size_t size = object_length(object);
	char *value = allocate(SECOND_PAGE, now, size, len);
	struct object plain = { .status = object->status,
				.must_revalidate = object->must_revalidate,
				.no_cache = object->no_cache,
				.is_open = object->is_open,
				.stored_at = object->stored_at,
				.born_ms = now->monotonic_ms - object->born_ms, /* its age */
				.fresh_until_ms = object->fresh_until_ms - now->monotonic_ms,
				.stale_while_ms = object->stale_while_ms,
				.stale_error_ms = object->stale_error_ms,
				.key = object->key,
				.vary_names = object->vary_names,
				.vary_values = object->vary_values,
				.status_line = object->status_line,
				.head = object->head,
				.brief = object->brief,
				.etag = object->etag,
				.last_modified = object->last_modified,
				.date = object->date,
				.content_type = object->content_type,
				.tags = object->tags,
				.body = object->body };

	if (!value)
		return NULL;
	memcpy(value + sizeof(struct value_head), &plain, sizeof(plain));
	memcpy(value + sizeof(struct value_head) + sizeof(plain), object->bytes,
	       size - sizeof(plain));
	return finish(value);
}

char *second_pack_names(struct text names, const struct second_time *now, size_t *len)
{
	char *value = allocate(SECOND_VARIES, now, names.len, len);

	if (!value)
		return NULL;
	memcpy(value + sizeof(struct value_head), names.at, names.len);
	return finish(value);
}

int second_look(const char *value, size_t len, enum second_kind *kind)
{
	struct value_head head;

	if (len < sizeof(head) || len > SECOND_VALUE_MAX + sizeof(head))
		return -EBADMSG;
	memcpy(&head, value, sizeof(head));
	if (memcmp(head.magic, MAGIC, sizeof(head.magic)) || head.version != VERSION ||
	    strncmp(head.build, LB_VERSION, BUILD_SIZE) ||
	    head.object_size != sizeof(struct object) || head.len != len - sizeof(head) ||
	    head.sum != sum_value(&head, value + sizeof(head)))
		return -EBADMSG;
	if (head.kind != SECOND_VARIES && head.kind != SECOND_PAGE)
		return -EBADMSG;
	*kind = (enum second_kind)head.kind;
	return 0;
}

static bool are_within(const struct object *object, size_t room)
{
	const struct piece pieces[] = {
		object->key,  object->vary_names,   object->vary_values, object->status_line,
		object->head, object->brief,	    object->etag,	 object->last_modified,
		object->date, object->content_type, object->tags,	 object->body
	};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		if (pieces[i].at > room || pieces[i].len > room - pieces[i].at)
			return false;
	return (size_t)object->body.at + object->body.len == room && object->key.len &&
	       object->status_line.len && object->status >= 200 && object->status <= 599;
}

int second_unpack(const char *value, size_t len, const struct second_time *now, struct object **out)
{
	const char *rest = value + sizeof(struct value_head);
	struct value_head head;
	struct object *object;
	uint64_t elapsed;

	memcpy(&head, value, sizeof(head));
	if (len < sizeof(head) + sizeof(*object))
		return -EBADMSG;
	/* Clocks of hosts differ a little; nothing is younger than it was. */
	elapsed = now->wall_ms > head.written_ms ? now->wall_ms - head.written_ms : 0;
	object = malloc(head.len);
	if (!object)
		return -ENOMEM;
	memcpy(object, rest, head.len);
	if (!are_within(object, head.len - sizeof(*object)) || object->is_mark ||
	    object->fresh_until_ms <= elapsed) {
		int ret = object->fresh_until_ms <= elapsed ? -ESTALE : -EBADMSG;

		free(object);
		return ret;
	}
	object->fresh_until_ms = now->monotonic_ms + object->fresh_until_ms - elapsed;
	object->born_ms = now->monotonic_ms - object->born_ms - elapsed;
	*out = object;
	return 0;
}

struct text second_names(const char *value, size_t len)
{
	return (struct text){ value + sizeof(struct value_head), len - sizeof(struct value_head) };
}
