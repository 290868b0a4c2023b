// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel says of an interface, and its forwarding switch. */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "internal.h"

static int read_interface(int fd, const char *ifname, struct lb_interface *out,
			  struct lb_error *err)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value gro = { .cmd = ETHTOOL_GGRO };
	struct ifreq request = {};

	strncpy(request.ifr_name, ifname, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFINDEX, &request))
		return lb_fail(err, -ENODEV, "interface %s does not exist: see 'ip link'", ifname);
	out->ifindex = request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		return lb_fail(err, -errno, "interface %s: %s", ifname, strerror(errno));
	out->is_up = request.ifr_flags & IFF_UP;
	if (ioctl(fd, SIOCGIFMTU, &request))
		return lb_fail(err, -errno, "interface %s: %s", ifname, strerror(errno));
	out->mtu = request.ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return lb_fail(err, -errno, "interface %s: %s", ifname, strerror(errno));
	if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return lb_fail(err, -EOPNOTSUPP,
			       "interface %s carries no Ethernet frames: attach to one that does",
			       ifname);
	memcpy(out->mac, request.ifr_hwaddr.sa_data, sizeof(out->mac));
	request.ifr_data = (void *)&driver;
	if (!ioctl(fd, SIOCETHTOOL, &request))
		memcpy(out->driver, driver.driver, sizeof(out->driver) - 1);
	request.ifr_data = (void *)&gro;
	out->has_gro = !ioctl(fd, SIOCETHTOOL, &request) && gro.data;
	return 0;
}

int lb_interface_get(const char *ifname, struct lb_interface *out, struct lb_error *err)
{
	struct lb_interface found = {};
	int fd, ret;

	if (strlen(ifname) >= IFNAMSIZ || !*ifname)
		return lb_fail(err, -ENODEV, "interface %s does not exist: see 'ip link'", ifname);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return lb_fail(err, -errno, "socket: %s", strerror(errno));
	ret = read_interface(fd, ifname, &found, err);
	close(fd);
	if (!ret)
		*out = found;
	return ret;
}

int lb_interface_read_switch(const char *path)
{
	FILE *file = fopen(path, "re");
	int value = -1;

	if (file) {
		if (fscanf(file, "%d", &value) != 1)
			value = -1;
		fclose(file);
	}
	return value;
}

bool lb_interface_switch(const char *path, int value)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return false;
	fprintf(file, "%d\n", value);
	return !fclose(file);
}

static bool turn_on(struct lb *lb, const char *ifname, const char *path, const char *what)
{
	const int value = lb_interface_read_switch(path);

	if (value != 0)
		return value > 0;
	if (!lb_interface_switch(path, 1)) {
		lb_notice(lb, "%s: %s is off and cannot be turned on", ifname, what);
		return false;
	}
	lb_notice(lb, "%s: turned %s on", ifname, what);
	return true;
}

/* A router ignores router advertisements unless told not to; keep what the host had. */
static void keep_router_advertisements(void)
{
	const struct if_nameindex *list = if_nameindex(), *each;
	char path[128];

	for (each = list; each && each->if_name; each++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", each->if_name);
		if (lb_interface_read_switch(path) == 1)
			lb_interface_switch(path, 2);
	}
	if (list)
		if_freenameindex((struct if_nameindex *)list);
}

/*
 * The kernel's routing answers XDP only for interfaces that forward. IPv4 has a switch an interface
 * that serves both XDP and the kernel. IPv6 needs the host's, for packets that are left to the
 * kernel, unless the kernel has force_forwarding (6.17). Nothing is switched in silence.
 */
void lb_interface_enable_forwarding(struct lb *lb, const char *ifname)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/forwarding", ifname);
	turn_on(lb, ifname, path, "IPv4 forwarding of this interface");
	if (lb_interface_read_switch("/proc/sys/net/ipv6/conf/all/forwarding") != 0)
		return;
	keep_router_advertisements();
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/force_forwarding", ifname);
	if (access(path, F_OK)) {
		turn_on(lb, ifname, "/proc/sys/net/ipv6/conf/all/forwarding",
			"IPv6 forwarding of the host");
		return;
	}
	turn_on(lb, ifname, path, "IPv6 forwarding of this interface (force_forwarding)");
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/forwarding", ifname);
	if (lb_interface_read_switch(path) == 0)
		lb_interface_switch(path, 1);
}

/*
 * A service's address that is local to this host is also the source of replies that XDP leaves to
 * the kernel, which takes them for martians unless told not to (IPv4 only;
 * tests/e2e/cache_join.sh).
 */
void lb_interface_accept_local(struct lb *lb, __u32 ifindex)
{
	char ifname[IF_NAMESIZE], path[128];

	if (!if_indextoname(ifindex, ifname))
		return;
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/accept_local", ifname);
	turn_on(lb, ifname, path, "accept_local of this interface");
}
