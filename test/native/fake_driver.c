#include "fake_driver.h"

#include <errno.h>
#include <linux/sev-guest.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPORT_BYTES = 1184, CONTENT_AT = 32, PAGE_BYTES = 4096, MAX_TABLE_BYTES = 0x4000 };
enum { NO_FIRMWARE_CALL = 0xff, INVALID_PARAM = 0x16, INVALID_LENGTH = 1, BUSY = 2 };

/* One call and its result. `exitinfo2` has the kernel's layout: firmware low, hypervisor high. */
struct call {
	struct fake_driver *driver;
	pid_t process;
	struct snp_guest_request_ioctl io;
	struct snp_ext_report_req report;
	uint8_t response[sizeof(struct snp_report_resp)];
	uint64_t exitinfo2;
	const char *answer;
	long number;
};

static bool copy(pid_t process, uint64_t address, void *bytes, size_t length, bool write_to)
{
	struct iovec here = { bytes, length };
	struct iovec there = { (void *)(uintptr_t)address, length };
	ssize_t copied = write_to ? process_vm_writev(process, &here, 1, &there, 1, 0)
				  : process_vm_readv(process, &here, 1, &there, 1, 0);
	return copied == (ssize_t)length;
}

/* The next answer and its number. The last answer of the list repeats. */
static const char *next_answer(struct fake_driver *driver, long *number)
{
	static char answer[64];
	size_t length = strcspn(driver->answers, ",");
	snprintf(answer, sizeof answer, "%.*s", (int)length, driver->answers);
	if (driver->answers[length] == ',')
		driver->answers += length + 1;
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

static bool is(const struct call *call, const char *answer)
{
	return strcmp(call->answer, answer) == 0;
}

/* An ATTESTATION_REPORT with a well-formed signature, r = s = 1, that no key made. */
static void write_plain_report(const struct snp_report_req *request, uint8_t *report)
{
	put_u32(report, 0x00, 3);             /* VERSION */
	put_u32(report, 0x08, 0x30000);       /* POLICY: SMT allowed, bit 17 always set */
	put_u32(report, 0x30, request->vmpl); /* VMPL */
	put_u32(report, 0x34, 1);             /* SIGNATURE_ALGO: ECDSA P-384 with SHA-384 */
	memcpy(report + 0x50, request->user_data, sizeof request->user_data); /* REPORT_DATA */
	memset(report + 0x90, 0xab, 48);      /* MEASUREMENT */
	report[0x2a0] = report[0x2e8] = 1;
}

static bool ask_hook(const char *hook, const struct snp_report_req *request, uint8_t *report)
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

/* Sends any request: 0, or -errno. Wipes the key when the driver would wipe it. */
static int send_request(struct call *call)
{
	struct fake_driver *driver = call->driver;
	call->exitinfo2 = NO_FIRMWARE_CALL;
	if (driver->key_wiped)
		return -ENOTTY;
	call->answer = next_answer(driver, &call->number);
	if (is(call, "errno"))
		return -(int)call->number;
	driver->key_wiped = true;
	if (is(call, "firmware"))
		return call->exitinfo2 = (uint32_t)call->number, -EIO;
	if (is(call, "hypervisor"))
		return call->exitinfo2 = (uint64_t)call->number << 32, -EIO;
	if (is(call, "busy"))
		return call->exitinfo2 = (uint64_t)BUSY << 32, -ETIMEDOUT;
	if (is(call, "forged"))
		return -EBADMSG;
	driver->key_wiped = false;
	call->exitinfo2 = 0;
	if (is(call, "slow")) {
		struct timespec time = { call->number / 1000, call->number % 1000 * 1000000L };
		nanosleep(&time, NULL);
	}
	if (is(call, "status"))
		put_u32(call->response, 0, (uint32_t)call->number);
	return 0;
}

static bool is_refused(const struct call *call)
{
	uint32_t status;
	memcpy(&status, call->response, sizeof status);
	return status != 0;
}

static int make_report(struct call *call)
{
	struct snp_report_req request = call->report.data;
	bool malformed = request.vmpl > 3;
	for (size_t i = 0; i < sizeof request.rsvd; i++)
		malformed |= request.rsvd[i] != 0;
	if (malformed)
		put_u32(call->response, 0, INVALID_PARAM); /* the firmware's status: the ioctl itself succeeds */
	if (is_refused(call))
		return 0;
	put_u32(call->response, 4, is(call, "short") ? 100 : REPORT_BYTES);
	if (is(call, "other"))
		request.user_data[0] ^= 1;
	if (call->driver->hook != NULL)
		return ask_hook(call->driver->hook, &request, call->response + CONTENT_AT) ? 0 : -EIO;
	write_plain_report(&request, call->response + CONTENT_AT);
	return 0;
}

static bool respond(struct call *call, size_t length)
{
	return copy(call->process, call->io.resp_data, call->response, length, true);
}

static int get_report(struct call *call)
{
	if (!copy(call->process, call->io.req_data, &call->report.data, sizeof call->report.data, false))
		return -EFAULT;
	int error = send_request(call);
	if (error == 0)
		error = make_report(call);
	return error != 0 ? error : respond(call, sizeof(struct snp_report_resp)) ? 0 : -EFAULT;
}

static int get_extended_report(struct call *call)
{
	struct snp_ext_report_req *request = &call->report;
	uint8_t table[MAX_TABLE_BYTES] = { 0 };

	if (strncmp(call->driver->answers, "plain", 5) == 0)
		return -ENOTTY;
	if (!copy(call->process, call->io.req_data, request, sizeof *request, false))
		return -EFAULT;
	const bool wants_table = request->certs_len != 0 && request->certs_address != 0;
	if (wants_table && (request->certs_len > MAX_TABLE_BYTES || request->certs_len % PAGE_BYTES != 0))
		return -EINVAL;
	int error = send_request(call);
	if (error != 0)
		return error;
	uint32_t needed = is(call, "length") ? (uint32_t)call->number : call->driver->table_length;
	if (wants_table && needed > request->certs_len) {
		call->exitinfo2 = (uint64_t)INVALID_LENGTH << 32;
		request->certs_len = (needed + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
		return copy(call->process, call->io.req_data, request, sizeof *request, true) ? -EIO : -EFAULT;
	}
	error = make_report(call);
	if (error != 0)
		return error;
	memcpy(table, call->driver->table, needed < sizeof table ? needed : sizeof table);
	if (wants_table && !copy(call->process, request->certs_address, table, request->certs_len, true))
		return -EFAULT;
	return respond(call, sizeof(struct snp_report_resp)) ? 0 : -EFAULT;
}

int fake_driver_serve(struct fake_driver *driver, pid_t process, unsigned int number, uint64_t io)
{
	struct call call = { .driver = driver, .process = process, .exitinfo2 = NO_FIRMWARE_CALL };

	if (!copy(process, io, &call.io, sizeof call.io, false))
		return -EFAULT;
	if (call.io.msg_version == 0)
		return -EINVAL;
	int result = number == SNP_GET_REPORT ? get_report(&call) : get_extended_report(&call);
	/* The driver writes error numbers back only if there are any. */
	if (call.exitinfo2 != 0 && !copy(process, io + 24, &call.exitinfo2, sizeof call.exitinfo2, true))
		return -EFAULT;
	return result;
}
