/* A fake of Linux's SEV-SNP guest driver (drivers/virt/coco/sev-guest), faithful as far as a program can tell.
 *
 * Its answers are a list separated by commas, some with a number. The last one repeats:
 *   ok            a report as requested
 *   other         a report about other data
 *   errno:N       fails with errno N, nothing sent; a future driver might do this
 *   firmware:N    EIO with the firmware's error N; wipes the guest's key, so ENOTTY from then on
 *   hypervisor:N  EIO with the hypervisor's error N; wipes the key
 *   forged        EBADMSG, an answer that does not decrypt; wipes the key
 *   busy          ETIMEDOUT, throttled past the driver's own minute of retries; wipes the key
 *   length:N      answers an extended request with EIO and the hypervisor's error 1: the host's table has N bytes.
 *                 Wipes nothing. ok does the same if the table is longer than the buffer
 *   plain         as ok, but without the extended request: it gets ENOTTY
 *   status:N      delivered, but the firmware's status is N
 *   short         delivered, but the report has 100 bytes
 *   slow:N        as ok, after N milliseconds
 */
#ifndef FAKE_DRIVER_H
#define FAKE_DRIVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fake_driver {
	const char *answers;
	/* The signer: a program that reads the 96-byte request from stdin and writes the 1184-byte report to stdout. Without
	 * one the signature is only well-formed. */
	const char *hook;
	/* The host's certificate table, well-formed or not. */
	uint8_t table[65536];
	uint32_t table_length;
	bool key_wiped;
};

/* Serves one ioctl of `process` on the device, with its argument at `io`. Returns 0 or -errno. */
int fake_driver_serve(struct fake_driver *driver, pid_t process, unsigned int number, uint64_t io);

#endif
