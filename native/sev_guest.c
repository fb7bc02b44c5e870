#include "sev_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h> /* _IOWR: linux/sev-guest.h uses it but does not include it */
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct snp_guest_request_ioctl) == 32, "the kernel's snp_guest_request_ioctl has 32 bytes");
_Static_assert(sizeof(struct snp_report_req) == 96, "the kernel's snp_report_req has 96 bytes");
_Static_assert(sizeof(struct snp_ext_report_req) == 112, "the kernel's snp_ext_report_req has 112 bytes");
_Static_assert(sizeof(struct snp_report_resp) == 4000, "the kernel's snp_report_resp has 4000 bytes");
_Static_assert(SNP_GET_REPORT == 0xC0205300, "SNP_GET_REPORT is _IOWR('S', 0, 32 bytes)");
_Static_assert(SNP_GET_EXT_REPORT == 0xC0205302, "SNP_GET_EXT_REPORT is _IOWR('S', 2, 32 bytes)");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "SEV-SNP is little-endian, and so are its guests");

/* MSG_REPORT_RSP (SEV-SNP ABI): the status, the size of the report, and the report after 32 bytes. */
enum { STATUS_AT = 0, SIZE_AT = 4, REPORT_AT = 32 };

/* The last 8 bytes of snp_guest_request_ioctl. Headers before Linux 6.1.33 call them fw_err, later ones exitinfo2. */
enum { FW_ERROR_AT = 24, VMM_ERROR_AT = 28 };

/* The driver returns neither EINTR nor EAGAIN today. Either would mean that nothing was sent, so a retry is safe. */
enum { ATTEMPTS = 8, FIRST_PAUSE_MILLISECONDS = 2 };

static uint32_t u32_at(const void *bytes, size_t offset)
{
	uint32_t value;
	memcpy(&value, (const uint8_t *)bytes + offset, sizeof value);
	return value;
}

static void pause_before(int attempt)
{
	struct timespec pause = { .tv_nsec = (FIRST_PAUSE_MILLISECONDS << attempt) * 1000000L };
	nanosleep(&pause, NULL);
}

/* The caller passes `response` zeroed. It holds an answer if all numbers of the outcome but `status` are 0. */
static void ask(int descriptor, unsigned long number, const void *request, uint8_t *response,
		struct sev_guest_outcome *outcome)
{
	struct snp_guest_request_ioctl io;

	*outcome = (struct sev_guest_outcome){ .opened = true };
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		/* The driver writes error numbers only if there are any, so a stale value would look like an error. */
		memset(&io, 0, sizeof io);
		io.msg_version = 1;
		io.req_data = (uintptr_t)request;
		io.resp_data = (uintptr_t)response;
		outcome->error = ioctl(descriptor, number, &io) == 0 ? 0 : errno;
		if (outcome->error != EINTR && outcome->error != EAGAIN)
			break;
		pause_before(attempt);
	}
	if (outcome->error != 0) {
		outcome->fw_error = u32_at(&io, FW_ERROR_AT);
		outcome->vmm_error = u32_at(&io, VMM_ERROR_AT);
	} else {
		outcome->status = u32_at(response, STATUS_AT);
	}
}

static void open_and_ask(const char *path, unsigned long number, const void *request, uint8_t *response,
			 struct sev_guest_outcome *outcome)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0) {
		*outcome = (struct sev_guest_outcome){ .error = errno };
		return;
	}
	ask(descriptor, number, request, response, outcome);
	close(descriptor);
}

static bool answered(const struct sev_guest_outcome *outcome)
{
	return outcome->opened && outcome->error == 0 && outcome->status == 0;
}

void sev_guest_get_report(const char *path, const uint8_t report_data[SEV_REPORT_DATA_BYTES], uint32_t vmpl,
			  bool with_table, struct sev_guest_report *report)
{
	struct snp_ext_report_req request = { .data.vmpl = vmpl };
	struct snp_report_resp response = { 0 };

	memset(report, 0, sizeof *report);
	memcpy(request.data.user_data, report_data, SEV_REPORT_DATA_BYTES);
	if (with_table) {
		request.certs_address = (uintptr_t)report->table;
		request.certs_len = SEV_TABLE_BYTES;
		open_and_ask(path, SNP_GET_EXT_REPORT, &request, response.data, &report->outcome);
		report->table_length = request.certs_len;
	} else {
		open_and_ask(path, SNP_GET_REPORT, &request.data, response.data, &report->outcome);
	}
	if (!answered(&report->outcome))
		return;
	report->size = u32_at(response.data, SIZE_AT);
	if (report->size == SEV_REPORT_BYTES)
		memcpy(report->report, response.data + REPORT_AT, SEV_REPORT_BYTES);
}
