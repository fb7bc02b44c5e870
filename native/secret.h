/* Memory for keys: pages of its own that are never swapped, dumped or handed to a child, and are wiped when released. */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>
#include <stdint.h>

/* Owned by whoever allocated it, and released by them, once. */
struct secret {
	uint8_t *bytes;
	size_t length;
	void *mapping; /* with a page on either side that nobody may touch */
	size_t mapped;
};

/* `length` zeros, at least one and at most SECRET_MAX_BYTES. 0, or an errno with the name of the call that gave it in
 * `refused`; then nothing is held. RLIMIT_MEMLOCK refuses as ENOMEM, and as EPERM where it is 0. */
enum { SECRET_MAX_BYTES = 65536 };
int secret_allocate(struct secret *secret, size_t length, const char **refused);

/* Zeros at once, and given back but for the addresses. */
void secret_wipe(uint8_t *bytes, size_t length);

/* Wiped and unmapped. */
void secret_release(struct secret *secret);

#endif
