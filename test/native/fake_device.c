/* fake_device --answers LIST [--device PATH] [--hook PROGRAM] -- COMMAND...
 *
 * Runs COMMAND as if the character device PATH (default /dev/null) were /dev/sev-guest. Only ioctl(SNP_GET_REPORT) on
 * that device stops at a seccomp filter and is answered here, by user notification: the program under test makes its
 * real system calls, on any thread, and knows nothing. Needs no privilege and makes no node. Exits as COMMAND does;
 * 126 where the kernel does not allow it, 2 for a wrong command line.
 *
 * LIST is answers in order, separated by commas, each with a number where it says so; the last one stays. They are
 * those of Linux's drivers/virt/coco/sev-guest, with `errno` for what it could give one day:
 *   ok            a report about what was asked: by PROGRAM (96-byte request on stdin, 1184-byte report on stdout), else
 *                 an unsigned one
 *   other         a report about other data
 *   errno:N       fails with errno N, nothing sent
 *   firmware:N    EIO, the firmware's error N; the key is wiped: ENOTTY from then on
 *   hypervisor:N  EIO, the hypervisor's error N; wiped too
 *   busy          ETIMEDOUT, throttled past the driver's own minute of retries; wiped too
 *   status:N      delivered, but the firmware's status is N
 *   short         delivered, but of 100 bytes
 *   slow:N        as ok, after N milliseconds
 */
#include <errno.h>
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
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "fake_device knows x86-64 and arm64"
#endif

enum { REPORT_BYTES = 1184, REPORT_AT = 32, NO_FIRMWARE_CALL = 0xff, EX_DENIED = 126 };

static char device[PATH_MAX] = "/dev/null";
static const char *hook;
static char *answers;
static bool key_wiped;

static void wait_milliseconds(long milliseconds)
{
	struct timespec time = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L };
	nanosleep(&time, NULL);
}

/* The next answer and its number; the last of the list stays. */
static const char *next_answer(long *number)
{
	static char answer[64];
	size_t length = strcspn(answers, ",");
	snprintf(answer, sizeof answer, "%.*s", (int)length, answers);
	if (answers[length] == ',')
		answers += length + 1;
	char *colon = strchr(answer, ':');
	*number = colon == NULL ? 0 : strtol(colon + 1, NULL, 10);
	if (colon != NULL)
		*colon = '\0';
	return answer;
}

static void put_u32(uint8_t *bytes, size_t offset, uint32_t value)
{
	memcpy(bytes + offset, &value, sizeof value);
}

/* ATTESTATION_REPORT with no signature. */
static void write_plain_report(const struct snp_report_req *request, uint8_t *report)
{
	put_u32(report, 0x00, 3);              /* VERSION */
	put_u32(report, 0x08, 0x30000);        /* POLICY: SMT allowed, bit 17 always set */
	put_u32(report, 0x30, request->vmpl);  /* VMPL */
	put_u32(report, 0x34, 1);              /* SIGNATURE_ALGO: ECDSA P-384 with SHA-384 */
	memcpy(report + 0x50, request->user_data, sizeof request->user_data); /* REPORT_DATA */
	memset(report + 0x90, 0xab, 48);       /* MEASUREMENT */
}

static bool ask_hook(const struct snp_report_req *request, uint8_t *report)
{
	int to[2], from[2], status;
	if (pipe(to) != 0 || pipe(from) != 0)
		return false;
	pid_t child = fork();
	if (child == 0) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close(to[0]), close(to[1]), close(from[0]), close(from[1]);
		execl("/bin/sh", "sh", "-c", hook, (char *)NULL);
		_exit(127);
	}
	close(to[0]), close(from[1]);
	bool sent = child > 0 && write(to[1], request, sizeof *request) == (ssize_t)sizeof *request;
	close(to[1]);
	size_t got = 0;
	for (ssize_t n = 1; n > 0 && got < REPORT_BYTES; got += n > 0 ? (size_t)n : 0)
		n = read(from[0], report + got, REPORT_BYTES - got);
	close(from[0]);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0 && sent && got == REPORT_BYTES;
}

