#include "binding.h"
#include "binding_outcome.h"
#include "binding_secret.h"

#include <stdlib.h>

/* The key is written where it stays: into locked memory, from the pool's thread. */
struct key_job {
	struct job job;
	char path[PATH_MAX];
	struct sev_guest_key_request request;
	struct secret *key;
	struct sev_guest_outcome outcome;
};

static void run(struct job *job)
{
	struct key_job *asked = (struct key_job *)job;
	sev_guest_get_key(asked->path, &asked->request, asked->key->bytes, &asked->outcome);
}

static napi_value settle(napi_env env, struct job *job)
{
	struct key_job *asked = (struct key_job *)job;
	struct secret *key = asked->key;
	napi_value object;

	asked->key = NULL;
	napi_value buffer = buffer_of_secret(env, key);
	if (buffer == NULL || !ok(env, napi_create_object(env, &object)) ||
	    !set_outcome(env, object, &asked->outcome) ||
	    !ok(env, napi_set_named_property(env, object, "key", buffer)))
		return NULL;
	return object;
}

static void release(napi_env env, struct job *job)
{
	struct key_job *asked = (struct key_job *)job;
	(void)env;
	drop_secret(asked->key);
	free(asked);
}

static bool read_u64(napi_env env, napi_value value, uint64_t *number)
{
	bool lossless;
	if (!ok(env, napi_get_value_bigint_uint64(env, value, number, &lossless)))
		return false;
	if (!lossless)
		(void)refuse(env, "a number has more than 64 bits, or is negative");
	return lossless;
}

/* getKey(path: string, rootKey: number, fields: bigint, vmpl: number, guestSvn: number, tcb: bigint):
 * Promise<KeyAnswer> */
static napi_value get_key(napi_env env, napi_callback_info info)
{
	size_t count = 6;
	napi_value arguments[6];

	struct key_job *asked = calloc(1, sizeof *asked);
	if (asked == NULL)
		return refuse(env, "out of memory");
	asked->job = (struct job){ .run = run, .settle = settle, .release = release };

	if (!ok(env, napi_get_cb_info(env, info, &count, arguments, NULL, NULL)) ||
	    !read_path(env, arguments[0], asked->path) ||
	    !ok(env, napi_get_value_uint32(env, arguments[1], &asked->request.root_key_select)) ||
	    !read_u64(env, arguments[2], &asked->request.guest_field_select) ||
	    !ok(env, napi_get_value_uint32(env, arguments[3], &asked->request.vmpl)) ||
	    !ok(env, napi_get_value_uint32(env, arguments[4], &asked->request.guest_svn)) ||
	    !read_u64(env, arguments[5], &asked->request.tcb_version) ||
	    (asked->key = make_secret(env, SEV_KEY_BYTES)) == NULL) {
		free(asked);
		return NULL;
	}
	return start_job(env, "sev_guest.key", &asked->job);
}

bool define_key(napi_env env, napi_value exports)
{
	return define_function(env, exports, "getKey", get_key);
}
