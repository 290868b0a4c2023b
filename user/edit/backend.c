// SPDX-License-Identifier: GPL-2.0-only
/* A backend's words and what they change in the document. It is put into force by who asked. */
#include "backend.h"

#include <errno.h>
#include <string.h>

static int take_weight(void *into, const char *value)
{
	struct lb_backend_config *backend = into;
	__u32 weight;
	int ret = word_number(value, 0, 65535, &weight);

	if (!ret)
		backend->weight = (__u16)weight;
	return ret;
}

static int take_mode(void *into, const char *value)
{
	struct lb_backend_config *backend = into;

	if (strcmp(value, "inherit"))
		return lb_mode_parse(value, &backend->mode);
	backend->mode = LB_MODE_INHERIT;
	return 0;
}

static int take_server_id(void *into, const char *value)
{
	struct lb_backend_config *backend = into;

	backend->server_id = 0;
	backend->has_server_id = strcmp(value, "none") != 0;
	return backend->has_server_id ? word_number(value, 0, 0xffffffffu, &backend->server_id) : 0;
}

static const struct setting settings[] = {
	{ "weight", "a number from 0 to 65535", take_weight },
	{ "mode", "fullnat, nat, local, dsr, ipip, gue or inherit", take_mode },
	{ "server-id", "a number from 0 to 4294967295, or 'none'", take_server_id },
	{ 0 },
};

const char *backend_action_name(enum backend_action action)
{
	static const char *const names[] = {
		[BACKEND_ADD] = "add",	   [BACKEND_SET] = "set", [BACKEND_DRAIN] = "drain",
		[BACKEND_READY] = "ready", [BACKEND_DEL] = "del",
	};

	return names[action];
}

int backend_edit_read(struct backend_edit *edit, enum backend_action action, struct words *words,
		      struct lb_error *err)
{
	const bool has_settings = action == BACKEND_ADD || action == BACKEND_SET;
	struct lb_backend_config *backend = &edit->backend;
	struct lb_error why;
	int ret = words_require(words, "the service's name", &edit->service, err)
			  ?: words_require(words, "the backend's address", &edit->address, err);

	if (ret)
		return ret;
	edit->action = action;
	edit->settings = words->next;
	lb_backend_config_init(backend);
	if (lb_endpoint_parse(edit->address, &backend->addr, &backend->port, &edit->has_port, &why))
		return lb_fail(err, -EINVAL, "%s: %s", words->object, why.text);
	if (action == BACKEND_SET && !*words->next)
		return lb_fail(err, -EINVAL,
			       "%s: nothing to change is named, expected weight N, mode M or "
			       "server-id N",
			       words->object);
	return has_settings ? words_pairs(words, settings, backend, err) : words_finish(words, err);
}

int edit_find_service(struct lb_config *config, const char *name, struct lb_service_config **out,
		      struct lb_error *err)
{
	struct lb_service_config *found = lb_config_find_service(config, name);

	if (!found)
		return lb_fail(err, -ENOENT,
			       "service %s does not exist; 'lbctl service list' shows those that "
			       "do",
			       name);
	*out = found;
	return 0;
}

/* The backend with this address, if there is one only; NULL: there is none. */
static int find_by_address(struct lb_service_config *service, const union lb_addr *addr,
			   struct lb_backend_config **out, struct lb_error *err)
{
	struct lb_backend_config *found = NULL;
	char first[LB_ADDR_TEXT_SIZE], second[LB_ADDR_TEXT_SIZE], plain[LB_ADDR_TEXT_SIZE];

	for (unsigned int i = 0; i < service->backend_count; i++) {
		struct lb_backend_config *backend = &service->backends[i];

		if (!lb_addr_is_equal(&backend->addr, addr))
			continue;
		if (found)
			return lb_fail(
				err, -ENOTUNIQ,
				"backend %s is in service %s more than once (%s, %s); name "
				"the port too",
				lb_addr_format(addr, plain), service->name,
				lb_endpoint_format(addr, lb_backend_port(service, found), first),
				lb_endpoint_format(addr, lb_backend_port(service, backend),
						   second));
		found = backend;
	}
	*out = found;
	return 0;
}

static int find_backend(const struct backend_edit *edit, struct lb_service_config *service,
			struct lb_backend_config **out, struct lb_error *err)
{
	const struct lb_backend_config *named = &edit->backend;
	struct lb_backend_config *found = NULL;
	int ret = 0;

	if (edit->has_port)
		found = lb_config_find_backend(service, &named->addr, named->port);
	else
		ret = find_by_address(service, &named->addr, &found, err);
	if (!ret && !found)
		ret = lb_fail(err, -ENOENT,
			      "backend %s is not in service %s; 'lbctl backend list %s' shows "
			      "those that are",
			      edit->address, service->name, service->name);
	if (!ret)
		*out = found;
	return ret;
}

static int change(const struct backend_edit *edit, struct lb_service_config *service,
		  struct lb_backend_config *backend, struct lb_error *err)
{
	struct words words = { edit->settings, "backend set" };

	if (edit->action == BACKEND_SET)
		return words_pairs(&words, settings, backend, err);
	if (edit->action == BACKEND_DEL)
		lb_config_del_backend(service, backend);
	else
		backend->is_drained = edit->action == BACKEND_DRAIN;
	return 0;
}

int backend_edit_apply(const struct backend_edit *edit, struct lb_config *config,
		       char text[LB_ADDR_TEXT_SIZE], struct lb_error *err)
{
	const struct lb_backend_config *named = &edit->backend;
	struct lb_backend_config *backend = NULL;
	struct lb_service_config *service;
	int ret = edit_find_service(config, edit->service, &service, err);

	if (!ret && edit->action == BACKEND_ADD)
		ret = lb_config_add_backend(config, service, named, err);
	else if (!ret)
		ret = find_backend(edit, service, &backend, err);
	if (ret)
		return ret;
	if (backend)
		named = backend;
	(void)lb_endpoint_format(&named->addr, lb_backend_port(service, named), text);
	return backend ? change(edit, service, backend, err) : 0;
}
