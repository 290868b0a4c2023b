// SPDX-License-Identifier: GPL-2.0-only
/*
 * A command's transaction: open, lock, read the intent, edit it, commit. And finding in the intent
 * what the words name.
 */
#include <errno.h>
#include <string.h>

#include "edit/backend.h"
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
	return print_json(change_json(action, service, backend));
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
	return edit_find_service(session->config, name, out, &session->err)
		       ? refuse_error(&session->err)
		       : EXIT_OK;
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
