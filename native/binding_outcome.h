/* What both requests to the device share: their path, and how an outcome looks from JavaScript. */
#ifndef BINDING_OUTCOME_H
#define BINDING_OUTCOME_H

#include "sev_guest.h"

#include <limits.h>
#include <node_api.h>

/* False with an exception pending. */
bool read_path(napi_env env, napi_value value, char path[PATH_MAX]);
bool set_number(napi_env env, napi_value object, const char *name, uint32_t number);
bool set_outcome(napi_env env, napi_value object, const struct sev_guest_outcome *outcome);

#endif
