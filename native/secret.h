/* Memory for keys: separate pages that are never swapped, dumped or inherited by a child, and are wiped when freed. */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>
#include <stdint.h>

/* The caller that allocated it owns it and frees it once. */
struct secret {
	uint8_t *bytes;
	size_t length;
	void *mapping; /* with an inaccessible page on either side */
	size_t mapped;
};

/* Allocates `length` zeros, from 1 to SECRET_MAX_BYTES. Returns 0, or an errno with the name of the failed call in
 * `refused`; then nothing is allocated. RLIMIT_MEMLOCK refuses with ENOMEM, or with EPERM if the limit is 0. */
enum { SECRET_MAX_BYTES = 65536 };
int secret_allocate(struct secret *secret, size_t length, const char **refused);

/* Zeroes the bytes at once and gives the pages back to the system, but keeps the addresses mapped. */
void secret_wipe(uint8_t *bytes, size_t length);

/* Wipes and unmaps. */
void secret_free(struct secret *secret);

#endif
