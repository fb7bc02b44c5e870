#include "binding_outcome.h"

#include "binding.h"

#include <string.h>

bool read_path(napi_env env, napi_value value, char path[PATH_MAX])
{
	size_t length;

	if (!ok(env, napi_get_value_string_utf8(env, value, path, PATH_MAX, &length)))
		return false;
	/* Node-API cuts what does not fit, without a word. */
	if (length < PATH_MAX - 1 && length == strlen(path))
		return true;
	(void)refuse(env, "the path of the device is too long, or holds a NUL");
	return false;
}

bool set_number(napi_env env, napi_value object, const char *name, uint32_t number)
{
	napi_value value;
	return ok(env, napi_create_uint32(env, number, &value)) &&
	       ok(env, napi_set_named_property(env, object, name, value));
}

bool set_outcome(napi_env env, napi_value object, const struct sev_guest_outcome *outcome)
{
	napi_value opened;
	return ok(env, napi_get_boolean(env, outcome->opened, &opened)) &&
	       ok(env, napi_set_named_property(env, object, "opened", opened)) &&
	       set_number(env, object, "error", (uint32_t)outcome->error) &&
	       set_number(env, object, "fwError", outcome->fw_error) &&
	       set_number(env, object, "vmmError", outcome->vmm_error) &&
	       set_number(env, object, "status", outcome->status);
}
