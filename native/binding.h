/* The shared part of the Node-API glue: one way to check a call, one life cycle for asynchronous work. */
#ifndef BINDING_H
#define BINDING_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if a call succeeded. Otherwise an exception is pending. */
bool ok(napi_env env, napi_status status);

/* Throws a RangeError and returns NULL, for `return refuse(env, "…")`. */
napi_value refuse(napi_env env, const char *message);

/* The elements of a Uint8Array or a Uint32Array, without copying. False with an exception pending. */
bool read_typed_array(napi_env env, napi_value value, napi_typedarray_type wanted, void **data, size_t *length);
bool read_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length);

/* One piece of work for libuv's pool: the first member of a larger struct on the heap.
 * `run` executes on the pool and touches no JavaScript.
 * `settle` executes on the event loop and returns the promise's value; NULL rejects with the pending exception.
 * `dispose` comes last, exactly once, and wipes and frees everything. */
struct job {
	void (*run)(struct job *job);
	napi_value (*settle)(napi_env env, struct job *job);
	void (*dispose)(napi_env env, struct job *job);
	napi_async_work work;
	napi_deferred deferred;
};

/* Starts `job`, takes ownership of it and returns its promise; or returns NULL with an exception pending. */
napi_value start_job(napi_env env, const char *name, struct job *job);

/* Each one defines its functions on `exports`. */
bool define_report(napi_env env, napi_value exports);
bool define_secret(napi_env env, napi_value exports);
bool define_aead(napi_env env, napi_value exports);
bool define_notify(napi_env env, napi_value exports);
bool define_function(napi_env env, napi_value exports, const char *name, napi_callback callback);

#endif
