/* AES-256-GCM over whole batches of segments, by the OpenSSL that the Node binary carries. */
#ifndef AEAD_H
#define AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AEAD_KEY_BYTES = 32, AEAD_IV_BYTES = 12, AEAD_TAG_BYTES = 16 };

enum aead_direction { AEAD_OPEN = 0, AEAD_SEAL = 1 };

enum aead_outcome {
	AEAD_DONE,
	AEAD_FORGED, /* a tag does not match; every output is zeros */
	AEAD_FAILED, /* OpenSSL refused; every output is zeros */
};

struct aead_piece {
	const uint8_t *bytes;
	size_t length; /* at most INT_MAX, which is what EVP counts in */
};

/* `output` takes as many bytes as the pieces have together, and overlaps none of them. */
struct aead_segment {
	const uint8_t *iv;
	struct aead_piece aad;
	uint8_t *tag; /* written by a seal, compared by an open */
	uint8_t *output;
	size_t output_length;
	const struct aead_piece *pieces;
	size_t piece_count;
};

/* Whether this process has the functions and the cipher; decided once, at the first call. */
bool aead_available(void);

/* One key schedule and one context for the whole batch. The caller has seen aead_available. */
enum aead_outcome aead_run(enum aead_direction direction, const uint8_t key[AEAD_KEY_BYTES],
			   const struct aead_segment *segments, size_t count);

#endif
