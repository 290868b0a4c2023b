// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host's end of a tagged link, at clsact, for kernels without VLAN devices: what the host sends
 * gets one tag or two (IEEE 802.1Q, 802.1ad), and what it receives loses exactly those. What comes
 * untagged or with others is dropped. XDP, which is before, sees the tags.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define OUTER_ID 20
#define INNER_ID 10
#define ID_MASK 0x0fff

static __always_inline int pop(struct __sk_buff *skb, __u32 id)
{
	if (!skb->vlan_present || (skb->vlan_tci & ID_MASK) != id)
		return TC_ACT_SHOT;
	return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("tc/tag")
int lab_tag(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), INNER_ID) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc/untag")
int lab_untag(struct __sk_buff *skb)
{
	return pop(skb, INNER_ID);
}

SEC("tc/tag2")
int lab_tag2(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), INNER_ID))
		return TC_ACT_SHOT;
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), OUTER_ID) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc/untag2")
int lab_untag2(struct __sk_buff *skb)
{
	int err = pop(skb, OUTER_ID);

	return err == TC_ACT_UNSPEC ? pop(skb, INNER_ID) : err;
}

char lab_license[] SEC("license") = "GPL";
