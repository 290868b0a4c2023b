/* SPDX-License-Identifier: GPL-2.0-only */
/* One bucket of a look-up table. What is found is believed only when the full key was compared. */
#ifndef LB_LOOKUP_H
#define LB_LOOKUP_H

#include "maps.h"

/* What stands in the look-up table of this word: LB_IS_* | number, or 0. */
LB_INLINE __u32 lb_look_up_by(__u64 word, enum lb_lookup table, const union lb_addr *addr,
			      __be16 port, __u8 proto)
{
	const struct lb_hash_key key = lb_key_copy(&lb_flow_key);
	const __u32 tag = lb_hash_lookup(&key, addr, port, proto, LB_LOOKUP_SEED(word));
	__u32 index = tag & LB_LOOKUP_MASK(word);
	const struct lb_bucket *bucket;
	__u32 value = 0;

	if (LB_LOOKUP_HALF(word))
		index += lb_bucket_half[table];
	bucket = table == LB_LOOKUP_SERVICES ? bpf_map_lookup_elem(&lb_service_hash, &index)
					     : bpf_map_lookup_elem(&lb_backend_hash, &index);
	if (!bucket)
		return 0;
#pragma unroll
	for (int i = 0; i < LB_BUCKET_ENTRIES; i++) {
		if (bucket->entry[i].tag == tag)
			value = bucket->entry[i].value;
	}
	return value;
}

/* In the table that is in force. */
LB_INLINE __u32 lb_look_up(const struct lb_control *control, enum lb_lookup table,
			   const union lb_addr *addr, __be16 port, __u8 proto)
{
	const __u64 word = *(const volatile __u64 *)&control->lookup[table];

	return lb_look_up_by(word, table, addr, port, proto);
}

#endif
