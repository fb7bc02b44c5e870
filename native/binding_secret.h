/* Secrets as JavaScript sees them. */
#ifndef BINDING_SECRET_H
#define BINDING_SECRET_H

#include "secret.h"

#include <node_api.h>

/* A secret on the heap, or NULL with an exception pending whose code is ERR_SECRET_MEMORY. */
struct secret *make_secret(napi_env env, size_t length);
void drop_secret(struct secret *secret);

/* A Buffer over the secret's own bytes, which owns it from here on: also where this gives NULL with an exception pending. */
napi_value buffer_of_secret(napi_env env, struct secret *secret);

#endif
