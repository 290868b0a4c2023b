/* SPDX-License-Identifier: GPL-2.0-only */
/* Outer headers around a frame, with lengths and checksums in full over the finished bytes. */
#ifndef TEST_WRAP_H
#define TEST_WRAP_H

#include "frame.h"

enum wrap_kind {
	WRAP_IPIP,
	WRAP_GUE,   /* variant 1: the packet behind the UDP header */
	WRAP_GUE_0, /* variant 0: four bytes between */
};

struct wrap {
	enum wrap_kind kind;
	bool is_v6; /* the outer packet */
	union lb_addr src, dst;
	__u16 src_port, dst_port;
	__u32 flow_label;
	__u8 tos, ttl;
	bool is_unchecked; /* UDP checksum 0 */
};

/* Bytes that wrapping adds. */
__u32 wrap_size(const struct wrap *wrap);
/* inner_v6: the family inside. The link header stays but for the type. out may not be inner. */
void wrap_frame(const struct wrap *wrap, const struct frame *inner, bool inner_v6,
		struct frame *out);

#endif