/* What the device would do: 0 or -errno, `exitinfo2` in the kernel's layout (firmware low, hypervisor high). */
static int answer_request(struct snp_report_req request, struct snp_report_resp *response, uint64_t *exitinfo2)
{
	long number;
	*exitinfo2 = NO_FIRMWARE_CALL;
	if (key_wiped)
		return -ENOTTY;
	const char *answer = next_answer(&number);
	if (strcmp(answer, "errno") == 0)
		return -(int)number;
	key_wiped = true;
	if (strcmp(answer, "firmware") == 0)
		return *exitinfo2 = (uint32_t)number, -EIO;
	if (strcmp(answer, "hypervisor") == 0)
		return *exitinfo2 = (uint64_t)number << 32, -EIO;
	if (strcmp(answer, "busy") == 0)
		return *exitinfo2 = (uint64_t)2 << 32, -ETIMEDOUT;
	key_wiped = false;

	*exitinfo2 = 0;
	bool malformed = request.vmpl > 3;
	for (size_t i = 0; i < sizeof request.rsvd; i++)
		malformed |= request.rsvd[i] != 0;
	uint32_t status = malformed ? 0x16 : strcmp(answer, "status") == 0 ? (uint32_t)number : 0;
	put_u32(response->data, 0, status);
	if (status != 0)
		return 0;
	put_u32(response->data, 4, strcmp(answer, "short") == 0 ? 100 : REPORT_BYTES);
	if (strcmp(answer, "slow") == 0)
		wait_milliseconds(number);
	if (strcmp(answer, "other") == 0)
		request.user_data[0] ^= 1;
	if (hook != NULL)
		return ask_hook(&request, response->data + REPORT_AT) ? 0 : -EIO;
	write_plain_report(&request, response->data + REPORT_AT);
	return 0;
}

static bool copy(pid_t process, uint64_t address, void *bytes, size_t length, bool write_to)
{
	struct iovec here = { bytes, length };
	struct iovec there = { (void *)(uintptr_t)address, length };
	ssize_t copied = write_to ? process_vm_writev(process, &here, 1, &there, 1, 0)
				  : process_vm_readv(process, &here, 1, &there, 1, 0);
	return copied == (ssize_t)length;
}

/* The ioctl as the driver serves it: errors are written back only where there are any. */
static int serve(const struct seccomp_notif *call)
{
	pid_t process = (pid_t)call->pid;
	uint64_t io_address = call->data.args[2];
	struct snp_guest_request_ioctl io;
	struct snp_report_req request;
	struct snp_report_resp response = { 0 };
	uint64_t exitinfo2;

	if (!copy(process, io_address, &io, sizeof io, false))
		return -EFAULT;
	if (io.msg_version == 0)
		return -EINVAL;
	if (!copy(process, io.req_data, &request, sizeof request, false))
		return -EFAULT;
	int result = answer_request(request, &response, &exitinfo2);
	if (result == 0 && !copy(process, io.resp_data, &response, sizeof response, true))
		return -EFAULT;
	if (exitinfo2 != 0 && !copy(process, io_address + 24, &exitinfo2, sizeof exitinfo2, true))
		return -EFAULT;
	return result;
}

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
			reply.error = serve(&call);
		else
			reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	}
}

/* Puts this process under the filter; the descriptor of its notifications, or -1. */
static int filter_reports(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)SNP_GET_REPORT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof rules / sizeof *rules, .filter = rules };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

int main(int count, char **arguments)
{
	int at = 1, ready[2], go[2], in_child, status;
	for (; at + 1 < count && strcmp(arguments[at], "--") != 0; at += 2) {
		if (strcmp(arguments[at], "--answers") == 0)
			answers = arguments[at + 1];
		else if (strcmp(arguments[at], "--device") == 0 && realpath(arguments[at + 1], device) == NULL)
			return perror(arguments[at + 1]), 2;
		else if (strcmp(arguments[at], "--hook") == 0)
			hook = arguments[at + 1];
	}
	if (answers == NULL || at + 1 >= count)
		return fputs("usage: fake_device --answers LIST [--device PATH] [--hook PROGRAM] -- COMMAND...\n", stderr), 2;
	if (pipe(ready) != 0 || pipe(go) != 0)
		return perror("pipe"), EX_DENIED;

	pid_t child = fork();
	if (child == 0) {
		int listener = filter_reports();
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
