#include "secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Protects the pages of a secret; returns the name of the call that failed, or NULL. With MADV_WIPEONFORK a child
 * process finds zeros. */
static const char *protect(uint8_t *bytes, size_t size)
{
	if (mprotect(bytes, size, PROT_READ | PROT_WRITE) != 0)
		return "mprotect";
	if (mlock(bytes, size) != 0)
		return "mlock";
	if (madvise(bytes, size, MADV_DONTDUMP) != 0)
		return "madvise(MADV_DONTDUMP)";
	if (madvise(bytes, size, MADV_WIPEONFORK) != 0)
		return "madvise(MADV_WIPEONFORK)";
	return NULL;
}

int secret_allocate(struct secret *secret, size_t length, const char **refused)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t size = (length + page - 1) / page * page;

	*refused = "secret_allocate";
	if (length == 0 || length > SECRET_MAX_BYTES)
		return EINVAL;
	*refused = "mmap";
	void *mapping = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapping == MAP_FAILED)
		return errno;
	*secret = (struct secret){
		.bytes = (uint8_t *)mapping + page,
		.length = length,
		.mapping = mapping,
		.mapped = size + 2 * page,
	};
	*refused = protect(secret->bytes, size);
	if (*refused == NULL)
		return 0;
	const int error = errno;
	(void)munmap(mapping, secret->mapped);
	*secret = (struct secret){ 0 };
	return error;
}

void secret_wipe(uint8_t *bytes, size_t length)
{
	explicit_bzero(bytes, length);
	(void)munlock(bytes, length);
	(void)madvise(bytes, length, MADV_DONTNEED);
}

void secret_free(struct secret *secret)
{
	secret_wipe(secret->bytes, secret->length);
	(void)munmap(secret->mapping, secret->mapped);
	*secret = (struct secret){ 0 };
}
