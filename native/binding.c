#include "binding.h"

#include <stdlib.h>

bool ok(napi_env env, napi_status status)
{
	if (status == napi_ok)
		return true;
	bool pending = false;
	if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) {
		const napi_extended_error_info *info = NULL;
		const char *message = "a Node-API call failed";
		if (napi_get_last_error_info(env, &info) == napi_ok && info != NULL && info->error_message != NULL)
			message = info->error_message;
		(void)napi_throw_error(env, NULL, message);
	}
	return false;
}

napi_value refuse(napi_env env, const char *message)
{
	(void)napi_throw_range_error(env, NULL, message);
	return NULL;
}

bool read_typed_array(napi_env env, napi_value value, napi_typedarray_type wanted, void **data, size_t *length)
{
	bool is_typed_array = false;
	napi_typedarray_type type;

	if (!ok(env, napi_is_typedarray(env, value, &is_typed_array)))
		return false;
	if (is_typed_array) {
		if (!ok(env, napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL)))
			return false;
		if (type == wanted)
			return true;
	}
	(void)napi_throw_type_error(env, NULL,
				    wanted == napi_uint32_array ? "expected a Uint32Array" : "expected a Uint8Array");
	return false;
}

bool read_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length)
{
	void *data = NULL;
	if (!read_typed_array(env, value, napi_uint8_array, &data, length))
		return false;
	*bytes = data;
	return true;
}

bool define_function(napi_env env, napi_value exports, const char *name, napi_callback callback)
{
	napi_value function;
	return ok(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function)) &&
	       ok(env, napi_set_named_property(env, exports, name, function));
}

static void free_job(napi_env env, struct job *job)
{
	if (job->work != NULL)
		(void)napi_delete_async_work(env, job->work);
	job->dispose(env, job);
}

static void run_job(napi_env env, void *data)
{
	struct job *job = data;
	(void)env;
	job->run(job);
}

static void complete_job(napi_env env, napi_status status, void *data)
{
	struct job *job = data;
	napi_value value = NULL;

	/* Any other status means cancelled: the environment is being torn down, and no caller is left. */
	if (status == napi_ok) {
		value = job->settle(env, job);
		if (value != NULL)
			(void)ok(env, napi_resolve_deferred(env, job->deferred, value));
		else if (napi_get_and_clear_last_exception(env, &value) == napi_ok)
			(void)ok(env, napi_reject_deferred(env, job->deferred, value));
	}
	free_job(env, job);
}

napi_value start_job(napi_env env, const char *name, struct job *job)
{
	napi_value label;
	napi_value promise;

	if (ok(env, napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &label)) &&
	    ok(env, napi_create_async_work(env, NULL, label, run_job, complete_job, job, &job->work)) &&
	    ok(env, napi_create_promise(env, &job->deferred, &promise))) {
		if (ok(env, napi_queue_async_work(env, job->work)))
			return promise;
		/* No caller holds this promise. Settling it frees the deferred; a rejection would be reported as unhandled. */
		napi_value undefined;
		if (napi_get_undefined(env, &undefined) == napi_ok)
			(void)napi_resolve_deferred(env, job->deferred, undefined);
	}
	free_job(env, job);
	return NULL;
}
