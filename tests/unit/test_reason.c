// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of reasons: users, JSON and metrics take names and texts from it, so each must be unique
 * and well formed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "lb_abi.h"

struct reason {
	enum lb_reason number;
	const char *id, *name, *text;
	int verdict;
};

static const struct reason reasons[] = {
#define REASON_ROW(id, name, verdict, text) { LB_R_##id, #id, #name, text, verdict },
	LB_REASONS(REASON_ROW)
#undef REASON_ROW
};

#define REASONS (sizeof(reasons) / sizeof(*reasons))

static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(LB_R_NONE, 0);
	assert_int_equal(LB_R_COUNT, REASONS + 1);
	for (size_t i = 0; i < REASONS; i++)
		assert_int_equal(reasons[i].number, i + 1);
}

/* A name is its id in small letters: lower-case words joined by single underscores. */
static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < REASONS; i++) {
		const char *name = reasons[i].name;

		assert_int_equal(strlen(name), strlen(reasons[i].id));
		assert_in_range(strlen(name), 3, 24);
		for (size_t k = 0; name[k]; k++) {
			assert_true(islower(name[k]) || isdigit(name[k]) || name[k] == '_');
			assert_int_equal(toupper(name[k]), reasons[i].id[k]);
		}
		assert_true(islower(name[0]));
		assert_null(strstr(name, "__"));
		assert_int_not_equal(name[strlen(name) - 1], '_');
	}
}

static void test_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < REASONS; i++) {
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(reasons[i].name, reasons[k].name);
			assert_string_not_equal(reasons[i].text, reasons[k].text);
		}
	}
}

/* Each verdict is one of the three, and each of the three has a reason. */
static void test_verdicts(void **state)
{
	unsigned int seen = 0;

	(void)state;
	for (size_t i = 0; i < REASONS; i++) {
		assert_in_range(reasons[i].verdict, LB_SENT, LB_DROPPED);
		seen |= 1u << reasons[i].verdict;
	}
	assert_int_equal(seen, 1u << LB_SENT | 1u << LB_PASSED | 1u << LB_DROPPED);
}

/* A text fits one line of a table and needs no escaping in JSON or Prometheus. */
static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < REASONS; i++) {
		const char *text = reasons[i].text;

		assert_in_range(strlen(text), 8, 120);
		for (; *text; text++) {
			assert_in_range(*text, ' ', '~');
			assert_true(*text != '"' && *text != '\\');
		}
		assert_int_not_equal(text[-1], '.');
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_names),
		cmocka_unit_test(test_unique),	cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
