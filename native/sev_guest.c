#include "sev_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h> /* _IOWR: linux/sev-guest.h uses it without including it */
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct snp_guest_request_ioctl) == 32, "the kernel's snp_guest_request_ioctl has 32 bytes");
_Static_assert(sizeof(struct snp_report_req) == 96, "the kernel's snp_report_req has 96 bytes");
_Static_assert(sizeof(struct snp_report_resp) == 4000, "the kernel's snp_report_resp has 4000 bytes");
_Static_assert(SNP_GET_REPORT == 0xC0205300, "SNP_GET_REPORT is _IOWR('S', 0, 32 bytes)");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "SEV-SNP is little-endian, and so are its guests");

/* MSG_REPORT_RSP, SEV-SNP ABI table "MSG_REPORT_RSP Message Structure". */
enum { STATUS_AT = 0, SIZE_AT = 4, REPORT_AT = 32 };

/* The last 8 bytes of snp_guest_request_ioctl: headers before Linux 6.1.33 call them fw_err, later ones exitinfo2. */
enum { FW_ERROR_AT = 24, VMM_ERROR_AT = 28 };

/* The driver gives neither EINTR nor EAGAIN today; should one of them come, nothing was sent and asking again is safe. */
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

int sev_guest_open(const char *path)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	return descriptor < 0 ? -errno : descriptor;
}

void sev_guest_request(int descriptor, const uint8_t report_data[SEV_REPORT_DATA_BYTES], uint32_t vmpl,
		       struct sev_guest_answer *answer)
{
	struct snp_report_req request = { .vmpl = vmpl };
	struct snp_report_resp response;
	struct snp_guest_request_ioctl io;

	memcpy(request.user_data, report_data, SEV_REPORT_DATA_BYTES);
	*answer = (struct sev_guest_answer){ .opened = true };
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		memset(&response, 0, sizeof response);
		/* The driver writes the errors back only where there are any: whatever stood there would pass for one. */
		memset(&io, 0, sizeof io);
		io.msg_version = 1;
		io.req_data = (uintptr_t)&request;
		io.resp_data = (uintptr_t)&response;
		answer->error = ioctl(descriptor, SNP_GET_REPORT, &io) == 0 ? 0 : errno;
		if (answer->error != EINTR && answer->error != EAGAIN)
			break;
		pause_before(attempt);
	}
	if (answer->error != 0) {
		answer->fw_error = u32_at(&io, FW_ERROR_AT);
		answer->vmm_error = u32_at(&io, VMM_ERROR_AT);
		return;
	}
	answer->status = u32_at(response.data, STATUS_AT);
	answer->size = u32_at(response.data, SIZE_AT);
	if (answer->status == 0 && answer->size == SEV_REPORT_BYTES)
		memcpy(answer->report, response.data + REPORT_AT, SEV_REPORT_BYTES);
}

void sev_guest_get_report(const char *path, const uint8_t report_data[SEV_REPORT_DATA_BYTES], uint32_t vmpl,
			  struct sev_guest_answer *answer)
{
	int descriptor = sev_guest_open(path);
	if (descriptor < 0) {
		*answer = (struct sev_guest_answer){ .error = -descriptor };
		return;
	}
	sev_guest_request(descriptor, report_data, vmpl, answer);
	close(descriptor);
}
