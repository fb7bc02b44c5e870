/* The guest's side of SEV-SNP attestation: MSG_REPORT_REQ through linux/sev-guest.h. */
#ifndef SEV_GUEST_H
#define SEV_GUEST_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SEV_REPORT_DATA_BYTES = 64,
	SEV_REPORT_BYTES = 1184,
	SEV_TABLE_BYTES = 0x4000, /* the driver's SEV_FW_BLOB_MAX_SIZE: it takes no more from a host */
};

/* Who failed are four different parties, and each has its own numbers: the system call (`error`, an errno), the
 * firmware and the hypervisor as the driver tells them (`fw_error`, `vmm_error`), and the firmware inside an answer that
 * the driver delivered (`status`, SEV-SNP ABI "Status codes"). There is an answer only where all four are 0. */
struct sev_guest_outcome {
	bool opened; /* false: `error` is of open(2) */
	int error;
	uint32_t fw_error;
	uint32_t vmm_error;
	uint32_t status;
};

/* `report` holds one only where the outcome is all zeros and `size` is SEV_REPORT_BYTES. `table` is what the host gave
 * beside it, its `table_length` bytes untrusted and zeros behind what it wrote; 0 bytes where no table was asked for. With
 * EIO and vmm_error 1 the host has more than was asked for, namely `table_length` bytes, and there is no report. */
struct sev_guest_report {
	struct sev_guest_outcome outcome;
	uint32_t size;
	uint8_t report[SEV_REPORT_BYTES];
	uint32_t table_length;
	uint8_t table[SEV_TABLE_BYTES];
};

/* Opens the device, asks once, closes it. Reading is all that the driver asks for. Each may take over a minute where the
 * host throttles: the driver itself retries for 60 s. */
void sev_guest_get_report(const char *path, const uint8_t report_data[SEV_REPORT_DATA_BYTES], uint32_t vmpl,
			  bool with_table, struct sev_guest_report *report);

#endif
