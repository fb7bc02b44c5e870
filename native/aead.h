/* AES-256-GCM over batches of segments, with the OpenSSL inside the Node binary. */
#ifndef AEAD_H
#define AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AEAD_KEY_BYTES = 32, AEAD_IV_BYTES = 12, AEAD_TAG_BYTES = 16 };

enum aead_direction { AEAD_OPEN = 0, AEAD_SEAL = 1 };

enum aead_outcome {
	AEAD_DONE,
	AEAD_FORGED, /* a tag does not match; every output is zero */
	AEAD_FAILED, /* OpenSSL refused; every output is zero */
};

struct aead_piece {
	const uint8_t *bytes;
	size_t length; /* at most INT_MAX: EVP counts in int */
};

/* `output` is as long as all pieces together, and overlaps none of them. */
struct aead_segment {
	const uint8_t *iv;
	struct aead_piece aad;
	uint8_t *tag; /* written by a seal, compared by an open */
	uint8_t *output;
	size_t output_length;
	const struct aead_piece *pieces;
	size_t piece_count;
};

/* True if this process has the functions and the cipher. The first call decides. */
bool aead_available(void);

/* Uses one key schedule and one context for the whole batch. Call it only if aead_available() is true. */
enum aead_outcome aead_run(enum aead_direction direction, const uint8_t key[AEAD_KEY_BYTES],
			   const struct aead_segment *segments, size_t count);

#endif
