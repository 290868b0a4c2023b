// SPDX-License-Identifier: GPL-2.0-only
/* Words of a change: from JSON, through a message that nobody trusts, to the document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "edit/backend.h"
#include "edit/packed.h"

static const char *const names[] = { "service", "backend", NULL };

static int pack(struct packed *packed, const char *body, struct lb_error *err)
{
	return packed_from_json(packed, "backend set", names, body, strlen(body), err);
}

static void takes_words_of_json(void **state)
{
	char *list[PACKED_WORDS_MAX + 1];
	struct packed packed;
	struct lb_error err;

	(void)state;
	assert_int_equal(
		pack(&packed,
		     "{\"weight\": 2, \"backend\": \"192.0.2.1:80\", \"service\": \"web\", "
		     "\"server-id\": \"none\"}",
		     &err),
		0);
	assert_int_equal(packed_list(&packed, list), 0);
	assert_string_equal(list[0], "web");
	assert_string_equal(list[1], "192.0.2.1:80");
	assert_string_equal(list[2], "weight");
	assert_string_equal(list[3], "2");
	assert_string_equal(list[4], "server-id");
	assert_string_equal(list[5], "none");
	assert_null(list[6]);
	/* What is missing keeps its place. */
	assert_int_equal(pack(&packed, "{\"backend\": \"192.0.2.1\"}", &err), 0);
	assert_int_equal(packed_list(&packed, list), 0);
	assert_string_equal(list[0], "");
	assert_string_equal(list[1], "192.0.2.1");
	assert_null(list[2]);
}

static void refuses_other_json(void **state)
{
	static const struct {
		const char *body, *words;
		int ret;
	} cases[] = {
		{ "", "no JSON object", -EINVAL },
		{ "[]", "no JSON object", -EINVAL },
		{ "7", "no JSON object", -EINVAL },
		{ "{\"a\": 1} x", "no JSON object", -EINVAL },
		{ "{\"a\": 1, \"a\": 2}", "duplicate", -EINVAL },
		{ "{\"a\": \"\\u0000\"}", "no JSON object", -EINVAL },
		{ "{\"service\": 1}", "'service' is no text", -EINVAL },
		{ "{\"weight\": \"1\"}", "in quotes", -EINVAL },
		{ "{\"weight\": 1.0}", "neither", -EINVAL },
		{ "{\"weight\": true}", "neither", -EINVAL },
		{ "{\"weight\": null}", "neither", -EINVAL },
		{ "{\"weight\": {}}", "neither", -EINVAL },
		{ "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1}", "more in it",
		  -E2BIG },
	};
	struct packed packed;
	struct lb_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(pack(&packed, cases[i].body, &err), cases[i].ret);
		assert_non_null(strstr(err.text, cases[i].words));
	}
}

/* As it would come from a worker that somebody else has taken over. */
static void believes_no_message(void **state)
{
	char *list[PACKED_WORDS_MAX + 1];
	struct packed packed = { .count = 2, .length = 4, .text = "a\0b" };

	(void)state;
	assert_int_equal(packed_list(&packed, list), 0);
	packed.count = 3; /* more words than there are */
	assert_int_equal(packed_list(&packed, list), -EBADMSG);
	packed.count = 1; /* and fewer */
	assert_int_equal(packed_list(&packed, list), -EBADMSG);
	packed.count = 2;
	packed.length = 3; /* the last one does not end */
	assert_int_equal(packed_list(&packed, list), -EBADMSG);
	packed.length = 0;
	assert_int_equal(packed_list(&packed, list), -EBADMSG);
	packed.length = PACKED_SIZE + 1;
	assert_int_equal(packed_list(&packed, list), -EBADMSG);
	packed.length = PACKED_SIZE;
	packed.count = PACKED_WORDS_MAX + 1;
	assert_int_equal(packed_list(&packed, list), -EBADMSG);
	packed.count = ~0u;
	assert_int_equal(packed_list(&packed, list), -EBADMSG);
	memset(packed.text, 'x', sizeof(packed.text));
	packed.count = 1;
	assert_int_equal(packed_list(&packed, list), -EBADMSG);
}

static struct lb_config *make_config(void)
{
	struct lb_config *config = lb_config_new();
	struct lb_service_config service;
	struct lb_backend_config backend;

