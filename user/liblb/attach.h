/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by what attaches (attach.c), what knows libxdp's answers (xdp.c) and what reports
 * (status.c). */
#ifndef LB_ATTACH_H
#define LB_ATTACH_H

#include <net/if.h>

#include <xdp/libxdp.h>

#include "internal.h"

/* The programs on an interface, to be closed with xdp_multiprog__close; NULL if there are none. */
struct xdp_multiprog *lb_xdp_get(__u32 ifindex);
/* Our program among them: alone, or the dispatcher's. NULL if it is not there. */
struct xdp_program *lb_xdp_find(const struct xdp_multiprog *programs, __u32 id);
/* is_native may be NULL. */
bool lb_xdp_is_running(const struct lb_port *port, bool *is_native);
/* Whether a program works on this instance's maps. */
bool lb_xdp_is_ours(const struct lb *lb, __u32 program_id);
/* A command killed between attaching and noting it leaves our program there, and no number. */
void lb_xdp_adopt(const struct lb *lb, struct lb_port *port);
/* Takes our programs but the port's own off its dispatcher: a replaced one, a killed command's. */
int lb_xdp_drop_others(const struct lb *lb, const struct lb_port *port, char *words);
/*
 * Loads the program by libxdp and attaches it in this mode, if need be one that leaves packets
 * their size, for a dispatcher that was not made for more; the port notes which it is. words has
 * LB_TEXT_SIZE bytes for the kernel's message.
 */
int lb_xdp_load(struct lb *lb, struct lb_port *port, enum xdp_attach_mode mode, char *words,
		struct lb_error *err);
/*
 * Puts this build's program in the place of another's, or at another priority (0: the same one).
 * replaced: the old program's id, 0 if it was good.
 */
int lb_xdp_replace(struct lb *lb, struct lb_port *port, __u32 priority, const char *ifname,
		   __u32 *replaced, struct lb_error *err);
/* -EBUSY if a program is there that nobody can join. */
int lb_xdp_check_foreign(const char *ifname, __u32 ifindex, struct lb_error *err);

__u32 lb_port_count(const struct lb *lb);
/* Its interface's name; true if that was removed, and then "if" and its number, as iproute2 has it.
 */
bool lb_port_name(const struct lb_port *port, char name[IF_NAMESIZE]);
void lb_port_describe(const struct lb_port *port, const char *ifname,
		      const struct lb_interface *interface, struct lb_attached *out);

#endif
