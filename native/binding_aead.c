#include "aead.h"
#include "binding.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The parts of a segment: iv, aad, tag, output, then its pieces of input, whose number is in `counts`. */
enum { IV, AAD, TAG, OUTPUT, FIXED_PARTS };

/* One allocation: the struct, then the segments, then the pieces. JavaScript owns the arrays; the reference `parts`
 * keeps them alive until the work is done. */
struct aead_job {
	struct job job;
	enum aead_direction direction;
	enum aead_outcome outcome;
	napi_ref parts;
	uint8_t key[AEAD_KEY_BYTES];
	size_t count;
	struct aead_segment segments[];
};

static void run(struct job *job)
{
	struct aead_job *batch = (struct aead_job *)job;
	batch->outcome = aead_run(batch->direction, batch->key, batch->segments, batch->count);
}

static napi_value settle(napi_env env, struct job *job)
{
	const struct aead_job *batch = (struct aead_job *)job;
	napi_value authentic;

	if (batch->outcome == AEAD_FAILED) {
		(void)napi_throw_error(env, NULL, "AES-256-GCM failed");
		return NULL;
	}
	return ok(env, napi_get_boolean(env, batch->outcome == AEAD_DONE, &authentic)) ? authentic : NULL;
}

static void dispose(napi_env env, struct job *job)
{
	struct aead_job *batch = (struct aead_job *)job;
	if (batch->parts != NULL)
		(void)napi_delete_reference(env, batch->parts);
	explicit_bzero(batch->key, sizeof batch->key);
	free(batch);
}

static bool read_part(napi_env env, napi_value parts, uint32_t index, uint8_t **bytes, size_t *length)
{
	napi_value part;
	return ok(env, napi_get_element(env, parts, index, &part)) && read_bytes(env, part, bytes, length);
}

static bool deny(napi_env env, const char *message)
{
	(void)refuse(env, message);
	return false;
}

/* Reads the segment whose parts begin at `at`, and stores its pieces in `pieces`. */
static bool read_segment(napi_env env, napi_value parts, uint32_t at, uint32_t piece_count,
			 struct aead_segment *segment, struct aead_piece *pieces)
{
	uint8_t *bytes[FIXED_PARTS];
	size_t lengths[FIXED_PARTS];
	size_t input_length = 0;

	for (uint32_t i = 0; i < FIXED_PARTS; i++)
		if (!read_part(env, parts, at + i, &bytes[i], &lengths[i]))
			return false;
	for (uint32_t i = 0; i < piece_count; i++) {
		uint8_t *piece;
		if (!read_part(env, parts, at + FIXED_PARTS + i, &piece, &pieces[i].length))
			return false;
		pieces[i].bytes = piece;
		if (pieces[i].length > INT_MAX)
			return deny(env, "a piece is longer than 2 GiB");
		input_length += pieces[i].length;
	}
	if (lengths[IV] != AEAD_IV_BYTES || lengths[TAG] != AEAD_TAG_BYTES || lengths[AAD] > INT_MAX ||
	    lengths[OUTPUT] != input_length)
		return deny(env, "a segment must have a 12-byte iv, a 16-byte tag, and an output as long as its input");
	*segment = (struct aead_segment){
		.iv = bytes[IV],
		.aad = { .bytes = bytes[AAD], .length = lengths[AAD] },
		.tag = bytes[TAG],
		.output = bytes[OUTPUT],
		.output_length = lengths[OUTPUT],
		.pieces = pieces,
		.piece_count = piece_count,
	};
	return true;
}

/* Reads all segments; false with an exception pending. The caller has checked the sum of `counts`. */
static bool read_segments(napi_env env, napi_value parts, const uint32_t *counts, struct aead_job *batch)
{
	struct aead_piece *pieces = (struct aead_piece *)&batch->segments[batch->count];
	uint32_t at = 0;

	for (size_t i = 0; i < batch->count; i++) {
		if (!read_segment(env, parts, at, counts[i], &batch->segments[i], pieces))
			return false;
		at += FIXED_PARTS + counts[i];
		pieces += counts[i];
	}
	return true;
}

/* aead(seal: boolean, key: Uint8Array, parts: Uint8Array[], counts: Uint32Array): Promise<boolean> */
static napi_value aead(napi_env env, napi_callback_info info)
{
	size_t argument_count = 4;
	napi_value arguments[4];
	bool seal;
	uint8_t *key;
	size_t key_length;
	void *elements;
	size_t count;
	uint32_t part_count;
	size_t piece_count = 0;

	if (!ok(env, napi_get_cb_info(env, info, &argument_count, arguments, NULL, NULL)) ||
	    !ok(env, napi_get_value_bool(env, arguments[0], &seal)) ||
	    !read_bytes(env, arguments[1], &key, &key_length) ||
	    !ok(env, napi_get_array_length(env, arguments[2], &part_count)) ||
	    !read_typed_array(env, arguments[3], napi_uint32_array, &elements, &count))
		return NULL;
	const uint32_t *counts = elements;
	for (size_t i = 0; i < count; i++)
		piece_count += counts[i];
	if (key_length != AEAD_KEY_BYTES || part_count != count * FIXED_PARTS + piece_count)
		return refuse(env, "the key must have 32 bytes, and counts must match the number of parts");

	struct aead_job *batch = calloc(1, sizeof *batch + count * sizeof *batch->segments +
						   piece_count * sizeof(struct aead_piece));
	if (batch == NULL)
		return refuse(env, "out of memory");
	batch->job = (struct job){ .run = run, .settle = settle, .dispose = dispose };
	batch->direction = seal ? AEAD_SEAL : AEAD_OPEN;
	batch->count = count;
	if (!read_segments(env, arguments[2], counts, batch) ||
	    !ok(env, napi_create_reference(env, arguments[2], 1, &batch->parts))) {
		dispose(env, &batch->job);
		return NULL;
	}
	memcpy(batch->key, key, AEAD_KEY_BYTES);
	return start_job(env, "aead.batch", &batch->job);
}

/* `aead` is defined only if the Node binary exports what it needs. */
bool define_aead(napi_env env, napi_value exports)
{
	return !aead_available() || define_function(env, exports, "aead", aead);
}
