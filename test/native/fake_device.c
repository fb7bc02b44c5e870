/* fake_device --answers LIST [--device PATH] [--hook PROGRAM] [--table FILE] -- COMMAND...
 *
 * Runs COMMAND as if the character device PATH (default /dev/null) were /dev/sev-guest. A seccomp filter stops only the
 * two report requests of linux/sev-guest.h on that device; this process answers them by user notification
 * (fake_driver.c). The program under test makes its real system calls, on any thread, and notices nothing. It needs
 * no privilege and creates no device node. Exits as COMMAND does; with 126 if the kernel does not allow this, with 2
 * for a wrong command line.
 */
#include "fake_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sev-guest.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "fake_device knows x86-64 and arm64"
#endif

enum { EX_DENIED = 126 };

static char device[PATH_MAX] = "/dev/null";
static struct fake_driver driver;

static bool is_device(const struct seccomp_notif *call)
{
	char link[64], target[PATH_MAX];
	snprintf(link, sizeof link, "/proc/%u/fd/%d", call->pid, (int)call->data.args[0]);
	ssize_t length = readlink(link, target, sizeof target - 1);
	target[length < 0 ? 0 : length] = '\0';
	return strcmp(target, device) == 0;
}

static void supervise(int listener)
{
	struct pollfd event = { .fd = listener, .events = POLLIN };
	while (poll(&event, 1, -1) >= 0 || errno == EINTR) {
		if ((event.revents & POLLIN) == 0) {
			if ((event.revents & (POLLHUP | POLLERR)) != 0)
				return; /* the last process under the filter has ended */
			continue;
		}
		struct seccomp_notif call = { 0 };
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
			continue;
		struct seccomp_notif_resp reply = { .id = call.id };
		if (is_device(&call))
			reply.error = fake_driver_serve(&driver, (pid_t)call.pid, (unsigned int)call.data.args[1],
							call.data.args[2]);
		else
			reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	}
}

/* Puts this process under the filter. Returns the descriptor of its notifications, or -1. */
static int filter_requests(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)SNP_GET_REPORT, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)SNP_GET_EXT_REPORT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof rules / sizeof *rules, .filter = rules };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static bool read_table(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? -1 : read(file, driver.table, sizeof driver.table);
	close(file);
	driver.table_length = length < 0 ? 0 : (uint32_t)length;
	return length >= 0;
}

int main(int count, char **arguments)
{
	int at = 1, ready[2], go[2], in_child, status;
	for (; at + 1 < count && strcmp(arguments[at], "--") != 0; at += 2) {
		if (strcmp(arguments[at], "--answers") == 0)
			driver.answers = arguments[at + 1];
		else if (strcmp(arguments[at], "--device") == 0 && realpath(arguments[at + 1], device) == NULL)
			return perror(arguments[at + 1]), 2;
		else if (strcmp(arguments[at], "--hook") == 0)
			driver.hook = arguments[at + 1];
		else if (strcmp(arguments[at], "--table") == 0 && !read_table(arguments[at + 1]))
			return perror(arguments[at + 1]), 2;
	}
	if (driver.answers == NULL || at + 1 >= count)
		return fputs("usage: fake_device --answers LIST [--device PATH] [--hook PROGRAM] [--table FILE] -- COMMAND...\n",
			     stderr),
		       2;
	if (pipe(ready) != 0 || pipe(go) != 0)
		return perror("pipe"), EX_DENIED;

	pid_t child = fork();
	if (child == 0) {
		int listener = filter_requests();
		char gone;
		if (write(ready[1], &listener, sizeof listener) < 0 || listener < 0 || read(go[0], &gone, 1) != 1)
			_exit(EX_DENIED);
		close(listener), close(ready[0]), close(ready[1]), close(go[0]), close(go[1]);
		execvp(arguments[at + 1], &arguments[at + 1]);
		_exit(127);
	}
	if (child < 0 || read(ready[0], &in_child, sizeof in_child) != (ssize_t)sizeof in_child || in_child < 0)
		return fputs("fake_device: seccomp notifications are not allowed here\n", stderr), EX_DENIED;
	int process = (int)syscall(SYS_pidfd_open, child, 0);
	int listener = (int)syscall(SYS_pidfd_getfd, process, in_child, 0);
	if (listener < 0 || write(go[1], "", 1) != 1)
		return perror("fake_device: pidfd_getfd"), EX_DENIED;
	supervise(listener);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
