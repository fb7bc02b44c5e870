#include "binding.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Marks our Buffers: freeSecret wipes and detaches no other. */
static const napi_type_tag SECRET_TAG = { 0x8a1f4c52b3d94e07, 0x96e0c7d1525f3ba8 };

/* A secret on the heap, or NULL with a pending exception whose code is ERR_SECRET_MEMORY. */
static struct secret *make_secret(napi_env env, size_t length)
{
	char message[160];
	const char *refused = "malloc";
	struct secret *secret = malloc(sizeof *secret);
	int error = secret == NULL ? ENOMEM : secret_allocate(secret, length, &refused);

	if (error == 0)
		return secret;
	free(secret);
	(void)snprintf(message, sizeof message, "%s: %s", refused, strerror(error));
	(void)napi_throw_error(env, "ERR_SECRET_MEMORY", message);
	return NULL;
}

static void drop_secret(struct secret *secret)
{
	secret_free(secret);
	free(secret);
}

/* Called when the last view is gone, or soon after freeSecret. */
static void finalize(napi_env env, void *data, void *hint)
{
	int64_t total;
	(void)data;
	(void)napi_adjust_external_memory(env, -(int64_t)((struct secret *)hint)->mapped, &total);
	drop_secret(hint);
}

/* Makes a Buffer over the secret's own bytes and takes ownership of the secret, even when it returns NULL with an
 * exception pending. */
static napi_value buffer_of_secret(napi_env env, struct secret *secret)
{
	napi_value buffer;
	int64_t total;

	if (!ok(env, napi_create_external_buffer(env, secret->length, secret->bytes, finalize, secret, &buffer))) {
		drop_secret(secret);
		return NULL;
	}
	/* The collector sees a few bytes, but a secret takes whole pages, and the pages that a process may map and lock are
	 * limited. The real size makes the collector run in time for secrets that no caller freed. */
	if (!ok(env, napi_adjust_external_memory(env, (int64_t)secret->mapped, &total)))
		return NULL;
	return ok(env, napi_type_tag_object(env, buffer, &SECRET_TAG)) ? buffer : NULL;
}

/* allocateSecret(length: number): Buffer */
static napi_value allocate_secret(napi_env env, napi_callback_info info)
{
	size_t count = 1;
	napi_value argument;
	uint32_t length;

	if (!ok(env, napi_get_cb_info(env, info, &count, &argument, NULL, NULL)) ||
	    !ok(env, napi_get_value_uint32(env, argument, &length)))
		return NULL;
	if (length == 0 || length > SECRET_MAX_BYTES)
		return refuse(env, "a secret must have 1 to 65536 bytes");
	struct secret *secret = make_secret(env, length);
	return secret == NULL ? NULL : buffer_of_secret(env, secret);
}

/* freeSecret(secret: Buffer): void. Wipes it at once; every view of it is empty afterwards. */
static napi_value free_secret_buffer(napi_env env, napi_callback_info info)
{
	size_t count = 1;
	napi_value argument;
	napi_value memory;
	napi_valuetype type;
	bool is_secret = false;
	void *bytes;
	size_t length;

	if (!ok(env, napi_get_cb_info(env, info, &count, &argument, NULL, NULL)) ||
	    !ok(env, napi_typeof(env, argument, &type)))
		return NULL;
	if (type == napi_object && !ok(env, napi_check_object_type_tag(env, argument, &SECRET_TAG, &is_secret)))
		return NULL;
	if (!is_secret)
		return refuse(env, "the buffer is not from allocateSecret");
	if (!ok(env, napi_get_typedarray_info(env, argument, NULL, &length, &bytes, &memory, NULL)))
		return NULL;
	if (length != 0) {
		secret_wipe(bytes, length);
		(void)ok(env, napi_detach_arraybuffer(env, memory));
	}
	return NULL;
}

bool define_secret(napi_env env, napi_value exports)
{
	return define_function(env, exports, "allocateSecret", allocate_secret) &&
	       define_function(env, exports, "freeSecret", free_secret_buffer);
}
