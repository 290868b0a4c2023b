// SPDX-License-Identifier: GPL-2.0-only
/* What lbd may do once it runs: as little as its work takes. */
#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cap-ng.h>
#include <linux/bpf.h>
#include <seccomp.h>

#include "lbd.h"

#define USER "lbd"
#define USER_ELSE "nobody"
#define FILES_WANTED 65536u

int rights_of_parent(struct lb_error *err)
{
	static const unsigned int wanted[] = {
		/* The last one to see which namespaces process 1 is in. */
		CAP_SYS_ADMIN,	  CAP_BPF,	    CAP_NET_ADMIN,  CAP_NET_RAW,
		CAP_SETUID,	  CAP_SETGID,	    CAP_SETPCAP,    CAP_KILL,
		CAP_DAC_OVERRIDE, CAP_SYS_RESOURCE, CAP_SYS_PTRACE,
	};
	bool is_there[sizeof(wanted) / sizeof(wanted[0])];
	const capng_type_t all = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET;

	/* In a container some are missing already. */
	(void)capng_get_caps_process();
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		is_there[i] = capng_have_capability(CAPNG_PERMITTED, wanted[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (is_there[i])
			(void)capng_update(CAPNG_ADD, all, wanted[i]);
	if (capng_apply(CAPNG_SELECT_BOTH))
		return lb_fail(err, -EPERM, "capabilities cannot be given up");
	return 0;
}

/* System calls that no check needs and an intruder would like; whatever is exec'd keeps the filter.
 */
static const int refused[] = {
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(fsopen),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(chroot),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(clock_settime),
	SCMP_SYS(settimeofday),
	SCMP_SYS(adjtimex),
	SCMP_SYS(sethostname),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
};

/* Namespaces of one's own, where one has all capabilities, come by clone() too. */
static const unsigned int refused_clones[] = {
	CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWNET,    CLONE_NEWPID,
	CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP,
};

static int refuse_clones(scmp_filter_ctx filter)
{
	/* Its flags are in memory, where no filter looks; libraries then use clone(). */
	int ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; !ret && i < sizeof(refused_clones) / sizeof(refused_clones[0]); i++)
		ret = seccomp_rule_add(
			filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, refused_clones[i], refused_clones[i]));
	return ret;
}

/* Maps that are open may be read and written; nothing is loaded, pinned or attached. */
static const int refused_bpf[] = {
	BPF_MAP_CREATE,		 BPF_PROG_LOAD,	  BPF_OBJ_PIN,		 BPF_OBJ_GET,
	BPF_PROG_ATTACH,	 BPF_PROG_DETACH, BPF_PROG_GET_FD_BY_ID, BPF_MAP_GET_FD_BY_ID,
	BPF_RAW_TRACEPOINT_OPEN, BPF_BTF_LOAD,	  BPF_LINK_CREATE,	 BPF_LINK_UPDATE,
};

static int filter_calls(struct lb_error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int ret = filter ? 0 : -ENOMEM;

	for (size_t i = 0; !ret && i < sizeof(refused) / sizeof(refused[0]); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	for (size_t i = 0; !ret && i < sizeof(refused_bpf) / sizeof(refused_bpf[0]); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(bpf), 1,
				       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)refused_bpf[i]));
	if (!ret)
		ret = refuse_clones(filter);
	if (!ret)
		ret = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return ret ? lb_fail(err, ret, "the filter of system calls: %s", strerror(-ret)) : 0;
}

static const struct passwd *find_user(void)
{
	/* There is one thread. */
	/* cppcheck-suppress getpwnamCalled */
	const struct passwd *user = getpwnam(USER);

	/* cppcheck-suppress getpwnamCalled */
	return user ? user : getpwnam(USER_ELSE);
}

int rights_of_worker(struct lb_error *err)
{
	const struct passwd *user = find_user();
	struct rlimit files;
	int ret;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = FILES_WANTED;
		files.rlim_max = files.rlim_max > FILES_WANTED ? files.rlim_max : FILES_WANTED;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (!user || user->pw_uid == 0)
		return lb_fail(err, -ENOENT,
			       "there is no user " USER " and no " USER_ELSE
			       " to run as: 'adduser --system " USER "'");
	capng_clear(CAPNG_SELECT_BOTH);
	(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF);
	/* For SO_MARK. */
	if (lbd.has_link)
		(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW);
	ret = capng_change_id((int)user->pw_uid, (int)user->pw_gid,
			      CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	if (ret)
		return lb_fail(err, -EPERM, "rights cannot be given up to those of user %s (%d)",
			       user->pw_name, ret);
	/* After the change of user, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return lb_fail(err, -errno, "prctl: %s", strerror(errno));
	return filter_calls(err);
}

void rights_of_command(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	(void)capng_apply(CAPNG_SELECT_CAPS);
}
