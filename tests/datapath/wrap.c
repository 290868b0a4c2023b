// SPDX-License-Identifier: GPL-2.0-only
/* Wraps frames. Plain bytes and full sums, like frame.c. */
#include <string.h>

#include <linux/if_ether.h>

#include "wrap.h"

static void put16(__u8 *at, __u32 value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static __u32 add_bytes(__u32 sum, const __u8 *bytes, __u32 length)
{
	for (__u32 i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (__u32)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __u32 outer_size(const struct wrap *wrap)
{
	return wrap->is_v6 ? 40 : 20;
}

__u32 wrap_size(const struct wrap *wrap)
{
	static const __u32 behind[] = { [WRAP_IPIP] = 0, [WRAP_GUE] = 8, [WRAP_GUE_0] = 12 };

	return outer_size(wrap) + behind[wrap->kind];
}

static void put_outer(const struct wrap *wrap, __u8 *ip, __u8 proto, __u32 behind)
{
	if (wrap->is_v6) {
		ip[0] = 0x60 | wrap->tos >> 4;
		ip[1] = wrap->tos << 4 | wrap->flow_label >> 16;
		put16(ip + 2, wrap->flow_label);
		put16(ip + 4, behind);
		ip[6] = proto;
		ip[7] = wrap->ttl;
		memcpy(ip + 8, &wrap->src, 16);
		memcpy(ip + 24, &wrap->dst, 16);
		return;
	}
	ip[0] = 0x45;
	ip[1] = wrap->tos;
	put16(ip + 2, behind + 20);
	ip[6] = 0x40;
	ip[8] = wrap->ttl;
	ip[9] = proto;
	memcpy(ip + 12, &wrap->src.words[3], 4);
	memcpy(ip + 16, &wrap->dst.words[3], 4);
	put16(ip + 10, (__u16)~add_bytes(0, ip, 20));
}

static void put_udp(const struct wrap *wrap, __u8 *ip, __u8 *udp, __u32 length)
{
	__u32 sum;

	put16(udp, wrap->src_port);
	put16(udp + 2, wrap->dst_port);
	put16(udp + 4, length);
	if (wrap->is_unchecked)
		return;
	sum = wrap->is_v6 ? add_bytes(0, ip + 8, 32) : add_bytes(0, ip + 12, 8);
	sum = (__u16)~add_bytes(sum + IPPROTO_UDP + length, udp, length);
	put16(udp + 6, sum ? sum : 0xffff);
}

void wrap_frame(const struct wrap *wrap, const struct frame *inner, bool inner_v6,
		struct frame *out)
{
	const __u8 proto = inner_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	const __u32 size = wrap_size(wrap),
		    behind = inner->length - inner->l3 + size - outer_size(wrap);
	__u8 *ip;

	memset(out, 0, sizeof(*out));
	memcpy(out->data, inner->data, inner->l3);
	put16(out->data + inner->l3 - 2, wrap->is_v6 ? ETH_P_IPV6 : ETH_P_IP);
	memcpy(out->data + inner->l3 + size, inner->data + inner->l3, inner->length - inner->l3);
	out->length = inner->length + size;
	out->l3 = inner->l3;
	out->l4 = inner->l3 + outer_size(wrap);
	ip = out->data + out->l3;
	put_outer(wrap, ip, wrap->kind == WRAP_IPIP ? proto : IPPROTO_UDP, behind);
	if (wrap->kind == WRAP_GUE_0)
		out->data[out->l4 + 9] = proto;
	if (wrap->kind != WRAP_IPIP)
		put_udp(wrap, ip, out->data + out->l4, behind);
}
