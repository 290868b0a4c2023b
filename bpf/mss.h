/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a SYN says of the largest segment that its sender takes (RFC 9293, 3.7.1), made smaller
 * where the service wants that. Only packets with SYN get here; one without the option or with
 * options that cannot be read stays as it is.
 */
#ifndef LB_MSS_H
#define LB_MSS_H

#include "lb_csum.h"
#include "partial.h"
#include "walk.h"

#define LB_TCP_OPTIONS_MAX 40
#define LB_TCP_OPTION_END 0
#define LB_TCP_OPTION_NOP 1
#define LB_TCP_OPTION_MSS 2
#define LB_TCP_OPTION_MSS_LENGTH 4

/* The offset of the MSS in the frame, or 0. */
LB_INLINE __u32 lb_find_mss(void *data, void *data_end, __u32 l4)
{
	const struct tcphdr *tcp = data + l4;
	__u32 at = l4 + sizeof(*tcp), end;

	if ((void *)(tcp + 1) > data_end)
		return 0;
	end = l4 + tcp->doff * 4;
	for (int i = 0; i < LB_TCP_OPTIONS_MAX; i++) {
		const __u8 *option = data + (at & 0x7ff);
		__u32 step;

		/* The shortest option that matters; what is shorter cannot be followed by it. */
		if (at + LB_TCP_OPTION_MSS_LENGTH > end ||
		    (void *)option + LB_TCP_OPTION_MSS_LENGTH > data_end ||
		    option[0] == LB_TCP_OPTION_END)
			return 0;
		if (option[0] == LB_TCP_OPTION_MSS)
			return option[1] == LB_TCP_OPTION_MSS_LENGTH ? at + 2 : 0;
		step = option[0] == LB_TCP_OPTION_NOP ? 1 : option[1];
		if (!step || (step == 1 && option[0] != LB_TCP_OPTION_NOP))
			return 0;
		/* Whatever the step was, the verifier sees one state. */
		at = (at + step) & 0x7ff;
		asm volatile("" : "+r"(at));
	}
	return 0;
}

/* The frame is a TCP packet with SYN, whose MSS becomes at most most. Global, as in flow.h. */
__noinline int lb_clamp_mss(struct xdp_md *xdp, __u32 most)
{
	const bool is_partial = lb_is_generic && lb_has_partial_sum(xdp);
	const long walk = lb_walk_frame(xdp);
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	const __u32 l4 = LB_WALK_L4(walk);
	struct tcphdr *tcp = data + l4;
	__u16 from, diff_from, diff_to;
	__u32 at;
	__u8 *mss;

	if (walk < 0 || LB_WALK_PROTO(walk) != IPPROTO_TCP || (void *)(tcp + 1) > data_end)
		return 0;
	at = lb_find_mss(data, data_end, l4);
	mss = data + (at & 0x7ff);
	if (!at || (void *)mss + 2 > data_end)
		return 0;
	from = mss[0] << 8 | mss[1];
	if (from <= most)
		return 0;
	mss[0] = most >> 8;
	mss[1] = most;
	/* What begins at an odd byte is in the sum with its bytes turned round (RFC 1071, 2 (B)).
	 */
	diff_from = (at - l4) & 1 ? from : bpf_htons(from);
	diff_to = (at - l4) & 1 ? most : bpf_htons(most);
	if (!is_partial)
		tcp->check = lb_csum_update(tcp->check, lb_csum_diff(diff_from, diff_to));
	return 0;
}

/*
 * Of a packet with SYN. room: what the way leaves to a segment inside of a tunnel; 0 in other
 * modes.
 */
LB_INLINE void lb_clamp_syn(const struct lb_ctx *ctx, __u32 room)
{
	__u32 most = ctx->service->mss;

	if (most == LB_MSS_AUTO)
		most = room;
	if (most)
		lb_clamp_mss(ctx->xdp, most);
}

#endif
