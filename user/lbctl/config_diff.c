// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two documents compared by their JSON: what is not in both is added or removed, and a changed key
 * is named with both values.
 */
#include "config_diff.h"

#include <stdio.h>
#include <string.h>

#include "lbctl.h"

struct diff {
	json_t *changes;
	const char *service, *backend; /* at hand; NULL outside */
	const char *part;	       /* of the document, outside of services */
	const char *section;	       /* before keys that need it to be understood; "" */
};

static void add_change(struct diff *diff, const char *action, const char *what)
{
	(void)json_array_append_new(diff->changes,
				    json_pack("{s:s, s:s, s:s?, s:s?, s:s}", "action", action,
					      "part", diff->part, "service", diff->service,
					      "backend", diff->backend, "what", what));
}

/* Objects of an array by the text of one key. */
static json_t *index_by(const json_t *array, const char *key)
{
	json_t *index = json_object(), *item;
	size_t i;

	json_array_foreach(array, i, item)(void)
		json_object_set(index, json_string_value(json_object_get(item, key)), item);
	return index;
}

/* One value as a short text: 80, fullnat, false, 192.0.2.1,192.0.2.2 */
static void value_text(const json_t *value, char *buf, size_t size)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	size_t len = 0;

	for (const char *c = text ? text : ""; *c && len + 1 < size; c++) {
		if (!strchr("[]{}\"", *c) || json_is_string(value))
			buf[len++] = *c;
	}
	buf[len] = '\0';
	if (json_is_string(value))
		(void)snprintf(buf, size, "%s", json_string_value(value));
	if (!buf[0])
		(void)snprintf(buf, size, "none");
	free(text);
}

static void compare_values(struct diff *diff, json_t *now, json_t *then);

/* Within the cache, and within a rule of it, keys need its name: "cache /static/ ttl". */
static void compare_section(struct diff *diff, const char *key, json_t *now, json_t *then)
{
	const char *outer = diff->section;
	char section[LB_CACHE_PREFIX_SIZE + sizeof("cache  ")];

	(void)snprintf(section, sizeof(section), "%s%s ", outer, key);
	if (!strcmp(key, "cache") || key[0] == '/')
		diff->section = section;
	compare_values(diff, now, then);
	diff->section = outer;
}

/* The keys that are plain values; lists of objects are compared by their own function. */
static void compare_values(struct diff *diff, json_t *now, json_t *then)
{
	char before[256], after[256], what[900];
	const char *key;
	json_t *value;

	json_object_foreach(then, key, value)
	{
		json_t *old = json_object_get(now, key);

		if (json_equal(old, value) || !strcmp(key, "backends"))
			continue;
		if (json_is_object(value)) {
			compare_section(diff, key, old, value);
			continue;
		}
		value_text(old, before, sizeof(before));
		value_text(value, after, sizeof(after));
		(void)snprintf(what, sizeof(what), "%s%s %s -> %s", diff->section, key, before,
			       after);
		add_change(diff, "change", what);
	}
	json_object_foreach(now, key, value)
	{
		if (json_object_get(then, key))
			continue;
		if (json_is_object(value)) {
			compare_section(diff, key, value, NULL);
			continue;
		}
		value_text(value, before, sizeof(before));
		(void)snprintf(what, sizeof(what), "%s%s %s -> none", diff->section, key, before);
		add_change(diff, "change", what);
	}
}

static void compare_backends(struct diff *diff, const json_t *now, const json_t *then)
{
	json_t *before = index_by(now, "address"), *after = index_by(then, "address"), *backend;
	const char *address;
	char what[64];

	json_object_foreach(before, address, backend)
	{
		diff->backend = address;
		if (!json_object_get(after, address))
			add_change(diff, "remove", "");
	}
	json_object_foreach(after, address, backend)
	{
		json_t *old = json_object_get(before, address);

		diff->backend = address;
		(void)snprintf(what, sizeof(what), "weight %" JSON_INTEGER_FORMAT,
			       json_integer_value(json_object_get(backend, "weight")));
		if (old)
			compare_values(diff, old, backend);
		else
			add_change(diff, "add", what);
	}
	diff->backend = NULL;
	json_decref(before);
	json_decref(after);
}

static void add_service(struct diff *diff, const char *action, const json_t *service)
{
	char what[128];

	(void)snprintf(what, sizeof(what), "%s %s",
		       json_string_value(json_object_get(service, "protocol")),
		       json_string_value(json_object_get(service, "address")));
	add_change(diff, action, what);
}

static void compare_services(struct diff *diff, const json_t *now, const json_t *then)
{
	json_t *before = index_by(now, "name"), *after = index_by(then, "name"), *service;
	json_t *none = json_array();
	const char *name;

	json_object_foreach(before, name, service)
	{
		diff->service = name;
		if (!json_object_get(after, name))
			add_service(diff, "remove", service);
	}
	json_object_foreach(after, name, service)
	{
		json_t *old = json_object_get(before, name);

		diff->service = name;
		if (old)
			compare_values(diff, old, service);
		else
			add_service(diff, "add", service);
		compare_backends(diff, old ? json_object_get(old, "backends") : none,
				 json_object_get(service, "backends"));
	}
	diff->service = NULL;
	json_decref(none);
	json_decref(before);
	json_decref(after);
}

json_t *config_diff(const struct lb_config *now, const struct lb_config *then)
{
	json_t *before = config_json(now), *after = config_json(then);
	static const char *const parts[] = { "limits", "cache" };
	struct diff diff = { .changes = json_array(), .section = "" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		diff.part = parts[i];
		compare_values(&diff, json_object_get(before, diff.part),
			       json_object_get(after, diff.part));
	}
	diff.part = "services";
	compare_services(&diff, json_object_get(before, "services"),
			 json_object_get(after, "services"));
	json_decref(before);
	json_decref(after);
	return diff.changes;
}

int config_diff_print(const json_t *changes)
{
	json_t *change;
	size_t i;

	if (!changes)
		return refuse("out of memory");
	json_array_foreach(changes, i, change)
	{
		const char *action = json_string_value(json_object_get(change, "action"));
		const char *part = json_string_value(json_object_get(change, "part"));
		const char *service = json_string_value(json_object_get(change, "service"));
		const char *backend = json_string_value(json_object_get(change, "backend"));
		const char *what = json_string_value(json_object_get(change, "what"));

		(void)printf("%c %s%s%s%s%s%s\n",
			     action[0] == 'a'	? '+'
			     : action[0] == 'r' ? '-'
						: '~',
			     service ? "service " : part, service ? service : "",
			     backend ? " backend " : "", backend ? backend : "",
			     what[0] ? ": " : "", what);
	}
	if (json_array_size(changes) == 0)
		(void)printf("no difference\n");
	return EXIT_OK;
}
