/* The guest's side of SEV-SNP attestation: MSG_REPORT_REQ through linux/sev-guest.h. */
#ifndef SEV_GUEST_H
#define SEV_GUEST_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SEV_REPORT_DATA_BYTES = 64,
	SEV_REPORT_BYTES = 1184,
	SEV_TABLE_BYTES = 0x4000, /* the driver's SEV_FW_BLOB_MAX_SIZE: the most it accepts from a host */
};

/* Four sources of failure, each with its own numbers: the system call (`error`, an errno), the firmware and the
 * hypervisor as the driver reports them (`fw_error`, `vmm_error`), and the firmware inside an answer that the driver
 * delivered (`status`, SEV-SNP ABI "Status codes"). There is an answer only if all four are 0. */
struct sev_guest_outcome {
	bool opened; /* if false, `error` is from open(2) */
	int error;
	uint32_t fw_error;
	uint32_t vmm_error;
	uint32_t status;
};

/* `report` holds a report only if the outcome is all zeros and `size` is SEV_REPORT_BYTES. `table` is the host's
 * certificate table: `table_length` untrusted bytes, padded with zeros, or 0 bytes if the caller asked for no table.
 * With EIO and vmm_error 1 the host's table needs `table_length` bytes, more than offered, and there is no report. */
struct sev_guest_report {
	struct sev_guest_outcome outcome;
	uint32_t size;
	uint8_t report[SEV_REPORT_BYTES];
	uint32_t table_length;
	uint8_t table[SEV_TABLE_BYTES];
};

/* Opens the device read-only, which is enough for the driver, asks once and closes it. May take over a minute if the
 * host throttles: the driver itself retries for 60 s. */
void sev_guest_get_report(const char *path, const uint8_t report_data[SEV_REPORT_DATA_BYTES], uint32_t vmpl,
			  bool with_table, struct sev_guest_report *report);

#endif