	lb_service_config_init(&service);
	strcpy(service.name, "web");
	service.proto = IPPROTO_TCP;
	assert_int_equal(lb_front_parse("203.0.113.10:80", &service, NULL), 0);
	assert_int_equal(lb_config_add_service(config, &service, NULL), 0);
	lb_backend_config_init(&backend);
	assert_int_equal(lb_addr_parse("192.0.2.1", &backend.addr), 0);
	for (backend.port = 5000; backend.port < 5002; backend.port++)
		assert_int_equal(lb_config_add_backend(config, config->services, &backend, NULL),
				 0);
	return config;
}

static int edit(struct lb_config *config, enum backend_action action, const char *const *list,
		char *text, struct lb_error *err)
{
	struct words words = { (char **)list, "backend x" };
	struct backend_edit change;

	return backend_edit_read(&change, action, &words, err)
		       ?: backend_edit_apply(&change, config, text, err);
}

#define WORDS(...) ((const char *[]){ __VA_ARGS__, NULL })

static void edits_the_document(void **state)
{
	struct lb_config *config = make_config();
	struct lb_service_config *web = config->services;
	char text[LB_ADDR_TEXT_SIZE];
	struct lb_error err;

	(void)state;
	assert_int_equal(
		edit(config, BACKEND_ADD, WORDS("web", "192.0.2.2", "weight", "3"), text, &err), 0);
	assert_string_equal(text, "192.0.2.2:80");
	assert_int_equal(web->backends[2].weight, 3);
	assert_int_equal(edit(config, BACKEND_DRAIN, WORDS("web", "192.0.2.2"), text, &err), 0);
	assert_true(web->backends[2].is_drained);
	assert_int_equal(edit(config, BACKEND_SET,
			      WORDS("web", "192.0.2.1:5001", "weight", "0", "mode", "dsr"), text,
			      &err),
			 0);
	assert_string_equal(text, "192.0.2.1:5001");
	assert_int_equal(web->backends[1].weight, 0);
	assert_int_equal(web->backends[1].mode, LB_MODE_DSR);
	assert_int_equal(web->backends[0].weight, 1);
	assert_int_equal(edit(config, BACKEND_READY, WORDS("web", "192.0.2.2:80"), text, &err), 0);
	assert_false(web->backends[2].is_drained);
	assert_int_equal(edit(config, BACKEND_DEL, WORDS("web", "192.0.2.1:5000"), text, &err), 0);
	assert_int_equal(web->backend_count, 2);
	assert_int_equal(web->backends[0].port, 5001);
	lb_config_free(config);
}

static void refuses_and_leaves_it(void **state)
{
	static const struct {
		enum backend_action action;
		const char *list[8];
		int ret;
	} cases[] = {
		{ BACKEND_ADD, { "web", "192.0.2.1:5000" }, -EEXIST },
		{ BACKEND_ADD, { "none", "192.0.2.1:5000" }, -ENOENT },
		{ BACKEND_ADD, { "web", "192.0.2.300" }, -EINVAL },
		{ BACKEND_ADD, { "web", "[2001:db8::1]:80" }, -EINVAL },
		{ BACKEND_ADD, { "web" }, -EINVAL },
		{ BACKEND_ADD, { "", "192.0.2.2" }, -EINVAL },
		{ BACKEND_ADD, { "web", "192.0.2.2", "weight", "65536" }, -EINVAL },
		{ BACKEND_ADD, { "web", "192.0.2.2", "weight", "1", "weight", "1" }, -EINVAL },
		{ BACKEND_SET, { "web", "192.0.2.1:5000" }, -EINVAL },
		{ BACKEND_SET, { "web", "192.0.2.1:5000", "weight" }, -EINVAL },
		{ BACKEND_SET, { "web", "192.0.2.1:5000", "speed", "1" }, -EINVAL },
		{ BACKEND_SET, { "web", "192.0.2.1:5002", "weight", "2" }, -ENOENT },
		{ BACKEND_DEL, { "web", "192.0.2.1" }, -ENOTUNIQ },
		{ BACKEND_DEL, { "web", "192.0.2.1:5000", "weight", "2" }, -EINVAL },
		{ BACKEND_DRAIN, { "web", "192.0.2.9" }, -ENOENT },
	};
	struct lb_config *config = make_config();
	char text[LB_ADDR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lb_error err = { 0 };

		assert_int_equal(edit(config, cases[i].action, cases[i].list, text, &err),
				 cases[i].ret);
		assert_true(err.text[0]);
		assert_null(strchr(err.text, '\n'));
		assert_int_equal(config->services[0].backend_count, 2);
	}
	lb_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_words_of_json),	 cmocka_unit_test(refuses_other_json),
		cmocka_unit_test(believes_no_message),	 cmocka_unit_test(edits_the_document),
		cmocka_unit_test(refuses_and_leaves_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
