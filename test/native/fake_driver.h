/* The SEV-SNP guest driver of Linux (drivers/virt/coco/sev-guest), as far as a program can tell.
 *
 * Its answers are a list, separated by commas, each with a number where it says so; the last one stays:
 *   ok            what was asked for
 *   other         a report about other data
 *   errno:N       fails with errno N, nothing sent: what the driver could give one day
 *   firmware:N    EIO, the firmware's error N; the guest's key is wiped: ENOTTY from then on
 *   hypervisor:N  EIO, the hypervisor's error N; wiped too
 *   forged        EBADMSG, an answer that does not decrypt; wiped too
 *   busy          ETIMEDOUT, throttled past the driver's own minute of retries; wiped too
 *   length:N      to an extended request EIO and the hypervisor's error 1: the host's table has N bytes. Nothing is wiped.
 *                 So does ok where the table is longer than what was asked for
 *   plain         as ok, by a driver that knows no extended request: ENOTTY to that
 *   status:N      delivered, but the firmware's status is N
 *   short         delivered, but of 100 bytes
 *   slow:N        as ok, after N milliseconds
 */
#ifndef FAKE_DRIVER_H
#define FAKE_DRIVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fake_driver {
	const char *answers;
	/* Signs: a program that takes the 96-byte request on stdin and gives the 1184-byte report on stdout. Without one
	 * reports have the form of a signature alone. */
	const char *hook;
	/* What the host gives beside a report, well-formed or not. */
	uint8_t table[65536];
	uint32_t table_length;
	bool key_wiped;
};

/* One ioctl of `process` on the device, whose argument is at `io`: 0 or -errno. */
int fake_driver_serve(struct fake_driver *driver, pid_t process, unsigned int number, uint64_t io);

#endif
