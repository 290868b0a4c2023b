// SPDX-License-Identifier: GPL-2.0-only
/* Builds frames from descriptions. Plain bytes and full sums, as a reader of the RFCs would write
 * them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_ether.h>

#include "frame.h"

static __u64 random_state = 1;

/* SplitMix64 (Steele, Lea and Flood, 2014). */
__u64 test_random(void)
{
	__u64 z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void test_random_seed(__u64 seed)
{
	random_state = seed;
}

static void put16(__u8 *at, __u32 value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static __u32 sum_bytes(__u32 sum, const __u8 *bytes, __u32 length)
{
	for (__u32 i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (__u32)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Sum over the pseudo-header (RFC 793; RFC 8200, 8.1) and length bytes from l4 on. */
static __u16 transport_sum(const struct frame *frame, bool is_v6, __u8 proto, __u32 length)
{
	const __u8 *ip = frame->data + frame->l3;
	__u32 sum = is_v6 ? sum_bytes(0, ip + 8, 32) : sum_bytes(0, ip + 12, 8);

	sum += proto + length;
	return sum_bytes(sum, frame->data + frame->l4, length);
}

static bool is_icmp(__u8 proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

/* ICMP has no pseudo-header, ICMPv6 has one (RFC 4443, 2.3). */
static void put_icmp_sum(struct frame *frame, bool is_v6, __u32 length)
{
	__u8 *l4 = frame->data + frame->l4;

	put16(l4 + 2, 0);
	put16(l4 + 2, (__u16) ~(is_v6 ? transport_sum(frame, is_v6, IPPROTO_ICMPV6, length)
				      : sum_bytes(0, l4, length)));
}

static __u32 put_link(const struct spec *spec, struct frame *out)
{
	const __u16 type = spec->is_v6 ? ETH_P_IPV6 : ETH_P_IP;
	__u32 at = 12;

	memcpy(out->data, spec->eth_dst, ETH_ALEN);
	memcpy(out->data + ETH_ALEN, spec->eth_src, ETH_ALEN);
	for (int tag = 0; tag < spec->tags; tag++) {
		put16(out->data + at, tag == 0 && spec->tags > 1 ? ETH_P_8021AD : ETH_P_8021Q);
		put16(out->data + at + 2, 0x2064 + tag);
		at += 4;
	}
	put16(out->data + at, type);
	return at + 2;
}

static void put_v4(const struct spec *spec, struct frame *out)
{
	const __u32 header = 20 + spec->option_bytes;
	__u8 *ip = out->data + out->l3;

	ip[0] = 0x40 | header / 4;
	ip[1] = 0x10;
	put16(ip + 4, 0xbeef);
	put16(ip + 6, spec->fragment);
	ip[8] = spec->ttl;
	ip[9] = spec->proto;
	memcpy(ip + 12, &spec->src.words[3], 4);
	memcpy(ip + 16, &spec->dst.words[3], 4);
	memset(ip + 20, 1, spec->option_bytes); /* no-operation */
	out->l4 = out->l3 + header;
}

static void put_v6(const struct spec *spec, struct frame *out)
{
	__u8 *ip = out->data + out->l3;
	__u8 *next = ip + 6;

	ip[0] = 0x60;
	ip[1] = 0x12;
	ip[3] = 0x34;
	ip[7] = spec->ttl;
	memcpy(ip + 8, &spec->src, 16);
	memcpy(ip + 24, &spec->dst, 16);
	out->l4 = out->l3 + 40;
	for (int i = 0; i < spec->chain_length; i++) {
		__u8 *header = out->data + out->l4;
		const __u32 size = spec->chain[i] == IPPROTO_FRAGMENT ? 8 : 8 * (1 + i % 3);

		*next = spec->chain[i];
		next = header;
		if (spec->chain[i] == IPPROTO_FRAGMENT) {
			put16(header + 2, spec->fragment);
			put16(header + 6, 0x7777);
		} else {
			header[1] = size / 8 - 1;
			if (spec->chain[i] != IPPROTO_ROUTING) {
				header[2] = 1; /* PadN over the rest */
				header[3] = size - 4;
			}
		}
		out->l4 += size;
	}
	*next = spec->proto;
}

static __u32 put_transport(const struct spec *spec, struct frame *out)
{
	__u8 *l4 = out->data + out->l4;
	const bool is_tcp = spec->proto == IPPROTO_TCP;
	const __u32 header = is_tcp ? 20 + spec->tcp_option_bytes : 8;

	put16(l4, spec->src_port);
	put16(l4 + 2, spec->dst_port);
	if (is_icmp(spec->proto)) {
		put16(l4, spec->icmp);
		put16(l4 + 2, 0);
		put16(l4 + 4, 0x5eed); /* identifier, sequence number */
		put16(l4 + 6, 7);
	} else if (is_tcp) {
		put16(l4 + 6, 0x1001);
		l4[12] = 0x50 + spec->tcp_option_bytes * 4;
		memcpy(l4 + 20, spec->tcp_options, spec->tcp_option_bytes);
		l4[13] = spec->tcp_flags;
		put16(l4 + 14, 0xfaf0);
	} else {
		put16(l4 + 4, header + spec->payload);
	}
	for (__u32 i = 0; i < spec->payload; i++)
		l4[header + i] = (__u8)(i * 7 + 3);
	if (spec->payload >= 2)
		put16(l4 + header, spec->word);
	return header;
}

static void put_sums(const struct spec *spec, struct frame *out, __u32 transport)
{
	__u8 *ip = out->data + out->l3, *l4 = out->data + out->l4;
	const __u32 at = spec->proto == IPPROTO_TCP ? 16 : 6;
	__u16 sum;

	if (spec->is_v6) {
		put16(ip + 4, out->l4 - out->l3 - 40 + transport);
	} else {
		put16(ip + 2, out->l4 - out->l3 + transport);
		put16(ip + 10, (__u16)~sum_bytes(0, ip, out->l4 - out->l3));
	}
	if (is_icmp(spec->proto))
		put_icmp_sum(out, spec->is_v6, transport);
	if ((spec->proto != IPPROTO_TCP && spec->proto != IPPROTO_UDP) || spec->is_unchecked)
		return;
	sum = (__u16)~transport_sum(out, spec->is_v6, spec->proto, transport);
	put16(l4 + at, spec->proto == IPPROTO_UDP && !sum ? 0xffff : sum);
}

void frame_build(const struct spec *spec, struct frame *out)
{
	__u32 transport;

	memset(out, 0, sizeof(*out));
	out->l3 = put_link(spec, out);
	if (spec->is_v6)
		put_v6(spec, out);
	else
		put_v4(spec, out);
	transport = put_transport(spec, out) + spec->payload;
	out->length = out->l4 + transport;
	put_sums(spec, out, transport);
}

void frame_make_sum_zero(struct spec *spec)
{
	struct frame frame;
	const __u8 *check;

	spec->word = 0;
	frame_build(spec, &frame);
	check = frame.data + frame.l4 + (spec->proto == IPPROTO_TCP ? 16 : 6);
	spec->word = check[0] << 8 | check[1];
}

bool frame_is_sound(const struct frame *frame, bool is_v6, __u8 proto)
{
	const __u8 *ip = frame->data + frame->l3, *l4 = frame->data + frame->l4;
	const __u32 transport = is_v6 ? (ip[4] << 8 | ip[5]) - (frame->l4 - frame->l3 - 40)
				      : (ip[2] << 8 | ip[3]) - (frame->l4 - frame->l3);

	if (!is_v6 && sum_bytes(0, ip, frame->l4 - frame->l3) != 0xffff)
		return false;
	if (proto == IPPROTO_ICMP)
		return sum_bytes(0, l4, transport) == 0xffff;
	if (proto == IPPROTO_UDP && !l4[6] && !l4[7])
		return !is_v6;
	return transport_sum(frame, is_v6, proto, transport) == 0xffff;
}

void frame_build_error(const struct frame *in, bool is_v6, const union lb_addr *src, __u32 mtu,
		       struct frame *out)
{
	const __u8 *old = in->data + in->l3;
	const __u32 header = is_v6 ? 40 : 20, most = is_v6 ? 1280 : 576;
	__u32 length = is_v6 ? 40 + (old[4] << 8 | old[5]) : old[2] << 8 | old[3];
	__u8 *ip;

	if (length > in->length - in->l3)
		length = in->length - in->l3;
	if (length > most - header - 8)
		length = most - header - 8;
	length -= length % 4;
	memset(out, 0, sizeof(*out));
	memcpy(out->data, in->data, in->l3);
	memcpy(out->data, in->data + 6, 6);
	memcpy(out->data + 6, in->data, 6);
	out->l3 = in->l3;
	out->l4 = in->l3 + header;
	out->length = out->l4 + 8 + length;
	ip = out->data + out->l3;
	memcpy(ip + header + 8, old, length);
	if (is_v6) {
		ip[0] = 0x60;
		put16(ip + 4, 8 + length);
		ip[6] = IPPROTO_ICMPV6;
		ip[7] = 64;
		memcpy(ip + 8, src, 16);
		memcpy(ip + 24, old + 8, 16);
		ip[40] = mtu == FRAME_NOBODY ? 1 : mtu ? 2 : 3;
		ip[41] = mtu == FRAME_NOBODY ? 4 : 0;
	} else {
		ip[0] = 0x45;
		ip[1] = 0xc0;
		put16(ip + 2, out->length - out->l3);
		put16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = IPPROTO_ICMP;
		memcpy(ip + 12, &src->words[3], 4);
		memcpy(ip + 16, old + 12, 4);
		put16(ip + 10, (__u16)~sum_bytes(0, ip, 20));
		ip[20] = mtu ? 3 : 11;
		ip[21] = mtu == FRAME_NOBODY ? 3 : mtu ? 4 : 0;
	}
	put16(ip + header + 6, mtu == FRAME_NOBODY ? 0 : mtu);
	put_icmp_sum(out, is_v6, 8 + length);
}

void frame_build_quote(const struct spec *spec, const struct frame *quoted, __u32 length,
		       __u32 padding, struct frame *out)
{
	struct spec whole = *spec;

	whole.payload = length;
	frame_build(&whole, out);
	memcpy(out->data + out->l4 + 8, quoted->data + quoted->l3, length);
	put_icmp_sum(out, spec->is_v6, 8 + length);
	out->length += padding;
}

static void put_arp(const __u8 dst[6], const __u8 src[6], __u16 operation, struct frame *out)
{
	static const __u8 head[] = { 0, 1, 8, 0, 6, 4 };

	memset(out, 0, sizeof(*out));
	memcpy(out->data, dst, 6);
	memcpy(out->data + 6, src, 6);
	put16(out->data + 12, ETH_P_ARP);
	out->l3 = out->l4 = 14;
	memcpy(out->data + 14, head, sizeof(head));
	put16(out->data + 20, operation);
	out->length = 60; /* padded */
}

void frame_build_arp(const __u8 asker_mac[6], __be32 asker, __be32 target, struct frame *out)
{
	static const __u8 everyone[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	put_arp(everyone, asker_mac, 1, out);
	memcpy(out->data + 22, asker_mac, 6);
	memcpy(out->data + 28, &asker, 4);
	memcpy(out->data + 38, &target, 4);
}

void frame_build_arp_answer(const __u8 asker_mac[6], const __u8 mac[6], __be32 asker, __be32 target,
			    struct frame *out)
{
	put_arp(asker_mac, mac, 2, out);
	memcpy(out->data + 22, mac, 6);
	memcpy(out->data + 28, &target, 4);
	memcpy(out->data + 32, asker_mac, 6);
	memcpy(out->data + 38, &asker, 4);
}

static void put_nd(const __u8 src_mac[6], const union lb_addr *src, const union lb_addr *dst,
		   const union lb_addr *target, __u8 type, struct frame *out)
{
	__u8 *ip = out->data + 14;

	memset(out, 0, sizeof(*out));
	memcpy(out->data + 6, src_mac, 6);
	put16(out->data + 12, ETH_P_IPV6);
	out->l3 = 14;
	out->l4 = 54;
	out->length = 86;
	ip[0] = 0x60;
	ip[5] = 32;
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = 255;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
	ip[40] = type;
	memcpy(ip + 48, target, 16);
	ip[64] = type == 135 ? 1 : 2;
	ip[65] = 1;
	memcpy(ip + 66, src_mac, 6);
}

void frame_build_solicit(const __u8 asker_mac[6], const union lb_addr *asker,
			 const union lb_addr *target, struct frame *out)
{
	union lb_addr group = { .bytes = { 0xff, 2, [11] = 1, 0xff } };

	memcpy(group.bytes + 13, target->bytes + 13, 3);
	put_nd(asker_mac, asker, &group, target, 135, out);
	out->data[0] = out->data[1] = 0x33;
	memcpy(out->data + 2, group.bytes + 12, 4);
	put16(out->data + 56, (__u16)~transport_sum(out, true, IPPROTO_ICMPV6, 32));
}

void frame_build_advert(const __u8 asker_mac[6], const __u8 mac[6], const union lb_addr *asker,
			const union lb_addr *target, struct frame *out)
{
	put_nd(mac, target, asker, target, 136, out);
	memcpy(out->data, asker_mac, 6);
	out->data[58] = 0x60; /* solicited, override */
	put16(out->data + 56, (__u16)~transport_sum(out, true, IPPROTO_ICMPV6, 32));
}

static void print_frame(const char *name, const struct frame *frame, __u32 mark)
{
	printf("%s, %u bytes:", name, frame->length);
	for (__u32 i = 0; i < frame->length && i < 160; i++)
		printf("%s%s%02x", i % 16 ? "" : "\n  ", i == mark ? " >" : " ", frame->data[i]);
	printf("\n");
}

void frame_print_difference(const struct frame *got, const struct frame *wanted)
{
	__u32 at = 0;

	while (at < got->length && at < wanted->length && got->data[at] == wanted->data[at])
		at++;
	print_frame("got", got, at);
	print_frame("wanted", wanted, at);
}
