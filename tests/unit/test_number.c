// SPDX-License-Identifier: GPL-2.0-only
/* Numbers and tables as people see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "common/number.h"
#include "common/table.h"

static void parses_strictly(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1k", "1.0" };
	uint64_t number = 7;

	(void)state;
	assert_int_equal(number_parse("65535", 0, 65535, &number), 0);
	assert_int_equal(number, 65535);
	assert_int_equal(number_parse("65536", 0, 65535, &number), -ERANGE);
	assert_int_equal(number_parse("18446744073709551615", 0, UINT64_MAX, &number), 0);
	assert_int_equal(number_parse("18446744073709551616", 0, UINT64_MAX, &number), -ERANGE);
	number = 7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(number_parse(bad[i], 0, UINT64_MAX, &number), -EINVAL);
	assert_int_equal(number, 7);
}

static void writes_for_people(void **state)
{
	char buf[NUMBER_TEXT_SIZE];

	(void)state;
	assert_string_equal(number_group(0, buf), "0");
	assert_string_equal(number_group(999, buf), "999");
	assert_string_equal(number_group(1000, buf), "1,000");
	assert_string_equal(number_group(9812331002, buf), "9,812,331,002");
	assert_string_equal(number_group(UINT64_MAX, buf), "18,446,744,073,709,551,615");
	assert_string_equal(number_bytes(1023, buf), "1023");
	assert_string_equal(number_bytes(1024, buf), "1.0K");
	assert_string_equal(number_bytes(10239, buf), "10K");
	assert_string_equal(number_bytes(213909504, buf), "204M");
	assert_string_equal(number_bytes(1048575, buf), "1.0M");
	assert_string_equal(number_bytes(UINT64_MAX, buf), "16E");
	assert_string_equal(number_share(1, 3, buf), "33.3%");
	assert_string_equal(number_share(1, 65537, buf), "0.002%");
	assert_string_equal(number_share(0, 0, buf), "0.0%");
	assert_string_equal(number_duration(1234, buf), "1.2s");
	assert_string_equal(number_duration(200000, buf), "3m20s");
	assert_string_equal(number_duration(7500000, buf), "2h05m");
	assert_string_equal(number_duration(90000000, buf), "1d01h");
}

static void aligns_columns(void **state)
{
	struct table *table = table_new("NAME >COUNT HINT");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	table_cell(table, "a");
	table_cell(table, "%d", 1);
	table_cell(table, "x");
	table_cell(table, "longer");
	table_cell(table, "%d", 123456);
	table_cell(table, "a hint");
	assert_int_equal(table_print(table, out), 0);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "NAME     COUNT  HINT\n"
				  "a            1  x\n"
				  "longer  123456  a hint\n");
	free(text);
	table_free(table);
	table_cell(NULL, "nothing happens");
	assert_int_equal(table_print(NULL, stdout), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_strictly),
		cmocka_unit_test(writes_for_people),
		cmocka_unit_test(aligns_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
