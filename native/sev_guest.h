/* The guest's side of SEV-SNP attestation: one MSG_REPORT_REQ through linux/sev-guest.h. */
#ifndef SEV_GUEST_H
#define SEV_GUEST_H

#include <stdbool.h>
#include <stdint.h>

enum { SEV_REPORT_DATA_BYTES = 64, SEV_REPORT_BYTES = 1184 };

/* Who failed are four different parties, and each has its own numbers: the system call (`error`, an errno), the
 * hypervisor or the driver on its behalf (`fw_error`, `vmm_error`), and the firmware inside an answer that the driver
 * delivered (`status`, SEV-SNP ABI "Status codes"). `report` holds an answer only when all four are 0 and `size` is
 * SEV_REPORT_BYTES. */
struct sev_guest_answer {
	bool opened; /* false: `error` is of open(2) */
	int error;
	uint32_t fw_error;
	uint32_t vmm_error;
	uint32_t status;
	uint32_t size;
	uint8_t report[SEV_REPORT_BYTES];
};

/* A descriptor, or -errno. Reading is all that the driver asks for. */
int sev_guest_open(const char *path);

/* Asks for one report. May take over a minute where the host throttles: the driver itself retries for 60 s. */
void sev_guest_request(int descriptor, const uint8_t report_data[SEV_REPORT_DATA_BYTES], uint32_t vmpl,
		       struct sev_guest_answer *answer);

/* Open, request, close. */
void sev_guest_get_report(const char *path, const uint8_t report_data[SEV_REPORT_DATA_BYTES], uint32_t vmpl,
			  struct sev_guest_answer *answer);

#endif
