// SPDX-License-Identifier: GPL-2.0-only
/*
 * A command's transaction: open, lock, read the intent, edit it, commit. And finding in the intent
 * what the words name.
 */
#include <errno.h>
#include <string.h>

#include "lbctl.h"

int session_begin(struct session *session, const struct lbctl *ctl, bool is_change)
{
	int ret;

	*session = (struct session){ .ctl = ctl };
	ret = lb_open(&session->lb, ctl->netns, &session->err);
	if (!ret && is_change)
		ret = lb_lock(session->lb, &session->err);
	if (!ret)
		ret = lb_read_intent(session->lb, &session->config, &session->err);
	return ret ? refuse_error(&session->err) : EXIT_OK;
}

int session_commit(struct session *session)
{
	if (lb_commit(session->lb, session->config, &session->err))
		return refuse_error(&session->err);
	if (!lb_is_loaded(session->lb))
		note(session->ctl, "nothing is attached: this takes effect at 'lbctl attach IF'");
	return EXIT_OK;
}

int session_change(struct session *session, const char *action, const char *service,
		   const char *backend)
{
	int code = session_commit(session);

	if (code || !session->ctl->is_json)
		return code;
	return print_json(json_pack("[{s:s, s:s, s:s?}]", "action", action, "service", service,
				    "backend", backend));
}

void session_end(struct session *session)
{
	const char *text;

	while (session->lb && (text = lb_next_notice(session->lb)))
		note(session->ctl, "%s", text);
	lb_config_free(session->config);
	lb_close(session->lb);
}

int session_find_service(struct session *session, const char *name, struct lb_service_config **out)
{
	*out = lb_config_find_service(session->config, name);
	if (*out)
		return EXIT_OK;
	return refuse("service %s does not exist; 'lbctl service list' shows those that do", name);
}

/* The backend with this address, if there is one only. */
static int find_by_address(struct lb_service_config *service, const union lb_addr *addr,
			   struct lb_backend_config **out)
{
	struct lb_backend_config *found = NULL;
	char first[LB_ADDR_TEXT_SIZE], second[LB_ADDR_TEXT_SIZE];

	for (unsigned int i = 0; i < service->backend_count; i++) {
		struct lb_backend_config *backend = &service->backends[i];

		if (!lb_addr_is_equal(&backend->addr, addr))
			continue;
		if (found)
			return refuse(
				"backend %s is in service %s more than once (%s, %s); name "
				"the port too",
				lb_addr_format(addr, (char[LB_ADDR_TEXT_SIZE]){ 0 }), service->name,
				lb_endpoint_format(addr, lb_backend_port(service, found), first),
				lb_endpoint_format(addr, lb_backend_port(service, backend),
						   second));
		found = backend;
	}
	*out = found;
	return EXIT_OK;
}

int session_find_backend(struct lb_service_config *service, const char *text,
			 struct lb_backend_config **out)
{
	struct lb_error err;
	union lb_addr addr;
	bool has_port;
	__u16 port;
	int code = EXIT_OK;

	if (lb_endpoint_parse(text, &addr, &port, &has_port, &err))
		return refuse_usage("backend: %s", err.text);
	*out = NULL;
	if (has_port)
		*out = lb_config_find_backend(service, &addr, port);
	else
		code = find_by_address(service, &addr, out);
	if (code || *out)
		return code;
	return refuse("backend %s is not in service %s; 'lbctl backend list %s' shows those that "
		      "are",
		      text, service->name, service->name);
}

void session_note_slots(const struct lbctl *ctl, const struct lb_config *config, const char *name)
{
	for (unsigned int i = 0; i < config->service_count; i++) {
		const struct lb_service_config *service = &config->services[i];
		__u32 wanted = lb_slots_wanted(service->backend_count);

		if ((name && strcmp(name, service->name)) || (wanted && wanted <= service->slots))
			continue;
		if (wanted)
			note(ctl,
			     "service %s: %u slots spread %u backends coarser than 1 %%; make it "
			     "anew with 'slots %u'",
			     service->name, service->slots, service->backend_count, wanted);
		else
			note(ctl,
			     "service %s: %u backends are more than any table spreads within 1 %%",
			     service->name, service->backend_count);
	}
}

int session_stats(struct session *session, struct lb_stats **out)
{
	int ret = lb_get_stats(session->lb, out, &session->err);

	if (ret == -ENOTCONN) {
		*out = NULL;
		return EXIT_OK;
	}
	return ret ? refuse_error(&session->err) : EXIT_OK;
}

int session_need_stats(struct session *session, struct lb_stats **out)
{
	int code = session_stats(session, out);

	if (!code && !*out)
		return refuse("nothing is attached, so there are no live figures; attach an "
			      "interface with 'lbctl attach IF'");
	return code;
}
