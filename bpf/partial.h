/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generic mode sees packets whose checksum somebody else is to finish: of senders on this machine
 * that leave it to the device, and of segments that GRO joined. The field then holds the folded sum
 * of the pseudo-header alone, which follows other addresses by another rule. Nothing tells XDP so
 * but the sum itself.
 */
#ifndef LB_PARTIAL_H
#define LB_PARTIAL_H

#include "lb_csum.h"
#include "walk.h"

#define LB_SUMMED_MAX 1536 /* bytes: what is longer than a usual frame is not summed up */

/* Of a packet that is parsed; as it stands in the field. */
LB_INLINE __u16 lb_pseudo_sum(const struct lb_packet *pkt, __u32 length)
{
	return lb_csum_fold((__u64)lb_csum_of(&pkt->src) + lb_csum_of(&pkt->dst) +
			    bpf_htons(length) + bpf_htons(pkt->proto));
}

/* The checksum field of a parsed packet, and in length what it is about; NULL of a fragment. */
LB_INLINE __u16 *lb_find_check(struct xdp_md *xdp, struct lb_packet *pkt, __u32 *length)
{
	const long walk = lb_walk_frame(xdp);
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	__u16 *check;

	if (walk < 0 || walk & LB_WALK_FIRST || lb_place(pkt, data, data_end, walk) ||
	    lb_parse(pkt))
		return NULL;
	*length = lb_length(pkt) - (LB_WALK_L4(walk) - LB_WALK_L3(walk));
	check = pkt->l4 + (pkt->proto == IPPROTO_TCP ? offsetof(struct tcphdr, check)
						     : offsetof(struct udphdr, check));
	return (void *)(check + 1) > data_end ? NULL : check;
}

/*
 * The sum over so many bytes; 0 if they are not all there, which no sum is that counts. The empty
 * assembly keeps clang 14 from reckoning with the end of the frame, which the verifier refuses.
 */
LB_INLINE __u16 lb_sum_bytes(const void *from, const void *end, __u32 length)
{
	const void *rest = from + (length & 0x7f8);
	__u64 sum = 0, last = 0;

	for (__u32 i = 0; i < 7 && i < (length & 7); i++) {
		const __u8 *byte = rest + i;

		asm volatile("" : "+r"(byte));
		if ((void *)(byte + 1) > end)
			return 0;
		last |= (__u64)*byte << 8 * i;
	}
	for (__u32 i = 0; i < LB_SUMMED_MAX / 8 && i < length / 8; i++) {
		const __u32 *words = from + i * 8;

		asm volatile("" : "+r"(words));
		if ((void *)(words + 2) > end)
			return 0;
		sum += (__u64)words[0] + words[1];
	}
	return lb_csum_fold((sum & 0xffffffff) + (sum >> 32) + (__u32)last + (last >> 32));
}

/*
 * Whether the checksum is still to be finished. One in 65,536 that are finished looks the same, so
 * the packet is summed up then.
 */
__noinline int lb_has_partial_sum(struct xdp_md *xdp)
{
	struct lb_packet pkt;
	__u32 length;
	const __u16 *check = lb_find_check(xdp, &pkt, &length);
	__u16 pseudo;

	if (!check)
		return 0;
	pseudo = lb_pseudo_sum(&pkt, length);
	if (*check != pseudo)
		return 0;
	if (length >= LB_SUMMED_MAX)
		return 1;
	return lb_csum_fold((__u32)pseudo + lb_sum_bytes(pkt.l4, pkt.end, length)) != 0xffff;
}

/* After the addresses were changed. */
__noinline int lb_renew_partial_sum(struct xdp_md *xdp)
{
	struct lb_packet pkt;
	__u32 length;
	__u16 *check = lb_find_check(xdp, &pkt, &length);

	if (check)
		*check = lb_pseudo_sum(&pkt, length);
	return 0;
}

#endif
