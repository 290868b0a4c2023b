// SPDX-License-Identifier: GPL-2.0-only
/* A service's rules as the keeper tells them, made what requests are judged by. */
#include "join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "liblb.h"

_Static_assert(PREFIX_SIZE == LB_CACHE_PREFIX_SIZE, "paths are as long as the document's");
_Static_assert(POLICY_DROP_SIZE == LB_CACHE_DROP_SIZE, "names are as long as the document's");
_Static_assert(RULES_MAX >= LB_CACHE_RULES_MAX, "there are as many as in the document");

static int compare_rules(const void *a, const void *b)
{
	const struct rule *left = a, *right = b;

	return (left->prefix_len < right->prefix_len) - (left->prefix_len > right->prefix_len);
}

/* Where the rule does not say it, it is as the policy has it. */
static uint32_t said(const struct lb_cache_rule *rule, enum lb_cache_option option,
		     uint32_t standard)
{
	return rule->said & 1u << option ? rule->value[option] : standard;
}

static void fill_policy(struct policy *policy, const struct lb_cache_rule *rule)
{
	policy->is_pass = rule->is_pass;
	policy->ttl = said(rule, LB_CACHE_TTL, policy->ttl);
	policy->negative_ttl = said(rule, LB_CACHE_NEGATIVE, policy->negative_ttl);
	policy->stale_while = said(rule, LB_CACHE_STALE, policy->stale_while);
	policy->stale_error = said(rule, LB_CACHE_STALE_ERROR, policy->stale_error);
	policy->is_cookie_ignored = said(rule, LB_CACHE_COOKIE, policy->is_cookie_ignored);
	policy->is_set_cookie_cut = said(rule, LB_CACHE_SET_COOKIE, policy->is_set_cookie_cut);
	policy->is_query_sorted = said(rule, LB_CACHE_QUERY, policy->is_query_sorted);
	policy->is_alone = !said(rule, LB_CACHE_COLLAPSE, !policy->is_alone);
	if (rule->said & 1u << LB_CACHE_QUERY_DROP)
		memcpy(policy->query_drop, rule->query_drop, sizeof(policy->query_drop));
}

static void fill_rules(struct rules *rules, const struct policy *standard,
		       const struct view_service *view, const struct lb_cache_rule *list)
{
	rules->standard = *standard;
	rules->standard.ttl = view->ttl_s;
	for (unsigned int i = 0; i < view->rule_count && i < RULES_MAX; i++) {
		struct rule *rule = &rules->rule[rules->count++];

		rule_set_prefix(rule, list[i].prefix);
		rule->policy = rules->standard;
		fill_policy(&rule->policy, &list[i]);
	}
	qsort(rules->rule, rules->count, sizeof(rules->rule[0]), compare_rules);
}

/* Old rules stay, since requests under way hold them: one set for each change by the operator. */
int join_take_rules(struct service *service, const struct policy *standard,
		    const struct view_service *view, const struct lb_cache_rule *list)
{
	struct rules *rules = calloc(1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	fill_rules(rules, standard, view, list);
	if (service->rules && !memcmp(service->rules, rules, sizeof(*rules)))
		free(rules);
	else
		service->rules = rules;
	return 0;
}
