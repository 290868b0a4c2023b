// SPDX-License-Identifier: GPL-2.0-only
/* Which of the operator's rules a path meets, however it is written. */
#include "path.h"
#include "server.h"

#include <string.h>

void rule_set_prefix(struct rule *rule, const char *prefix)
{
	const struct text text = { prefix, strnlen(prefix, PREFIX_SIZE - 1) };

	memset(rule->prefix, 0, sizeof(rule->prefix));
	rule->prefix_len = path_normalise_prefix(text, rule->prefix);
}

static const struct policy *find(const struct rules *rules, struct text target)
{
	for (unsigned int i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rule[i];

		if (target.len >= rule->prefix_len &&
		    !memcmp(target.at, rule->prefix, rule->prefix_len))
			return &rule->policy;
	}
	return &rules->standard;
}

/* Which reading is the backend's nobody knows here: the one that passes is the safe one. */
const struct policy *rules_find(const struct rules *rules, struct text target)
{
	const struct policy *as_written = find(rules, target), *normal, *bare;
	char buf[HTTP_TARGET_MAX];

	if (!rules->count || as_written->is_pass || target.len > sizeof(buf) ||
	    !path_has_spellings(target))
		return as_written;
	normal = find(rules, (struct text){ buf, path_normalise(target, false, buf) });
	if (normal->is_pass)
		return normal;
	bare = find(rules, (struct text){ buf, path_normalise(target, true, buf) });
	return bare->is_pass ? bare : normal;
}
